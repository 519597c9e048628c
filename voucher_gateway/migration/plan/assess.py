"""Decides what becomes of one voucher, and makes the request for its new voucher at the target. Sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import attrs

from voucher_gateway.capabilities import Capabilities, Expiry
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.masking import Code
from voucher_gateway.migration.plan.losses import REPORTED
from voucher_gateway.migration.plan.model import Action, Destination, Kind, PlannedVoucher
from voucher_gateway.migration.plan.policy import Policy, Recode, Retire
from voucher_gateway.migration.plan.route import can_activate_later
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.voucher import JSON_NULL, Interval, Medium, Status, Validity, Voucher
from voucher_gateway.money import Money

_DAY: Final = timedelta(days=1)
_TEXTS: Final = {"batch": "batch", "order": "order", "sku": "sku", "pin": "pin", "tax_rate": "tax"}
"""The texts that a target may not store, or only up to a length; and the name of the loss."""
_LEFT: Final = {**_TEXTS, "metadata": "metadata", "medium": "medium", "validity": "validity", "taxable": "tax"}
"""The fields that are lost if the source shows that they have a value but not the value; and the name of the loss."""
_NO_DATA: Final[tuple[object, ...]] = (None, JSON_NULL, "", {}, [])
"""Metadata whose loss is not a loss."""
_DAYS: Final[Mapping[Interval, int]] = {Interval.DAYS: 1, Interval.WEEKS: 7, Interval.MONTHS: 28, Interval.YEARS: 365}
"""The smallest number of days of each interval."""


@attrs.frozen(kw_only=True)
class Target:
    """What is known of the target.

    Attributes:
        capabilities: its capabilities.
        currency: the only currency of its vouchers; None if each voucher has its own.
        at: the time of its clock, from which relative validities count.
    """

    capabilities: Capabilities
    currency: str | None = None
    at: datetime


@attrs.frozen
class Assessment:
    """What becomes of a voucher.

    Attributes:
        kind: its kind.
        action: what a run does with it.
        reasons: why it is skipped or refused.
        losses: the names of its losses.
        destination: its properties at the target; None if it stays at the source.
    """

    kind: Kind
    action: Action
    reasons: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    destination: Destination | None = None


def kind_of(voucher: Voucher, at: datetime, *, held: bool = False) -> Kind:
    """Return the kind of a voucher at a moment of the clock of its vendor.

    Args:
        voucher: the voucher, as the source shows it.
        at: the moment.
        held: whether the journal has an active reservation on it.
    """
    if voucher.remaining is None:
        return Kind.UNREADABLE
    if voucher.remaining.amount <= 0 or voucher.status is Status.USED_UP:
        return Kind.EMPTY
    if voucher.status is Status.DEACTIVATED:
        return Kind.DEACTIVATED
    if voucher.status is Status.EXPIRED or (voucher.valid_until is not None and voucher.valid_until <= at):
        return Kind.EXPIRED
    if voucher.status is Status.BLOCKED:
        return Kind.BLOCKED
    if is_not_spendable(voucher.status):
        return Kind.INACTIVE
    if held:
        return Kind.RESERVED
    # If the initial value is not known, the voucher counts as unused.
    return Kind.UNUSED if voucher.initial in (voucher.remaining, None) else Kind.PARTLY_USED


def assess(
    voucher: Voucher,
    target: Target,
    policy: Policy,
    *,
    at: datetime,
    retire: Retire = Retire.LEAVE,
    held: bool = False,
    taken: bool = False,
    kind: Kind | None = None,
) -> Assessment:
    """Return what becomes of a voucher.

    Args:
        voucher: the voucher, as the source shows it, with its code and PIN.
        target: what is known of the target.
        policy: the policy of the migration.
        at: the time of the clock of the source.
        retire: how it is made unspendable at the source.
        held: whether the journal has an active reservation on it.
        taken: whether the target already has its code.
        kind: its kind, if it is known.
    """
    kind = kind or kind_of(voucher, at, held=held)
    wanted = policy.action(kind)
    if wanted is not Action.CARRY:
        return Assessment(kind, wanted, (_WHY[kind],))
    if held and policy.reserved is not Action.CARRY:
        return Assessment(kind, policy.reserved, (_WHY[Kind.RESERVED],))
    if held and retire is not Retire.LEAVE:
        # After a move the reservation could not be captured at the source, or the money would be spent twice.
        return Assessment(kind, Action.REFUSE, ("it has a reservation, and only a copy can carry it",))
    if voucher.code is None:
        return Assessment(Kind.UNREADABLE, policy.unreadable, ("its code cannot be read",))
    money = voucher.remaining
    assert money is not None
    fit = _TargetFit(voucher, target, policy)
    fit.check_value(money)
    fit.check_code(voucher.code, taken=taken)
    fit.check_retire(retire, kind)
    fit.check_texts()
    fit.check_status()
    end = fit.find_end(at)
    refused = tuple(dict.fromkeys(fit.reasons))
    losses = tuple(sorted(fit.losses))
    if refused:
        return Assessment(kind, Action.REFUSE, refused, losses)
    destination = Destination(
        value=money,
        active=fit.active,
        valid_until=end.valid_until,
        validity_days=end.validity_days,
        drift=end.drift,
        new_code=fit.new_code,
    )
    return Assessment(kind, Action.CARRY, (), losses, destination)


_WHY: Final = {
    Kind.UNREADABLE: "its remaining value cannot be read",
    Kind.EMPTY: "it has no value left",
    Kind.DEACTIVATED: "it was deactivated, and cannot be activated again",
    Kind.EXPIRED: "it has expired",
    Kind.BLOCKED: "it is blocked for now: move it after the block has ended",
    Kind.INACTIVE: "it is not active",
    Kind.RESERVED: "it has a reservation",
    Kind.PARTLY_USED: "a part of it was used",
}


class _TargetEnd(NamedTuple):
    """The end of validity at the target: the fields of `Destination` with these names."""

    valid_until: datetime | None = None
    validity_days: int | None = None
    drift: timedelta | None = None


class _TargetFit:
    """Checks how one voucher fits the target: collects the reasons to refuse it, and its losses."""

    def __init__(self, voucher: Voucher, target: Target, policy: Policy) -> None:
        self._voucher = voucher
        self._target = target
        self._can = target.capabilities
        self._policy = policy
        self.reasons: list[str] = []
        self.losses: set[str] = set()
        self.active: bool | None = None
        self.new_code = False

    def check_value(self, money: Money) -> None:
        if self._target.currency not in (None, money.currency):
            self.reasons.append(f"it is in {money.currency}, and the target has {self._target.currency} only")
        try:
            self._can.amounts.check(money)
        except InvalidRequest as error:
            self.reasons.append(f"the target does not accept its value: {error.rule}")
        if self._voucher.initial not in (money, None):  # an unknown initial value cannot be lost
            self._add_loss("initial")

    def check_code(self, code: Code, *, taken: bool) -> None:
        rules = self._can.codes
        if taken:
            self._require_new_code(self._policy.code_taken, "the target already has its code")
        if not rules.choosable:
            self._require_new_code(self._policy.code_unfit, "the target does not accept chosen codes")
        elif (rule := rules.find_broken_rule(code.reveal())) is not None:
            self._require_new_code(self._policy.code_unfit, f"the target accepts codes with {rule}")

    def check_retire(self, retire: Retire, kind: Kind) -> None:
        if retire is Retire.EMPTY and kind in (Kind.INACTIVE, Kind.EXPIRED):
            self.reasons.append(f"{_WHY[kind]}, and a voucher that cannot be redeemed cannot be emptied at the source")
        used = self._voucher.initial != self._voucher.remaining
        if retire is Retire.DELETE and used:
            self.reasons.append("it was used, and a used voucher cannot be deleted at the source")

    def check_texts(self) -> None:
        copied, keeps = self._voucher, self._can.stored_fields
        for field, loss in _TEXTS.items():
            text = getattr(copied, field)
            if text and not self._stores(field, text if isinstance(text, str) else text.reveal()):
                self._add_loss(loss)
        for field in copied.unread & _LEFT.keys():
            self._add_loss(_LEFT[field])
        if copied.taxable and "taxable" not in keeps:
            self._add_loss("tax")
        if copied.metadata not in _NO_DATA and "metadata" not in keeps:
            self._add_loss("metadata")
        if copied.medium is Medium.UNKNOWN or (copied.medium is not None and "medium" not in keeps):
            self._add_loss("medium")

    def check_status(self) -> None:
        active = not is_not_spendable(self._voucher.status)
        if can_activate_later(self._target.capabilities) or "active" in self._can.stored_fields:
            self.active = active
        elif not active:
            self._add_loss("status")

    def find_end(self, at: datetime) -> _TargetEnd:
        """Return the end of validity at the target."""
        until, ends = self._voucher.valid_until, self._can.expiry
        nothing = _TargetEnd()
        if until is None:
            self._without_end()
            return nothing
        if not ends.takes_instants and until <= at:
            self.reasons.append("it has expired, and the target cannot hold an expired voucher")
            return nothing
        if ends is Expiry.NONE:
            self._add_loss("end")
            return nothing
        if not ends.takes_instants:
            self._add_loss("expiry")
        try:
            if ends.takes_instants:
                rounded = _round_up(until, self._can.expiry_resolution)
                return _TargetEnd(valid_until=rounded, drift=rounded - until)
            # The days count from the present time of the target. If it is activated later, it ends later. That is to
            # the benefit of the customer.
            days = max(1, -(-(until - self._target.at) // _DAY))
            return _TargetEnd(validity_days=days, drift=self._target.at + days * _DAY - until)
        except OverflowError:  # it must not end earlier, and Python has no later date
            self.reasons.append("its end, rounded up for the target, is after the year 9999")
            return nothing

    def _without_end(self) -> None:
        validity, ends = self._voucher.validity, self._can.expiry
        if validity is not None and is_not_spendable(self._voucher.status):  # activation would set its end
            if not ends.takes_lengths or validity.interval is Interval.UNKNOWN:
                self._add_loss("validity")
            elif not self._is_length(validity):
                self.reasons.append("its validity is not a length of time, or ends after the year 9999")
            return
        if validity is not None:  # it may have begun at an unknown time
            self._add_loss("validity")
        if not ends.takes_instants and ends is not Expiry.NONE:
            self._add_loss("no-end")

    def _is_length(self, validity: Validity) -> bool:
        """Return whether a validity is longer than zero, and ends before the year 10000 if it begins now."""
        try:
            self._target.at + timedelta(days=validity.value * _DAYS[validity.interval])
        except OverflowError:
            return False
        return validity.value > 0

    def _stores(self, field: str, text: str) -> bool:
        longest = self._can.max_text_lengths.get(field)
        return field in self._can.stored_fields and (longest is None or len(text) <= longest)

    def _add_loss(self, name: str) -> None:
        self.losses.add(name)
        if name not in REPORTED and name not in self._policy.losses:
            self.reasons.append(f"the policy does not accept a loss: {name}")

    def _require_new_code(self, decision: Recode, reason: str) -> None:
        if decision is Recode.REFUSE:
            self.reasons.append(reason)
        elif self._can.record:
            self.reasons.append(f"{reason}, and a file makes no new codes")
        else:
            self.new_code = True
            self.losses.add("code")


def _round_up(until: datetime, resolution: timedelta) -> datetime:
    """Return the next moment that the target can store. It is never an earlier one."""
    if until.microsecond == 0 and resolution == _SECOND:
        return until  # the usual case, without arithmetic
    beyond = (until - _EPOCH) % resolution
    return until + (resolution - beyond) if beyond else until


_SECOND: Final = timedelta(seconds=1)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


_CARRIED: Final = ("pin", "medium", "taxable", "tax_rate", "sku", "batch", "order", "metadata")


def build_target_voucher(voucher: Voucher, planned: PlannedVoucher, can: Capabilities, *, later: bool) -> NewVoucher:
    """Return the request for the voucher at the target. Fields that the target cannot store, its losses, are left out.

    Args:
        voucher: the voucher, as it was just read at the source, with its code and PIN.
        planned: the planned voucher.
        can: the capabilities of the target.
        later: whether it is issued inactive, to be activated later.
    """
    destination = planned.destination
    assert destination is not None
    texts: dict[str, Any] = {
        name: getattr(voucher, name) for name in _CARRIED if _is_stored_by_target(name, voucher, can)
    }
    if destination.validity_days is not None:
        texts["validity"] = Validity(destination.validity_days, Interval.DAYS)
    elif is_not_spendable(planned.status) and _length_fits(voucher, can):
        texts["validity"] = voucher.validity
    return NewVoucher(
        initial=destination.value,
        code=None if destination.new_code else voucher.code,
        active=False if later else destination.active,
        valid_until=destination.valid_until,
        **texts,
    )


def is_stopped(status: str | None) -> bool:
    """Return whether a voucher with this status stays unspendable until it is activated, extended or topped up."""
    return status in STOPPED


STOPPED: Final = frozenset({Status.INACTIVE, Status.PENDING, Status.DEACTIVATED, Status.EXPIRED, Status.USED_UP})
"""The statuses of vouchers that cannot be spent until they are activated, extended or topped up."""


def is_not_spendable(status: Status | None) -> bool:
    """Return whether a voucher may be unspendable: it has a status, and the status is not known to be active."""
    return status not in (None, Status.ACTIVE)


def _is_stored_by_target(name: str, voucher: Voucher, can: Capabilities) -> bool:
    value = getattr(voucher, name)
    if (
        value in (None, "") or name not in can.stored_fields or value is Medium.UNKNOWN
    ):  # an empty text has no information
        return False
    longest = can.max_text_lengths.get(name)
    text = value if isinstance(value, str) else value.reveal() if name == "pin" else ""
    return longest is None or len(text) <= longest


def _length_fits(voucher: Voucher, can: Capabilities) -> bool:
    """Return whether activation sets the end of validity, and the target can count it in the same way."""
    validity = voucher.validity
    return (
        voucher.valid_until is None
        and validity is not None
        and validity.interval is not Interval.UNKNOWN
        and can.expiry.takes_lengths
    )
