"""Errors of the database driver as errors of this library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from voucher_gateway.errors import DatabaseUnavailable


@contextmanager
def database_errors(safe_url: str) -> Iterator[None]:
    """Raise `DatabaseUnavailable` for each error of SQLAlchemy and the driver.

    Args:
        safe_url: the database's URL without its password, for the message.
    """
    try:
        yield
    except SQLAlchemyError as error:
        unavailable = _unavailable(error, safe_url)
    else:
        return
    raise unavailable from None


def _unavailable(error: SQLAlchemyError, safe_url: str) -> DatabaseUnavailable:
    """Return the error for the caller, without statement and parameters.

    Its `vendor_code` is SQLite's name of the error, such as ``SQLITE_FULL``, or PostgreSQL's SQLSTATE. It is None if
    the database reported nothing, as when the connection broke.
    """
    cause = getattr(error, "orig", None) or error
    reason = str(cause).splitlines()[0][:200] if str(cause) else type(cause).__name__
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    return DatabaseUnavailable(f"database error at {safe_url}: {reason}", vendor_code=code)
