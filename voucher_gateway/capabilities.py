"""What a vendor can do, as data that callers read before they call."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, TypeAlias

import attrs

from voucher_gateway.rules.amounts import AmountRules
from voucher_gateway.rules.codes import CodeRules
from voucher_gateway.rules.payments import RefundLink, ReservationRules


class Operation(enum.StrEnum):
    """A method of `VoucherProvider`; the value is its name.

    Attributes:
        FIND: read a voucher by its code.
        GET: read a voucher by its id.
        BALANCE: read what is left on a voucher.
        VOUCHERS: list vouchers.
        HISTORY: read the movements of a voucher.
        PRESENTATION: read how the seller presents a voucher.
        ISSUE: create a voucher.
        ACTIVATE: let a voucher be spent.
        DEACTIVATE: stop a voucher from being spent.
        UPDATE: change fields of a voucher.
        TOP_UP: add value.
        DELETE: delete a voucher.
        RESERVE: hold value for a later capture.
        CAPTURE: take value that a reservation holds.
        RELEASE: end a reservation without taking value.
        REDEEM: take value in one step.
        REFUND: give back value of a redemption.
    """

    FIND = "find"
    GET = "get"
    BALANCE = "balance"
    VOUCHERS = "vouchers"
    HISTORY = "history"
    PRESENTATION = "presentation"
    ISSUE = "issue"
    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"
    UPDATE = "update"
    TOP_UP = "top_up"
    DELETE = "delete"
    RESERVE = "reserve"
    CAPTURE = "capture"
    RELEASE = "release"
    REDEEM = "redeem"
    REFUND = "refund"

    @property
    def changes(self) -> bool:
        """Whether the operation changes anything at the vendor."""
        return self not in _READING


_READING: Final = frozenset(
    {
        Operation.FIND,
        Operation.GET,
        Operation.BALANCE,
        Operation.VOUCHERS,
        Operation.HISTORY,
        Operation.PRESENTATION,
    }
)


class Support(enum.StrEnum):
    """How an operation is supported.

    Attributes:
        NATIVE: the vendor has it.
        EMULATED: the gateway combines other operations; `OperationSupport.emulation` names the way.
        DENIED: the vendor has it, but this login may not use it; `OperationSupport.note` says what is missing.
        UNSUPPORTED: it is not available.
    """

    NATIVE = "native"
    EMULATED = "emulated"
    DENIED = "denied"
    UNSUPPORTED = "unsupported"


class RepeatSafety(enum.StrEnum):
    """What makes it safe to repeat a call whose outcome is unknown.

    Attributes:
        VENDOR_KEY: the vendor accepts an idempotency key; `Capabilities.keys` has its rules.
        NATURAL_KEY: what the call creates has an id or code that we choose and that cannot exist twice.
        LOOK_UP: the records of the vendor can prove that the call was executed.
        NONE: nothing.
    """

    VENDOR_KEY = "vendor-key"
    NATURAL_KEY = "natural-key"
    LOOK_UP = "look-up"
    NONE = "none"


class KeyScope(enum.StrEnum):
    """For what a vendor remembers an idempotency key.

    Attributes:
        ACCOUNT: for the account: another token or another path does not make it another key.
        TOKEN: for the credentials: after they have changed, the vendor knows none of the earlier keys.
        PATH: for the account and the path: the same key at another path is another key.
    """

    ACCOUNT = "account"
    TOKEN = "token"  # noqa: S105 - not a secret
    PATH = "path"


MIN_KEY_LENGTH: Final = 20
"""The shortest key that cannot be equal to another one by chance: 80 bits as hexadecimal digits."""

LONGEST_KEY_MARGIN: Final = timedelta(hours=1)
"""A key is used no longer than this before its end, or a tenth of its lifetime before, if that is shorter."""


@attrs.frozen(kw_only=True)
class KeyRules:
    """The vendor's idempotency keys. Where a key stands in a request is the provider's business.

    Attributes:
        scope: for what the vendor remembers a key.
        max_length: the length of the longest key, in characters.
        lifetime: how long the vendor remembers a key, from the first request on; None for ever. Where the vendor does
            not say it, leave the default of one day.
        kept_refusals: the statuses of the refusals that the vendor remembers under the key, and gives again. Such a
            refusal proves that no earlier request under the key was executed, or ever will be. None by default.
        forgotten_after: the statuses of the errors with which the vendor forgets the key, although it may have carried
            the request out. After such an answer, nothing is sent again under the key. None by default.
    """

    scope: KeyScope = KeyScope.ACCOUNT
    max_length: int = 64
    lifetime: timedelta | None = timedelta(days=1)
    kept_refusals: frozenset[int] = frozenset()
    forgotten_after: frozenset[int] = frozenset()

    def __attrs_post_init__(self) -> None:
        if self.max_length < MIN_KEY_LENGTH:
            raise ValueError(f"max_length of a key must be at least {MIN_KEY_LENGTH}, not {self.max_length}")
        if self.lifetime is not None and self.lifetime <= timedelta(0):
            raise ValueError("lifetime of a key must be above zero, or None for ever")
        if not all(400 <= status <= 499 and status not in (401, 408, 409, 425, 429) for status in self.kept_refusals):
            raise ValueError("kept_refusals must be statuses of refusals: 4xx, and none of 401, 408, 409, 425 and 429")
        if not all(400 <= status <= 599 and status not in self.kept_refusals for status in self.forgotten_after):
            raise ValueError("forgotten_after must be statuses of errors: 4xx and 5xx, and none of kept_refusals")

    @property
    def usable_for(self) -> timedelta | None:
        """How long after its first request a key may be sent again: its lifetime less a margin. None for ever."""
        if self.lifetime is None:
            return None
        return self.lifetime - min(LONGEST_KEY_MARGIN, self.lifetime / 10)


class Expiry(enum.StrEnum):
    """How the end of validity can be set.

    Attributes:
        ABSOLUTE: as an instant.
        RELATIVE: as a length of time that begins with activation.
        BOTH: in either way.
        NONE: not at all.
    """

    ABSOLUTE = "absolute"
    RELATIVE = "relative"
    BOTH = "both"
    NONE = "none"

    @property
    def takes_instants(self) -> bool:
        """Whether an absolute end of validity can be set."""
        return self in (Expiry.ABSOLUTE, Expiry.BOTH)

    @property
    def takes_lengths(self) -> bool:
        """Whether a length of validity can be set, counted from activation."""
        return self in (Expiry.RELATIVE, Expiry.BOTH)


@attrs.frozen(kw_only=True)
class OperationSupport:
    """How one operation is available.

    Attributes:
        support: native, emulated, denied or unsupported.
        partial: whether it may take a part of the amount (capture, refund); None where that has no meaning.
        repeat: what makes a repeated call safe; None for reads.
        emulation: the emulation used, or the one that could be accepted.
        risk: the risk of that emulation, for people.
        note: other information for people.
    """

    support: Support
    partial: bool | None = None
    repeat: RepeatSafety | None = None
    emulation: str | None = None
    risk: str | None = None
    note: str = ""

    @property
    def available(self) -> bool:
        """Whether a call can be made."""
        return self.support in (Support.NATIVE, Support.EMULATED)


UNSUPPORTED: Final = OperationSupport(support=Support.UNSUPPORTED)
"""The support of every operation that a provider does not mention."""


def native(*, partial: bool | None = None, repeat: RepeatSafety | None = None, note: str = "") -> OperationSupport:
    """Return the support of an operation that the vendor has itself."""
    return OperationSupport(support=Support.NATIVE, partial=partial, repeat=repeat, note=note)


@attrs.frozen(kw_only=True)
class ListingRules:
    """How a vendor lists vouchers.

    Attributes:
        page_size: vouchers a page that we ask for by default.
        max_page_size: the vendor's limit; None for no documented one.
        sortable: whether the order can be asked for, so that pages are stable.
        filters: the common filters of `VoucherQuery` that it has.
        native_filters: the vendor's own filters, for `VoucherQuery.native`.
    """

    page_size: int
    max_page_size: int | None = None
    sortable: bool = False
    filters: frozenset[str] = frozenset()
    native_filters: frozenset[str] = frozenset()


OptionValue: TypeAlias = str | int | bool | tuple[str, ...] | list[str]
"""The value of an option of a call."""


class OptionType(enum.StrEnum):
    """The type of the value of an option.

    Attributes:
        STRING: a text.
        INTEGER: an integer.
        BOOLEAN: true or false.
        ARRAY: several texts.
    """

    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    ARRAY = "array"


@attrs.frozen(kw_only=True)
class OptionRule:
    """An option of calls that only this vendor has, such as a location, a tender, or the reason of a deactivation.

    Its value is stored in the journal and in tickets, so it must not be a secret.

    Attributes:
        name: its name, in ``options`` and after ``--option``.
        operations: the changing operations that have it.
        type: the type of its value.
        required: whether a call must have it.
        choices: the texts that it can be; empty if any text can.
        max_length: the length of the longest text, in characters.
        help: what it means, in one sentence.
    """

    name: str
    operations: frozenset[Operation]
    type: OptionType = OptionType.STRING
    required: bool = False
    choices: tuple[str, ...] = ()
    max_length: int = 255
    help: str = ""

    def __attrs_post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"the name of an option must be an identifier, not {self.name!r:.40}")
        if not self.operations or not all(operation.changes for operation in self.operations):
            raise ValueError(f"the option {self.name} must name changing operations")


@attrs.frozen(kw_only=True)
class Capabilities:
    """Everything that a provider, an account or a login can do.

    Attributes:
        operations: the support of each operation; a missing one is unsupported.
        amounts: the amounts that can be sent.
        currency_from: ``voucher`` where each carries its own, ``account`` where all have the account's.
        issues_in_account_currency: whether all new vouchers have the currency of the account, which `check` returns,
            although each voucher carries its own.
        codes: the rules of codes.
        expiry: how validity is set.
        listing: how vouchers are listed.
        reservations: how reservations behave; None where there are none.
        partial_approval: whether a redemption of more than is left takes what is left, and succeeds. Its result then
            has the amount that the vendor took.
        refund_link: whether the vendor ties a refund to its redemption; None where it has no refund.
        can_overwrite_value: whether `read_value` and `write_value` exist, on which emulations are built.
        keys: the rules of the vendor's idempotency keys; None where it has none.
        options: the options that calls have at this vendor alone.
        resolvable: the operations whose unknown outcome can be looked up.
        max_reference_length: the length of the longest reference that the vendor stores, in characters.
        stored_fields: the fields of `NewVoucher` that the vendor stores beside the value and the end of validity.
        max_text_lengths: the length of the longest text that the vendor stores, in characters, by `NewVoucher` field.
        can_issue_inactive: whether a new voucher can be inactive (``active=False``).
        restarts_validity: whether each activation counts the validity from the beginning, so that a voucher that was
            deactivated and is activated again ends later than before.
        expiry_resolution: the finest step of an absolute end of validity; finer parts are cut.
        requests_per_operation: how many requests an operation takes, if it is more than one. `get` includes the code
            and the PIN. An operation that is emulated by overwriting includes all its requests.
        get_returns_balance: whether `get` returns the remaining value; otherwise `find` does.
        shows_initial: whether some call shows the initial value of a voucher; False for a vendor that keeps none.
        record: whether vouchers here are only a record that cannot be spent, such as a file.
    """

    operations: Mapping[Operation, OperationSupport] = attrs.field(hash=False)
    amounts: AmountRules = attrs.field(factory=AmountRules)
    currency_from: str = "voucher"
    issues_in_account_currency: bool = False
    codes: CodeRules
    expiry: Expiry
    listing: ListingRules
    reservations: ReservationRules | None = None
    partial_approval: bool = False
    refund_link: RefundLink | None = None
    can_overwrite_value: bool = False
    keys: KeyRules | None = None
    options: tuple[OptionRule, ...] = ()
    resolvable: frozenset[Operation] = frozenset()
    max_reference_length: int = 64
    stored_fields: frozenset[str] = frozenset()
    max_text_lengths: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    can_issue_inactive: bool = False
    restarts_validity: bool = False
    expiry_resolution: timedelta = timedelta(microseconds=1)
    requests_per_operation: Mapping[Operation, int] = attrs.field(factory=dict, hash=False)
    get_returns_balance: bool = True
    shows_initial: bool = True
    record: bool = False

    def of(self, operation: Operation) -> OperationSupport:
        """Return the support of one operation."""
        return self.operations.get(operation, UNSUPPORTED)

    def with_support(self, changed: Mapping[Operation, OperationSupport]) -> Capabilities:
        """Return these capabilities with the support of some operations replaced."""
        return attrs.evolve(self, operations={**self.operations, **changed})


@attrs.frozen(kw_only=True)
class AccountCheck:
    """The result of a check of an account, for `voucher-gateway doctor`.

    Attributes:
        asked: whether the vendor answered a read with these credentials; False if it has no cheap read.
        scopes: the rights that the vendor granted; None if it has none, or does not show them.
        missing: the vendor's other rights, which this login lacks.
        currency: the currency of the account, where the vendor keeps one for it.
        clock_skew: how far the vendor's clock is ahead of this machine's, to about a second; None if it showed none.
        warnings: problems that a person should correct, in sentences without secrets.
    """

    asked: bool = True
    scopes: frozenset[str] | None = None
    missing: frozenset[str] = frozenset()
    currency: str | None = None
    clock_skew: timedelta | None = None
    warnings: tuple[str, ...] = ()
