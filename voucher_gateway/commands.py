"""One class for each verb that changes something: what the caller asks for, and the line that sends it.

`Gateway` makes a command of each call. An executor runs it by a strategy: `run_natively`, or an emulation, which runs
other steps instead. A command is also the step that sends its request, so an emulation builds the commands of the verbs
that it uses.
"""

from __future__ import annotations

import abc
import hashlib
import json
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, ClassVar, Final, Generic, Literal, TypeAlias, TypeVar, get_args

import attrs

from voucher_gateway.call_deadline import check_wait
from voucher_gateway.capabilities import Operation, OptionValue
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.requests import NewVoucher, VoucherChanges, nfc, nfc_or_none, require_name
from voucher_gateway.models.results import Deletion, Redemption, Refund, RefundLimit, Release, Reservation, TopUp
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money, positive
from voucher_gateway.outcome import Result
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.steps import StepRunner

R = TypeVar("R", bound=Result)
C = TypeVar("C", bound="Command[Any]")

IfHeld: TypeAlias = Literal["refuse", "replace-own", "replace"]
"""What a reservation may do to our other reservations on a voucher, where the vendor keeps only the latest."""

IF_HELD: Final[tuple[str, ...]] = get_args(IfHeld)

_COMPARED_APART: Final = ("id", "code", "pin", "initial")
"""Fields that are compared on their own, or that are secret: a digest of a PIN of four digits would reveal it."""


_WITH_OPTIONS: Final = "+"


def content_without_options(recorded: str | None) -> str | None:
    """Return the content of a command from what the journal recorded."""
    return None if recorded is None else recorded.partition(_WITH_OPTIONS)[0] or None


def run_natively(command: Command[R], steps: StepRunner, provider: VoucherProvider) -> R:
    """Run a command as the vendor's own operation."""
    return command.run(steps, provider)


def _validate_name(_: object, field: attrs.Attribute[Any], name: str) -> None:
    require_name(name, field.name)


def _validate_if_held(_: object, field: attrs.Attribute[Any], word: str) -> None:
    if word not in IF_HELD:
        rule = f"one of {', '.join(IF_HELD)}"
        raise InvalidRequest(f"if_held must be {rule}", field=field.name, rule=rule)


def _copy_options(options: Mapping[str, OptionValue] | None) -> Mapping[str, OptionValue]:
    given = {} if options is None else options
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


@attrs.frozen(kw_only=True)
class Command(abc.ABC, Generic[R]):
    """One changing verb on one voucher.

    Attributes:
        operation: the verb.
        account: the account's name.
        reference: the caller's idempotency key, in Unicode's normal form C.
        order: the shop's order number, in the same form.
        wait_s: how long to wait for another worker on the same call, in seconds.
        options: the options of the call that only its vendor has, by name.

    Raises:
        InvalidRequest: if `reference` or `order` is not a valid name, or `wait_s` is not a number of seconds.
    """

    operation: ClassVar[Operation]

    account: str
    reference: str = attrs.field(converter=nfc, validator=_validate_name)
    order: str | None = attrs.field(
        default=None, converter=nfc_or_none, validator=attrs.validators.optional(_validate_name)
    )
    wait_s: float = attrs.field(default=0.0, converter=check_wait)
    options: Mapping[str, OptionValue] = attrs.field(default=None, converter=_copy_options, hash=False)

    @abc.abstractmethod
    def send(self, provider: VoucherProvider, reference: str) -> R:
        """Send the vendor's own request for this verb under a reference, and return its result."""

    def run(self, steps: StepRunner, provider: VoucherProvider) -> R:
        """Run the command as the vendor's own operation."""
        return steps.run(self)

    def derive(self, kind: type[C], **fields: Any) -> C:
        """Return a command of another verb for the same account, reference and order."""
        return kind(account=self.account, reference=self.reference, order=self.order, **fields)

    @property
    def name(self) -> str:
        """The name of the step that sends it."""
        return self.operation.value

    @property
    def subject(self) -> str | None:
        """The id of the voucher, reservation or redemption that it acts on."""
        return None

    @property
    def code(self) -> Code | None:
        """The voucher's code, where it acts on a code."""
        return None

    @property
    def amount(self) -> Money | None:
        """The amount that is to move."""
        return None

    @property
    def content(self) -> str | None:
        """A digest of everything else that the caller asks for, without the options."""
        return None

    @property
    def recorded_content(self) -> str | None:
        """The content with a digest of the options: the journal records it, and compares it if the call comes again."""
        if not self.options:
            return self.content
        text = json.dumps(self.options, sort_keys=True)
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return f"{self.content or ''}{_WITH_OPTIONS}{digest}"

    @property
    def refund_limit(self) -> RefundLimit | None:
        """For a refund with a journal: the redemption that limits it."""
        return None


def request_digest(request: NewVoucher | VoucherChanges) -> str:
    """Return a digest that differs where the requests differ, so that one reference cannot stand for two of them."""
    fields = attrs.asdict(request, recurse=False)
    content = {name: value for name, value in fields.items() if name not in _COMPARED_APART}
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


# --- verbs on a voucher ---


@attrs.frozen(kw_only=True)
class IssueVoucher(Command[Voucher]):
    """Issue a new voucher.

    Attributes:
        new: the voucher.
    """

    operation = Operation.ISSUE

    new: NewVoucher

    def send(self, provider: VoucherProvider, reference: str) -> Voucher:
        return provider.issue(self.new, reference=reference, order=self.order)

    def run(self, steps: StepRunner, provider: VoucherProvider) -> Voucher:
        """Issue the voucher under an id or code by which it can be found again."""
        return steps.run(attrs.evolve(self, new=steps.with_generated_id(self.new)))

    @property
    def subject(self) -> str | None:
        return self.new.id

    @property
    def code(self) -> Code | None:
        return self.new.code

    @property
    def amount(self) -> Money:
        return self.new.initial

    @property
    def content(self) -> str:
        return request_digest(self.new)


@attrs.frozen(kw_only=True)
class VoucherCommand(Command[R]):
    """A verb on a voucher that is named by its id.

    Attributes:
        voucher_id: the vendor's id of the voucher.
    """

    voucher_id: str

    @property
    def subject(self) -> str:
        return self.voucher_id


@attrs.frozen(kw_only=True)
class ActivateVoucher(VoucherCommand[Voucher]):
    """Make a voucher spendable."""

    operation = Operation.ACTIVATE

    def send(self, provider: VoucherProvider, reference: str) -> Voucher:
        return provider.activate(self.voucher_id, reference=reference, order=self.order)


@attrs.frozen(kw_only=True)
class DeactivateVoucher(VoucherCommand[Voucher]):
    """Stop a voucher from being spent."""

    operation = Operation.DEACTIVATE

    def send(self, provider: VoucherProvider, reference: str) -> Voucher:
        return provider.deactivate(self.voucher_id, reference=reference, order=self.order)


@attrs.frozen(kw_only=True)
class UpdateVoucher(VoucherCommand[Voucher]):
    """Change a voucher's data, never its value.

    Attributes:
        changes: the fields to change.
    """

    operation = Operation.UPDATE

    changes: VoucherChanges

    def send(self, provider: VoucherProvider, reference: str) -> Voucher:
        return provider.update(self.voucher_id, self.changes, reference=reference, order=self.order)

    def run(self, steps: StepRunner, provider: VoucherProvider) -> Voucher:
        """Update the voucher; keep emulations away where an update also overwrites the value."""
        overwrites = provider.capabilities.can_overwrite_value
        with steps.lock(provider.host, self.voucher_id) if overwrites else nullcontext():
            return steps.run(self)

    @property
    def content(self) -> str:
        return request_digest(self.changes)


@attrs.frozen(kw_only=True)
class TopUpVoucher(VoucherCommand[TopUp]):
    """Add value to a voucher.

    Attributes:
        money: how much; above zero.
    """

    operation = Operation.TOP_UP

    money: Money = attrs.field(converter=positive)

    def send(self, provider: VoucherProvider, reference: str) -> TopUp:
        return provider.top_up(self.voucher_id, self.money, reference=reference, order=self.order)

    @property
    def amount(self) -> Money:
        return self.money


@attrs.frozen(kw_only=True)
class DeleteVoucher(VoucherCommand[Deletion]):
    """Remove a voucher for good.

    Attributes:
        reason: a reason that the vendor may keep.
    """

    operation = Operation.DELETE

    reason: str

    def send(self, provider: VoucherProvider, reference: str) -> Deletion:
        return provider.delete(self.voucher_id, self.reason, reference=reference, order=self.order)


# --- verbs that take value, set it aside or give it back ---


@attrs.frozen(kw_only=True)
class SpendCommand(Command[R]):
    """A verb that takes or reserves value of the voucher with a code.

    Attributes:
        code: the voucher's code.
        money: how much; above zero.
        pin: the PIN, if there is one.
        if_held: one of `IF_HELD`.

    Raises:
        InvalidRequest: if `if_held` is another word.
    """

    code: Code
    money: Money = attrs.field(converter=positive)
    pin: Pin | None = None
    if_held: IfHeld = attrs.field(default="replace-own", validator=_validate_if_held)

    @property
    def amount(self) -> Money:
        return self.money


@attrs.frozen(kw_only=True)
class ReserveValue(SpendCommand[Reservation]):
    """Set value aside, to be captured or released."""

    operation = Operation.RESERVE

    def send(self, provider: VoucherProvider, reference: str) -> Reservation:
        return provider.reserve(self.code, self.money, self.pin, reference=reference, order=self.order)


@attrs.frozen(kw_only=True)
class RedeemVoucher(SpendCommand[Redemption]):
    """Take value in one step.

    Attributes:
        partial: whether the vendor may take what is left, if that is less.
    """

    operation = Operation.REDEEM

    partial: bool = False

    def send(self, provider: VoucherProvider, reference: str) -> Redemption:
        return provider.redeem(self.code, self.money, self.pin, reference=reference, order=self.order)

    @property
    def content(self) -> str | None:
        return "partial" if self.partial else None


@attrs.frozen(kw_only=True)
class CaptureReservation(Command[Redemption]):
    """Take the value that was set aside.

    Attributes:
        reservation: the reservation.
        money: how much; None for all of it.
    """

    operation = Operation.CAPTURE

    reservation: Reservation
    money: Money | None = None

    def send(self, provider: VoucherProvider, reference: str) -> Redemption:
        return provider.capture(self.reservation, self.money, reference=reference, order=self.order)

    @property
    def subject(self) -> str:
        return self.reservation.id

    @property
    def amount(self) -> Money:
        return self.reservation.money if self.money is None else self.money


@attrs.frozen(kw_only=True)
class ReleaseReservation(Command[Release]):
    """Give a reservation up.

    Attributes:
        reservation: the reservation.
    """

    operation = Operation.RELEASE

    reservation: Reservation

    def send(self, provider: VoucherProvider, reference: str) -> Release:
        return provider.release(self.reservation, reference=reference, order=self.order)

    @property
    def subject(self) -> str:
        return self.reservation.id


@attrs.frozen(kw_only=True)
class RefundRedemption(Command[Refund]):
    """Give a redemption back.

    Attributes:
        redemption: the redemption.
        money: how much is given back.
        content: how the journal records an amount that the caller did not name.
        refund_limit: the redemption that limits the refund, with a journal.
    """

    operation = Operation.REFUND

    redemption: Redemption
    money: Money
    content: str | None = None
    refund_limit: RefundLimit | None = attrs.field(default=None, repr=False)

    def send(self, provider: VoucherProvider, reference: str) -> Refund:
        """Send the vendor's request. Every vendor can refund the whole; not every one can refund a part."""
        part = None if self.money == self.redemption.money else self.money
        return provider.refund(self.redemption, part, reference=reference, order=self.order)

    def run(self, steps: StepRunner, provider: VoucherProvider) -> Refund:
        """Refund under the voucher's lock: another refund of ours must not come between the provider's notes and it."""
        with steps.lock(provider.host, self.redemption.voucher_id or self.redemption.id):
            return steps.run(self)

    @property
    def subject(self) -> str:
        return self.redemption.id

    @property
    def amount(self) -> Money:
        return self.money


@attrs.frozen(kw_only=True)
class RefundMovedVoucher(RefundRedemption):
    """Give a redemption back on a voucher that was moved to another account since.

    Attributes:
        voucher_id: the voucher's id at `account`, where it is now.
    """

    voucher_id: str
