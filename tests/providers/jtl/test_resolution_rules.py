"""Each rule of `resolution` says what the records show, and each condition in it is needed."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

import pytest

from tests.providers.jtl.resolution_cases import CASES
from voucher_gateway_jtl import resolution

OUR_REFERENCE = "movement.kind is kind and movement.reference == intent.reference"
SAME_AMOUNT = "and movement.money == intent.money"
SAME_LOGIN = "and movement.login == intent.login"
OTHER_AMOUNT = (
    "if movement.money is None or movement.money != intent.money: return _other_amount(movement) return _success( "
)

MUTANTS = {
    # the reference and the kind
    "no kind": (OUR_REFERENCE, "movement.reference == intent.reference"),
    "a prefix": (OUR_REFERENCE, 'movement.kind is kind and (movement.reference or "").startswith(intent.reference)'),
    "a cut reference": (
        OUR_REFERENCE,
        "movement.kind is kind and movement.reference and intent.reference.startswith(movement.reference)",
    ),
    "any case": (
        OUR_REFERENCE,
        'movement.kind is kind and (movement.reference or "").upper() == intent.reference.upper()',
    ),
    "no reference": (OUR_REFERENCE, "movement.kind is kind"),
    # the capture
    "a charge of any amount": (f"{OTHER_AMOUNT}Redemption(", "return _success(\n        Redemption("),
    "an incomplete history": ("not history.complete or history.as_of is None", "history.as_of is None"),
    "no margin": ("history.as_of <= ends_at + MARGIN", "history.as_of <= ends_at"),
    "less than the margin": ("history.as_of <= ends_at + MARGIN", "history.as_of < ends_at + MARGIN"),
    "never over": ("history.as_of <= ends_at + MARGIN", "True"),
    "the filter is trusted": (
        "(movement for movement in history if _has_our_reference(movement, intent, MovementKind.REDEMPTION))",
        "iter(())",
    ),
    "no candidates": ("if candidates:", "if False:"),
    "candidates of any kind": (f"movement.kind is MovementKind.REDEMPTION {SAME_AMOUNT}", f"True {SAME_AMOUNT}"),
    "candidates of any amount": (f"{SAME_AMOUNT} and movement.login in", "and movement.login in"),
    "candidates of any login": ("movement.login in (None, intent.login)", "True"),
    "candidates with a login": ("movement.login in (None, intent.login)", "movement.login == intent.login"),
    "candidates of any time": ("(movement.created_at is None or movement.created_at >= since)", "True"),
    "candidates with a time": (
        "(movement.created_at is None or movement.created_at >= since)",
        "(movement.created_at is not None and movement.created_at >= since)",
    ),
    "candidates without a margin": ("min(intent.sent_at, ends_at - LIFETIME) - MARGIN", "intent.sent_at"),
    # the top-up
    "a recharge of any amount": (f"{OTHER_AMOUNT}TopUp(", "return _success(\n        TopUp("),
    "no recharge is a proof": (
        'Outcome(effect=_UNKNOWN, reason="JTL has no recharge',
        'Outcome(effect=Effect.NOT_EXECUTED, reason="JTL has no recharge',
    ),
    # the refund
    "a refund of any kind": ("if movement.kind is MovementKind.REFUND and movement.id", "if True and movement.id"),
    "a refund that was seen before": ("and movement.id not in earlier_ids", "and True"),
    "a refund of any amount": (f"{SAME_AMOUNT} {SAME_LOGIN}", SAME_LOGIN),
    "a refund of any login": (SAME_LOGIN, "and True"),
    "a refund without a login": (SAME_LOGIN, "and movement.login in (None, intent.login)"),
    "the first of several refunds": ("if len(new) != 1 or", "if not new or"),
    "refunds that were not noted": ("intent.notes.get(REFUNDS_SEEN)", 'intent.notes.get(REFUNDS_SEEN, "")'),
    # the reservation
    "a reservation without a margin": ("intent.sent_at + LIFETIME + MARGIN", "intent.sent_at + LIFETIME"),
    "a reservation without a lifetime": ("intent.sent_at + LIFETIME + MARGIN", "intent.sent_at + MARGIN"),
    # the voucher
    "any status": ("if voucher.status is expected:", "if True:"),
    "any of the new values": ("expected and all(", "expected and any("),
    "no new value": ("if expected and all(", "if all("),
    "a voucher of any value": ("if voucher.initial == intent.money:", "if True:"),
    "a voucher that is not there is not executed": (
        'Outcome(effect=_UNKNOWN, reason="JTL has no voucher with the id yet"',
        'Outcome(effect=Effect.NOT_EXECUTED, reason="JTL has no voucher with the id yet"',
    ),
}
"""By name: a piece of the source, in which any white space stands for any other, and what replaces it."""


@pytest.mark.parametrize("name", CASES)
def test_a_rule_says_what_the_records_show(name: str) -> None:
    CASES[name].check(resolution.resolve)


@pytest.mark.parametrize("name", MUTANTS)
def test_every_condition_of_a_rule_is_needed(name: str) -> None:
    changed = _load_mutant(*MUTANTS[name])
    noticed = [case for case in CASES if not _holds(case, changed)]
    assert 0 < len(noticed) < len(CASES), f"{len(noticed)} cases notice the mutant {name!r}"


def _load_mutant(old: str, new: str) -> ModuleType:
    """Return the module with one piece of its source replaced, under another name."""
    source = inspect.getsource(resolution)
    piece = re.compile(r"\s+".join(re.escape(word) for word in old.split()))
    changed, count = piece.subn(lambda _: new, source)
    assert count == 1, f"{count} places have {old!r}: name the condition in another way"
    mutant = ModuleType("mutant_of_resolution")
    exec(compile(changed, mutant.__name__, "exec"), vars(mutant))
    return mutant


def _holds(name: str, module: ModuleType) -> bool:
    try:
        CASES[name].check(module.resolve)
    except Exception:  # noqa: BLE001 - a mutant may break in any way
        return False
    return True
