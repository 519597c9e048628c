"""What is owed on vouchers: now, at an earlier moment, and how the one became the other."""

from __future__ import annotations

from voucher_gateway.report.liability import (
    AGES,
    AccountLiability,
    BalanceStatus,
    Bucket,
    BucketTotal,
    Liability,
    read_liability,
)
from voucher_gateway.report.movements import MARGIN
from voucher_gateway.report.position import BalanceReader, VoucherBalance
from voucher_gateway.report.recall import liability_as_of, recall_roll_forward
from voucher_gateway.report.roll import CurrencyRollForward, Line, RollForward, Unexplained
from voucher_gateway.report.rolling import roll_forward
from voucher_gateway.report.schema import SNAPSHOTS
from voucher_gateway.report.snapshots import Snapshot, Snapshots

__all__ = [
    "AGES",
    "MARGIN",
    "SNAPSHOTS",
    "AccountLiability",
    "BalanceReader",
    "BalanceStatus",
    "Bucket",
    "BucketTotal",
    "CurrencyRollForward",
    "Liability",
    "Line",
    "RollForward",
    "Snapshot",
    "Snapshots",
    "Unexplained",
    "VoucherBalance",
    "liability_as_of",
    "read_liability",
    "recall_roll_forward",
    "roll_forward",
]
