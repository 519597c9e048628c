"""The objects of a plan: its header, and one object for each voucher.

A plan is a file of JSON lines: a header, one line for each voucher, the totals, and the SHA-256 of all bytes before it
with a seal of the journal's key.
`voucher_gateway.migration.plan.plan_file` writes and reads it. `voucher_gateway.migration.plan.totals` adds it up.

Rules for code that runs a plan:

- The steps apply to all vouchers, with two exceptions. A voucher that is inactive at the source is not frozen. A
  voucher whose `Destination.active` is not True is not activated.
- If the source is retired without a freeze before, a customer may spend between the re-reading and the retirement. The
  remaining value has to be read again after the retirement.
- A carried voucher has the same fields at the target, except those that its losses name.
- `voucher_gateway.migration.plan.losses.find_unaccepted_risks` names the risks to accept before a run begins.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime, timedelta

import attrs

from voucher_gateway.models.voucher import Status
from voucher_gateway.money import Money


class Step(enum.StrEnum):
    """One step of the move of a voucher. A plan has the steps in the order in which they are run.

    Attributes:
        FREEZE: deactivate the source voucher, if the vendor can activate it again.
        REREAD: read the source voucher again, with its secrets.
        CREATE: issue the voucher at the target: inactive if `ACTIVATE` follows, otherwise as `Destination.active` says.
        CONFIRM: read the voucher at the target and compare it.
        RETIRE: make the source voucher permanently unspendable.
        ACTIVATE: make the target voucher spendable.
    """

    FREEZE = "freeze"
    REREAD = "re-read"
    CREATE = "create"
    CONFIRM = "confirm"
    RETIRE = "retire"
    ACTIVATE = "activate"


class Action(enum.StrEnum):
    """What a run does with a voucher.

    Attributes:
        CARRY: it is moved to the target.
        SKIP: it stays at the source, as the policy says.
        REFUSE: it stays at the source, because the policy does not provide for it; the plan gives the reasons.
    """

    CARRY = "carry"
    SKIP = "skip"
    REFUSE = "refuse"


class Kind(enum.StrEnum):
    """What a voucher is at the source. If several kinds apply, it is the first of them.

    Attributes:
        UNREADABLE: it cannot be read, or its remaining value is not known, or it would be carried and its code is not
            known.
        EMPTY: it has no value left.
        DEACTIVATED: it cannot be spent and cannot be activated again.
        EXPIRED: its validity has ended.
        BLOCKED: it cannot be spent for now, and the source may end the block at any moment.
        INACTIVE: it is not active, or the vendor shows a status that is not known.
        RESERVED: the journal has an active reservation on it.
        PARTLY_USED: it can be spent, and a part of it was used.
        UNUSED: it can be spent, and was not used.
    """

    UNREADABLE = "unreadable"
    EMPTY = "empty"
    DEACTIVATED = "deactivated"
    EXPIRED = "expired"
    BLOCKED = "blocked"
    INACTIVE = "inactive"
    RESERVED = "reserved"
    PARTLY_USED = "partly-used"
    UNUSED = "unused"


@attrs.frozen(kw_only=True)
class End:
    """The source or the target.

    Attributes:
        account: the name of the account, or the path of a file.
        provider: the name of the provider.
        host: the host of the vendor.
        login: the login at the vendor; None if it is not known.
        settings: the settings by which a file is read in the same way again.
    """

    account: str
    provider: str
    host: str
    login: str | None = None
    settings: Mapping[str, object] = attrs.field(factory=dict, hash=False)


@attrs.frozen(kw_only=True)
class Destination:
    """The properties of a carried voucher at the target.

    Attributes:
        value: its initial value at the target, which is its remaining value at the source.
        active: whether it is active after the move; None if the target has no status.
        valid_until: the end of validity; None if it has none, or the target does not accept one.
        validity_days: the validity in days from activation, if the target accepts only that.
        drift: how much later than at the source it ends, if it were activated at the time of the plan.
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
    """One voucher of the source, and what a run does with it.

    Attributes:
        number: its number in the plan, from 1.
        source_id: its id at the source; its place in the list if the id cannot be read.
        code: its masked code. Codes are read only of vouchers that may be carried.
        fingerprint: the fingerprint of its code, under a key of the journal; None if the code was not read.
        key_id: the id of that key.
        kind: its kind.
        initial: its initial value.
        remaining: its remaining value.
        status: its status.
        valid_until: the end of its validity.
        action: what a run does with it.
        reasons: why it is skipped or refused, in sentences.
        losses: the names of its losses, as in `voucher_gateway.migration.plan.losses.LOSSES`.
        destination: its properties at the target, if it is carried.
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
    """The properties that all vouchers of a plan share.

    Attributes:
        made_at: when the source was read.
        source: the account to move from.
        target: the account to move to.
        copy: whether the source is not changed, as in an export or import. Otherwise its vouchers are retired.
        steps: the steps of each carried voucher, in order.
        retire: how a source voucher is made permanently unspendable, as in `Retire`.
        accepted: the names of the risks that the policy accepts, as in `RISKS`.
        policy: the whole policy, for people and for the hash.
        workers: how many vouchers are moved at a time.
        rates: the most requests per second, by account.
        file_form: sentences that say how the file of the source is read.
        key_id: the id of the journal's key that made the fingerprints and the seal of the plan.
        key_check: a digest by which that key is recognised. It does not reveal the key.
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
    file_form: tuple[str, ...] = ()
    key_id: str | None = None
    key_check: str | None = None
