"""The list of all vouchers of a certificate: ``vouchers.csv``. Its hash is in the certificate."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import BinaryIO, Final

import attrs

from voucher_gateway.instants import format_micros
from voucher_gateway.migration.certificate.csv_text import csv_blocks, text_cell
from voucher_gateway.migration.plan.model import PlannedVoucher
from voucher_gateway.migration.plan.plan_file import Plan
from voucher_gateway.migration.plan.totals import Tally
from voucher_gateway.migration.verify.part_queries import PartRow
from voucher_gateway.migration.verify.parts import AT_TARGET
from voucher_gateway.money import Money

COLUMNS: Final = (
    "number",
    "source_id",
    "code",
    "became",
    "currency",
    "before",
    "at_source",
    "spendable_at_source",
    "target_id",
    "issued_at_target",
    "left_at_target",
    "planned_end",
    "source_end",
    "target_end",
    "new_code",
    "losses",
    "reason",
)
"""The columns of ``vouchers.csv``. Codes are masked; ends are in UTC; an amount is empty if it is not known."""


@attrs.frozen
class VoucherListSummary:
    """What a certificate says about the list of all vouchers.

    Attributes:
        sha256: the hash of its bytes.
        rows: the number of vouchers.
        new_codes: the vouchers that are at the target under another code.
    """

    sha256: str
    rows: int
    new_codes: Tally


def write_voucher_list(plan: Plan, rows: Iterable[PartRow], file: BinaryIO | None = None) -> VoucherListSummary:
    """Write the list of all vouchers, and return its hash.

    Args:
        plan: the open plan.
        rows: the vouchers as both accounts have them, in the order of the plan; those that it does not have at the end.
        file: where the list is written; None if only its hash is needed.

    Raises:
        OSError: if the file cannot be written.
    """
    digest, count = hashlib.sha256(), _Count()
    for block in csv_blocks(COLUMNS, count.count_lines(_with_plan(plan, rows))):
        digest.update(block)
        if file is not None:
            file.write(block)
    return VoucherListSummary(digest.hexdigest(), count.rows, count.new_codes())


def _with_plan(plan: Plan, rows: Iterable[PartRow]) -> Iterator[tuple[PlannedVoucher | None, PartRow]]:
    planned = plan.vouchers()
    for row in rows:
        yield (None if row.number is None else next(planned)), row


class _Count:
    """Counts the lines while they are written."""

    def __init__(self) -> None:
        self.rows = 0
        self._new_codes = 0
        self._minor: dict[str, int] = {}

    def count_lines(self, vouchers: Iterable[tuple[PlannedVoucher | None, PartRow]]) -> Iterator[list[str]]:
        for planned, row in vouchers:
            self.rows += 1
            new_code = has_new_code(planned, row)
            if new_code and row.before is not None:
                self._new_codes += 1
                self._minor[row.before.currency] = self._minor.get(row.before.currency, 0) + row.before.minor
            yield _line(planned, row, new_code=new_code)

    def new_codes(self) -> Tally:
        money = {currency: Money.from_minor(minor, currency) for currency, minor in sorted(self._minor.items())}
        return Tally(count=self._new_codes, money=money)


def has_new_code(planned: PlannedVoucher | None, row: PartRow) -> bool:
    """Return whether a voucher is at the target under another code."""
    destination = None if planned is None else planned.destination
    return destination is not None and destination.new_code and row.part in AT_TARGET


def _line(planned: PlannedVoucher | None, row: PartRow, *, new_code: bool) -> list[str]:
    reasons = () if planned is None else planned.reasons
    return [
        "" if row.number is None else str(row.number),
        text_cell(row.source_id),
        text_cell(planned.code) if planned is not None and planned.code is not None else "",
        row.part.value,
        row.currency or "",
        _amount(row.before),
        _amount(row.at_source),
        _amount(row.spendable),
        text_cell(row.target_ids),
        _amount(row.at_target),
        _amount(row.left),
        _end(None if planned is None else planned.valid_until),
        row.source_ends or "",
        row.target_ends or "",
        "yes" if new_code else "",
        " ".join(() if planned is None else planned.losses),
        text_cell("; ".join(reason for reason in (*reasons, row.reason) if reason)),
    ]


def _amount(money: Money | None) -> str:
    return "" if money is None else f"{money.amount:f}"


def _end(instant: datetime | None) -> str:
    return "" if instant is None else format_micros(instant)
