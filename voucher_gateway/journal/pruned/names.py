"""Asks a journal for what was removed from it, with one read for each question."""

from __future__ import annotations

from datetime import datetime

from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.pruned.pruned import (
    PrunedName,
    find_pruned,
    is_own_movement,
    pruned_before,
    require_not_pruned,
)
from voucher_gateway.journal.records import OperationKey
from voucher_gateway.models.results import Movement
from voucher_gateway.storage.engine import Database


class PrunedNames:
    """What was removed from a journal.

    Args:
        database: the journal's.
        keys: the journal's, which recognise the names.
    """

    def __init__(self, database: Database, keys: JournalKeys) -> None:
        self._database = database
        self._keys = keys

    def require_absent(self, key: OperationKey) -> None:
        """Refuse a key that the journal does not find because its operation was removed.

        Raises:
            ReferencePruned: if it was. Nothing may be sent then.
            ConfigurationError: if the key that recognises it is missing.
        """
        with self._database.read() as connection:
            require_not_pruned(connection, self._keys, key)

    def has_operation(self, key: OperationKey) -> bool:
        """Whether the operation of a key was removed."""
        with self._database.read() as connection:
            name = find_pruned(connection, self._keys, key.verb.value, key.reference, account=key.account)
        return name is not None

    def find(self, verb: str, name: str) -> PrunedName | None:
        """Return what is left of a payment, a sale or an order; None if it was not removed."""
        with self._database.read() as connection:
            return find_pruned(connection, self._keys, verb, name)

    def has_movement(self, host: str, movement: Movement) -> bool:
        """Whether a movement at a vendor is that of an operation that was removed."""
        with self._database.read() as connection:
            return is_own_movement(connection, self._keys, host, reference=movement.reference, movement_id=movement.id)

    def before(self) -> datetime | None:
        """Return from which moment on nothing was removed for its age; None if nothing ever was."""
        with self._database.read() as connection:
            return pruned_before(connection)
