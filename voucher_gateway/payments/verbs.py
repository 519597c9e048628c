"""What payments need of the gateway. `Gateway` has these methods; payments do not import it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from voucher_gateway.capabilities import Capabilities, Operation
from voucher_gateway.config.check_limits import CheckLimits
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.results import Balance, Redemption, Refund, Release, Reservation
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money
from voucher_gateway.provider.provider import VoucherProvider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from voucher_gateway.errors import Ticket, VoucherGatewayError
    from voucher_gateway.execution.recovery import Resolution
    from voucher_gateway.journal.journal import Journal
    from voucher_gateway.journal.records import OperationKey, OperationRecord
    from voucher_gateway.payments.means import OtherMeans


class FoundVouchers(Protocol):
    """What a look-up of a code in several accounts gave; see `FindResult`."""

    @property
    def vouchers(self) -> tuple[Voucher, ...]:
        """The vouchers with this code."""
        ...

    @property
    def asked(self) -> tuple[str, ...]:
        """The accounts that answered."""
        ...

    @property
    def failed(self) -> Mapping[str, VoucherGatewayError]:
        """The accounts that could not be asked, and why."""
        ...


class VoucherAccount(Protocol):
    """An account of the gateway; see `Account`."""

    @property
    def name(self) -> str:
        """The account's name."""
        ...

    @property
    def provider(self) -> VoucherProvider:
        """The vendor, seen through this account."""
        ...

    @property
    def former_names(self) -> tuple[str, ...] | None:
        """Earlier names of the account."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the account can do, emulations included."""
        ...

    def normalize(self, code: Code) -> Code:
        """Return a code in the form in which it is looked up."""
        ...


class VoucherVerbs(Protocol):
    """The verbs of the gateway that payments call. Their documentation is that of `Gateway`."""

    @property
    def other_means(self) -> OtherMeans | None:
        """The other means of the configuration, or None."""
        ...

    @property
    def journal(self) -> Journal | None: ...  # noqa: D102 - as in `Gateway`

    @property
    def check_limits(self) -> CheckLimits: ...  # noqa: D102 - as in `Gateway`

    @property
    def loaded_accounts(self) -> Sequence[VoucherAccount]: ...  # noqa: D102 - as in `Gateway`

    def account(self, name: str) -> VoucherAccount: ...  # noqa: D102 - as in `Gateway`

    def find(self, code: Code, pin: Pin | None = None) -> FoundVouchers: ...  # noqa: D102 - as in `Gateway`

    def balance(self, account: str, code: Code, pin: Pin | None = None) -> Balance: ...  # noqa: D102 - as in `Gateway`

    def issue(  # noqa: D102 - as in `Gateway`
        self, account: str, new: NewVoucher, *, reference: str, order: str | None = None, wait: float = 0.0
    ) -> Voucher: ...

    def reserve(  # noqa: D102 - as in `Gateway`
        self,
        account: str,
        code: Code,
        money: Money,
        pin: Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
    ) -> Reservation: ...

    def capture(  # noqa: D102 - as in `Gateway`
        self,
        account: str,
        reservation: Reservation,
        money: Money | None = None,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
    ) -> Redemption: ...

    def release(  # noqa: D102 - as in `Gateway`
        self, account: str, reservation: Reservation, *, reference: str, order: str | None = None, wait: float = 0.0
    ) -> Release: ...

    def redeem(  # noqa: D102 - as in `Gateway`
        self,
        account: str,
        code: Code,
        money: Money,
        pin: Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
    ) -> Redemption: ...

    def refund(  # noqa: D102 - as in `Gateway`
        self,
        account: str,
        redemption: Redemption,
        money: Money | None = None,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
    ) -> Refund: ...

    def refundable(self, redemption: Redemption) -> Money: ...  # noqa: D102 - as in `Gateway`

    def operation(  # noqa: D102 - as in `Gateway`
        self, account: str, verb: Operation | str, reference: str
    ) -> OperationRecord | None: ...

    def reservation(self, account: str, reference: str) -> Reservation: ...  # noqa: D102 - as in `Gateway`

    def redemption(self, account: str, reference: str) -> Redemption: ...  # noqa: D102 - as in `Gateway`

    def resolve(self, doubt: Ticket | str | OperationKey) -> Resolution: ...  # noqa: D102 - as in `Gateway`
