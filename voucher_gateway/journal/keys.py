"""The journal's secret keys: what makes a code recognisable without storing it.

A code itself is never stored. A keyed fingerprint (HMAC-SHA256) recognises it again, and cannot be guessed back by who
has the database alone. A code of our own choice is derived from the key and the operation's id, so that a replay can
return it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.instants import now
from voucher_gateway.masking import Code, Secret
from voucher_gateway.storage.key_file import MIN_KEY_BYTES, key_file, make_key, read_key
from voucher_gateway.tracebacks import hide_frames


def new_id(mark: str) -> str:
    """Return an id for the operation of a mark: 26 characters that sort by time of making and end in the mark."""
    return f"{int(now().timestamp() * 1000):012x}{mark}"


def tag_of(operation_id: str) -> str:
    """Return the mark that an operation's id ends in."""
    return operation_id[-MARK_LENGTH:]


ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""For codes of our own: 32 characters that are not mistaken for one another."""

CODE_LENGTH: Final = 16
"""80 bits: nobody guesses one, and no two meet."""

MARK_LENGTH: Final = 14
"""Of a mark, in characters: 56 bits."""

_FIRST_ID: Final = "1"


@attrs.frozen
class JournalKeys:
    """Keys by id. New entries use the newest; older ones stay readable while their key is kept.

    Attributes:
        keys: by id.
        newest: the id of the one in use.
    """

    keys: Mapping[str, Secret] = attrs.field(hash=False)
    newest: str

    @classmethod
    def of(cls, keys: Mapping[str, Secret]) -> JournalKeys:
        """Return the keys, of which the last is in use.

        Raises:
            ConfigurationError: if there is none, or one is too short.
        """
        if not keys:
            raise ConfigurationError("journal_keys must hold at least one key")
        for name, key in keys.items():
            if len(key.reveal().encode()) < MIN_KEY_BYTES:
                raise ConfigurationError(f"journal key {name!r:.20} must have at least {MIN_KEY_BYTES} characters")
        return cls(dict(keys), list(keys)[-1])

    @classmethod
    def from_key_file(cls, database: Path) -> JournalKeys:
        """Return the key in the file beside an SQLite database, making it (mode 0600) if it is not there yet.

        Call it only for a database that was never used with a key, or whose key file exists.
        """
        path = key_file(database)
        if not path.exists():
            make_key(path)
        return cls({_FIRST_ID: read_key(path)}, _FIRST_ID)

    def fingerprint(self, code: Code, *, provider: str, host: str, key_id: str | None = None) -> str:
        """Return the fingerprint of a code at one vendor.

        Raises:
            ConfigurationError: if the key of that id is not kept any more.
        """
        with hide_frames():
            return self._mac(key_id or self.newest, "code", provider, host, code.reveal()).hex()

    def fingerprints(self, code: Code, *, provider: str, host: str) -> frozenset[str]:
        """Return the fingerprints of a code at one vendor, one for each key."""
        return frozenset(self.fingerprint(code, provider=provider, host=host, key_id=key_id) for key_id in self.keys)

    def tag(self, account: str, verb: str, reference: str, *, key_id: str | None = None) -> str:
        """Return what makes the names of an operation unlike any other's: always the same for the same key.

        It is part of the names that vendors see, so that a journal restored from a backup knows its own movements.
        """
        return self._mac(key_id or self.newest, "mark", account, verb, reference).hex()[:MARK_LENGTH]

    def derive_code(self, mark: str, *, key_id: str | None = None) -> Code:
        """Return the code that the operation of a mark chooses for the voucher it issues: always the same one."""
        number = int.from_bytes(self._mac(key_id or self.newest, "issue", mark))
        return Code("".join(ALPHABET[(number >> (5 * place)) & 31] for place in range(CODE_LENGTH)))

    def check_value(self, key_id: str) -> str:
        """Return a digest that tells a key from any other, and does not reveal it."""
        return self._mac(key_id, "check").hex()

    def _mac(self, key_id: str, *parts: str) -> bytes:
        key = self.keys.get(key_id)
        if key is None:
            raise ConfigurationError(
                f"the journal holds entries of key {key_id!r:.20}, which is not configured any more"
            )
        text = "\0".join(f"{len(part)}:{part}" for part in parts)
        return hmac.digest(key.reveal().encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256)
