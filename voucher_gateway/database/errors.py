"""What the caller hears when the database does not do its part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from voucher_gateway.errors import DatabaseUnavailable


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Turn the driver's errors into `DatabaseUnavailable`, without statements and parameters.

    Args:
        url: the database's URL without its password, for the message.
    """
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        said = str(cause).splitlines()[0][:200] if str(cause) else type(cause).__name__
    else:
        return
    raise DatabaseUnavailable(f"the database {url} did not do it: {said}")
