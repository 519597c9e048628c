"""Reports as tables, for the terminal and for pages alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from voucher_gateway.adapter import Money
from voucher_gateway.pages import Column, Table
from voucher_gateway.report.liability import AGES, NO_AGE, NO_END, NOT_STARTED, Cell, Liability, Standing, Sum
from voucher_gateway.report.roll import Line, Roll, RollForward

MOST_ACCOUNTS: Final = 6
"""With more accounts than this a table of months or ages tells their sum alone: it would not fit on paper."""

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
"""The lines that are told even where they are nothing."""


def liability_tables(liability: Liability) -> list[Table]:
    """Return the tables of what is owed: by account, and for each currency by month of expiry and by age."""
    tables = [_by_account(liability)]
    for currency in liability.currencies:
        tables += currency_tables(liability, currency)
    return tables


def currency_tables(liability: Liability, currency: str) -> list[Table]:
    """Return the tables of one currency."""
    tables = [
        _by(liability, currency, f"Outstanding in {currency} by month of expiry", "expires", Standing.OUTSTANDING),
        _by(liability, currency, f"Outstanding in {currency} by age", "age", Standing.OUTSTANDING),
    ]
    if liability.total(currency, Standing.EXPIRED).vouchers:
        tables.append(_by(liability, currency, f"Expired in {currency} by month", "expired", Standing.EXPIRED))
    return tables


def traits_of(liability: Liability, currency: str, standing: Standing, what: Callable[[Cell], str]) -> list[str]:
    """Return all months of expiry or ages of a currency, in the order in which people expect them."""
    found = {trait for one in liability.accounts for trait in one.by(currency, standing, what)}
    order = [*AGES, NO_AGE] if what is age_of else [*sorted(found - {NO_END, NOT_STARTED}), NO_END, NOT_STARTED]
    return [trait for trait in order if trait in found]


def expiry_of(cell: Cell) -> str:
    """Return the month of expiry."""
    return cell.expiry


def age_of(cell: Cell) -> str:
    """Return the age."""
    return cell.age


def _by_account(liability: Liability) -> Table:
    rows = []
    for one in liability.accounts:
        for currency in one.currencies:
            sums = {standing: one.sum(currency, standing) for standing in Standing}
            rows.append((one.account, *_standings(currency, sums)))
    totals = [
        ("all accounts", *_standings(currency, {each: liability.total(currency, each) for each in Standing}))
        for currency in liability.currencies
    ]
    total = totals[0] if len(totals) == 1 and len(rows) > 1 else None
    if len(totals) > 1 and len(liability.accounts) > 1:
        rows += totals
    return Table(
        title="Outstanding by account",
        columns=(
            Column("account"),
            Column("currency"),
            Column("vouchers with value", numeric=True),
            Column("outstanding", numeric=True),
            Column("inactive", numeric=True),
            Column("expired", numeric=True),
            Column("used up", numeric=True),
        ),
        rows=tuple(rows),
        total=total,
        note=(
            "Outstanding is what can be spent. Inactive vouchers cannot be spent, sold or not; expired ones are past"
            " their validity. Neither is in the outstanding sum. Currencies are never added together."
        ),
    )


def _standings(currency: str, sums: dict[Standing, Sum]) -> tuple[str, ...]:
    valued = (Standing.OUTSTANDING, Standing.INACTIVE, Standing.EXPIRED)
    return (
        currency,
        str(sum(sums[one].vouchers for one in valued)),
        *(amount(sums[one].money) for one in valued),
        str(sums[Standing.USED_UP].vouchers),
    )


def _by(liability: Liability, currency: str, title: str, heading: str, standing: Standing) -> Table:
    what = age_of if heading == "age" else expiry_of
    holding = [one for one in liability.accounts if currency in one.currencies]
    shown = holding if 1 < len(holding) <= MOST_ACCOUNTS else []
    sums = {one.account: one.by(currency, standing, what) for one in holding}
    nothing = Sum(0, Money.zero(currency))

    def row(trait: str) -> tuple[str, ...]:
        mine = [sums[one.account].get(trait, nothing) for one in holding]
        return _row(trait, mine if shown else (), _added(mine, currency))

    whole = liability.total(currency, standing)
    return Table(
        title=title,
        columns=(
            Column(heading),
            *(Column(one.account, numeric=True) for one in shown),
            Column(currency, numeric=True),
            Column("vouchers", numeric=True),
        ),
        rows=tuple(row(trait) for trait in traits_of(liability, currency, standing, what)),
        total=_row("total", [one.sum(currency, standing) for one in shown], whole),
    )


def _row(name: str, sums: Sequence[Sum], whole: Sum) -> tuple[str, ...]:
    return (name, *(amount(one.money) for one in sums), amount(whole.money), str(whole.vouchers))


def _added(sums: Sequence[Sum], currency: str) -> Sum:
    return Sum(sum(one.vouchers for one in sums), Money.from_minor(sum(one.money.minor for one in sums), currency))


def roll_tables(roll: RollForward) -> list[Table]:
    """Return the tables of a roll-forward: one for each currency, and the vouchers that nothing explains."""
    tables = [roll_table(roll, one) for one in roll.rolls]
    if roll.unexplained:
        tables.append(unexplained_table(roll))
    return tables


def roll_table(roll: RollForward, one: Roll) -> Table:
    """Return the lines of one currency as they are added up."""
    return Table(
        title=f"{roll.account}: roll-forward in {one.currency}",
        columns=(Column(""), Column(one.currency, numeric=True)),
        rows=tuple((line.value, amount(one.signed(line))) for line in lines_of(one) if line is not Line.CLOSING),
        total=(Line.CLOSING.value, amount(one.lines[Line.CLOSING])),
    )


def unexplained_table(roll: RollForward) -> Table:
    """Return the vouchers whose change nothing explains."""
    return Table(
        title=f"{roll.account}: not explained",
        columns=(Column("voucher"), Column("amount", numeric=True), Column("why")),
        rows=tuple((one.voucher_id, str(one.money), one.reason) for one in roll.unexplained),
    )


def lines_of(roll: Roll) -> list[Line]:
    """Return the lines that are told of a currency."""
    return [line for line in Line if line in ALWAYS or roll.lines[line]]


def amount(money: Money) -> str:
    """Return an amount without its currency, which stands at the head."""
    return f"{money.amount:f}"
