"""Anchors: one line that is kept outside of the database, and shows later that the database was not rolled back.

Whoever puts an older copy of the whole database in its place leaves nothing that could be found in the database itself.
An anchor names how long each chain was, and its last digest.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs
import sqlalchemy as sa

from voucher_gateway.errors import InvalidRequest
from voucher_gateway.instants import format_micros, now, parse_instant
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.schema import chains
from voucher_gateway.storage.waits import allow_long_statements

_FORM: Final = 1
"""The form of the line. Another one gets another number."""


@attrs.frozen(kw_only=True)
class Anchor:
    """The chains of a journal at one moment.

    Attributes:
        at: the moment.
        heads: by chain, its length and its last digest.
    """

    at: datetime
    heads: Mapping[int, tuple[int, str]]


@allow_long_statements()
def write_anchor(journal: Journal) -> str:
    """Return an anchor of the journal as it is now, as one line of JSON without a line break."""
    with journal.database.snapshot() as connection:
        rows = connection.execute(sa.select(chains).order_by(chains.c.id)).mappings().all()
    fields: dict[str, Any] = {
        "voucher_gateway_anchor": _FORM,
        "at": format_micros(now()),
        "chains": [[row["id"], row["length"], row["head"]] for row in rows],
        "key_id": journal.keys.newest,
    }
    return json.dumps({**fields, "mac": _mac(journal.keys, fields)}, separators=(",", ":"))


def read_anchors(keys: JournalKeys, lines: Iterable[str]) -> Sequence[Anchor]:
    """Return the anchors that `write_anchor` wrote, one a line. Empty lines are skipped.

    Raises:
        InvalidRequest: if a line is not an anchor of this journal.
        ConfigurationError: if its key is not configured any more.
    """
    return [_read(keys, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _read(keys: JournalKeys, number: int, line: str) -> Anchor:
    try:
        fields = json.loads(line)
        mac = fields.pop("mac")
        is_ours = hmac.compare_digest(mac, _mac(keys, fields))
        anchor = Anchor(at=parse_instant(fields["at"]), heads={row[0]: (row[1], row[2]) for row in fields["chains"]})
    except (ValueError, LookupError, TypeError, AttributeError):
        is_ours = False
    if is_ours:
        return anchor
    raise InvalidRequest(
        f"line {number} of the file is not an anchor of this journal",
        field="anchor",
        rule="lines that `voucher-gateway audit anchor` wrote for this journal",
    )


def _mac(keys: JournalKeys, fields: Mapping[str, Any]) -> str:
    values = [fields["voucher_gateway_anchor"], fields["at"], fields["chains"], fields["key_id"]]
    return keys.event_digest(["anchor", *values], str(fields["key_id"]))
