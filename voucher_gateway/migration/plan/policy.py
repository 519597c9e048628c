"""What the owner of an estate decides about its vouchers before they move.

::

    losses = ["sku", "batch", "tax"]     # what may be lost; the names are in `voucher_gateway.migration.plan.losses`
    accept = ["spendable-twice"]         # the risks; the names are in `voucher_gateway.migration.plan.losses`
    retire = "keep-frozen"               # how the source's vouchers end; by default what suits the vendor best

    [vouchers]                           # carry, skip or refuse
    inactive = "carry"
    expired = "skip"
    empty = "skip"
    partly-used = "carry"
    reserved = "refuse"                  # only a copy can carry them
    unreadable = "refuse"

    [codes]                              # refuse or new-code
    taken = "refuse"
    unfit = "new-code"

Whatever a policy does not say is refused, voucher by voucher and with the reason; only vouchers that anybody would
carry are carried without a word: active, valid, not reserved, with value left and a code that can be read.
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
    """How a source voucher is made unspendable for good."""

    KEEP_FROZEN = "keep-frozen"
    """It stays deactivated."""
    EXPIRE = "expire"
    """Its end of validity is put into the past."""
    EMPTY = "empty"
    """What is left of it is redeemed."""
    DELETE = "delete"
    """It is deleted, which vendors do only with vouchers that were never used."""
    LEAVE = "leave"
    """It stays as it is: it is copied, or its source is a record that nobody can spend."""


class Recode(enum.StrEnum):
    """What to do about a code that a voucher cannot keep."""

    REFUSE = "refuse"
    NEW_CODE = "new-code"
    """It gets another one, and its owner has to be told."""


_CHOICES: Final[Mapping[Kind, Collection[Action]]] = {
    Kind.INACTIVE: tuple(Action),
    Kind.EXPIRED: tuple(Action),
    Kind.EMPTY: tuple(Action),
    Kind.PARTLY_USED: tuple(Action),
    Kind.RESERVED: tuple(Action),
    Kind.UNREADABLE: (Action.SKIP, Action.REFUSE),  # without a code or a value there is nothing to carry
}
_CODES: Final = ("taken", "unfit")
_TOP: Final = ("losses", "accept", "retire", "vouchers", "codes")


def _set(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


@attrs.frozen(kw_only=True)
class Policy:
    """What to do with each kind of voucher, and what may be lost.

    Attributes:
        inactive: those that are not active.
        expired: those whose validity is over.
        empty: those without value.
        partly_used: those with less than at first; what is left is carried.
        reserved: those on which the journal knows a standing reservation; it holds for them whatever else they are, and
            only a copy can carry them.
        unreadable: those whose code or remaining value cannot be read; they cannot be carried.
        code_taken: what to do where the target has the code already, or the source has it twice.
        code_unfit: what to do where the target does not take the code.
        losses: the names of what may be lost, as in `LOSSES`.
        accept: the names of the risks that are accepted, as in `RISKS`.
        retire: how the source's vouchers end; None for what suits the vendor best.
    """

    inactive: Action = Action.REFUSE
    expired: Action = Action.REFUSE
    empty: Action = Action.REFUSE
    partly_used: Action = Action.CARRY
    reserved: Action = Action.REFUSE
    unreadable: Action = Action.REFUSE
    code_taken: Recode = Recode.REFUSE
    code_unfit: Recode = Recode.REFUSE
    losses: frozenset[str] = attrs.field(default=(), converter=_set)
    accept: frozenset[str] = attrs.field(default=(), converter=_set)
    retire: Retire | None = None

    def __attrs_post_init__(self) -> None:
        problems = ConfigProblems("policy")
        if self.unreadable is Action.CARRY:
            problems.add(("unreadable",), "must be skip or refuse: what cannot be read cannot be carried")
        _require_known_names(self.losses, LOSSES, problems, ("losses",))
        _require_known_names(self.accept, RISKS, problems, ("accept",))
        problems.raise_if_any()

    def action(self, kind: Kind) -> Action:
        """Return what is to become of vouchers of a kind, if nothing stands against it."""
        if kind is Kind.UNUSED:
            return Action.CARRY
        action: Action = getattr(self, kind.replace("-", "_"))
        return action

    def to_json(self) -> dict[str, object]:
        """Return the policy in terms of JSON, in the shape of its file."""
        return {
            "losses": sorted(self.losses),
            "accept": sorted(self.accept),
            "retire": None if self.retire is None else self.retire.value,
            "vouchers": {kind.value: self.action(kind).value for kind in _CHOICES},
            "codes": {"taken": self.code_taken.value, "unfit": self.code_unfit.value},
        }


def load_policy(source: str | os.PathLike[str] | Mapping[str, Any]) -> Policy:
    """Read a policy from a TOML file, or from a dict of the same shape.

    Raises:
        ConfigurationError: naming everything that is wrong with it, one line each.
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
    _check_keys(vouchers, [kind.value for kind in _CHOICES], problems, ("vouchers",))
    for kind, choices in _CHOICES.items():
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
        reason = error.strerror or "it cannot be read"
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    except tomllib.TOMLDecodeError as error:
        reason = f"it is no TOML: {error}"
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
            problems.add((*where, key), f"is no key here{did_you_mean(key, known)}; known: {', '.join(known)}")


def _one_of(given: Any, choices: Collection[E], problems: ConfigProblems, where: tuple[str, ...]) -> E | None:
    choice = next((choice for choice in choices if isinstance(given, str) and choice.value == given), None)
    if choice is None:
        names = [choice.value for choice in choices]
        problems.add(where, f"must be one of {', '.join(names)}{did_you_mean(given, names)}")
    return choice


def _names(given: Any, known: Mapping[str, str], problems: ConfigProblems, where: tuple[str, ...]) -> frozenset[str]:
    if not isinstance(given, list | tuple | set | frozenset) or not all(isinstance(name, str) for name in given):
        problems.add(where, "must be a list of names")
        return frozenset()
    _require_known_names(given, known, problems, where)
    return frozenset(name for name in given if name in known)


def _require_known_names(
    given: Collection[str], known: Mapping[str, str], problems: ConfigProblems, where: tuple[str, ...]
) -> None:
    for name in sorted(given):
        if name not in known:
            problems.add(where, f"holds an unknown name{did_you_mean(name, known)}; known: {', '.join(known)}")
