"""The one interface to every vendor."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

from voucher_gateway.capabilities import AccountCheck, Capabilities, Operation, Support
from voucher_gateway.errors import ConfigurationError, MalformedResponse, UnsupportedOperation
from voucher_gateway.instants import now
from voucher_gateway.limits.shared_limits import SharedLimits
from voucher_gateway.masking import Code, Pin, Secret
from voucher_gateway.models.presentation import Presentation
from voucher_gateway.models.requests import NewVoucher, VoucherChanges, VoucherQuery
from voucher_gateway.models.results import Balance, Deletion, History, Redemption, Refund, Release, Reservation, TopUp
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money
from voucher_gateway.outcome import Effect, Intent, Outcome, option_notes, part_notes
from voucher_gateway.provider.call_options import current_options
from voucher_gateway.provider.declaration import INTERFACE, check_declaration
from voucher_gateway.provider.readings import SourceForm, ValueReading

if TYPE_CHECKING:
    from voucher_gateway.listing.listing import Listing


class VoucherProvider(abc.ABC):
    """One vendor, seen through one account. Calls block; one instance may be shared by all threads.

    A subclass declares `name`, `declared` and `settings_type`, implements `find` and `get`, and overrides exactly the
    operations that `declared` calls native; a class where the two differ is refused when it is defined. Everything
    else raises `UnsupportedOperation` before any request.

    Changing calls take two keywords. `reference` names this one call: it is written to the vendor where the vendor
    keeps such a name, and found again by exact match. `order` is the shop's business number.

    All operations may raise the errors of `voucher_gateway.errors`; a changing call raises `OutcomeUnknown` if it
    may have been executed.
    """

    name: ClassVar[str]
    """The provider's name in configs, e.g. ``jtl``."""
    title: ClassVar[str]
    """The vendor's name for people."""
    interface_version: ClassVar[int] = INTERFACE
    """The version of this interface that the class was built for."""
    declared: ClassVar[Capabilities]
    """What the vendor can do at most."""
    settings_type: ClassVar[type[Any]]
    """The attrs class of this provider's part of an account's configuration."""
    _closes_itself: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if hasattr(cls, "declared"):  # inherited too: a subclass may override more
            check_declaration(cls, VoucherProvider)

    def __init__(self, account: str, settings: Any) -> None:
        """Make the provider for one account.

        Args:
            account: the account's name in the config.
            settings: an instance of `settings_type`.
        """
        self.account = account
        self.settings = settings

    @property
    def capabilities(self) -> Capabilities:
        """What this login can do, as far as is known: `declared`, narrowed by scopes or version. Sends nothing."""
        return self.declared

    @property
    @abc.abstractmethod
    def host(self) -> str:
        """The vendor's host (and port), by which operations are kept apart."""

    @property
    def login(self) -> str | None:
        """The vendor-side login, e.g. the OAuth client id; None where the vendor shows none."""
        return None

    @classmethod
    def connect(cls, base_url: str, pin: str | Pin) -> Mapping[str, str | Secret]:
        """Exchange a one-time PIN for the credentials of a login, if the vendor offers that.

        Returns:
            The values for an account's configuration, by key.
        """
        raise UnsupportedOperation(f"{cls.title} does not give credentials for a PIN", operation="connect")

    def check(self) -> AccountCheck:
        """Make a cheap read that needs valid credentials, and return what it shows about the login.

        Raises:
            ConfigurationError: if the vendor contradicts the settings.
            VoucherGatewayError: as any read, if the vendor cannot be reached or refuses the login.
        """
        if not self.capabilities.of(Operation.VOUCHERS).available:
            return AccountCheck(asked=False)
        with self.vouchers(VoucherQuery(limit=1)) as listing:
            next(listing, None)
        return AccountCheck()

    def prepare_source(self, on_read: Callable[[int, int | None], None] | None = None) -> SourceForm:
        """Prepare to list all vouchers, before a migration lists them, and return how they are read.

        Args:
            on_read: is called repeatedly, if all vouchers are read now: with the number of vouchers that were read, and
                with the number of all vouchers, which may be estimated; None if it is not known.

        Raises:
            MalformedFile: if the account is a file that cannot be read, or that has no voucher.
        """
        return SourceForm()

    def use_shared_limits(self, limits: SharedLimits) -> None:  # noqa: B027 - without requests nothing is limited
        """Obey the limits that hold in all processes with one journal. A gateway with a journal calls it once."""

    def close(self) -> None:  # noqa: B027 - a provider without connections has nothing to close
        """Close the connections. The provider must not be used afterwards."""

    def close_when_unused(self) -> None:
        """Close the connections as soon as nothing refers to this object any more, such as a call that still runs."""
        self._closes_itself = True

    def __del__(self) -> None:
        if self._closes_itself:
            with suppress(Exception):  # Python would only print it
                self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- reading ---

    @abc.abstractmethod
    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        """Return the voucher with exactly this code.

        Raises:
            VoucherNotFound: if the vendor knows none.
        """

    @abc.abstractmethod
    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        """Return the voucher with this id of the vendor's.

        Args:
            id: the vendor's id.
            secrets: whether to read the code and the PIN too, if the vendor shows them only in a separate call.

        Raises:
            VoucherNotFound: if the vendor knows none.
        """

    def balance(self, code: str | Code, pin: str | Pin | None = None) -> Balance:
        """Return the present value of the voucher with this code. Calls `find` unless overridden."""
        if self.capabilities.of(Operation.BALANCE).support is Support.UNSUPPORTED:
            self._raise_unsupported(Operation.BALANCE)
        code, pin = Code.of(code), Pin.of_given(pin)
        voucher = self.find(code, pin)
        if voucher.remaining is None:
            raise MalformedResponse(
                "the vendor did not send the balance of the voucher",
                account=self.account,
                operation="balance",
            )
        return Balance(
            account=self.account,
            voucher_id=voucher.id,
            remaining=voucher.remaining,
            valid_until=voucher.valid_until,
            status=voucher.status,
        )

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        """List vouchers lazily, page by page; see `voucher_gateway.listing`."""
        self._raise_unsupported(Operation.VOUCHERS)

    def history(self, id: str) -> History:
        """Return all movements of a voucher that the vendor shows (JTL: charges; ticketing: transactions)."""
        self._raise_unsupported(Operation.HISTORY)

    def presentation(self, code: str | Code, *, id: str | None = None) -> Presentation:
        """Return how the seller presents the voucher with this code to its owner, for printing it (ticketing: info).

        Args:
            code: the voucher's code.
            id: the vendor's id of the voucher, where the caller knows it. It saves a look-up.

        Raises:
            VoucherNotFound: if the vendor knows no voucher with this code, or none with this code and id.
        """
        self._raise_unsupported(Operation.PRESENTATION)

    # --- issuing ---

    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        """Create a voucher."""
        self._raise_unsupported(Operation.ISSUE)

    def activate(self, id: str, *, reference: str, order: str | None = None) -> Voucher:
        """Make a voucher spendable (JTL: status)."""
        self._raise_unsupported(Operation.ACTIVATE)

    def deactivate(self, id: str, *, reference: str, order: str | None = None) -> Voucher:
        """Stop a voucher from being spent (JTL: status)."""
        self._raise_unsupported(Operation.DEACTIVATE)

    def update(
        self,
        id: str,
        changes: VoucherChanges,
        *,
        reference: str,
        order: str | None = None,
    ) -> Voucher:
        """Change a voucher's data, never its value."""
        self._raise_unsupported(Operation.UPDATE)

    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        """Add value (JTL: recharge)."""
        self._raise_unsupported(Operation.TOP_UP)

    def delete(self, id: str, reason: str, *, reference: str, order: str | None = None) -> Deletion:
        """Remove a voucher for good, for a reason that the vendor may keep."""
        self._raise_unsupported(Operation.DELETE)

    # --- spending ---

    def reserve(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Reservation:
        """Set value aside (JTL: reservation; loosely a hold)."""
        self._raise_unsupported(Operation.RESERVE)

    def capture(
        self, reservation: Reservation, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Redemption:
        """Take the reserved value, or the part of it that `money` names (JTL: charge)."""
        self._raise_unsupported(Operation.CAPTURE)

    def release(self, reservation: Reservation, *, reference: str, order: str | None = None) -> Release:
        """End a reservation without taking value."""
        self._raise_unsupported(Operation.RELEASE)

    def redeem(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Redemption:
        """Take value in one step."""
        self._raise_unsupported(Operation.REDEEM)

    def refund(
        self, redemption: Redemption, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Refund:
        """Give back the value of a redemption, or the part of it that `money` names."""
        self._raise_unsupported(Operation.REFUND)

    # --- primitives of emulations ---

    def read_value(self, code: str | Code | None = None, *, id: str | None = None) -> ValueReading:
        """Return the value of the voucher with this code or id, as `write_value` would overwrite it.

        By id it is read in two independent ways, if the vendor has two, because the result may be written back.
        `MalformedResponse` is raised if they disagree.
        """
        raise UnsupportedOperation(f"{self.title} has no value that can be overwritten", account=self.account)

    def write_value(self, before: ValueReading, value: Money, *, intent: Intent) -> None:
        """Overwrite the value of a voucher. Everything else stays as it is."""
        raise UnsupportedOperation(f"{self.title} has no value that can be overwritten", account=self.account)

    # --- in doubt ---

    def vendor_now(self) -> datetime:
        """Return the time by the vendor's clock, as far as its answers show it; otherwise by ours."""
        return now()

    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        """Look up the outcome of a call by reads. It is unknown unless the vendor's records prove another one.

        Args:
            intent: the call as it was sent.
            code: the voucher's code, if the caller knows it; an intent never holds one.
        """
        return Outcome(
            effect=Effect.UNKNOWN, reason=f"{self.title} keeps no record by which {intent.verb} could be found"
        )

    def intent(
        self,
        verb: Operation,
        *,
        reference: str | None,
        order: str | None = None,
        voucher_id: str | None = None,
        subject: str | None = None,
        money: Money | None = None,
        part: str = "",
        leaves: str = "",
        **notes: str,
    ) -> Intent:
        """Return the intent of a call of this account, for `http.change` and for tickets.

        It has the options of the call that `declared` has for the verb (`Intent.options`).

        Args:
            verb: the operation.
            reference: the reference under which the vendor gets the call.
            order: the shop's order number.
            voucher_id: the vendor's id of the voucher, where it is known before the sending.
            subject: the id that the call acts on.
            money: the amount that is to move.
            part: which request of the call this is, where a call has several.
            leaves: for a request that only prepares the deciding one: what it leaves behind at the vendor if the call
                goes no further, such as ``an empty card``.
            notes: what `resolve` needs besides.
        """
        options = current_options(self.declared.options, verb)
        return Intent(
            account=self.account,
            provider=self.name,
            host=self.host,
            login=self.login,
            verb=str(verb),
            reference=reference,
            order=order,
            voucher_id=voucher_id,
            subject=subject,
            money=money,
            sent_at=self.vendor_now(),
            notes=notes | option_notes(options) | part_notes(part, leaves),
        )

    def make_key(self, intent: Intent, part: str = "") -> str:
        """Return the vendor's idempotency key for a request, to put into the request and to give to `http.change`.

        Args:
            intent: the intent of the request.
            part: which request of the call it is, where a call has several; that of the intent by default.
        """
        rules = self.declared.keys
        if rules is None:
            raise ConfigurationError(f"{self.name} makes a key and does not declare keys=KeyRules(...)")
        return intent.make_key(max_length=rules.max_length, part=part)

    def _raise_unsupported(self, operation: Operation) -> NoReturn:
        support = self.capabilities.of(operation)
        why = f": {support.note}" if support.note else ""
        raise UnsupportedOperation(
            f"{self.title} has no {operation.value.replace('_', '-')}{why}",
            emulation=support.emulation,
            account=self.account,
            operation=operation.value,
        )
