"""Reports as HTML pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from voucher_gateway.html.document import Chart, HtmlPage, Section, Series, Table, Text, display_instant
from voucher_gateway.html.time_axis import all_months, all_years, month_number
from voucher_gateway.money import Money
from voucher_gateway.reports.liability import NO_END, NOT_STARTED, BalanceStatus, Bucket, Liability
from voucher_gateway.reports.roll_forward import CurrencyRollForward, RollForward
from voucher_gateway.reports.text import (
    age_of,
    bucket_labels,
    currency_tables,
    expiry_of,
    liability_notes,
    liability_tables,
    liability_warnings,
    lines_of,
    roll_overview,
    roll_table,
    roll_warnings,
    table_of_unexplained,
)

_MOST_MONTHS: Final = 36
"""With more months, a chart has years instead. The table has the months."""
_MOST_YEARS: Final = 30
"""Years after so many share one bar. The table has the months."""
_LATER: Final = "later"
_MOST_SERIES: Final = 7
_UNDATED: Final = (NO_END, NOT_STARTED)


def liability_page(liability: Liability, made_at: datetime, notes: Sequence[str] = ()) -> HtmlPage:
    """Return the page of a liability.

    Args:
        liability: what the accounts owe.
        made_at: the time of the page.
        notes: more sentences about the sources of the numbers.
    """
    sections: list[Section] = _warning_sections(liability_warnings(liability))
    sections.append(liability_tables(liability)[0])
    currencies = _largest_first(liability)
    for currency in currencies:
        by_month, by_age, *others = currency_tables(liability, currency)
        sections += [_months(liability, currency, by_month), _ages(liability, currency, by_age), *others]
    if notes_ := [*notes, *liability_notes(liability)]:
        sections.append(Text("Where the numbers come from", tuple(notes_)))
    moments = sorted({account.at for account in liability.accounts})
    return HtmlPage(
        title="Outstanding vouchers",
        subtitle="The value that can still be spent, and is owed to the owners of the vouchers",
        facts=(
            *((f"outstanding in {currency}", str(liability.total(currency).money)) for currency in currencies),
            ("accounts", ", ".join(account.account for account in liability.accounts)),
            ("vouchers", str(sum(account.vouchers for account in liability.accounts))),
            ("as of", _span(moments)),
        ),
        sections=tuple(sections),
        made_at=made_at,
    )


def roll_page(rolls: Sequence[RollForward], made_at: datetime, notes: Sequence[str] = ()) -> HtmlPage:
    """Return the page of roll-forwards."""
    unexplained = [table_of_unexplained(roll) for roll in rolls if roll.unexplained]
    sections: list[Section] = _warning_sections(
        [sentence for roll in rolls for sentence in roll_warnings(roll)],
        tuple((table.title, table.anchor) for table in unexplained),
    )
    sections.append(roll_overview(rolls))
    for roll in rolls:
        sections += [_waterfall(roll, currency_roll) for currency_roll in roll.rolls]
        if roll.unexplained:
            sections.append(table_of_unexplained(roll))
    if notes:
        sections.append(Text("Where the numbers come from", tuple(notes)))
    return HtmlPage(
        title="Roll-forward of outstanding vouchers",
        subtitle="The change of the outstanding value between two moments",
        facts=tuple(
            (roll.account, f"{display_instant(roll.opening.began_at)} to {display_instant(roll.closing.began_at)}")
            for roll in rolls
        ),
        sections=tuple(sections),
        made_at=made_at,
    )


def _warning_sections(sentences: Sequence[str], links: tuple[tuple[str, str], ...] = ()) -> list[Section]:
    title = "These numbers may be wrong or incomplete"
    return [Text(title, tuple(sentences), warning=True, links=links)] if sentences else []


def _largest_first(liability: Liability) -> list[str]:
    """Return the currencies, the one with the largest outstanding amount first."""
    sizes = {currency: liability.total(currency).money.amount for currency in liability.currencies}
    return sorted(sizes, key=sizes.__getitem__, reverse=True)


def _months(liability: Liability, currency: str, table: Table) -> Chart:
    by_month = bucket_labels(liability, currency, BalanceStatus.OUTSTANDING, expiry_of)
    dated = [month for month in by_month if month not in _UNDATED]
    by_year = bool(dated) and month_number(dated[-1]) - month_number(dated[0]) >= _MOST_MONTHS
    years = [month for month in dated if _is_near(month, dated)]
    labels = [*all_years(years), *([_LATER] if len(years) < len(dated) else [])] if by_year else all_months(dated)
    labels += [month for month in by_month if month in _UNDATED]

    def label_of(cell: Bucket) -> str:
        if not by_year or cell.expiry in _UNDATED:
            return cell.expiry
        return cell.expiry[:4] if _is_near(cell.expiry, dated) else _LATER

    return Chart(
        title=f"Outstanding in {currency} by {'year' if by_year else 'month'} of expiry",
        unit=currency,
        labels=tuple(labels),
        series=_series(liability, currency, labels, label_of),
        kind="stacked",
        numbers=table,
    )


def _is_near(month: str, months: Sequence[str]) -> bool:
    """Return whether the year of a month has a bar to itself: it is one of the first years of some months."""
    return int(month[:4]) - int(months[0][:4]) < _MOST_YEARS


def _ages(liability: Liability, currency: str, table: Table) -> Chart:
    labels = bucket_labels(liability, currency, BalanceStatus.OUTSTANDING, age_of)
    return Chart(
        title=f"Outstanding in {currency} by age",
        unit=currency,
        labels=tuple(labels),
        series=_series(liability, currency, labels, age_of),
        kind="stacked",
        note="Age counts from the creation of the voucher at the vendor.",
        numbers=table,
    )


def _series(
    liability: Liability, currency: str, labels: Sequence[str], what: Callable[[Bucket], str]
) -> tuple[Series, ...]:
    """Return the outstanding value of each account by label, or of all accounts together if they are many."""
    holding = [account for account in liability.accounts if account.sum(currency, BalanceStatus.OUTSTANDING).vouchers]
    by_account = {
        account.account: {
            trait: totals.money for trait, totals in account.by(currency, BalanceStatus.OUTSTANDING, what).items()
        }
        for account in holding
    }
    if len(by_account) > _MOST_SERIES:
        together: dict[str, Money] = {}
        for values in by_account.values():
            for trait, money in values.items():
                together[trait] = together.get(trait, Money.zero(currency)) + money
        by_account = {"all accounts": together}
    nothing = Money.zero(currency)
    return tuple(
        Series(name, tuple(values.get(label, nothing).amount for label in labels))
        for name, values in by_account.items()
    )


def _waterfall(roll: RollForward, currency_roll: CurrencyRollForward) -> Chart:
    lines = lines_of(currency_roll)
    return Chart(
        title=f"{roll.account}: from opening to closing in {currency_roll.currency}",
        unit=currency_roll.currency,
        labels=tuple(line.value for line in lines),
        series=(Series("", tuple(currency_roll.balance_change(line).amount for line in lines)),),
        kind="waterfall",
        numbers=roll_table(roll, currency_roll),
    )


def _span(moments: Sequence[datetime]) -> str:
    texts = list(dict.fromkeys(map(display_instant, moments)))
    return f"{texts[0]} to {texts[-1]}" if len(texts) > 1 else "".join(texts)
