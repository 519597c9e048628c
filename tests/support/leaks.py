"""Shows a canary what could give a code away: objects, errors, and everything in a database."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from voucher_gateway.storage.engine import Database
from voucher_gateway.testing.harness.canary import Canary


def note_object(canary: Canary, value: object) -> None:
    """Note all that a program may print, store or copy of an object."""
    canary.note(f"the repr of a {type(value).__name__}", f"{value!r} {value} {value:}")
    for attempt in (pickle.dumps, copy.copy):
        try:
            canary.note(f"a {attempt.__name__} of a {type(value).__name__}", repr(attempt(value)))
        except (TypeError, AttributeError, pickle.PicklingError) as error:  # it cannot be pickled, and may say why
            canary.note(f"why a {type(value).__name__} cannot be copied", str(error))


def note_call(canary: Canary, call: Callable[[], Any]) -> Any:
    """Make a call, and note its result or its error; return the one or the other."""
    try:
        result = call()
    except Exception as error:  # noqa: BLE001 - whatever an error tracker would get
        canary.saw(error)
        note_object(canary, error)
        return error
    note_object(canary, result)
    return result


def note_database(canary: Canary, database: Database) -> None:
    """Note every row of every table, and of an SQLite database all its files."""
    with database.read() as connection:
        for table in sa.inspect(connection).get_table_names():
            rows = connection.execute(sa.text(f'SELECT * FROM "{table}"')).all()
            canary.note(f"the table {table}", repr([tuple(row) for row in rows]))
    if database.path is not None:
        for file in database.path.parent.glob(f"{database.path.name}*"):
            canary.note(f"the file {file.name}", file.read_bytes().decode("latin-1"))
