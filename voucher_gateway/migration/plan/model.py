"""What a plan says: of the whole, and of each voucher.

A plan is a file of JSON lines: a header, one line a voucher, and a footer with the totals and the SHA-256 of all bytes
before it. `voucher_gateway.migration.plan.plan_file` writes and reads it, and
`voucher_gateway.migration.plan.totals` sums it up.

For whoever carries a plan out:

- The steps hold for all vouchers, with two exceptions. One that is inactive at the source is neither frozen nor thawed.
  One whose `Destination.active` is not True is not activated.
- Where the source is retired without being frozen first, a customer may spend between the re-reading and the retiring:
  what is left has to be read once more after it.
- A carried voucher leaves out at the target what its losses name; everything else that it has goes along.
- `voucher_gateway.migration.plan.losses.unaccepted` names what has to be accepted before anything is done.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime, timedelta

import attrs

from voucher_gateway.models.voucher import Status
from voucher_gateway.money import Money


class Step(enum.StrEnum):
    """One step of moving one voucher; a plan has them in the order in which they are taken."""

    FREEZE = "freeze"
    """Stop the source voucher from being spent, where that can be undone."""
    REREAD = "re-read"
    """Read the source voucher again, with its secrets."""
    CREATE = "create"
    """Issue it at the target; inactive where `ACTIVATE` follows, as `Destination.active` says otherwise."""
    CONFIRM = "confirm"
    """Read it back at the target."""
    RETIRE = "retire"
    """Make the source voucher unspendable for good."""
    ACTIVATE = "activate"
    """Make the target voucher spendable."""


class Action(enum.StrEnum):
    """What is to become of one voucher."""

    CARRY = "carry"
    SKIP = "skip"
    """It stays where it is, because the policy says so."""
    REFUSE = "refuse"
    """It stays where it is, because the policy does not say what to do; the reasons are given."""


class Kind(enum.StrEnum):
    """What a voucher is at the source, as far as the policy tells them apart. The first that fits."""

    UNREADABLE = "unreadable"
    """What is left of it is not known; or it would be carried, and its code is not known."""
    EMPTY = "empty"
    EXPIRED = "expired"
    INACTIVE = "inactive"
    RESERVED = "reserved"
    PARTLY_USED = "partly-used"
    UNUSED = "unused"


@attrs.frozen(kw_only=True)
class End:
    """The source or the target.

    Attributes:
        account: the account's name, or a file's path.
        provider: the provider's name.
        host: the vendor's host.
        login: the vendor-side login.
    """

    account: str
    provider: str
    host: str
    login: str | None = None


@attrs.frozen(kw_only=True)
class Destination:
    """What a carried voucher is to be at the target.

    Attributes:
        value: its initial value there: the source's remaining one.
        active: whether it is to be spendable in the end; None where the target has no such thing.
        valid_until: the absolute end of validity; None where the target takes none, or there is none.
        validity_days: the validity in days from activation, where the target takes only that.
        drift: how much later than at the source it ends, if it is activated when it was planned.
        new_code: whether it gets another code.
    """

    value: Money
    active: bool | None = None
    valid_until: datetime | None = None
    validity_days: int | None = None
    drift: timedelta | None = None
    new_code: bool = False


@attrs.frozen(kw_only=True)
class PlannedVoucher:
    """One voucher of the source, and what is to become of it.

    Attributes:
        number: its place in the plan, from 1.
        source_id: the source's id.
        code: masked, for people. Codes are read only of vouchers that may be carried.
        fingerprint: the code's keyed fingerprint (the journal's key); None where the code was not read.
        key_id: which key that was.
        kind: what it is.
        initial: its value at first.
        remaining: what is left.
        status: active or not.
        valid_until: the end of validity.
        action: what is to become of it.
        reasons: why it is skipped or refused, for people.
        losses: the names of what is lost or approximated, as in `policy.LOSSES`.
        destination: what it is to be at the target, if it is carried.
    """

    number: int
    source_id: str
    code: str | None = None
    fingerprint: str | None = None
    key_id: str | None = None
    kind: Kind
    initial: Money | None = None
    remaining: Money | None = None
    status: Status | None = None
    valid_until: datetime | None = None
    action: Action
    reasons: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    destination: Destination | None = None


@attrs.frozen(kw_only=True)
class PlanHeader:
    """What holds for all vouchers of a plan.

    Attributes:
        made_at: when the source was read.
        source: from where.
        target: to where.
        copy: whether the source stays as it is (export, import); otherwise its vouchers are retired.
        steps: what is done with each carried voucher, in order.
        retire: how a source voucher is made unspendable for good, as in `ends.Retire`.
        accepted: the names of the risks that were accepted, as in `risks.RISKS`.
        policy: the whole policy, for people and for the hash.
        workers: how many vouchers are to be under way at a time.
        rates: at most so many calls a second, by account.
    """

    made_at: datetime
    source: End
    target: End
    copy: bool = False
    steps: tuple[Step, ...]
    retire: str
    accepted: frozenset[str] = frozenset()
    policy: Mapping[str, object] = attrs.field(factory=dict, hash=False)
    workers: int = 8
    rates: Mapping[str, float] = attrs.field(factory=dict, hash=False)
