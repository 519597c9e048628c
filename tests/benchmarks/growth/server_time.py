"""The processor time of a database's server. That of SQLite is the process that uses it."""

from __future__ import annotations

import psutil  # type: ignore[import-untyped]
import sqlalchemy as sa
from sqlalchemy.engine import Engine


class ServerTime:
    """The processor time of all processes of a server of PostgreSQL on this machine; nothing for SQLite.

    Args:
        engine: of the database.
    """

    def __init__(self, engine: Engine) -> None:
        self._main: psutil.Process | None = None
        if engine.dialect.name == "postgresql":
            with engine.connect() as connection:
                pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
            self._main = psutil.Process(pid).parent()

    def seconds(self) -> float:
        """Return the processor time until now, with that of processes that have ended."""
        if self._main is None:
            return 0.0
        total = float(sum(self._main.cpu_times()[:4]))
        for child in self._main.children(recursive=True):
            try:
                total += sum(child.cpu_times()[:2])
            except psutil.NoSuchProcess:
                continue
        return total
