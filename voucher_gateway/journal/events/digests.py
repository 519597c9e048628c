"""The keyed digests (HMAC-SHA256) of events, chains and rows. Without the journal's key they cannot be made.

Hash chains are a few lines over the standard library. The kept packages for logs that show tampering (such as
``pymerkle``) have a storage of their own, which could not be written in the commit of the change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from voucher_gateway.journal.keys.keys import JournalKeys, is_same_digest

_encode: Final = json.JSONEncoder(separators=(",", ":")).encode

IDENTITY_COLUMNS: Final = (
    "id",
    "verb",
    "reference",
    "order_number",
    "provider",
    "host",
    "login",
    "key_id",
    "fingerprint",
    "target",
    "amount",
    "currency",
    "content",
    "created_at",
)
"""The columns of an operation that stay as they were inserted. The account is not one: it can be renamed."""

OUTCOME_COLUMNS: Final = (
    "id",
    "voucher_id",
    "state",
    "attempt",
    "epoch",
    "result",
    "error",
    "updated_at",
    "checks",
    "check_at",
    "decided_by",
    "decision",
)
"""The columns of an operation that stay as they are after it was closed."""

SENT_COLUMNS: Final = (
    "id",
    "operation_id",
    "epoch",
    "attempt",
    "step",
    "decisive",
    "wire_reference",
    "key_credentials",
    "prepares",
    "sent_at",
)
"""The columns of a request that stay as they were inserted."""

ANSWER_COLUMNS: Final = ("vendor_key", "intent", "finished_at", "effect", "reason")
"""The columns of a request that stay as they are after its operation was closed."""

_ROWS_DIGEST_LENGTH: Final = 32
"""128 bits: several digests are in one column."""

_CHAIN_COLUMNS: Final = ("id", "started_at", "first_number", "first_digest", "length", "head")
_ANSWERED_COLUMNS: Final = (*SENT_COLUMNS, *ANSWER_COLUMNS)


def digest_of_open(
    keys: JournalKeys, row: Mapping[str, Any], sent: Sequence[Mapping[str, Any]], *, key_id: str | None = None
) -> str:
    """Return the digests of an open operation: of what it shall do, and of its requests so far as they were sent."""
    asked = rows_digest(keys, "operation started", [[row[name] for name in IDENTITY_COLUMNS]], key_id=key_id)
    return f"{asked}.{digest_of_requests(keys, sent, key_id=key_id)}"


def digest_of_requests(keys: JournalKeys, sent: Sequence[Mapping[str, Any]], *, key_id: str | None = None) -> str:
    """Return the digest of requests so far as they were sent."""
    return rows_digest(keys, "sent", [[request[name] for name in SENT_COLUMNS] for request in sent], key_id=key_id)


def digest_of_outcome(
    keys: JournalKeys, row: Mapping[str, Any], sent: Sequence[Mapping[str, Any]], *, key_id: str | None = None
) -> str:
    """Return the digests of the outcome of an operation, and of all its requests.

    The digest of its start covers what it was asked to do.
    """
    outcome = rows_digest(keys, "operation closed", [[row[name] for name in OUTCOME_COLUMNS]], key_id=key_id)
    answers = [[request[name] for name in _ANSWERED_COLUMNS] for request in sent]
    return f"{outcome}.{rows_digest(keys, 'answered', answers, key_id=key_id)}"


def rows_digest(keys: JournalKeys, subject: str, values: list[list[Any]], *, key_id: str | None = None) -> str:
    """Return the digest of rows of a subject. Several of them, joined by dots, say which rows were changed.

    Args:
        keys: the journal's.
        subject: names what the rows are.
        values: a list of the values of each row: texts, whole numbers, Booleans, None.
        key_id: the key; the newest one if it is None.
    """
    return keys.event_digest(["rows", subject, values], key_id)[:_ROWS_DIGEST_LENGTH]


def encode_data(data: Mapping[str, object]) -> str:
    """Return what an event tells as JSON text."""
    return _encode({name: value for name, value in data.items() if value is not None})


def content_digest(
    keys: JournalKeys, order: str | None, data: str | None, row_digest: str | None, *, key_id: str | None = None
) -> str:
    """Return the digest of what can be erased of an event."""
    return keys.event_digest(["content", order, data, row_digest], key_id)


def event_digest(keys: JournalKeys, previous: str, event: Mapping[str, Any], *, key_id: str | None = None) -> str:
    """Return the digest of an event, which the next event of its chain continues.

    Args:
        keys: the journal's.
        previous: the digest of the event before it in its chain; empty for the first.
        event: its row, without the digest.
        key_id: the key; the newest one if it is None.
    """
    return keys.event_digest(
        [
            "event",
            previous,
            event["chain"],
            event["number"],
            event["at"],
            event["kind"],
            event["subject"],
            event["content"],
        ],
        key_id,
    )


def chain_mac(keys: JournalKeys, chain: Mapping[str, Any], *, key_id: str | None = None) -> str:
    """Return the digest of a chain's row."""
    return keys.event_digest(["chain", *[chain[name] for name in _CHAIN_COLUMNS]], key_id)


def count_mac(keys: JournalKeys, count: int, *, key_id: str | None = None) -> str:
    """Return the digest of the number of chains."""
    return keys.event_digest(["chains", count], key_id)


def is_own_chain(keys: JournalKeys, chain: Mapping[str, Any]) -> bool:
    """Whether a chain's row is as the library wrote it. False if its key is not configured."""
    key_id = chain["key_id"]
    return key_id in keys.keys and is_same_digest(chain_mac(keys, chain, key_id=key_id), chain["mac"])


def read_count(keys: JournalKeys, value: object) -> int | None:
    """Return the number of chains that the fact holds; None if something else wrote it.

    Args:
        keys: the journal's.
        value: what the fact holds; SQLite keeps any type.
    """
    number, key_id, mac = (*str(value).split(":"), "", "")[:3]
    if not (number.isascii() and number.isdecimal()) or key_id not in keys.keys:
        return None
    return int(number) if is_same_digest(count_mac(keys, int(number), key_id=key_id), mac) else None


def has_own_content(keys: JournalKeys, event: Mapping[str, Any]) -> bool:
    """Whether the content of an event is as it was written, or was erased by the library."""
    key_id = event["key_id"]
    if event["erased"] is not None:
        is_empty = event["data"] is None and event["order_number"] is None and event["row_digest"] is None
        return is_empty and is_same_digest(erasure_proof(keys, event, key_id=key_id), event["erased"])
    expected = content_digest(keys, event["order_number"], event["data"], event["row_digest"], key_id=key_id)
    return event["data"] is not None and is_same_digest(expected, event["content"])


def erasure_proof(keys: JournalKeys, event: Mapping[str, Any], *, key_id: str | None = None) -> str:
    """Return what proves that the library erased the data of an event."""
    return keys.event_digest(["erased", event["chain"], event["number"], event["content"]], key_id)
