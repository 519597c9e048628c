"""What the caller hears when the database does not do its part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from voucher_gateway.errors import DatabaseUnavailable


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Turn the driver's errors into `DatabaseUnavailable`.

    Args:
        url: the database's URL without its password, for the message.
    """
    try:
        yield
    except SQLAlchemyError as error:
        trouble = unavailable(error, url)
    else:
        return
    raise trouble


def unavailable(error: SQLAlchemyError, url: str) -> DatabaseUnavailable:
    """Return what the caller is to hear of a driver's error, without statement and parameters.

    Its `vendor_code` is SQLite's name of the error, such as ``SQLITE_FULL``, or PostgreSQL's SQLSTATE; None where the
    database said nothing, as when the connection broke.
    """
    cause = getattr(error, "orig", None) or error
    reason = str(cause).splitlines()[0][:200] if str(cause) else type(cause).__name__
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    return DatabaseUnavailable(f"the database {url} did not do it: {reason}", vendor_code=code)
