"""The journal of operations: what was about to be sent, what came of it, and under which names."""

from voucher_gateway.journal.errors import error_json
from voucher_gateway.journal.holds import HoldState
from voucher_gateway.journal.ids import mark_of, new_id
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys import JournalKeys
from voucher_gateway.journal.moved import Moved
from voucher_gateway.journal.opening import open_journal
from voucher_gateway.journal.records import Entry, Finished, HoldRequest, Key, Sent, State, Target
from voucher_gateway.journal.restoration import RESTORED

__all__ = [
    "RESTORED",
    "Entry",
    "Finished",
    "HoldRequest",
    "HoldState",
    "Journal",
    "JournalKeys",
    "Key",
    "Moved",
    "Sent",
    "State",
    "Target",
    "error_json",
    "mark_of",
    "new_id",
    "open_journal",
]
