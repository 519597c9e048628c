"""The journal of operations: what was about to be sent, what came of it, and under which names."""

from voucher_gateway.journal.errors import error_json
from voucher_gateway.journal.holds import HoldState
from voucher_gateway.journal.ids import new_id, tag_of
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys import JournalKeys
from voucher_gateway.journal.moves import VoucherMove
from voucher_gateway.journal.open import open_journal
from voucher_gateway.journal.records import (
    HoldRequest,
    OperationKey,
    OperationRecord,
    OperationState,
    OperationTarget,
    RequestRecord,
    RequestResult,
)
from voucher_gateway.journal.restore_guard import RESTORED

__all__ = [
    "RESTORED",
    "HoldRequest",
    "HoldState",
    "Journal",
    "JournalKeys",
    "OperationKey",
    "OperationRecord",
    "OperationState",
    "OperationTarget",
    "RequestRecord",
    "RequestResult",
    "VoucherMove",
    "error_json",
    "new_id",
    "open_journal",
    "tag_of",
]
