"""The policy of a migration: what its owner decides about the vouchers before they move.

::

    losses = ["sku", "batch", "tax"]     # what may be lost; the names are in `voucher_gateway.migration.plan.losses`
    accept = ["spendable-twice"]         # the accepted risks; the names are in the same module
    retire = "keep-frozen"               # how source vouchers are retired; by default the best way of the vendor

    [vouchers]                           # carry, skip or refuse
    inactive = "carry"
    expired = "skip"
    empty = "skip"
    partly-used = "carry"
    reserved = "refuse"                  # only a copy can carry reserved vouchers
    unreadable = "refuse"                # this and the next two: skip or refuse
    deactivated = "skip"                 # it cannot be activated again
    blocked = "refuse"                   # it cannot be spent for now

    [codes]                              # refuse or new-code
    taken = "refuse"
    unfit = "new-code"

A voucher that the policy does not provide for is refused, with the reason. Ordinary vouchers need no entry: a voucher
that is active, valid and not reserved, that has value left and a readable code, is always carried.
"""

from __future__ import annotations

import enum
import os
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs

from voucher_gateway.config.provider_settings import ConfigProblems, did_you_mean, toml_type_name
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.migration.plan.losses import LOSSES, RISKS
from voucher_gateway.migration.plan.model import Action, Kind

E = TypeVar("E", bound=enum.StrEnum)


class Retire(enum.StrEnum):
    """How a source voucher is made permanently unspendable.

    Attributes:
        KEEP_FROZEN: it stays deactivated.
        EXPIRE: its end of validity is set to a past date.
        EMPTY: its remaining value is redeemed.
        DELETE: it is deleted. Vendors delete only vouchers that were never used.
        LEAVE: it is not changed. It is copied, or its source is a file, from which no customer can spend.
    """

    KEEP_FROZEN = "keep-frozen"
    EXPIRE = "expire"
    EMPTY = "empty"
    DELETE = "delete"
    LEAVE = "leave"


class Recode(enum.StrEnum):
    """What to do if a voucher cannot keep its code.

    Attributes:
        REFUSE: the voucher is refused.
        NEW_CODE: the voucher gets another code. Its owner has to be informed.
    """

    REFUSE = "refuse"
    NEW_CODE = "new-code"


CHOICES: Final[Mapping[Kind, Collection[Action]]] = {
    Kind.INACTIVE: tuple(Action),
    Kind.EXPIRED: tuple(Action),
    Kind.EMPTY: tuple(Action),
    Kind.PARTLY_USED: tuple(Action),
    Kind.RESERVED: tuple(Action),
    Kind.UNREADABLE: (Action.SKIP, Action.REFUSE),  # without a code and a value nothing can be issued
    Kind.DEACTIVATED: (Action.SKIP, Action.REFUSE),  # it has ended; at the target it could be activated
    Kind.BLOCKED: (Action.SKIP, Action.REFUSE),  # the source may end the block after the move
}
"""The actions that a policy can choose for a kind of voucher."""
_FIELDS: Final[Mapping[Kind, str]] = {kind: kind.value.replace("-", "_") for kind in Kind}
_ARTICLES: Final = {Kind.UNREADABLE: "an", Kind.DEACTIVATED: "a", Kind.BLOCKED: "a"}
_CODES: Final = ("taken", "unfit")
_TOP: Final = ("losses", "accept", "retire", "vouchers", "codes")


def _set(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


@attrs.frozen(kw_only=True)
class Policy:
    """What to do with each kind of voucher, and what may be lost.

    Attributes:
        inactive: the action for vouchers that are not active.
        expired: for vouchers whose validity has ended.
        empty: for vouchers without remaining value.
        partly_used: for vouchers with less than their initial value. The remaining value is carried.
        reserved: for vouchers with an active reservation in the journal, whatever their kind is. Only a copy can carry
            them.
        unreadable: for vouchers whose code or remaining value cannot be read. They cannot be carried.
        deactivated: for vouchers that cannot be activated again. They cannot be carried.
        blocked: for vouchers that cannot be spent for now. They cannot be carried.
        code_taken: what to do if the target already has the code, or the source has it twice.
        code_unfit: what to do if the target does not accept the code.
        losses: the names of the accepted losses, as in `LOSSES`.
        accept: the names of the accepted risks, as in `RISKS`.
        retire: how source vouchers are retired; None for the best way of the vendor.
    """

    inactive: Action = Action.REFUSE
    expired: Action = Action.REFUSE
    empty: Action = Action.REFUSE
    partly_used: Action = Action.CARRY
    reserved: Action = Action.REFUSE
    unreadable: Action = Action.REFUSE
    deactivated: Action = Action.REFUSE
    blocked: Action = Action.REFUSE
    code_taken: Recode = Recode.REFUSE
    code_unfit: Recode = Recode.REFUSE
    losses: frozenset[str] = attrs.field(default=(), converter=_set)
    accept: frozenset[str] = attrs.field(default=(), converter=_set)
    retire: Retire | None = None

    def __attrs_post_init__(self) -> None:
        problems = ConfigProblems("policy")
        for kind, choices in CHOICES.items():
            if self.action(kind) not in choices:
                reason = f"must be skip or refuse: {_ARTICLES[kind]} {kind.value} voucher cannot be carried"
                problems.add((kind.value,), reason)
        _require_known_names(self.losses, LOSSES, problems, ("losses",))
        _require_known_names(self.accept, RISKS, problems, ("accept",))
        problems.raise_if_any()

    def action(self, kind: Kind) -> Action:
        """Return the action for vouchers of a kind. A loss or the target may still cause a refusal."""
        if kind is Kind.UNUSED:
            return Action.CARRY
        action: Action = getattr(self, _FIELDS[kind])
        return action

    def to_json(self) -> dict[str, object]:
        """Return the policy as a JSON object of the same form as its file."""
        return {
            "losses": sorted(self.losses),
            "accept": sorted(self.accept),
            "retire": None if self.retire is None else self.retire.value,
            "vouchers": {kind.value: self.action(kind).value for kind in CHOICES},
            "codes": {"taken": self.code_taken.value, "unfit": self.code_unfit.value},
        }


def load_policy(source: str | os.PathLike[str] | Mapping[str, Any]) -> Policy:
    """Return the policy of a TOML file, or of a dict of the same form.

    Raises:
        ConfigurationError: if it is not valid; the message has a line for each problem.
    """
    if isinstance(source, Mapping):
        name, table = "policy", source
    else:
        name, table = str(Path(source)), _toml(Path(source))
    problems = ConfigProblems(name)
    _check_keys(table, _TOP, problems, ())
    given: dict[str, Any] = {
        "losses": _names(table.get("losses", ()), LOSSES, problems, ("losses",)),
        "accept": _names(table.get("accept", ()), RISKS, problems, ("accept",)),
    }
    if table.get("retire") is not None:
        given["retire"] = _one_of(table["retire"], tuple(Retire), problems, ("retire",))
    vouchers = _table(table.get("vouchers", {}), problems, ("vouchers",))
    _check_keys(vouchers, [kind.value for kind in CHOICES], problems, ("vouchers",))
    for kind, choices in CHOICES.items():
        if kind in vouchers:
            action = _one_of(vouchers[kind], choices, problems, ("vouchers", kind.value))
            given[kind.replace("-", "_")] = action
    codes = _table(table.get("codes", {}), problems, ("codes",))
    _check_keys(codes, _CODES, problems, ("codes",))
    for key in _CODES:
        if key in codes:
            given[f"code_{key}"] = _one_of(codes[key], tuple(Recode), problems, ("codes", key))
    problems.raise_if_any()
    return Policy(**given)


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        reason = error.strerror or "the file cannot be read"
    except UnicodeDecodeError:
        reason = "the file is not UTF-8"
    except tomllib.TOMLDecodeError as error:
        reason = f"the file is not TOML: {error}"
    raise ConfigurationError(f"{path}: {reason}")


def _table(given: Any, problems: ConfigProblems, where: tuple[str, ...]) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    problems.add(where, f"must be a table, not {toml_type_name(given)}")
    return {}


def _check_keys(
    table: Mapping[str, Any], known: Collection[str], problems: ConfigProblems, where: tuple[str, ...]
) -> None:
    for key in table:
        if key not in known:
            problems.add(
                (*where, key), f"is not a key of a policy{did_you_mean(key, known)}; known: {', '.join(known)}"
            )


def _one_of(given: Any, choices: Collection[E], problems: ConfigProblems, where: tuple[str, ...]) -> E | None:
    choice = next((choice for choice in choices if isinstance(given, str) and choice.value == given), None)
    if choice is None:
        names = [choice.value for choice in choices]
        problems.add(where, f"must be one of {', '.join(names)}{did_you_mean(given, names)}")
    return choice


def _names(given: Any, known: Mapping[str, str], problems: ConfigProblems, where: tuple[str, ...]) -> frozenset[str]:
    if not isinstance(given, list | tuple | set | frozenset) or not all(isinstance(name, str) for name in given):
        problems.add(where, "must be an array of strings")
        return frozenset()
    _require_known_names(given, known, problems, where)
    return frozenset(name for name in given if name in known)


def _require_known_names(
    given: Collection[str], known: Mapping[str, str], problems: ConfigProblems, where: tuple[str, ...]
) -> None:
    for name in sorted(given):
        if name not in known:
            problems.add(where, f"holds an unknown name{did_you_mean(name, known)}; known: {', '.join(known)}")
