"""What sales need of the gateway. `Gateway` has these methods; sales do not import it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from voucher_gateway.capabilities import Capabilities, Operation
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.requests import NewVoucher, VoucherChanges
from voucher_gateway.models.results import Balance, Redemption, Refund
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money
from voucher_gateway.provider.provider import VoucherProvider

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voucher_gateway.execution.recovery import Resolution
    from voucher_gateway.journal.journal import Journal
    from voucher_gateway.journal.records import OperationKey, OperationRecord


class SellingAccount(Protocol):
    """An account of the gateway; see `Account`."""

    @property
    def name(self) -> str:
        """The account's name."""
        ...

    @property
    def former_names(self) -> tuple[str, ...] | None:
        """Earlier names of the account."""
        ...

    @property
    def provider(self) -> VoucherProvider:
        """The vendor, seen through this account."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the account can do, emulations included."""
        ...

    @property
    def code_pattern(self) -> re.Pattern[str] | None:
        """Matches the codes that may belong to the account; None for no pattern."""
        ...

    def normalize(self, code: Code) -> Code:
        """Return a code in the form in which it is looked up."""
        ...

    def matches_code(self, code: Code) -> bool:
        """Whether the code matches the account's pattern; False without a pattern."""
        ...


class SaleVerbs(Protocol):
    """The verbs of the gateway that sales call. Their documentation is that of `Gateway`."""

    @property
    def journal(self) -> Journal | None: ...  # noqa: D102 - as in `Gateway`

    @property
    def loaded_accounts(self) -> Sequence[SellingAccount]: ...  # noqa: D102 - as in `Gateway`

    def account(self, name: str) -> SellingAccount: ...  # noqa: D102 - as in `Gateway`

    def get(self, account: str, id: str, *, secrets: bool = False) -> Voucher: ...  # noqa: D102 - as in `Gateway`

    def balance(self, account: str, code: Code, pin: Pin | None = None) -> Balance: ...  # noqa: D102 - as in `Gateway`

    def issue(  # noqa: D102 - as in `Gateway`
        self, account: str, new: NewVoucher, *, reference: str, order: str | None = None
    ) -> Voucher: ...

    def activate(  # noqa: D102 - as in `Gateway`
        self, account: str, id: str, *, reference: str, order: str | None = None
    ) -> Voucher: ...

    def deactivate(  # noqa: D102 - as in `Gateway`
        self, account: str, id: str, *, reference: str, order: str | None = None
    ) -> Voucher: ...

    def update(  # noqa: D102 - as in `Gateway`
        self, account: str, id: str, changes: VoucherChanges, *, reference: str, order: str | None = None
    ) -> Voucher: ...

    def redeem(  # noqa: D102 - as in `Gateway`
        self, account: str, code: Code, money: Money, *, reference: str, order: str | None = None
    ) -> Redemption: ...

    def refund(  # noqa: D102 - as in `Gateway`
        self, account: str, redemption: Redemption, *, reference: str, order: str | None = None
    ) -> Refund: ...

    def redemption(self, account: str, reference: str) -> Redemption: ...  # noqa: D102 - as in `Gateway`

    def resolve(self, doubt: OperationKey) -> Resolution: ...  # noqa: D102 - as in `Gateway`

    def operation(  # noqa: D102 - as in `Gateway`
        self, account: str, verb: Operation | str, reference: str
    ) -> OperationRecord | None: ...
