"""Decides what becomes of one voucher. Sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import attrs

from voucher_gateway.capabilities import Capabilities, Expiry
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.masking import Code
from voucher_gateway.migration.plan.losses import REPORTED
from voucher_gateway.migration.plan.model import Action, Destination, Kind
from voucher_gateway.migration.plan.policy import Policy, Recode, Retire
from voucher_gateway.migration.plan.route import can_activate_later
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


class Assessor:
    """Decides what becomes of each voucher of a source.

    Args:
        target: what is known of the target.
        policy: the policy of the migration.
        at: the time of the clock of the source.
        retire: how a voucher is made unspendable at the source.

    Attributes:
        actions: the action that the policy has for each kind.
    """

    def __init__(self, target: Target, policy: Policy, *, at: datetime, retire: Retire = Retire.LEAVE) -> None:
        self._rules = _TargetRules(target, policy, at)
        self._policy = policy
        self._at = at
        self._retire = retire
        self.actions = {kind: policy.action(kind) for kind in Kind}

    def assess(
        self, voucher: Voucher, *, held: bool = False, taken: bool = False, kind: Kind | None = None
    ) -> Assessment:
        """Return what becomes of a voucher.

        Args:
            voucher: the voucher, as the source shows it, with its code and PIN.
            held: whether the journal has an active reservation on it.
            taken: whether the target already has its code.
            kind: its kind, if it is known.
        """
        kind, policy = kind or kind_of(voucher, self._at, held=held), self._policy
        wanted = self.actions[kind]
        if wanted is not Action.CARRY:
            return Assessment(kind, wanted, (_WHY[kind],))
        if held and policy.reserved is not Action.CARRY:
            return Assessment(kind, policy.reserved, (_WHY[Kind.RESERVED],))
        if held and self._retire is not Retire.LEAVE:
            # After a move the reservation could not be captured at the source, or the money would be spent twice.
            return Assessment(kind, Action.REFUSE, ("it has a reservation, and only a copy can carry it",))
        if voucher.code is None:
            return Assessment(Kind.UNREADABLE, policy.unreadable, ("its code cannot be read",))
        money = voucher.remaining
        assert money is not None
        fit = _TargetFit(voucher, self._rules)
        fit.check_value(money)
        fit.check_code(voucher.code, taken=taken)
        fit.check_retire(self._retire, kind)
        fit.check_texts()
        fit.check_status()
        end = fit.find_end()
        losses = tuple(sorted(fit.losses)) if fit.losses else ()
        if fit.reasons:
            return Assessment(kind, Action.REFUSE, tuple(dict.fromkeys(fit.reasons)), losses)
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
    """The end of validity at the target: the fields of `Destination` with these names, and what is wrong with it."""

    valid_until: datetime | None = None
    validity_days: int | None = None
    drift: timedelta | None = None
    loss: str | None = None
    reason: str | None = None


class _TargetRules:
    """What the target and the policy say about every voucher. It is prepared once, for a million vouchers."""

    def __init__(self, target: Target, policy: Policy, at: datetime) -> None:
        can = target.capabilities
        self.target = target
        self.can = can
        self.policy = policy
        self.keeps = can.stored_fields
        self.keeps_status = can_activate_later(can) or "active" in can.stored_fields
        self.lossy_texts = tuple(
            (field, _NOT_STORED if longest is None else longest, loss)
            for field, loss in _TEXTS.items()
            if (longest := can.max_text_lengths.get(field)) is not None or field not in can.stored_fields
        )
        self._at = at
        self._ends: dict[datetime, _TargetEnd] = {}

    def end_of(self, until: datetime) -> _TargetEnd:
        """Return the end at the target of vouchers that end at a moment. Many vouchers end together."""
        end = self._ends.get(until)
        if end is None:
            if len(self._ends) >= _KEPT_ENDS:
                self._ends.clear()
            end = self._ends[until] = self._make_end(until)
        return end

    def _make_end(self, until: datetime) -> _TargetEnd:
        ends, at = self.can.expiry, self.target.at
        if not ends.takes_instants and until <= self._at:
            return _TargetEnd(reason="it has expired, and the target cannot hold an expired voucher")
        if ends is Expiry.NONE:
            return _TargetEnd(loss="end")
        loss = None if ends.takes_instants else "expiry"
        try:
            if ends.takes_instants:
                rounded = _round_up(until, self.can.expiry_resolution)
                return _TargetEnd(valid_until=rounded, drift=rounded - until)
            # The days count from the present time of the target. If it is activated later, it ends later. That is to
            # the benefit of the customer.
            days = max(1, -(-(until - at) // _DAY))
            return _TargetEnd(validity_days=days, drift=at + days * _DAY - until, loss=loss)
        except OverflowError:  # it must not end earlier, and Python has no later date
            return _TargetEnd(loss=loss, reason="its end, rounded up for the target, is after the year 9999")


_NOT_STORED: Final = -1
"""Stands for the length of the longest text if the target stores no text."""
_KEPT_ENDS: Final = 1 << 12
_NO_END: Final = _TargetEnd()


class _TargetFit:
    """Checks how one voucher fits the target: collects the reasons to refuse it, and its losses."""

    __slots__ = ("_rules", "_voucher", "active", "losses", "new_code", "reasons")

    def __init__(self, voucher: Voucher, rules: _TargetRules) -> None:
        self._voucher = voucher
        self._rules = rules
        self.reasons: list[str] = []
        self.losses: set[str] = set()
        self.active: bool | None = None
        self.new_code = False

    def check_value(self, money: Money) -> None:
        only = self._rules.target.currency
        if only is not None and only != money.currency:
            self.reasons.append(f"it is in {money.currency}, and the target has {only} only")
        try:
            self._rules.can.amounts.check(money)
        except InvalidRequest as error:
            self.reasons.append(f"the target does not accept its value: {error.rule}")
        initial = self._voucher.initial
        if initial is not money and initial not in (money, None):  # an unknown initial value cannot be lost
            self._add_loss("initial")

    def check_code(self, code: Code, *, taken: bool) -> None:
        rules, policy = self._rules.can.codes, self._rules.policy
        if taken:
            self._require_new_code(policy.code_taken, "the target already has its code")
        if not rules.choosable:
            self._require_new_code(policy.code_unfit, "the target does not accept chosen codes")
        elif (rule := rules.find_broken_rule(code.reveal())) is not None:
            self._require_new_code(policy.code_unfit, f"the target accepts codes with {rule}")

    def check_retire(self, retire: Retire, kind: Kind) -> None:
        if retire is Retire.EMPTY and kind in (Kind.INACTIVE, Kind.EXPIRED):
            self.reasons.append(f"{_WHY[kind]}, and a voucher that cannot be redeemed cannot be emptied at the source")
        if retire is Retire.DELETE and self._voucher.initial != self._voucher.remaining:
            self.reasons.append("it was used, and a used voucher cannot be deleted at the source")

    def check_texts(self) -> None:
        copied, keeps = self._voucher, self._rules.keeps
        for field, longest, loss in self._rules.lossy_texts:
            text = getattr(copied, field)
            if text and len(text if isinstance(text, str) else text.reveal()) > longest:
                self._add_loss(loss)
        if copied.unread:
            for field in copied.unread & _LEFT.keys():
                self._add_loss(_LEFT[field])
        if copied.taxable and "taxable" not in keeps:
            self._add_loss("tax")
        if copied.metadata is not None and "metadata" not in keeps and copied.metadata not in _NO_DATA:
            self._add_loss("metadata")
        if copied.medium is not None and (copied.medium is Medium.UNKNOWN or "medium" not in keeps):
            self._add_loss("medium")

    def check_status(self) -> None:
        active = not is_not_spendable(self._voucher.status)
        if self._rules.keeps_status:
            self.active = active
        elif not active:
            self._add_loss("status")

    def find_end(self) -> _TargetEnd:
        """Return the end of validity at the target."""
        until = self._voucher.valid_until
        if until is None:
            self._without_end()
            return _NO_END
        end = self._rules.end_of(until)
        if end.loss is not None:
            self._add_loss(end.loss)
        if end.reason is not None:
            self.reasons.append(end.reason)
        return end

    def _without_end(self) -> None:
        validity, ends = self._voucher.validity, self._rules.can.expiry
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
            self._rules.target.at + timedelta(days=validity.value * _DAYS[validity.interval])
        except OverflowError:
            return False
        return validity.value > 0

    def _add_loss(self, name: str) -> None:
        self.losses.add(name)
        if name not in REPORTED and name not in self._rules.policy.losses:
            self.reasons.append(f"the policy does not accept a loss: {name}")

    def _require_new_code(self, decision: Recode, reason: str) -> None:
        if decision is Recode.REFUSE:
            self.reasons.append(reason)
        elif self._rules.can.record:
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


def is_stopped(status: str | None) -> bool:
    """Return whether a voucher with this status stays unspendable until it is activated, extended or topped up."""
    return status in STOPPED


STOPPED: Final = frozenset({Status.INACTIVE, Status.PENDING, Status.DEACTIVATED, Status.EXPIRED, Status.USED_UP})
"""The statuses of vouchers that cannot be spent until they are activated, extended or topped up."""


def is_not_spendable(status: Status | None) -> bool:
    """Return whether a voucher may be unspendable: it has a status, and the status is not known to be active."""
    return status not in (None, Status.ACTIVE)
