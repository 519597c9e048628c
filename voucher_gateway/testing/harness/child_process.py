"""Forked processes that are killed, frozen or interrupted during a call, each with its own gateway."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final
from unittest.mock import patch
from urllib.parse import urlsplit

import attrs
from sqlalchemy.engine import Connection

from voucher_gateway.emulation.registry import RISKS
from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.gateway.account import Account
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.http.messages import EncodedRequest, Response
from voucher_gateway.http.transport import Transport
from voucher_gateway.journal.journal import Journal, open_journal
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.setting_types import SecretSource
from voucher_gateway.storage.engine import Database
from voucher_gateway.testing.harness.calls import AccountClient
from voucher_gateway.testing.harness.vendor import ACCOUNT, VendorUnderTest
from voucher_gateway.testing.promises.checks import require

PATIENCE_S: Final = 30.0
"""How long a process may take for one step, in real seconds."""

KEYS: Final = {"1": SecretSource.of("a key that only contract runs have")}

SENDING: Final = "right before a request is sent"
ANSWERED: Final = "after the last answer, before the result is recorded"
BEFORE_COMMIT: Final = "before a commit"

_JOURNAL_POINTS: Final = {
    "record_request": ("before a request is recorded", SENDING),
    "close_operation": (ANSWERED, "after the result is recorded"),
    "record_without_request": (ANSWERED, "after the result is recorded"),
}
"""The methods of a journal that write, and the points before and after each."""


@attrs.frozen
class GatewayProcess:
    """One gateway on the journal, as one process has it.

    Attributes:
        gateway: the gateway.
        journal: its journal.
    """

    gateway: Gateway
    journal: Journal

    @classmethod
    def open(cls, vendor: VendorUnderTest, url: str) -> GatewayProcess:
        """Open the journal with a provider that has sent nothing yet; every risk is accepted."""
        journal = open_journal(url, KEYS)
        return cls(Gateway([_account(vendor.provider())], journal=journal), journal)

    def with_provider(self, provider: VoucherProvider) -> GatewayProcess:
        """Return a gateway with another provider on the same journal; the caller closes the provider."""
        return GatewayProcess(Gateway([_account(provider)], journal=self.journal), self.journal)

    @property
    def client(self) -> AccountClient:
        """The gateway's operations for the account."""
        return AccountClient(self.gateway)

    def close(self) -> None:
        """Close the gateway, and with it the journal."""
        self.gateway.close()


def _account(provider: VoucherProvider) -> Account:
    return Account(name=ACCOUNT, provider=provider, accept_risks=frozenset(RISKS))


class CrashPoints:
    """Counts the points of a call at which a process can die, and sends this process a signal at one of them.

    Points lie before and after each record in the journal, before each of its commits, and before and after each HTTP
    request that this library sends.

    Args:
        at: the number of the point, from 0; None only counts.
        signal_number: the signal that the process sends itself there.
        on_reach: called with the point right before.
    """

    def __init__(
        self,
        at: int | None = None,
        signal_number: int = signal.SIGKILL,
        on_reach: Callable[[str], None] | None = None,
    ) -> None:
        self.passed: list[str] = []
        self._lock = threading.Lock()
        self._at = at
        self._signal_number = signal_number
        self._on_reach = on_reach

    def reach(self, label: str) -> None:
        """Count a point, and send the signal if it is the one. Several threads may do this at the same time."""
        with self._lock:
            self.passed.append(label)
            number = len(self.passed) - 1
        if number == self._at:
            if self._on_reach is not None:
                self._on_reach(label)
            os.kill(os.getpid(), self._signal_number)

    @contextmanager
    def watching(self, journal: Journal | None = None) -> Iterator[None]:
        """Count the points inside the block.

        Args:
            journal: the journal whose records and commits count; None for the commits of every database.
        """
        write, send = Database.write, Transport.send

        @contextmanager
        def write_and_count(database: Database, **options: Any) -> Iterator[Connection]:
            with write(database, **options) as connection:
                yield connection
                if journal is None or database is journal.database:
                    self.reach(BEFORE_COMMIT)
            if journal is None:
                self.reach("after a commit")

        def send_and_count(transport: Transport, request: EncodedRequest, **options: Any) -> Response:
            where = f"{request.method} {_without_ids(urlsplit(request.url).path)}"
            self.reach(f"before {where}")
            response = send(transport, request, **options)
            self.reach(f"after {where}")
            return response

        with ExitStack() as patches:
            patches.enter_context(patch.object(Database, "write", write_and_count))
            patches.enter_context(patch.object(Transport, "send", send_and_count))
            for name in _JOURNAL_POINTS if journal is not None else ():
                patches.enter_context(patch.object(journal, name, self._count_around(name, getattr(journal, name))))
            yield

    def _count_around(self, name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        before, after = _JOURNAL_POINTS[name]

        def call(*args: Any, **kwargs: Any) -> Any:
            self.reach(before)
            written = write(*args, **kwargs)
            self.reach(after)
            return written

        return call


def _without_ids(path: str) -> str:
    """Return a path without its ids, which differ from process to process."""
    parts = path.split("/")
    return "/".join("*" if len(part) > 8 and any(map(str.isdigit, part)) else part for part in parts)


class ChildProcess:
    """A forked child process."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor
        self._text = b""
        self._ended = False

    def next_message(self) -> dict[str, str]:
        """Return the next message of the child: the point that it reached, or the outcome of its call."""
        deadline = time.monotonic() + PATIENCE_S
        while b"\n" not in self._text:
            ready, _, _ = select.select([self._descriptor], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "a process of the contract run sends no message"
            block = os.read(self._descriptor, 65536)
            assert block, "a process of the contract run ended without a message"
            self._text += block
        line, _, self._text = self._text.partition(b"\n")
        message: dict[str, str] = json.loads(line)
        return message

    def wait_killed(self) -> None:
        """Wait until SIGKILL has ended it."""
        _, status = os.waitpid(self.pid, 0)
        self._ended = True
        assert os.WIFSIGNALED(status), "a process of the contract run was not killed"

    def wait_frozen(self) -> None:
        """Wait until it is stopped."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "a process of the contract run does not freeze"

    def resume(self) -> None:
        """Let a frozen process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> None:
        """Kill it, unless it has ended."""
        if not self._ended:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self._ended = True
        os.close(self._descriptor)


Say = Callable[[dict[str, str]], None]
"""Sends a message from a child to the process that forked it."""


@contextmanager
def run_forked(work: Callable[[Say], None], *, hooks: bool = True) -> Iterator[ChildProcess]:
    """Run something in a forked child, which can send messages. The child is killed at the end of the block.

    The child starts with its own connections: the library's clients and databases see to that after a fork.

    Args:
        work: what to run, with the function that sends a message.
        hooks: whether Python's fork hooks run. Without them this process must have one thread: where another waits for
            the interpreter's lock at that moment, the child waits for it for ever.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child touches none of the parent's threads
        # Unlike CDLL, PyDLL keeps the interpreter's lock, which the child needs.
        pid = os.fork() if hooks else int(ctypes.PyDLL(None).fork())
    if pid == 0:
        _in_child(work, writing)
    os.close(writing)
    child = ChildProcess(pid, reading)
    try:
        yield child
    finally:
        child.end()


def _in_child(work: Callable[[Say], None], writing: int) -> None:
    code = 1
    try:
        gc.disable()  # it would copy every page that is shared with the parent
        signal.signal(signal.SIGINT, signal.default_int_handler)

        def say(message: dict[str, str]) -> None:
            os.write(writing, json.dumps(message).encode() + b"\n")

        try:
            work(say)
            code = 0
        except BaseException as error:  # noqa: BLE001 - reported to the parent, and never raised into the test
            say({"outcome": type(error).__name__})
    finally:
        os._exit(code)


@contextmanager
def run_with_signal(
    vendor: VendorUnderTest,
    url: str,
    call: Callable[[AccountClient], object],
    at: int | None,
    signal_number: int = signal.SIGKILL,
) -> Iterator[ChildProcess]:
    """Make a call in a child that sends itself a signal at a point. It says that point, and the outcome if it lives on.

    A child that lives on keeps its gateway open until the end of the block.
    """

    def work(say: Say) -> None:
        process = GatewayProcess.open(vendor, url)

        def report_point(label: str) -> None:
            say({"reached": label})

        points = CrashPoints(at, signal_number, report_point)
        with points.watching(process.journal):
            outcome = outcome_name(call, process.client)
        say({"outcome": outcome})
        time.sleep(PATIENCE_S)

    with run_forked(work) as child:
        yield child


def outcome_name(call: Callable[..., object], *args: Any, **kwargs: Any) -> str:
    """Make a call with these arguments, and return its outcome: "succeeded", or the name of the error."""
    try:
        call(*args, **kwargs)
    except (VoucherGatewayError, KeyboardInterrupt) as error:
        return type(error).__name__
    return "succeeded"


def require_reached(child: ChildProcess, name: str) -> str:
    """Return the point that a child reached; break the promise if its call ended before."""
    message = child.next_message()
    require("reached" in message, f"{name}: another process passed fewer points than the first: {message}")
    return message["reached"]
