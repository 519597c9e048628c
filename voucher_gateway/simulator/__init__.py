"""Simulators of vendors: small real HTTP servers with a ledger, a virtual clock and faults.

Everything that a vendor's simulator and a test need is here. A vendor subclasses `Simulator`; a test calls
`start` and talks to `announcement["base_url"]` with any HTTP client. Needs the extra `simulator`.
"""

from __future__ import annotations

from . import misleading_faults as misleading_faults
from .book import VoucherStore
from .clock import VirtualClock
from .exchange import RecordedRequest, Refused, Reply, Request
from .fault_table import FAULTS, FaultKind
from .faults import Fault, parse_fault
from .jsontext import InvalidJson, read_json, write_json
from .records import from_records, to_records
from .routing import Route
from .running import GROUP, RunningSimulator, available, load, serve, start
from .seeding import CAPITALS_AND_DIGITS, ODD_TEXTS, random_text
from .simulator import Simulator, SimulatorOptions
from .tokens import Login, Token, TokenServer
from .truth import LedgerMovement, LedgerVoucher

__all__ = [
    "CAPITALS_AND_DIGITS",
    "FAULTS",
    "GROUP",
    "ODD_TEXTS",
    "Fault",
    "FaultKind",
    "InvalidJson",
    "LedgerMovement",
    "LedgerVoucher",
    "Login",
    "RecordedRequest",
    "Refused",
    "Reply",
    "Request",
    "Route",
    "RunningSimulator",
    "Simulator",
    "SimulatorOptions",
    "Token",
    "TokenServer",
    "VirtualClock",
    "VoucherStore",
    "available",
    "from_records",
    "load",
    "parse_fault",
    "random_text",
    "read_json",
    "serve",
    "start",
    "to_records",
    "write_json",
]
