"""The records of runs for people: the same words on the terminal and on pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from voucher_gateway.html.document import Column, Table, display_instant, set_digit_gaps
from voucher_gateway.migration.plan.text import largest_first
from voucher_gateway.migration.run_records import RunRecord
from voucher_gateway.migration.schema import Work
from voucher_gateway.money import Money

_WORKS: Final[Mapping[Work, str]] = {
    Work.RUN: "run",
    Work.ROLLBACK: "rollback",
    Work.VERIFY: "verification",
    Work.CERTIFICATE: "certificate",
    Work.CODES: "list of new codes",
}

_MOST_AMOUNTS: Final = 3


def runs_table(records: Sequence[RunRecord]) -> Table:
    """Return the table of the records of a plan."""
    rows = tuple(
        (
            work_text(record),
            record.performed_by,
            record.host,
            _without_zone(record.began_at),
            "" if record.ended_at is None else _without_zone(record.ended_at),
            record.version,
            result_text(record),
        )
        for record in records
    )
    columns = (
        Column("Work"),
        Column("By"),
        Column("Machine"),
        Column("Began (UTC)", unbroken=True),
        Column("Ended (UTC)", unbroken=True),
        Column("Version"),
        Column("Result"),
    )
    return Table("Who did what, and when", columns, rows)


def work_text(record: RunRecord) -> str:
    """Return what was done with a plan, such as ``run of at most 10``."""
    limit = record.details.get("limit")
    return f"{_WORKS[record.work]} of at most {limit}" if limit is not None else _WORKS[record.work]


def _amounts(money: Mapping[str, Money]) -> list[str]:
    """Return the largest amounts, and how many currencies are left out."""
    currencies = largest_first(money)
    amounts = [set_digit_gaps(str(money[currency])) for currency in currencies[:_MOST_AMOUNTS]]
    others = len(currencies) - len(amounts)
    return [*amounts, f"and {others} more currenc{'y' if others == 1 else 'ies'}"] if others else amounts


def _without_zone(instant: datetime) -> str:
    return display_instant(instant).removesuffix(" UTC")


def result_text(record: RunRecord) -> str:
    """Return the result of a record: the reason why it stopped, and what it did."""
    details = record.details
    if record.ended_at is None:
        return "in progress" if record.working else "no end: the process was killed"
    if "verdict" in details:
        return str(details["verdict"]).replace("-", " ")
    if "revealed" in details:
        count = details.get("vouchers", 0)
        return f"{count} code{'' if count == 1 else 's'}, {'revealed' if details['revealed'] else 'masked'}"
    parts = [(record.result or "").replace("-", " ")]
    counts, money = details.get("counts"), details.get("money")
    if isinstance(counts, dict):
        parts += [f"{count} {state}" for state, count in counts.items()]
    if isinstance(money, dict):
        parts += _amounts({currency: Money(str(amount), currency) for currency, amount in money.items()})
    if details.get("differences"):
        parts.append(str(details["differences"]))
    return ", ".join(part for part in parts if part)
