"""What the journal knows that helps to resolve an operation.

* which voucher a code stood for in earlier operations;
* whether a movement at the vendor belongs to another operation: it is the result of one operation at most;
* which logins' vendors store another reference than they received. Such a vendor's history does not show a call under
  the reference that was sent, so its absence proves nothing. The journal keeps this as a fact, for all its processes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from operator import itemgetter
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys.row_seals import CHANGED_REFERENCE, REFERENCES
from voucher_gateway.journal.pruned.pruned import is_own_movement, is_result_of_pruned
from voucher_gateway.journal.records import OperationRecord, OperationState, read_result
from voucher_gateway.journal.schema import facts, holds, operations, requests
from voucher_gateway.masking import Code
from voucher_gateway.models.results import Movement, Redemption, Refund, TopUp
from voucher_gateway.outcome import Intent, Result
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.storage.statements import PreparedStatement, without_index

log: Final = get_logger("voucher_gateway.journal")

_LATEST: Final = PreparedStatement(
    sa.select(operations.c.id, operations.c.voucher_id)
    .where(
        operations.c.provider == sa.bindparam("provider"),
        operations.c.host == sa.bindparam("host"),
        operations.c.fingerprint == sa.bindparam("fingerprint"),
        operations.c.login.is_not_distinct_from(sa.bindparam("login")),
        without_index(operations.c.state) == OperationState.SUCCEEDED.value,
        operations.c.voucher_id.is_not(None),
    )
    .order_by(operations.c.id.desc())
    .limit(1)
)
_OTHERS: Final = sa.select(operations.c.result).where(
    operations.c.provider == sa.bindparam("provider"),
    operations.c.host == sa.bindparam("host"),
    operations.c.voucher_id == sa.bindparam("voucher"),
    operations.c.verb == sa.bindparam("verb"),
    operations.c.state == OperationState.SUCCEEDED.value,
    operations.c.id != sa.bindparam("mine"),
    operations.c.result.is_not(None),
)


# --- vouchers of codes ---


def last_voucher_id(
    journal: Journal,
    *,
    provider: str,
    host: str,
    login: str | None,
    code: Code,
    known: tuple[str, str | None] = ("", None),
) -> str | None:
    """Return the id of the voucher that the last operation on this code moved; None if there was none.

    `known` is as of `JournalKeys.fingerprints`.
    """
    fingerprints = journal.keys.fingerprints(code, provider=provider, host=host, known=known)
    login_fields = {"provider": provider, "host": host, "login": login}
    with journal.database.read() as connection:
        rows = [
            _LATEST.first_row(connection, {**login_fields, "fingerprint": fingerprint}) for fingerprint in fingerprints
        ]
    latest = max((row for row in rows if row is not None), key=itemgetter("id"), default=None)
    return None if latest is None else str(latest["voucher_id"])


def code_fingerprints(journal: Journal, record: OperationRecord, intent: Intent) -> frozenset[str]:
    """Return the fingerprint of the code that an operation was about: its own, or its reservation's."""
    if record.target.fingerprint is not None:
        return frozenset((record.target.fingerprint,))
    if intent.subject is None:
        return frozenset()
    query = sa.select(holds.c.fingerprint).where(
        holds.c.host == record.target.host, holds.c.reservation_id == intent.subject
    )
    with journal.database.read() as connection:
        return frozenset(connection.scalars(query))


# --- movements of other operations ---


def is_result_of_another(journal: Journal, record: OperationRecord, result: Result | None) -> bool:
    """Whether what was found at the vendor for an operation is another operation's result already.

    A refund at JTL names nothing. One that another worker made between the look at the history and the row of ours
    looks like ours.
    """
    if not isinstance(result, Redemption | Refund | TopUp):
        return False
    parameters = {
        "provider": record.target.provider,
        "host": record.target.host,
        "voucher": result.voucher_id,
        "verb": record.key.verb.value,
        "mine": record.id,
    }
    with journal.database.read() as connection:
        others = [read_result(text) for text in connection.scalars(_OTHERS, parameters)]
        if any(getattr(other, "id", None) == result.id for other in others):
            return True
        verb = record.key.verb
        return is_result_of_pruned(connection, journal.keys, record.target.host, result.id, verb)


def all_claimed_by_others(journal: Journal, record: OperationRecord, movements: Iterable[Movement]) -> bool:
    """Whether each movement belongs to another operation: as its result, or by a reference that it sent."""
    host = record.target.host
    with journal.database.read() as connection:
        return all(
            _is_of_another(connection, record, movement)
            or is_own_movement(connection, journal.keys, host, reference=movement.reference, movement_id=movement.id)
            for movement in movements
        )


def _is_of_another(connection: Connection, record: OperationRecord, movement: Movement) -> bool:
    of_voucher = (
        (operations.c.provider == record.target.provider)
        & (operations.c.host == record.target.host)
        & (operations.c.voucher_id == (movement.voucher_id or record.voucher_id))
        & (operations.c.id != record.id)
    )
    sent = (
        sa.select(requests.c.id)
        .join(operations, operations.c.id == requests.c.operation_id)
        .where(of_voucher, requests.c.wire_reference == movement.reference)
    )
    if movement.reference and connection.execute(sent.limit(1)).first() is not None:
        return True
    results = sa.select(operations.c.result).where(
        of_voucher, operations.c.state == OperationState.SUCCEEDED.value, operations.c.result.is_not(None)
    )
    return any(getattr(read_result(text), "id", None) == movement.id for text in connection.scalars(results))


# --- vendors that change references ---


def note_changed_reference(journal: Journal, *, provider: str, host: str, login: str | None) -> None:
    """Note that the vendor changes the references that this login sends.

    Raises:
        DatabaseUnavailable: if it cannot be written.
    """
    name = fact_name(provider, host, login)
    with journal.database.write() as connection:
        if connection.scalar(sa.select(facts.c.name).where(facts.c.name == name)) is not None:
            return
        value = f"{provider} {host} {login or ''}".rstrip()
        connection.execute(sa.insert(facts), {"name": name, "value": value})
        REFERENCES.add_to_count(connection, journal.keys, 1)
    log.warning("%s at %s changes references: its history cannot prove that a call was not executed", provider, host)


def changes_references(journal: Journal, *, provider: str, host: str, login: str | None) -> bool:
    """Whether the vendor is known to change the references that this login sends."""
    with journal.database.read() as connection:
        query = sa.select(facts.c.name).where(facts.c.name == fact_name(provider, host, login))
        return connection.scalar(query) is not None


def list_changed_reference_facts(journal: Journal) -> frozenset[str]:
    """Return the names of these facts for all logins. `fact_name` is the name for one login."""
    with journal.database.read() as connection:
        return frozenset(connection.scalars(sa.select(facts.c.name).where(facts.c.name.startswith(CHANGED_REFERENCE))))


def fact_name(provider: str, host: str, login: str | None) -> str:
    """Return the name of the fact about a login."""
    text = "\0".join((provider, host, login or ""))
    return CHANGED_REFERENCE + hashlib.blake2b(text.encode(), digest_size=10).hexdigest()
