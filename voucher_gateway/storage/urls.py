"""The URLs of databases: which ones are taken, and what a message may say of them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from voucher_gateway.errors import ConfigurationError

_PLACE = ("host", "port")


def normalize(url: str, subject: str) -> sa.URL:
    """Return a database's URL with the driver that is used here.

    Args:
        url: as it was given.
        subject: names it in messages.

    Raises:
        ConfigurationError: if nothing can be kept there.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigurationError(f"{subject} must be a database URL, such as sqlite:///voucher-gateway.db") from None
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigurationError(f"{subject} must be a file: what is only in memory is lost when it is needed")
        if parsed.database.startswith("file:"):
            raise ConfigurationError(f"{subject} must name an SQLite file by its path, not by a file: URI")
        # One file has one name from here on: the locks and the key beside it go by that name, and a process may
        # change its working directory.
        return parsed.set(drivername="sqlite+pysqlite", database=str(Path(parsed.database).resolve()))
    if backend in ("postgresql", "postgres"):
        if "@" in f"{parsed.host}{parsed.database}":  # the tail of a password, which messages would show
            raise ConfigurationError(
                f"{subject} has an @ that does not end the password: write those in the password as %40, and / as %2F"
            )
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigurationError(f"{subject} must be at an sqlite: or postgresql: URL")


def safe_text(url: sa.URL) -> str:
    """Return what names the database in messages: host, port and database. All else may hold a secret."""
    place = {name: url.query[name] for name in _PLACE if name in url.query}
    return sa.URL.create(
        url.drivername, host=url.host, port=url.port, database=url.database, query=place
    ).render_as_string()
