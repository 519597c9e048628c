"""A vendor in memory that shows vouchers, refuses, or is down."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from voucher_gateway.provider_api import (
    Capabilities,
    Code,
    CodeRules,
    Expiry,
    ListingRules,
    Operation,
    Pin,
    Voucher,
    VoucherGatewayError,
    VoucherNotFound,
    VoucherProvider,
    native,
)


@attrs.frozen
class Settings:
    """No settings."""


class Shelf(VoucherProvider):
    """The vendor.

    Attributes:
        answers: a voucher or an error for each code. Any other code is not found.
        default: the answer for all other codes.
        asked: the codes that it was asked for.
    """

    name = "shelf"
    title = "Shelf"
    interface_version = 1
    settings_type = Settings
    declared = Capabilities(
        operations={Operation.FIND: native(), Operation.GET: native()},
        codes=CodeRules(choosable=False, readable=True),
        expiry=Expiry.NONE,
        listing=ListingRules(page_size=10),
    )

    def __init__(self, account: str, answers: Mapping[str, Voucher | VoucherGatewayError]) -> None:
        super().__init__(account, Settings())
        self.answers = dict(answers)
        self.default: VoucherGatewayError | None = None
        self.asked: list[str] = []

    @property
    def host(self) -> str:
        return f"{self.account}.example"

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        text = Code.of(code).reveal()
        self.asked.append(text)
        answer = self.answers.get(text, self.default)
        if answer is None:
            raise VoucherNotFound("no such voucher")
        if isinstance(answer, VoucherGatewayError):
            raise answer
        return answer

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        raise AssertionError
