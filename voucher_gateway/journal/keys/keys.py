"""The journal's secret keys: they recognise a code that is not stored.

A code is never stored. A keyed fingerprint (HMAC-SHA256) recognises it again. Without the key, the code cannot be
computed from it. A code that the gateway chooses is derived from the key and the operation's id, so that a replay can
return it.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.instants import now
from voucher_gateway.journal.schema import facts, moved, operations, pruned_accounts
from voucher_gateway.masking import Code, Secret, hide_frames
from voucher_gateway.rules.codes import CodeRules
from voucher_gateway.setting_types import SecretSource
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.files import MIN_KEY_BYTES, key_file, make_key, read_key
from voucher_gateway.storage.locks import lock_in_transaction
from voucher_gateway.storage.statements import PreparedStatement

ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""The characters of derived codes: 32 characters that people do not confuse."""

CODE_BITS: Final = 80
"""What derived codes have, so that none can be guessed and no two are equal: 16 characters of the usual alphabet."""
MIN_CODE_BITS: Final = 60
"""What they have at least, where the vendor allows only short codes or few characters."""
MAX_CODE_LENGTH: Final = 64
"""The length of the longest derived code, where the vendor demands long ones."""

TAG_LENGTH: Final = 14
"""The length of an operation's tag: 56 bits."""

MARK_LENGTH: Final = 20
"""The length of `JournalKeys.mark`: 80 bits."""

KEY_VARIABLE: Final = "VOUCHER_GATEWAY_JOURNAL_KEY"
"""The environment variable that holds the journal's key, where the configuration names none."""

_OURS: Final = re.compile(rf"~([0-9a-f]{{{TAG_LENGTH}}})\.[0-9]+\.[0-9]+$")
_FIRST_ID: Final = "1"
CHECK_VALUE_PREFIX: Final = "key:"
"""The name of the fact that holds the check value of a key begins with this, and ends with the id of the key."""

_CHECK_VALUES: Final = PreparedStatement(
    sa.select(facts.c.name, facts.c.value).where(facts.c.name.startswith(CHECK_VALUE_PREFIX))
)
_HAS_OPERATIONS: Final = sa.select(operations.c.id).where(operations.c.key_id == sa.bindparam("key")).limit(1)
_HAS_MOVED: Final = sa.select(moved.c.voucher_id).where(moved.c.key_id == sa.bindparam("key")).limit(1)
_HAS_PRUNED: Final = sa.select(pruned_accounts.c.id).where(pruned_accounts.c.key_id == sa.bindparam("key")).limit(1)


def new_id(tag: str) -> str:
    """Return an id for the operation of a tag: 26 characters that sort by time and end in the tag."""
    return f"{int(now().timestamp() * 1000):012x}{tag}"


def tag_of(operation_id: str) -> str:
    """Return the tag that an operation's id ends in."""
    return operation_id[-TAG_LENGTH:]


def find_tag(wire_reference: str | None) -> str | None:
    """Return the tag of an operation that a reference at a vendor ends in; None if it is not one of ours."""
    match = _OURS.search(wire_reference or "")
    return None if match is None else match[1]


@attrs.frozen
class JournalKeys:
    """Keys by id. New operations use the newest. Older operations stay readable while their key is configured.

    Attributes:
        keys: by id.
        newest: the id of the key that new operations use.
    """

    keys: Mapping[str, Secret] = attrs.field(hash=False)
    newest: str
    # To begin an HMAC with a key takes as long as all the rest of a digest.
    _begun: dict[str, hmac.HMAC] = attrs.field(factory=dict, init=False, repr=False, eq=False)

    @classmethod
    def of(cls, keys: Mapping[str, Secret]) -> JournalKeys:
        """Return the keys. The last one is the newest.

        Raises:
            ConfigurationError: if none is given, or one is too short.
        """
        if not keys:
            raise ConfigurationError("journal_keys must hold at least one key")
        for name, key in keys.items():
            if len(key.reveal().encode()) < MIN_KEY_BYTES:
                raise ConfigurationError(f"journal key {name!r:.20} must have at least {MIN_KEY_BYTES} characters")
        return cls(dict(keys), list(keys)[-1])

    @classmethod
    def from_key_file(cls, database: Path) -> JournalKeys:
        """Return the key in the file beside an SQLite database. Make the file (mode 0600) if it does not exist.

        Call it only for a database that was never used with a key, or whose key file exists.
        """
        path = key_file(database)
        if not path.exists():
            make_key(path)
        return cls({_FIRST_ID: read_key(path)}, _FIRST_ID)

    def fingerprint(self, code: Code, *, provider: str, host: str, key_id: str | None = None) -> str:
        """Return the fingerprint of a code at one vendor.

        Raises:
            ConfigurationError: if the key of that id is not configured any more.
        """
        with hide_frames():
            text = code.reveal()
            # As `_mac` does it, in half of the time: a plan has a million codes.
            data = f"{_beginning('code', provider, host)}\0{len(text)}:{text}"
            return self._digest(key_id or self.newest, data.encode("utf-8", "surrogatepass")).hexdigest()

    def fingerprint_maker(self, *, provider: str, host: str, key_id: str | None = None) -> Callable[[Code], str]:
        """Return a function that makes the fingerprints of many codes at one vendor, each in half of the time.

        Raises:
            ConfigurationError: if the key of that id is not configured any more.
        """
        beginning = f"{_beginning('code', provider, host)}\0".encode("utf-8", "surrogatepass")
        begun = self._digest(key_id or self.newest, beginning)

        def make_fingerprint(code: Code) -> str:
            text, mac = code.reveal(), begun.copy()
            mac.update(f"{len(text)}:{text}".encode("utf-8", "surrogatepass"))
            return mac.hexdigest()

        return make_fingerprint

    def fingerprints(
        self, code: Code, *, provider: str, host: str, known: tuple[str, str | None] = ("", None)
    ) -> frozenset[str]:
        """Return the fingerprints of a code at one vendor, one for each key.

        Args:
            code: the code.
            provider: the provider's name.
            host: the vendor's host.
            known: the id of a key, and the fingerprint that it has made of the code there already.
        """
        known_id, fingerprint = known
        return frozenset(
            fingerprint
            if key_id == known_id and fingerprint is not None
            else self.fingerprint(code, provider=provider, host=host, key_id=key_id)
            for key_id in self.keys
        )

    def tag(self, account: str, verb: str, reference: str, *, key_id: str | None = None) -> str:
        """Return the tag of an operation: always the same for the same key, and different from other operations.

        It is part of the references that vendors see, so that a restored journal recognises its own movements.
        """
        return self._mac(key_id or self.newest, "mark", account, verb, reference).hex()[:TAG_LENGTH]

    def mark(self, subject: str, *names: str) -> str:
        """Return 20 characters that are always the same for the names of a subject, such as an order's payment."""
        return self._mac(self.newest, "mark of", subject, *names).hex()[:MARK_LENGTH]

    def derive_code(self, tag: str, rules: CodeRules, *, key_id: str | None = None) -> Code | None:
        """Return the code of the voucher that the operation of a tag issues: always the same one.

        It is None if the vendor's rules allow no code that cannot be guessed: the vendor then has to make one.
        """
        letters = rules.letters(ALPHABET)
        number, possible = int.from_bytes(self._mac(key_id or self.newest, "issue", tag)), 1
        characters: list[str] = []
        most = MAX_CODE_LENGTH if rules.max_length is None else min(rules.max_length, MAX_CODE_LENGTH)
        while letters and len(characters) < most and (possible < 2**CODE_BITS or len(characters) < rules.min_length):
            number, place = divmod(number, len(letters))
            characters.append(letters[place])
            possible *= len(letters)
        code = "".join(characters)
        return Code(code) if possible >= 2**MIN_CODE_BITS and rules.find_broken_rule(code) is None else None

    def caller_digest(self, caller: str) -> str:
        """Return a digest that recognises a caller again. After a change of the newest key it is another one."""
        return self._mac(self.newest, "caller", caller).hex()

    def check_value(self, key_id: str) -> str:
        """Return a digest that is different for each key and does not reveal it."""
        return self._mac(key_id, "check").hex()

    def keyed_digest(self, purpose: str, *parts: str, key_id: str) -> str:
        """Return a digest of texts for one purpose, in 64 characters. Whoever does not have the key cannot make it."""
        return self._mac(key_id, purpose, *parts).hex()

    def seal(self, plan_id: str, key_id: str | None = None) -> str:
        """Return the seal of a migration's plan. Whoever does not have the key cannot make it."""
        return self._mac(key_id or self.newest, "plan", plan_id).hex()

    def event_digest(self, values: list[object], key_id: str | None = None) -> str:
        """Return the digest of a part of the audit trail: see `voucher_gateway.journal.events.digests`.

        Args:
            values: texts, whole numbers, Booleans, None, and lists of them; the first names the purpose.
            key_id: the key; the newest one if it is None.
        """
        # `ascii` is injective for these types, and takes a fifth of the time of JSON.
        return self._digest(key_id or self.newest, ascii(values).encode()).hexdigest()

    def seal_certificate(self, digest: str, key_id: str | None = None) -> str:
        """Return the seal of a migration's certificate, from the SHA-256 of a file of it."""
        return self._mac(key_id or self.newest, "certificate", digest).hex()

    def _mac(self, key_id: str, *parts: str) -> bytes:
        return self._digest(key_id, _join(*parts).encode("utf-8", "surrogatepass")).digest()

    def _digest(self, key_id: str, data: bytes) -> hmac.HMAC:
        begun = self._begun.get(key_id)
        if begun is None:
            begun = self._begun[key_id] = hmac.new(self._key(key_id), digestmod="sha256")
        digest = begun.copy()
        digest.update(data)
        return digest

    def _key(self, key_id: str) -> bytes:
        key = self.keys.get(key_id)
        if key is None:
            raise ConfigurationError(
                f"the journal has operations of the key {key_id!r:.20}, which is not configured any more: add it to"
                " journal_keys"
            )
        return key.reveal().encode()


def is_same_digest(expected: str, stored: object) -> bool:
    """Whether a column holds a digest. Whoever changed it may have put anything there."""
    return isinstance(stored, str) and hmac.compare_digest(expected.encode(), stored.encode("utf-8", "surrogatepass"))


def _join(*parts: str) -> str:
    """Return texts as one text, which no other texts give."""
    return "\0".join([f"{len(part)}:{part}" for part in parts])


_beginning: Final = lru_cache(256)(_join)
"""`_join` for texts that are not secret and come again and again."""


def load_keys(database: Database, keys: Mapping[str, SecretSource] | None) -> JournalKeys:
    """Return the keys of a journal: those configured, else that of the environment, else that of the key file.

    Raises:
        ConfigurationError: if none is given, or the key file of a journal that was used is gone.
    """
    if keys:
        return JournalKeys.of({name: source.get() for name, source in keys.items()})
    if os.environ.get(KEY_VARIABLE):
        return JournalKeys.of({"1": Secret(os.environ[KEY_VARIABLE])})
    if database.path is None:
        raise ConfigurationError(
            f"a journal in PostgreSQL needs journal_keys in the configuration, or {KEY_VARIABLE} in the environment:"
            " the same for every machine"
        )
    path = key_file(database.path)
    if not path.exists():
        # A new key would not recognise the codes of the old one.
        with database.read() as connection:
            needed = find_key_in_use(connection)
        if needed is not None:
            raise missing_key_error(
                needed, f"the file {path} is gone; restore it from its backup, or configure journal_keys"
            )
    return JournalKeys.from_key_file(database.path)


# --- whether a key was lost or exchanged ---
#
# The table of facts keeps a check value for each key id: a digest that is made with the key and does not reveal it.
# With another key the journal would derive other codes from its operations and would recognise no voucher: it would
# replay codes that no voucher has, and let one reservation end another.


def require_right_keys(database: Database, keys: JournalKeys) -> None:
    """Compare the keys with their check values, and store the check values of new keys.

    Raises:
        ConfigurationError: if a key differs from the first key of its id, or if operations need a key that is missing.
    """
    with database.read() as connection:
        check_values = _check_values(connection)
        _compare(connection, check_values, keys, database)
    if keys.keys.keys() <= check_values.keys():
        return  # without writing, so that a standby can be read
    with database.write() as connection:
        lock_in_transaction(connection, "journal keys")
        check_values = _check_values(connection)
        _compare(connection, check_values, keys, database)
        for key_id in keys.keys.keys() - check_values.keys():
            value = keys.check_value(key_id)
            connection.execute(sa.insert(facts).values(name=f"{CHECK_VALUE_PREFIX}{key_id}", value=value))


def require_all_keys(connection: Connection, keys: JournalKeys, key_ids: Iterable[str] | None = None) -> None:
    """Check that this process has the keys that others configured since it started.

    Args:
        connection: in a transaction.
        keys: the keys of this process.
        key_ids: the ids of the keys that have a check value; None to read them.

    Raises:
        ConfigurationError: if operations need a key that is missing.
    """
    key_ids = _check_values(connection) if key_ids is None else key_ids
    _require_present(connection, key_ids, keys, "configure it here too, and restart this process")


def find_key_in_use(connection: Connection) -> str | None:
    """Return the id of a key that the journal was used with; None if it was never used with one."""
    key_ids = sorted(_check_values(connection))
    return key_ids[0] if key_ids else connection.scalar(sa.select(operations.c.key_id).limit(1))


def missing_key_error(key_id: str, remedy: str) -> ConfigurationError:
    """Return the error of a missing key."""
    return ConfigurationError(f"journal key {key_id!r:.20} is missing, and the journal has operations of it: {remedy}")


def _check_values(connection: Connection) -> Mapping[str, str]:
    return {
        row["name"].removeprefix(CHECK_VALUE_PREFIX): row["value"] for row in _CHECK_VALUES.all_rows(connection, {})
    }


def _compare(connection: Connection, check_values: Mapping[str, str], keys: JournalKeys, database: Database) -> None:
    for key_id in sorted(keys.keys.keys() & check_values.keys()):
        if not hmac.compare_digest(check_values[key_id], keys.check_value(key_id)):
            raise ConfigurationError(
                f"journal key {key_id!r:.20} does not fit: the journal {database.safe_url} was written with another key"
                f" of this id; restore that key (in journal_keys, {KEY_VARIABLE} or the key file), or add yours to"
                " journal_keys under a new id, after the old one"
            )
    remedy = "add it to journal_keys before the others"
    if database.path is not None and key_file(database.path).exists():
        remedy = f'{remedy}, as {{ file = "{key_file(database.path)}" }} if it is the key of that file'
    _require_present(connection, check_values, keys, remedy)


def _require_present(connection: Connection, key_ids: Iterable[str], keys: JournalKeys, remedy: str) -> None:
    for key_id in sorted(set(key_ids) - keys.keys.keys()):
        for has_rows in (_HAS_OPERATIONS, _HAS_MOVED, _HAS_PRUNED):
            if connection.execute(has_rows, {"key": key_id}).first() is not None:
                raise missing_key_error(key_id, remedy)
