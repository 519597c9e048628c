"""Which logins' vendors keep another reference than they were sent.

Such a vendor's history does not show a call under the reference that was sent, so that its absence proves nothing. The
journal keeps this as a fact, so that every process on it knows.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from voucher_gateway.journal.schema import facts

if TYPE_CHECKING:
    from voucher_gateway.journal.journal import Journal

_PREFIX: Final = "changes-ref:"


def note_changed_reference(journal: Journal, *, provider: str, host: str, login: str | None) -> None:
    """Note that the vendor changes the references that this login sends.

    Raises:
        DatabaseUnavailable: if it cannot be written.
    """
    name = fact_name(provider, host, login)
    with journal.database.write() as connection:
        if connection.scalar(sa.select(facts.c.name).where(facts.c.name == name)) is None:
            value = f"{provider} {host} {login or ''}".rstrip()
            connection.execute(sa.insert(facts), {"name": name, "value": value})


def changes_references(journal: Journal, *, provider: str, host: str, login: str | None) -> bool:
    """Whether the vendor is known to change the references that this login sends."""
    with journal.database.read() as connection:
        query = sa.select(facts.c.name).where(facts.c.name == fact_name(provider, host, login))
        return connection.scalar(query) is not None


def noted_changed_references(journal: Journal) -> frozenset[str]:
    """Return the names of these facts, for all logins; `fact_name` tells which is whose."""
    with journal.database.read() as connection:
        return frozenset(connection.scalars(sa.select(facts.c.name).where(facts.c.name.startswith(_PREFIX))))


def fact_name(provider: str, host: str, login: str | None) -> str:
    """Return the name of the fact about a login."""
    text = "\0".join((provider, host, login or ""))
    return _PREFIX + hashlib.blake2b(text.encode(), digest_size=10).hexdigest()
