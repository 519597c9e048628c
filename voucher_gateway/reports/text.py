"""Reports for people: their tables and sentences, the same on the terminal and on the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Final

from voucher_gateway.html.document import Column, Table
from voucher_gateway.money import Money
from voucher_gateway.reports.liability import (
    AGES,
    NO_AGE,
    NO_END,
    NOT_STARTED,
    AccountLiability,
    BalanceStatus,
    Bucket,
    BucketTotal,
    Liability,
)
from voucher_gateway.reports.roll_forward import MOST_NAMED, CurrencyRollForward, Line, RollForward
from voucher_gateway.reports.snapshots import Snapshot, to_second

MOST_ACCOUNTS: Final = 6
"""With more accounts, a table of months or ages has only their sum: the columns would not fit on paper."""

ALWAYS: Final = frozenset(
    {
        Line.OPENING,
        Line.ISSUED,
        Line.TOPPED_UP,
        Line.REDEEMED,
        Line.REFUNDED,
        Line.EXPIRED,
        Line.UNEXPLAINED,
        Line.CLOSING,
    }
)
"""The lines that are printed even if they are zero."""


def liability_tables(liability: Liability) -> list[Table]:
    """Return the tables of a liability: by account, and for each currency by month of expiry and by age."""
    tables = [_by_account(liability)]
    for currency in liability.currencies:
        tables += currency_tables(liability, currency)
    return tables


def currency_tables(liability: Liability, currency: str) -> list[Table]:
    """Return the tables of one currency."""
    tables = [
        _by(liability, currency, f"Outstanding in {currency} by month of expiry", "expires", BalanceStatus.OUTSTANDING),
        _by(liability, currency, f"Outstanding in {currency} by age", "age", BalanceStatus.OUTSTANDING),
    ]
    if liability.total(currency, BalanceStatus.EXPIRED).vouchers:
        tables.append(_by(liability, currency, f"Expired in {currency} by month", "expired", BalanceStatus.EXPIRED))
    return tables


def bucket_labels(
    liability: Liability, currency: str, standing: BalanceStatus, what: Callable[[Bucket], str]
) -> list[str]:
    """Return the months of expiry or the ages of a currency, in order of time."""
    labels = {trait for account in liability.accounts for trait in account.by(currency, standing, what)}
    order = [*AGES, NO_AGE] if what is age_of else [*sorted(labels - {NO_END, NOT_STARTED}), NO_END, NOT_STARTED]
    return [trait for trait in order if trait in labels]


def expiry_of(cell: Bucket) -> str:
    """Return the month of expiry of a bucket."""
    return cell.expiry


def age_of(cell: Bucket) -> str:
    """Return the age of a bucket."""
    return cell.age


def _by_account(liability: Liability) -> Table:
    rows = []
    blocked = any(liability.total(currency, BalanceStatus.BLOCKED).vouchers for currency in liability.currencies)
    for account in liability.accounts:
        for currency in account.currencies:
            sums = {standing: account.sum(currency, standing) for standing in BalanceStatus}
            rows.append((account.account, *_standings(currency, sums, blocked=blocked)))
    totals = [
        (
            "all accounts",
            *_standings(currency, {each: liability.total(currency, each) for each in BalanceStatus}, blocked=blocked),
        )
        for currency in liability.currencies
    ]
    total = totals[0] if len(totals) == 1 and len(rows) > 1 else None
    subtotals: frozenset[int] = frozenset()
    if len(totals) > 1 and len(liability.accounts) > 1:
        subtotals = frozenset(range(len(rows), len(rows) + len(totals)))
        rows += totals
    return Table(
        title="Outstanding by account",
        columns=(
            Column("account"),
            Column("currency"),
            Column("vouchers with value", numeric=True),
            Column("outstanding", numeric=True),
            *((Column("blocked", numeric=True),) if blocked else ()),
            Column("inactive", numeric=True),
            Column("expired", numeric=True),
            Column("used up", numeric=True),
        ),
        rows=tuple(rows),
        total=total,
        subtotals=subtotals,
        note=(
            "Outstanding value can be spent. Inactive vouchers cannot be spent, and the validity of expired ones has"
            " ended: the outstanding sum contains neither."
            + (" Blocked vouchers cannot be spent for now: it does not contain them either." if blocked else "")
            + " Amounts of different currencies are never added."
        ),
    )


def _standings(currency: str, sums: dict[BalanceStatus, BucketTotal], *, blocked: bool) -> tuple[str, ...]:
    shown_if_any = (BalanceStatus.BLOCKED,) if blocked else ()
    valued = (BalanceStatus.OUTSTANDING, *shown_if_any, BalanceStatus.INACTIVE, BalanceStatus.EXPIRED)
    return (
        currency,
        str(sum(sums[account].vouchers for account in valued)),
        *(amount(sums[account].money) for account in valued),
        str(sums[BalanceStatus.USED_UP].vouchers),
    )


def _by(liability: Liability, currency: str, title: str, heading: str, standing: BalanceStatus) -> Table:
    what = age_of if heading == "age" else expiry_of
    holding = [account for account in liability.accounts if currency in account.currencies]
    separate = holding if 1 < len(holding) <= MOST_ACCOUNTS else []
    sums = {account.account: account.by(currency, standing, what) for account in holding}
    nothing = BucketTotal(0, Money.zero(currency))

    def row(trait: str) -> tuple[str, ...]:
        mine = [sums[account.account].get(trait, nothing) for account in holding]
        return _row(trait, mine if separate else (), _add_sums(mine, currency))

    whole = liability.total(currency, standing)
    return Table(
        title=title,
        columns=(
            Column(heading),
            *(Column(label.account, numeric=True) for label in separate),
            Column(currency, numeric=True),
            Column("vouchers", numeric=True),
        ),
        rows=tuple(row(trait) for trait in bucket_labels(liability, currency, standing, what)),
        total=_row("total", [label.sum(currency, standing) for label in separate], whole),
    )


def _row(name: str, sums: Sequence[BucketTotal], whole: BucketTotal) -> tuple[str, ...]:
    return (name, *(amount(total.money) for total in sums), amount(whole.money), str(whole.vouchers))


def _add_sums(sums: Sequence[BucketTotal], currency: str) -> BucketTotal:
    return BucketTotal(
        sum(total.vouchers for total in sums), Money.from_minor(sum(total.money.minor for total in sums), currency)
    )


def roll_tables(roll: RollForward) -> list[Table]:
    """Return the tables of a roll-forward: one for each currency, and the unexplained vouchers."""
    tables = [roll_table(roll, currency_roll) for currency_roll in roll.rolls]
    if roll.unexplained:
        tables.append(table_of_unexplained(roll))
    return tables


def roll_overview(rolls: Sequence[RollForward]) -> Table:
    """Return the table of all roll-forwards: the opening and the closing balance of each currency, largest first."""
    rows = [(roll, currency_roll) for roll in rolls for currency_roll in roll.rolls]
    rows.sort(key=_closing_size)
    return Table(
        title="All currencies",
        columns=(
            Column("account"),
            Column("currency"),
            *(Column(name, numeric=True) for name in ("opening", "change", "closing", "not explained")),
        ),
        rows=tuple(
            (
                roll.account,
                currency_roll.currency,
                amount(currency_roll.lines[Line.OPENING]),
                amount(currency_roll.lines[Line.CLOSING] - currency_roll.lines[Line.OPENING]),
                amount(currency_roll.lines[Line.CLOSING]),
                amount(currency_roll.balance_change(Line.UNEXPLAINED)),
            )
            for roll, currency_roll in rows
        ),
    )


def _closing_size(row: tuple[RollForward, CurrencyRollForward]) -> tuple[Decimal, str, str]:
    roll, currency_roll = row
    largest = max(abs(currency_roll.lines[line].amount) for line in (Line.OPENING, Line.CLOSING))
    return -largest, roll.account, currency_roll.currency


def roll_table(roll: RollForward, currency_roll: CurrencyRollForward) -> Table:
    """Return the table of one currency: its lines, and the closing balance as the total."""
    return Table(
        title=f"{roll.account}: roll-forward in {currency_roll.currency}",
        columns=(Column(""), Column(currency_roll.currency, numeric=True)),
        rows=tuple(
            (line.value, amount(currency_roll.balance_change(line)))
            for line in lines_of(currency_roll)
            if line is not Line.CLOSING
        ),
        total=(Line.CLOSING.value, amount(currency_roll.lines[Line.CLOSING])),
    )


def table_of_unexplained(roll: RollForward) -> Table:
    """Return the table of the unexplained vouchers."""
    return Table(
        title=f"{roll.account}: not explained",
        anchor=f"unexplained-{sha256(roll.account.encode()).hexdigest()[:12]}",
        columns=(Column("voucher"), Column("amount", numeric=True), Column("reason")),
        rows=tuple((change.voucher_id, str(change.money), change.reason) for change in roll.unexplained),
    )


def lines_of(roll: CurrencyRollForward) -> list[Line]:
    """Return the lines to print of a currency."""
    return [line for line in Line if line in ALWAYS or roll.lines[line]]


def amount(money: Money) -> str:
    """Return an amount without its currency, which is in the heading of the column."""
    return f"{money.amount:f}"


def liability_warnings(liability: Liability) -> list[str]:
    """Return why the numbers of a liability may be wrong; empty if nothing was noticed."""
    return [sentence for account in liability.accounts for sentence in _account_warnings(account)]


def liability_notes(liability: Liability) -> list[str]:
    """Return the sources of the numbers, in sentences."""
    notes = []
    for account in liability.accounts:
        if account.snapshot_at is not None:
            notes.append(f"{account.account}: from the snapshot of {to_second(account.snapshot_at)}.")
        if account.consistent is None:
            notes.append(
                f"{account.account}: the vendor gives no total, so it is not proved that every voucher was listed."
            )
    return notes


def roll_warnings(roll: RollForward) -> list[str]:
    """Return why a roll-forward may be wrong or incomplete."""
    sentences = [
        list_changed_warning(f"{roll.account}: the snapshot of {to_second(account.began_at)}", account.problems)
        for account in roll.inconsistent
    ]
    sentences += [
        _unknown_value_warning(
            f"{roll.account}: when the snapshot of {to_second(account.began_at)} was taken", account.unknown or 0
        )
        for account in roll.silent
    ]
    if roll.unexplained_count:
        vouchers = _vouchers(roll.unexplained_count)
        suffix = f"; the first {MOST_NAMED} are named" if roll.unexplained_count > MOST_NAMED else ""
        together = f"together {_sum_of_unexplained(roll)}"
        sentences.append(f"{roll.account}: the records do not explain the change of {vouchers}, {together}{suffix}.")
    if roll.unreadable:
        sentences.append(f"{roll.account}: the history of {_vouchers(roll.unreadable)} could not be read completely.")
    return sentences


def _sum_of_unexplained(roll: RollForward) -> str:
    """Return the sum of all changes that are not explained, by currency."""
    changes = [currency_roll.balance_change(Line.UNEXPLAINED) for currency_roll in roll.rolls]
    return ", ".join(str(money) for money in changes if money) or "nothing"


def incomplete_snapshot_notes(unfinished: Iterable[Snapshot]) -> list[str]:
    """Return a sentence for each incomplete snapshot."""
    return [
        f"{snapshot.account}: the snapshot of {to_second(snapshot.began_at)} is not complete, and is not used."
        for snapshot in unfinished
    ]


def snapshot_warnings(snapshot: Snapshot) -> list[str]:
    """Return why a new snapshot may be wrong."""
    sentences = [list_changed_warning(snapshot.account, snapshot.problems)] if snapshot.consistent is False else []
    if snapshot.unknown:
        sentences.append(_unknown_value_warning(f"{snapshot.account}:", snapshot.unknown))
    return [*sentences, *_unreadable_warnings(snapshot.account, snapshot.unreadable)]


def list_changed_warning(what: str, problems: Iterable[str]) -> str:
    """Return the sentence about a list that changed while it was read."""
    return (
        f"{what}: the list changed while it was read ({'; '.join(problems)}). Vouchers may be missing or counted"
        " twice. Read it again when fewer vouchers change."
    )


def _account_warnings(liability: AccountLiability) -> Iterator[str]:
    if liability.consistent is False:
        yield list_changed_warning(liability.account, liability.problems)
    if liability.unknown:
        yield _unknown_value_warning(f"{liability.account}:", liability.unknown)
    yield from _unreadable_warnings(liability.account, liability.unreadable)


def _unreadable_warnings(account: str, unreadable: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each of the first vouchers that cannot be read."""
    for reason in unreadable[:MOST_NAMED]:
        yield f"{account}: this voucher cannot be read: {reason}."


def _unknown_value_warning(beginning: str, unknown: int) -> str:
    return f"{beginning} the vendor did not show the remaining value of {_vouchers(unknown)}, which no sum contains."


def _vouchers(count: int) -> str:
    return "1 voucher" if count == 1 else f"{count} vouchers"
