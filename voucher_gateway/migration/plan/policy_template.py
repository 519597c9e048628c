"""Writes a policy to begin with: all that has to be decided, explained by comments, with the strictest values."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from voucher_gateway.capabilities import Capabilities
from voucher_gateway.migration.plan.losses import LOSSES, REPORTED, RISKS, possible_losses
from voucher_gateway.migration.plan.model import Kind
from voucher_gateway.migration.plan.policy import CHOICES, Policy, Recode, Retire
from voucher_gateway.migration.plan.route import choose_route, retire_options

_WIDTH: Final = 100

_KINDS: Final[Mapping[Kind, str]] = {
    Kind.INACTIVE: "Not active: it was never sold, or it was deactivated and can be activated again.",
    Kind.EXPIRED: "Its validity has ended.",
    Kind.EMPTY: "It has no value left.",
    Kind.PARTLY_USED: "A part of it was used. If it is carried, what is left is its initial value at the target.",
    Kind.RESERVED: "The journal has an active reservation on it. Only a copy can carry it.",
    Kind.UNREADABLE: "Its code or its remaining value cannot be read.",
    Kind.DEACTIVATED: "It was deactivated for ever.",
    Kind.BLOCKED: "It cannot be spent for now, and the source may end the block at any moment.",
}
_RETIRE: Final[Mapping[Retire, str]] = {
    Retire.KEEP_FROZEN: "it stays deactivated",
    Retire.EXPIRE: "its end of validity is set to a past date",
    Retire.EMPTY: "its remaining value is redeemed, if it can be redeemed",
    Retire.DELETE: "it is deleted, if it was never used",
    Retire.LEAVE: "it is not changed",
}
_CODES: Final[Mapping[str, str]] = {
    "taken": "The target already has the code, or the source has it twice.",
    "unfit": "The target does not accept the code.",
}


def policy_template(source: str, target: str, source_can: Capabilities, target_can: Capabilities, *, copy: bool) -> str:
    """Return a policy in TOML for the move between two accounts. As it stands, it is the strictest policy.

    Args:
        source: the account to move from, by its name.
        target: the account to move to, by its name.
        source_can: the capabilities of the source.
        target_can: the capabilities of the target.
        copy: whether the source is not changed.
    """
    lines = [
        f"# The policy of a move from {_name(source)} to {_name(target)}.",
        "#",
        *_comment(
            "As it stands it is the strictest policy: a voucher that it does not provide for is refused, with the"
            " reason. Decide each entry. Then make the plan and read what it says:"
        ),
        f"#     voucher-gateway migrate plan {_name(source)} {_name(target)} --out move.plan --policy policy.toml",
        "",
        *_losses(source_can, target_can),
        "",
        *_risks(source_can, target_can, copy=copy),
        "",
        *([] if copy else [*_retire(source_can), ""]),
        *_vouchers(),
        "",
        *_codes(target_can),
    ]
    return "\n".join(lines) + "\n"


def _losses(source_can: Capabilities, target_can: Capabilities) -> Iterator[str]:
    possible = [name for name in possible_losses(source_can, target_can) if name not in REPORTED]
    others = [name for name in LOSSES if name not in possible and name not in REPORTED]
    yield from _comment(
        "What a voucher may lose. A voucher that would lose anything else is refused. Remove the # before each name"
        f" that you accept. Reported only, and not to be named: {', '.join(sorted(REPORTED))}."
    )
    yield from _explain(possible, LOSSES)
    if others:
        yield from _comment("Between these two accounts only single vouchers can lose these:")
        yield from _explain(others, LOSSES)
    yield from _array("losses", [*possible, *others])


def _risks(source_can: Capabilities, target_can: Capabilities, *, copy: bool) -> Iterator[str]:
    yield from _comment(
        "Risks of the whole move that you accept. A run asks for each that its plan has, and the plan says how large it"
        " is."
    )
    yield from _explain(RISKS, RISKS)
    if choose_route(source_can, target_can, copy=copy).double_spendable:
        yield from _comment("Between these two accounts every move has the risk spendable-twice.")
    yield from _array("accept", RISKS)


def _retire(source_can: Capabilities) -> Iterator[str]:
    yield from _comment("How a source voucher is made unspendable for ever. Without an entry it is the first of these:")
    for option in retire_options(source_can):
        yield f'# retire = "{option.value}"  # {_RETIRE[option]}'


def _vouchers() -> Iterator[str]:
    yield from _comment(
        "What becomes of vouchers that are not ordinary. An active, valid voucher with value is always carried."
    )
    yield "[vouchers]"
    strictest = Policy()
    for kind, choices in CHOICES.items():
        yield from _comment(f"{_KINDS[kind]} One of: {', '.join(action.value for action in choices)}.")
        yield f'{kind.value} = "{strictest.action(kind).value}"'


def _codes(target_can: Capabilities) -> Iterator[str]:
    choices = [Recode.REFUSE] if target_can.record else list(Recode)
    yield from _comment(
        "What becomes of a voucher that cannot keep its code. With a new code its owner has to be informed:"
        " `voucher-gateway migrate codes` lists those vouchers after the run."
    )
    yield "[codes]"
    for name, sentence in _CODES.items():
        yield from _comment(f"{sentence} One of: {', '.join(choice.value for choice in choices)}.")
        yield f'{name} = "{Recode.REFUSE.value}"'


def _explain(names: Iterable[str], sentences: Mapping[str, str]) -> Iterator[str]:
    for name in names:
        yield from textwrap.wrap(
            f"{name}: {sentences[name]}", _WIDTH, initial_indent="#   ", subsequent_indent="#       "
        )


def _array(key: str, names: Iterable[str]) -> Iterator[str]:
    yield f"{key} = ["
    for name in names:
        yield f'    # "{name}",'
    yield "]"


def _comment(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False)


def _name(account: str) -> str:
    """Return the name of an account for a comment, which is one line."""
    return account if account.isprintable() else account.encode("unicode_escape").decode()
