"""For whom a request is sent: a customer who waits, or work in the background.

The HTTP client waits longer where no customer does, and a shared rate is given to the more urgent work first. What is
between the work and the client should not know either, so the class is passed in a context variable.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class WorkClass(enum.IntEnum):
    """The classes of work, the most urgent one first.

    Attributes:
        CHECKOUT: a call that a program makes, as a rule because a customer waits.
        RECOVER: `Gateway.recover`.
        RECONCILE: reconciliations, reports, lists and the diagnosis of accounts.
        MIGRATE: migrations, exports and imports, and batches of sales.
    """

    CHECKOUT = 0
    RECOVER = 1
    RECONCILE = 2
    MIGRATE = 3


_work_class: ContextVar[WorkClass] = ContextVar("work_class", default=WorkClass.CHECKOUT)


@contextmanager
def use_work_class(kind: WorkClass) -> Iterator[None]:
    """Send the requests of the block for work of a class. Inside of less urgent work it stays less urgent."""
    token = _work_class.set(max(kind, _work_class.get()))
    try:
        yield
    finally:
        _work_class.reset(token)


def current_work_class() -> WorkClass:
    """Return the class of the work for which the requests of this context are sent."""
    return _work_class.get()
