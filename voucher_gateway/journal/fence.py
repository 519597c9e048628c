"""Fences: a worker that another worker has replaced records no request any more, and so sends none.

A lock in a database can be lost without notice: the PostgreSQL server ends the session, and another worker takes the
same lock. A payment or a sale, which runs several calls under one lock, therefore counts its workers in its own row in
the journal's database: the row's epoch. The journal compares the epoch in the transaction that records a
request. On PostgreSQL the comparison locks the row for that transaction, so that an epoch is raised either before the
comparison or after the request is recorded.

The present fences are in a context variable. A thread sees them only if it runs in a copy of the context:
``contextvars.copy_context().run(...)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors import OperationInProgress
from voucher_gateway.storage.statements import PreparedStatement


class Fence(Protocol):
    """Decides whether a worker may still record requests."""

    def check(self, connection: Connection) -> None:
        """Do nothing if the worker may.

        Args:
            connection: in the transaction that records the request.

        Raises:
            OperationInProgress: if another worker has taken over.
        """


_fences: Final[ContextVar[tuple[Fence, ...]]] = ContextVar("voucher_gateway_fences", default=())


@contextmanager
def use_fence(fence: Fence) -> Iterator[None]:
    """Check a fence before each request that the block records, beside the fences of the blocks around it."""
    token = _fences.set((*_fences.get(), fence))
    try:
        yield
    finally:
        _fences.reset(token)


def check_fences(connection: Connection) -> None:
    """Check the present fences in the transaction that records a request.

    Raises:
        OperationInProgress: if another worker has taken over. Nothing may be sent then.
    """
    for fence in _fences.get():
        fence.check(connection)


def epoch_statement(table: sa.Table) -> PreparedStatement:
    """Return the statement that reads the epoch of a row, for `EpochFence`.

    Args:
        table: has the columns ``id`` and ``epoch``.
    """
    return PreparedStatement(
        sa.select(table.c.epoch).where(table.c.id == sa.bindparam("id")).with_for_update(read=True)
    )


@attrs.frozen
class EpochFence:
    """Lets a worker record requests as long as a row has the epoch that this worker gave it.

    Attributes:
        statement: reads the row's epoch, see `epoch_statement`.
        parameters: the values of the statement, such as the row's id.
        epoch: the epoch that this worker gave the row.
        subject: names the row in messages: ``payment of order 1001``.
    """

    statement: PreparedStatement
    parameters: Mapping[str, Any]
    epoch: int
    subject: str

    def check(self, connection: Connection) -> None:
        """Compare the epochs, and keep the row as it is until the transaction ends.

        Raises:
            OperationInProgress: if the row has another epoch, or does not exist.
        """
        row = self.statement.first_row(connection, self.parameters)
        if row is None or row["epoch"] != self.epoch:
            raise OperationInProgress(f"another worker has taken over the {self.subject}: nothing was sent")
