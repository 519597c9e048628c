"""Looks up the addresses of a host, and not while the process forks.

The resolver of the C library has locks that nothing renews in a forked child (glibc: `resolv_conf.c`). In a child that
was forked while another thread held one, each look-up waits for ever. So a fork waits for look-ups, and none begins
before the fork is over.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import Final

from urllib3.util.connection import allowed_gai_family

from voucher_gateway.process.fork_safety import call_after_fork

LOOK_UP_WAIT_S: Final = 1.0
"""How long a fork waits for the look-ups of other threads, in seconds.

A look-up that takes longer waits for a name server, and holds no lock while it does.
"""


class _LookUps:
    """The look-ups of this process that are not finished, and the forks that wait for them."""

    def __init__(self) -> None:
        self.count = 0
        self.forks = 0
        self.changed = threading.Condition()


_look_ups = _LookUps()


def look_up(name: str, port: int) -> list[str]:
    """Return the addresses of a host, in the order of the system.

    Raises:
        socket.gaierror: if the host has none.
    """
    look_ups = _look_ups
    with look_ups.changed:
        while look_ups.forks:
            look_ups.changed.wait()
        look_ups.count += 1
    try:
        addresses = socket.getaddrinfo(name, port, allowed_gai_family(), socket.SOCK_STREAM)
    finally:
        with look_ups.changed:
            look_ups.count -= 1
            look_ups.changed.notify_all()
    return [str(where[0]) for *_, where in addresses]


def _before_fork() -> None:
    look_ups = _look_ups
    if look_ups.changed.acquire(timeout=LOOK_UP_WAIT_S):  # another thread forks at the same time
        look_ups.forks += 1
        look_ups.changed.wait_for(lambda: look_ups.count == 0, timeout=LOOK_UP_WAIT_S)


def _after_fork_in_parent() -> None:
    look_ups = _look_ups
    with suppress(RuntimeError):  # `_before_fork` did not get it
        look_ups.changed.notify_all()
        look_ups.forks -= 1
        look_ups.changed.release()


def _after_fork_in_child() -> None:
    global _look_ups
    _look_ups = _LookUps()


call_after_fork(_after_fork_in_child)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)
