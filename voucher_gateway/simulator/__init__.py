"""Simulators of vendors: small real HTTP servers with a ledger, a virtual clock and faults.

Everything that a vendor's simulator and a test need is here. A vendor subclasses `Simulator`; a test calls
`start` and talks to `announcement["base_url"]` with any HTTP client. Needs the extra `simulator`.
"""

from __future__ import annotations

from voucher_gateway.simulator.access import AccessGuard, AccessTokens
from voucher_gateway.simulator.activity_ledger import Activity, ActivityLedger, ActivityState
from voucher_gateway.simulator.amounts import NotAnAmount, amount_text, decimals_of, minor_units
from voucher_gateway.simulator.clock import VirtualClock
from voucher_gateway.simulator.cursors import CursorPage, Cursors, InvalidCursor, SortKey
from voucher_gateway.simulator.faults.kinds import FaultKind
from voucher_gateway.simulator.faults.queue import Fault, parse_fault
from voucher_gateway.simulator.faults.table import FAULTS
from voucher_gateway.simulator.faults.vendor_faults import fault
from voucher_gateway.simulator.http.messages import RecordedRequest, Refused, Reply, Request
from voucher_gateway.simulator.http.routes import Route
from voucher_gateway.simulator.http.strict_json import InvalidJson, read_json, write_json
from voucher_gateway.simulator.idempotency_keys import IdempotencyKeys, keeps_settled, request_content
from voucher_gateway.simulator.ledger_view import LedgerMovement, LedgerVoucher
from voucher_gateway.simulator.oauth import Login, Token, TokenServer
from voucher_gateway.simulator.options import SimulatorOptions
from voucher_gateway.simulator.past import past_instants
from voucher_gateway.simulator.runner import GROUP, RunningSimulator, available, load, serve, start
from voucher_gateway.simulator.simulator import Simulator
from voucher_gateway.simulator.state_file import from_records, to_records
from voucher_gateway.simulator.voucher_store import CAPITALS_AND_DIGITS, ODD_TEXTS, VoucherStore, random_text

__all__ = [
    "CAPITALS_AND_DIGITS",
    "FAULTS",
    "GROUP",
    "ODD_TEXTS",
    "AccessGuard",
    "AccessTokens",
    "Activity",
    "ActivityLedger",
    "ActivityState",
    "CursorPage",
    "Cursors",
    "Fault",
    "FaultKind",
    "IdempotencyKeys",
    "InvalidCursor",
    "InvalidJson",
    "LedgerMovement",
    "LedgerVoucher",
    "Login",
    "NotAnAmount",
    "RecordedRequest",
    "Refused",
    "Reply",
    "Request",
    "Route",
    "RunningSimulator",
    "Simulator",
    "SimulatorOptions",
    "SortKey",
    "Token",
    "TokenServer",
    "VirtualClock",
    "VoucherStore",
    "amount_text",
    "available",
    "decimals_of",
    "fault",
    "from_records",
    "keeps_settled",
    "load",
    "minor_units",
    "parse_fault",
    "past_instants",
    "random_text",
    "read_json",
    "request_content",
    "serve",
    "start",
    "to_records",
    "write_json",
]
