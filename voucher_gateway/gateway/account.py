"""One account as the gateway holds it."""

from __future__ import annotations

import re
from collections.abc import Collection

import attrs

from voucher_gateway.capabilities import Capabilities
from voucher_gateway.emulation.registry import with_emulations
from voucher_gateway.masking import Code
from voucher_gateway.provider import VoucherProvider


@attrs.frozen(kw_only=True)
class Account:
    """A provider and what the user said about its use.

    Attributes:
        name: the account's name.
        provider: the vendor, seen through this account.
        code_pattern: matches the codes that may be this account's; None where the user gave none.
        accept_risks: the emulations whose risks are accepted.
        former_names: the names that the account had; the journal gives its operations the new name. None where nothing
            is said of them.
    """

    name: str
    provider: VoucherProvider
    code_pattern: re.Pattern[str] | None = None
    accept_risks: Collection[str] = frozenset()
    former_names: tuple[str, ...] | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What can be done with this account, emulations included."""
        return with_emulations(self.provider.capabilities, self.accept_risks)

    def may_have(self, code: Code) -> bool:
        """Whether the pattern lets the code be one of this account's; False without a pattern."""
        return self.code_pattern is not None and self.code_pattern.search(code.reveal()) is not None
