"""Children that are forked with Python's fork hooks, as `os.fork` does it, or without, as servers in C do it.

A fork without hooks must start from a process with one thread: where another thread waits for the interpreter's lock at
that moment, the child waits for this thread for ever. So tests with simulators fork from a `run_in_master`.
"""

from __future__ import annotations

import _imp
import ctypes
import os
import select
import signal
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Final

WITH_HOOKS: Final = "os.fork, with all hooks"
WITHOUT_HOOKS: Final = "libc's fork, without any hook"
CHILD_HOOKS_ONLY: Final = "libc's fork, with the hooks for the child only"

WAYS: Final = (WITH_HOOKS, WITHOUT_HOOKS, CHILD_HOOKS_ONLY)

_END: Final = b"\0"


def fork(way: str) -> int:
    """Fork in one of the `WAYS`."""
    with warnings.catch_warnings():
        # Python 3.12 warns of a fork beside other threads. Here the other threads are those of simulators only.
        warnings.simplefilter("ignore", DeprecationWarning)
        if way == WITH_HOOKS:
            return os.fork()
        if way == CHILD_HOOKS_ONLY:
            # The hooks for the child give this lock back, and Python 3.13 aborts a process that does not hold it.
            _imp.acquire_lock()
        child = int(ctypes.PyDLL(None).fork())  # unlike CDLL, it keeps the interpreter's lock, which the child needs
    if way == CHILD_HOOKS_ONLY:
        if child == 0:
            ctypes.pythonapi.PyOS_AfterFork_Child()
        else:
            _imp.release_lock()
    return child


class Child:
    """A forked child that waits until it is told to begin.

    Args:
        way: how it is forked.
        work: what it does. Its result is sent to the parent as text.
    """

    def __init__(self, way: str, work: Callable[[], object]) -> None:
        gate, self._begin = os.pipe()
        self._answer, writing = os.pipe()
        self.pid = fork(way)
        if self.pid == 0:
            os.close(self._begin)
            _work_in_child(work, gate, writing)
        os.close(gate)
        os.close(writing)

    def begin(self) -> None:
        """Let the child begin."""
        os.write(self._begin, b"!")

    def wait_until_killed(self) -> None:
        """Wait until the child has been killed."""
        os.waitpid(self.pid, 0)
        os.close(self._begin)
        os.close(self._answer)

    def answer(self, within_s: float = 50) -> str:
        """Return what the work gave, or the error that it raised, once the child has ended."""
        deadline = time.monotonic() + within_s
        text = b""
        # Not to the end of the pipe: a child of the child may hold it open.
        while not text.endswith(_END) and select.select([self._answer], [], [], max(0, deadline - time.monotonic()))[0]:
            block = os.read(self._answer, 65536)
            if not block:
                break
            text += block
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._begin)
        os.close(self._answer)
        return text.removesuffix(_END).decode() or "no answer"


def run_in_master(work: Callable[[], object]) -> str:
    """Run something in a process of one thread that may fork, and return what it gave, or the error that it raised."""
    master = Child(WITH_HOOKS, work)
    master.begin()
    return master.answer(within_s=100)


def run_in_children(work: Callable[[], object], count: int) -> list[str]:
    """Run something in several children that start at the same moment. Return what each gave, or its error."""
    children = [Child(WITH_HOOKS, work) for _ in range(count)]
    for child in children:
        child.begin()
    return [child.answer() for child in children]


def run_in_child(call: Callable[[], object], within_s: float = 20) -> str:
    """Make a call in a child, and return the `repr` of its result, or the error. A child that hangs is killed."""
    child = Child(WITH_HOOKS, lambda: repr(call()))
    child.begin()
    return child.answer(within_s)


def _work_in_child(work: Callable[[], object], gate: int, writing: int) -> None:
    try:
        os.read(gate, 1)
        text = f"{work()}"
    except BaseException as error:  # noqa: BLE001 - sent to the parent. It must not reach the test, which would go on
        text = f"{type(error).__name__}: {error}"
    os.write(writing, text.encode() + _END)
    os._exit(0)
