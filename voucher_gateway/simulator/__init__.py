"""Simulators of vendors: small real HTTP servers with a ledger, a virtual clock and faults.

Everything that a vendor's simulator and a test need is here. A vendor subclasses `Simulator`; a test calls
`start` and talks to `announcement["base_url"]` with any HTTP client. Needs the extra `simulator`.
"""

from __future__ import annotations

from .clock import VirtualClock
from .exchange import RecordedRequest, Refused, Reply, Request
from .fault_table import FAULTS, FaultKind
from .faults import Fault, parse_fault
from .jsontext import BadJson, read_json, write_json
from .routing import Route
from .running import GROUP, RunningSimulator, available, load, serve, start
from .simulator import Simulator, SimulatorOptions

__all__ = [
    "FAULTS",
    "GROUP",
    "BadJson",
    "Fault",
    "FaultKind",
    "RecordedRequest",
    "Refused",
    "Reply",
    "Request",
    "Route",
    "RunningSimulator",
    "Simulator",
    "SimulatorOptions",
    "VirtualClock",
    "available",
    "load",
    "parse_fault",
    "read_json",
    "serve",
    "start",
    "write_json",
]
