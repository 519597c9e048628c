"""Reports of what is owed on vouchers: now, at an earlier moment, and the change between two moments."""

from __future__ import annotations

from voucher_gateway.reports.balances import BalanceReader, VoucherBalance
from voucher_gateway.reports.liability import (
    AGES,
    AccountLiability,
    BalanceStatus,
    Bucket,
    BucketTotal,
    Liability,
    liability_as_of,
    read_liability,
)
from voucher_gateway.reports.movements import MARGIN
from voucher_gateway.reports.roll_forward import CurrencyRollForward, Line, RollForward, Unexplained
from voucher_gateway.reports.roll_forward_builder import recall_roll_forward, roll_forward
from voucher_gateway.reports.schema import SNAPSHOTS
from voucher_gateway.reports.snapshots import Snapshot, Snapshots

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
