"""Processes that die or freeze in the middle of a call: forked children with a gateway of their own on one journal."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import RISKS
from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.gateway.account import Account
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.open import open_journal
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.setting_types import SecretSource
from voucher_gateway.testing.harness.calls import AccountClient
from voucher_gateway.testing.harness.vendor import ACCOUNT, VendorUnderTest
from voucher_gateway.testing.promise_checks import require

PATIENCE_S: Final = 30.0
"""How long a process may take over anything, in real seconds."""

KEYS: Final = {"1": SecretSource.of("a key that only contract runs have")}

POINTS: Final = ("record_request", "close_operation", "record_without_request")
"""The methods of a journal that write: each is come by twice, before it and after it."""


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
    def open(cls, stage: VendorUnderTest, url: str) -> GatewayProcess:
        """Open the journal with a provider that has sent nothing yet; every risk is accepted."""
        journal = open_journal(url, KEYS)
        return cls(Gateway([_account(stage.provider())], journal=journal), journal)

    def with_provider(self, provider: VoucherProvider) -> GatewayProcess:
        """Return a gateway with another provider on the same journal; closing that one is the caller's business."""
        return GatewayProcess(Gateway([_account(provider)], journal=self.journal), self.journal)

    @property
    def till(self) -> AccountClient:
        """The gateway's verbs for the account."""
        return AccountClient(self.gateway)

    def close(self) -> None:
        """Close the gateway, and with it the journal."""
        self.gateway.close()


def _account(provider: VoucherProvider) -> Account:
    return Account(name=ACCOUNT, provider=provider, accept_risks=frozenset(RISKS))


class CrashPoints:
    """Counts the points that a journal comes by, and strikes its process at one of them.

    Args:
        at: the number of the point, from 0; None only counts.
        strike: the signal that the process sends itself there.
        heard: told of the point right before.
    """

    def __init__(
        self,
        at: int | None = None,
        strike: int = signal.SIGKILL,
        heard: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.passed: list[str] = []
        self._at = at
        self._strike = strike
        self._heard = heard

    def watch(self, journal: Journal) -> None:
        """Watch what a journal writes, from now on."""
        for name in POINTS:
            setattr(journal, name, self._watch(name, getattr(journal, name)))

    def reach(self, label: str) -> None:
        """Come by a point."""
        self.passed.append(label)
        if len(self.passed) - 1 == self._at:
            self._heard(label)
            os.kill(os.getpid(), self._strike)

    def _watch(self, name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        before, after = _LABELS[name]

        def call(*args: Any, **kwargs: Any) -> Any:
            self.reach(before)
            written = write(*args, **kwargs)
            self.reach(after)
            return written

        return call


SENDING: Final = "right before a request is sent"
ANSWERED: Final = "after the last answer, before the result is written down"

_LABELS: Final = {
    "record_request": ("before a request is written down", SENDING),
    "close_operation": (ANSWERED, "after the result is written down"),
    "record_without_request": (ANSWERED, "after the result is written down"),
}


class ChildProcess:
    """A forked child at work."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._told = descriptor
        self._text = b""
        self._gone = False

    def next_message(self) -> dict[str, str]:
        """Return the next thing that it says: the point where it is struck, or what it came to."""
        deadline = time.monotonic() + PATIENCE_S
        while b"\n" not in self._text:
            ready, _, _ = select.select([self._told], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "a process of the contract run says nothing"
            block = os.read(self._told, 65536)
            assert block, "a process of the contract run ended without a word"
            self._text += block
        line, _, self._text = self._text.partition(b"\n")
        message: dict[str, str] = json.loads(line)
        return message

    def wait_killed(self) -> None:
        """Wait until SIGKILL has ended it."""
        _, status = os.waitpid(self.pid, 0)
        self._gone = True
        assert os.WIFSIGNALED(status), "a process of the contract run outlived its death"

    def wait_frozen(self) -> None:
        """Wait until it is stopped."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "a process of the contract run does not freeze"

    def resume(self) -> None:
        """Let a frozen one go on."""
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> None:
        """Make sure that it is gone."""
        if not self._gone:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self._gone = True
        os.close(self._told)


@contextmanager
def run_forked(
    work: Callable[[Callable[[dict[str, str]], None]], None], *, hooks: bool = True
) -> Iterator[ChildProcess]:
    """Run something in a forked child, which can say things; it is gone at the end.

    The child starts anew with its own connections: the library's clients and databases do so after a fork.

    Args:
        work: what to run, given how to say something.
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
    victim = ChildProcess(pid, reading)
    try:
        yield victim
    finally:
        victim.end()


def _in_child(work: Callable[[Callable[[dict[str, str]], None]], None], writing: int) -> None:
    code = 1
    try:
        gc.disable()  # it would copy every page that is shared with the parent
        signal.signal(signal.SIGINT, signal.SIG_DFL)

        def say(what: dict[str, str]) -> None:
            os.write(writing, json.dumps(what).encode() + b"\n")

        try:
            work(say)
            code = 0
        except BaseException as error:  # noqa: BLE001 - told to the parent, and never returned into the test
            say({"over": type(error).__name__})
    finally:
        os._exit(code)


@contextmanager
def run_until_killed(
    stage: VendorUnderTest, url: str, call: Callable[[AccountClient], object], at: int, strike: int = signal.SIGKILL
) -> Iterator[ChildProcess]:
    """Make a call in a child, which strikes itself at a point; a child that comes to an end says what it came to."""

    def work(say: Callable[[dict[str, str]], None]) -> None:
        desk = GatewayProcess.open(stage, url)
        CrashPoints(at, strike, lambda label: say({"struck": label})).watch(desk.journal)
        say({"over": came_to(lambda: call(desk.till))})

    with run_forked(work) as victim:
        yield victim


@contextmanager
def working(stage: VendorUnderTest, url: str, call: Callable[[AccountClient], object]) -> Iterator[ChildProcess]:
    """Make a call in a child that is killed at the end of the block."""

    def work(say: Callable[[dict[str, str]], None]) -> None:
        desk = GatewayProcess.open(stage, url)
        say({"over": came_to(lambda: call(desk.till))})

    with run_forked(work) as victim:
        yield victim


def came_to(call: Callable[[], object]) -> str:
    """Make a call, and return what it came to, in a word."""
    try:
        call()
    except VoucherGatewayError as error:
        return type(error).__name__
    return "succeeded"


def must_have_struck(victim: ChildProcess, name: str) -> str:
    """Return the point where a child was struck."""
    message = victim.next_message()
    require(
        "struck" in message, f"{name}: another process came by other points than the first: it {message.get('over')}"
    )
    return message["struck"]
