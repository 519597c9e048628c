"""What is owed on vouchers: now, at an earlier moment, and how the one became the other."""

from __future__ import annotations

from voucher_gateway.report.liability import (
    AGES,
    AccountLiability,
    Cell,
    Liability,
    Standing,
    Sum,
    read_liability,
)
from voucher_gateway.report.movements import MARGIN
from voucher_gateway.report.position import Position, Reading
from voucher_gateway.report.recall import recall_liability, recall_roll_forward
from voucher_gateway.report.roll import Line, Roll, RollForward, Unexplained
from voucher_gateway.report.rolling import roll_forward
from voucher_gateway.report.schema import SNAPSHOTS
from voucher_gateway.report.snapshots import Snapshot, Snapshots

__all__ = [
    "AGES",
    "MARGIN",
    "SNAPSHOTS",
    "AccountLiability",
    "Cell",
    "Liability",
    "Line",
    "Position",
    "Reading",
    "Roll",
    "RollForward",
    "Snapshot",
    "Snapshots",
    "Standing",
    "Sum",
    "Unexplained",
    "read_liability",
    "recall_liability",
    "recall_roll_forward",
    "roll_forward",
]
