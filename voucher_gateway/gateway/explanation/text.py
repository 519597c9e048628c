"""The words of an explanation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from voucher_gateway.journal.records import OperationRecord
from voucher_gateway.money import Money

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day_text(instant: datetime) -> str:
    """Return the day of an instant in UTC, such as ``29 Nov 2026``."""
    day = instant.astimezone(UTC)
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def moment_text(instant: datetime, at: datetime) -> str:
    """Return an instant in UTC; without its day if that is the day of `at`."""
    time = f"{instant.astimezone(UTC):%H:%M} UTC"
    return time if instant.astimezone(UTC).date() == at.astimezone(UTC).date() else f"{day_text(instant)}, {time}"


def owner_text(record: OperationRecord) -> str:
    """Return whose operation it was: that of an order, or of a reference."""
    if record.order is not None:
        return f"order {record.order}"
    return f"the {verb_text(record.key.verb)} '{record.key.reference}'"


def verb_text(verb: str) -> str:
    """Return the words of a verb."""
    return str(verb).replace("_", " ")


def as_sentence(text: str) -> str:
    """Return text with a capital and a full stop."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?")) else f"{text}."


def names_text(names: Iterable[str]) -> str:
    """Return names as a list in words; ``none`` for none."""
    return ", ".join(names) or "none"


def sums_text(amounts: Sequence[Money]) -> str:
    """Return the sum of amounts, one for each currency."""
    sums: dict[str, Money] = {}
    for money in amounts:
        sums[money.currency] = sums.get(money.currency, Money.zero(money.currency)) + money
    return " and ".join(map(str, sums.values()))
