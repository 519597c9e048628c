"""What must be said about a report beside its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from voucher_gateway.adapter import format_instant
from voucher_gateway.report.liability import AccountLiability, Liability
from voucher_gateway.report.roll import MOST_NAMED, RollForward
from voucher_gateway.report.snapshots import Snapshot


def liability_warnings(liability: Liability) -> list[str]:
    """Return why the numbers may be wrong; empty where nothing speaks against them."""
    return [sentence for one in liability.accounts for sentence in _account_warnings(one)]


def liability_notes(liability: Liability) -> list[str]:
    """Return where the numbers come from, as far as that is worth a sentence."""
    notes = []
    for one in liability.accounts:
        if one.snapshot_at is not None:
            notes.append(f"{one.account}: from the snapshot that was begun at {second(one.snapshot_at)}.")
        if one.consistent is None:
            notes.append(f"{one.account}: the vendor gives no total, so nothing proves that every voucher was listed.")
    return notes


def roll_warnings(roll: RollForward) -> list[str]:
    """Return why a roll-forward may be wrong, or is not whole."""
    sentences = [
        changed(f"{roll.account}: the snapshot of {second(one.began_at)}", one.problems) for one in roll.inconsistent
    ]
    sentences += [
        _silent(f"{roll.account}: when the snapshot of {second(one.began_at)} was taken", one.unknown or 0)
        for one in roll.silent
    ]
    if roll.unexplained_count:
        vouchers = _vouchers(roll.unexplained_count)
        named = f"; the first {MOST_NAMED} are named" if roll.unexplained_count > MOST_NAMED else ""
        sentences.append(f"{roll.account}: the records do not explain the change of {vouchers}{named}.")
    if roll.unreadable:
        sentences.append(f"{roll.account}: the history of {_vouchers(roll.unreadable)} could not be read whole.")
    return sentences


def unfinished_notes(unfinished: Iterable[Snapshot]) -> list[str]:
    """Return what is to be said of snapshots that are not finished."""
    return [
        f"{one.account}: a snapshot begun at {second(one.began_at)} is not finished, and not used."
        for one in unfinished
    ]


def snapshot_warnings(snapshot: Snapshot) -> list[str]:
    """Return why a snapshot that was just taken may be wrong."""
    sentences = [changed(snapshot.account, snapshot.problems)] if snapshot.consistent is False else []
    return [*sentences, *([_silent(f"{snapshot.account}:", snapshot.unknown)] if snapshot.unknown else [])]


def second(at: datetime) -> str:
    """Return a moment to the second, which is as far as a vendor's clock is known."""
    return format_instant(at.replace(microsecond=0))


def changed(what: str, problems: Iterable[str]) -> str:
    """Return the sentence about a list that did not fit together."""
    return (
        f"{what}: the list changed while it was read ({'; '.join(problems)}). Vouchers may be missing or counted"
        " twice: read it again when less is going on."
    )


def _account_warnings(one: AccountLiability) -> Iterator[str]:
    if one.consistent is False:
        yield changed(one.account, one.problems)
    if one.unknown:
        yield _silent(f"{one.account}:", one.unknown)


def _silent(beginning: str, unknown: int) -> str:
    return f"{beginning} the vendor would not say what is left on {_vouchers(unknown)}; no sum has them."


def _vouchers(count: int) -> str:
    return "1 voucher" if count == 1 else f"{count} vouchers"
