"""What must be said about a report beside its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from voucher_gateway.instants import format_instant
from voucher_gateway.reports.liability import AccountLiability, Liability
from voucher_gateway.reports.roll_forward import MOST_NAMED, RollForward
from voucher_gateway.reports.snapshots import Snapshot


def liability_warnings(liability: Liability) -> list[str]:
    """Return why the numbers may be wrong; empty where nothing speaks against them."""
    return [sentence for account in liability.accounts for sentence in _account_warnings(account)]


def liability_notes(liability: Liability) -> list[str]:
    """Return where the numbers come from, as far as that is worth a sentence."""
    notes = []
    for account in liability.accounts:
        if account.snapshot_at is not None:
            notes.append(f"{account.account}: from the snapshot that was begun at {to_second(account.snapshot_at)}.")
        if account.consistent is None:
            notes.append(
                f"{account.account}: the vendor gives no total, so nothing proves that every voucher was listed."
            )
    return notes


def roll_warnings(roll: RollForward) -> list[str]:
    """Return why a roll-forward may be wrong, or is not whole."""
    sentences = [
        list_changed_warning(f"{roll.account}: the snapshot of {to_second(account.began_at)}", account.problems)
        for account in roll.inconsistent
    ]
    sentences += [
        _silent(f"{roll.account}: when the snapshot of {to_second(account.began_at)} was taken", account.unknown or 0)
        for account in roll.silent
    ]
    if roll.unexplained_count:
        vouchers = _vouchers(roll.unexplained_count)
        suffix = f"; the first {MOST_NAMED} are named" if roll.unexplained_count > MOST_NAMED else ""
        sentences.append(f"{roll.account}: the records do not explain the change of {vouchers}{suffix}.")
    if roll.unreadable:
        sentences.append(f"{roll.account}: the history of {_vouchers(roll.unreadable)} could not be read whole.")
    return sentences


def incomplete_snapshot_notes(unfinished: Iterable[Snapshot]) -> list[str]:
    """Return what is to be said of snapshots that are not finished."""
    return [
        f"{snapshot.account}: a snapshot begun at {to_second(snapshot.began_at)} is not finished, and not used."
        for snapshot in unfinished
    ]


def snapshot_warnings(snapshot: Snapshot) -> list[str]:
    """Return why a snapshot that was just taken may be wrong."""
    sentences = [list_changed_warning(snapshot.account, snapshot.problems)] if snapshot.consistent is False else []
    return [*sentences, *([_silent(f"{snapshot.account}:", snapshot.unknown)] if snapshot.unknown else [])]


def to_second(at: datetime) -> str:
    """Return a moment to the second, which is as far as a vendor's clock is known."""
    return format_instant(at.replace(microsecond=0))


def list_changed_warning(what: str, problems: Iterable[str]) -> str:
    """Return the sentence about a list that did not fit together."""
    return (
        f"{what}: the list changed while it was read ({'; '.join(problems)}). Vouchers may be missing or counted"
        " twice: read it again when less is going on."
    )


def _account_warnings(liability: AccountLiability) -> Iterator[str]:
    if liability.consistent is False:
        yield list_changed_warning(liability.account, liability.problems)
    if liability.unknown:
        yield _silent(f"{liability.account}:", liability.unknown)


def _silent(beginning: str, unknown: int) -> str:
    return f"{beginning} the vendor would not say what is left on {_vouchers(unknown)}; no sum has them."


def _vouchers(count: int) -> str:
    return "1 voucher" if count == 1 else f"{count} vouchers"
