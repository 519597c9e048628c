"""Start simulators: in this process for tests, or as a separate program."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Self, TextIO

import attrs

from voucher_gateway.simulator.application import Application
from voucher_gateway.simulator.control import ControlApi, control_refusal
from voucher_gateway.simulator.faults.queue import Fault, OptionValue, parse_fault
from voucher_gateway.simulator.faults.table import FAULTS
from voucher_gateway.simulator.http.server import Server
from voucher_gateway.simulator.options import SimulatorOptions, parse_options
from voucher_gateway.simulator.simulator import Simulator
from voucher_gateway.simulator.state_file import restore_state, save_state

if TYPE_CHECKING:
    from types import TracebackType

    from voucher_gateway.simulator.clock import VirtualClock
    from voucher_gateway.simulator.http.messages import RecordedRequest

GROUP = "voucher_gateway.simulators"
"""The entry-point group in which distributions name their simulators."""


def available() -> list[str]:
    """Return the names of the installed simulators, sorted; nothing is imported."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def load(name: str) -> type[Simulator]:
    """Import an installed simulator.

    Raises:
        ValueError: if no simulator has that name, if it cannot be imported, or if several distributions bring one of
            that name (one could replace ours silently); the message names the distributions.
    """
    entries = list(entry_points(group=GROUP, name=name))
    if not entries:
        raise ValueError(f"unknown simulator {name!r}; the simulators are {', '.join(available())}")
    if len(entries) > 1:
        rivals = " and ".join(f"{_distribution(entry)} ({entry.value})" for entry in entries)
        raise ValueError(f"simulator {name} is brought by {rivals}: uninstall all but one")
    entry = entries[0]
    try:
        simulator = entry.load()
    except (Exception, SystemExit) as error:  # a stranger's module may raise anything
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ValueError(f"simulator {name} of {_distribution(entry)} cannot be imported: {reason}") from error
    if not (isinstance(simulator, type) and issubclass(simulator, Simulator)):
        raise ValueError(
            f"simulator {name} of {_distribution(entry)}: {entry.value} is not a class derived from Simulator"
        )
    return simulator


def _distribution(entry: EntryPoint) -> str:
    # From Python 3.12 on, reading a missing field of a broken installation warns: test for the field first.
    fields = None if entry.dist is None else entry.dist.metadata
    return str(fields["Name"]) if fields is not None and "Name" in fields else "an unnamed distribution"


class RunningSimulator:
    """A simulator that listens, with its control API. Also a context manager that closes it.

    Attributes:
        simulator: the vendor, for tests that need more than this.
        announcement: provider, base_url, credentials and control_url, as the first line of
            `voucher-gateway simulate` shows them.
    """

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self._application = Application(simulator)
        options = simulator.options
        if not restore_state(simulator, options.state):
            simulator.seed(options.vouchers)
            if options.history:
                simulator.seed_history(options.history)
        self._server = Server(options.host, options.port, self._application.flask.wsgi_app, self._application.refusal)
        try:
            self._control = Server("127.0.0.1", 0, ControlApi(self._application).respond, control_refusal)
        except BaseException:
            self._server.close()
            raise
        self.announcement = {
            "provider": simulator.name,
            **simulator.announcement(self._server.base),
            "control_url": self._control.base,
        }
        self._closed = False

    @property
    def clock(self) -> VirtualClock:
        """The virtual clock."""
        return self.simulator.clock

    @property
    def requests(self) -> list[RecordedRequest]:
        """The latest 100,000 requests in the order of their arrival, with their secrets."""
        return self._application.requests()

    @property
    def connections(self) -> int:
        """How many connections to the vendor's API are open now."""
        return self._server.connections

    @property
    def crashes(self) -> list[str]:
        """Tracebacks of exceptions in handlers; the client got the vendor's 500."""
        return list(self._application.crashes)

    def inject(
        self, name: str, match: str = "* *", times: int | None = 1, *, after: int = 0, **options: OptionValue
    ) -> None:
        """Inject a fault at matching requests.

        Args:
            name: a key of `FAULTS`, or the name of one of the vendor's own faults.
            match: "METHOD /path/pattern" over the raw path; `*` stands for any characters.
            times: the number of matching requests that meet it; 0 or None for all of them.
            after: the number of matching requests that pass first.
            options: the options of the fault, such as `delay_s`.

        Raises:
            ValueError: for an unknown fault or option, or a fault that cannot happen at this vendor.
        """
        kinds = self._application.fault_kinds
        self._application.inject(Fault(name, match, times or 0, options, after, kinds=kinds))

    def clear_faults(self) -> None:
        """Remove the injected faults."""
        self._application.clear_faults()

    def remove_fault(self, name: str) -> None:
        """Remove the injected faults of one name; the others stay."""
        self._application.faults.remove(name)

    def ledger(self) -> list[dict[str, Any]]:
        """Return every voucher with its true value and movements, as the control API shows it."""
        with self.simulator.lock:
            return self.simulator.ledger()

    def close(self) -> None:
        """Stop, free both ports and the threads, and save the state if there is a file for it."""
        if self._closed:
            return
        self._closed = True
        self._application.closing.set()
        self._server.close()
        self._control.close()
        save_state(self.simulator, self.simulator.options.state)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start(simulator: str | type[Simulator], **options: Any) -> RunningSimulator:
    """Start a simulator in this process, on a free port unless one is given.

    Args:
        simulator: the name of an installed one, or its class.
        options: the attributes of the class's `options_type`, such as `vouchers=100`.

    Raises:
        ValueError: for an unknown name, an invalid option, a state file of another simulator, or a `history` at a
            vendor without `seed_history`.
        TypeError: for an unknown option.
        OSError: when the port is taken or the state file cannot be read.
    """
    kind = load(simulator) if isinstance(simulator, str) else simulator
    return RunningSimulator(kind(kind.options_type(**options)))


def serve(
    name: str,
    options: SimulatorOptions,
    faults: Sequence[str],
    out: TextIO,
    own_options: Sequence[str] = (),
    on_start: Callable[[Mapping[str, str]], None] | None = None,
) -> None:
    """Run a simulator until SIGINT or SIGTERM, then save its state. Call it in the main thread.

    The only line on `out` is the announcement, a JSON object.

    Args:
        name: of an installed simulator.
        options: how to start.
        faults: as `NAME[:MATCH[:TIMES[:AFTER]]]`, injected before anything can arrive.
        out: where to announce.
        own_options: the vendor's own options, as `NAME=VALUE`.
        on_start: called with the announcement before it is written to `out`. An exception that it raises ends the
            simulator.

    Raises:
        ValueError: for an unknown simulator, option or fault.
        OSError: when the port is taken or the state file cannot be read.
    """
    kind = load(name)
    parsed = [parse_fault(text, {**FAULTS, **kind.fault_kinds()}) for text in faults]
    all_options = attrs.asdict(options, recurse=False) | parse_options(kind.options_type, own_options)
    with _stop_signals() as stop, start(kind, **all_options) as running:
        for fault in parsed:
            running.inject(fault.name, fault.match, fault.times, after=fault.after, **fault.options)
        if on_start is not None:
            on_start(running.announcement)
        out.write(json.dumps(running.announcement) + "\n")
        out.flush()
        stop.wait()


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
