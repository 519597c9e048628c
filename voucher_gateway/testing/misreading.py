"""The read level: replies that are not what they were yesterday, or not what they should be."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from voucher_gateway.adapter import (
    Balance,
    MalformedResponse,
    Medium,
    Operation,
    Status,
    Voucher,
    VoucherGatewayError,
    VoucherNotFound,
    VoucherProvider,
)
from voucher_gateway.testing.base import Contract
from voucher_gateway.testing.keeping import keeps, must
from voucher_gateway.testing.stage import SimulatorStage
from voucher_gateway.testing.tampering import leaves, one_leaf, one_word, with_objects
from voucher_gateway.testing.truth import Truth, can, check_money, check_voucher, most_telling, readings, truths

NEW_WORD: Final = "hibernating"
EXTRA: Final = "x-contract-extra"
_ABSURD: Final = (Decimal("1e-999999"), Decimal("0e999999"))
"""Numbers that are an amount of nothing to a careless reader, and too long to be written again."""
_WRONG: Final[tuple[Any, ...]] = (None, [], {"a": 1}, True, "\x00wrong", *_ABSURD)
_EXACT: Final = Decimal("0.1000000000000000000000000001")
_MOST: Final = 100
"""How many answers one read may take."""

_BY_CODE: Final = frozenset({"find", "balance", "presentation"})
"""Reads for which a reply with another code in it may well mean that nothing was found."""


class MisreadingContract(Contract):
    """What a vendor changes does no harm, and what it breaks is said."""

    @keeps("R8")
    def test_a_new_word_is_unknown_and_stays_readable(self, stage: SimulatorStage) -> None:
        provider = stage.provider()
        for true in truths(stage)[:8]:
            for by, said in list(readings(provider, true)):
                for name, unknown in (("status", Status.UNKNOWN), ("medium", Medium.UNKNOWN)):
                    word: Status | Medium | None = getattr(said, name)
                    if word is None or word is unknown:
                        continue
                    texts = {text for _, text in leaves(_plain(said)) if isinstance(text, str)}
                    # A vendor may have words of its own for what we call active: then it is one of its texts.
                    words = [word.value] if word.value in texts else sorted(texts)
                    heard = [_with_new_word(stage, provider, true, by, one) for one in words]
                    told = [one for one in heard if one is not None and getattr(one, name) is unknown]
                    must(told, f"{by} made something else than {unknown!s} of a {name} that it cannot know")
                    kept = [value for one in told for _, value in leaves(_plain(one))]
                    must(NEW_WORD in kept, f"the new {name} is not in raw of what {by} gave")

    @keeps("R9")
    def test_nothing_that_the_vendor_sends_is_lost(self, stage: SimulatorStage) -> None:
        provider = stage.provider()
        stage.tamper(lambda document: with_objects(document, lambda one: {**one, EXTRA: {"n": _EXACT}}))
        for true in truths(stage):
            for by, said in readings(provider, true):
                check_voucher(said, true, f"{by}, of a reply with a new member,")
                raw = _plain(said)
                must(raw is not None, f"{by} keeps nothing of the vendor's own object in raw")
                inexact = any(isinstance(value, float) for _, value in leaves(raw))
                must(not inexact, f"raw of what {by} gave holds a binary float")
                must(raw.get(EXTRA) == {"n": _EXACT}, f"raw of what {by} gave lacks a member that the vendor sent")
                must(EXTRA not in repr(said), f"raw shows in the repr of what {by} gave")

    @keeps("R10")
    def test_a_broken_reply_is_malformed_or_does_no_harm(self, stage: SimulatorStage) -> None:
        provider = stage.provider()
        true = most_telling(truths(stage))
        for name, call in _reads_of(provider, true).items():
            call()  # whatever is asked only once is asked now
            for place in _places(stage, call):
                for wrong in _WRONG:
                    stage.tamper(one_leaf(place, wrong))
                    where = f"{name} of a reply whose {'.'.join(map(str, place))} was {wrong!r}"
                    try:
                        said = _ended(stage, call, where)
                    except MalformedResponse:
                        continue
                    except VoucherGatewayError as error:
                        honest = isinstance(error, VoucherNotFound) and name in _BY_CODE
                        must(honest, f"{where} was told as {type(error).__name__}")
                    else:
                        _check_money_of(said, true, where)
            stage.clear()


def _ended(stage: SimulatorStage, call: Callable[[], object], where: str) -> object:
    """Make a call that must come to an end, and not follow a wrong reply in circles."""
    stage.refuse(400, _MOST)
    try:
        return call()
    finally:
        must(not stage.refuses, f"{where} was followed by {_MOST} requests and more")


def _plain(said: Voucher) -> Any:
    return None if said.raw is None else dict(said.raw)


def _reads_of(provider: VoucherProvider, true: Truth) -> dict[str, Callable[[], object]]:
    reads: dict[str, Callable[[], object]] = {
        "find": lambda: provider.find(true.code),
        "get": lambda: provider.get(true.id),
    }
    if can(provider, Operation.BALANCE):
        reads["balance"] = lambda: provider.balance(true.code)
    if can(provider, Operation.HISTORY):
        reads["history"] = lambda: provider.history(true.id)
    if can(provider, Operation.PRESENTATION):
        reads["presentation"] = lambda: provider.presentation(true.code).voucher
    return reads


def _places(stage: SimulatorStage, call: Callable[[], object]) -> list[tuple[str | int, ...]]:
    """Return every place of the replies that a call is given."""
    seen: dict[tuple[str | int, ...], None] = {}

    def note(document: Any) -> Any:
        seen.update(dict.fromkeys(place for place, _ in leaves(document)))
        return document

    stage.tamper(note)
    call()
    return list(seen)


def _check_money_of(said: object, true: Truth, where: str) -> None:
    if isinstance(said, Voucher):
        check_money(said.initial, true.initial, f"initial by {where}")
    if isinstance(said, Voucher | Balance):
        check_money(said.remaining, true.remaining, f"remaining by {where}")


def _with_new_word(stage: SimulatorStage, provider: VoucherProvider, true: Truth, by: str, word: str) -> Voucher | None:
    """Read a voucher while one text of the vendor's is another; None if nothing could be made of that."""
    stage.tamper(one_word(word, NEW_WORD))
    try:
        return provider.find(true.code) if by == "find" else provider.get(true.id)
    except (MalformedResponse, VoucherNotFound):
        return None
    finally:
        stage.tamper(None)
