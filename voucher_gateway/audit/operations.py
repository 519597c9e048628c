"""Compares operations and their requests with their events."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from voucher_gateway.audit.holds import compare_hold
from voucher_gateway.audit.subjects import Rows
from voucher_gateway.journal.events.digests import digest_of_open, digest_of_outcome
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.records import OperationState
from voucher_gateway.journal.schema import holds, operations, requests


class OperationComparison:
    """Compares operations.

    Args:
        keys: the journal's.
        renamed: which name an account got after each name that it had.
    """

    table = "operations"
    key: sa.Column[Any] = operations.c.id
    prefix = "operation."
    removal = "a repeated call would be sent again; run `recover --after-restore`, which finds it at the vendor"
    parts: Mapping[str, sa.Column[Any]] = {"requests": requests.c.operation_id, "holds": holds.c.operation_id}

    def __init__(self, keys: JournalKeys, renamed: Mapping[str, set[str]]) -> None:
        self._keys = keys
        self._renamed = renamed

    def name(self, row: Mapping[str, Any]) -> str:
        """Return the reference."""
        return str(row["reference"])

    def compare(self, row: Mapping[str, Any], parts: Mapping[str, Rows], own_events: Rows) -> Iterator[tuple[str, str]]:
        """Yield what is not as the events tell."""
        is_whole = True
        for difference in self._compare_with_events(row, parts["requests"], own_events):
            is_whole = False
            yield difference
        if is_whole:
            for reason in compare_hold(row, parts["requests"], parts["holds"]):
                yield "holds", reason

    def _compare_with_events(self, row: Mapping[str, Any], sent: Rows, own_events: Rows) -> Iterator[tuple[str, str]]:
        starts = [event for event in own_events if event["kind"] == EventKind.OPERATION_STARTED]
        if not starts:
            yield self.table, "the event of its start is missing"
            return
        start, last = starts[-1], own_events[-1]
        first_count = _count_of_requests(start)
        asked, of_sent = digest_of_open(self._keys, row, sent[:first_count], key_id=start["key_id"]).split(".")
        recorded = _digests_of(start)
        if not _is_same(asked, recorded[0]):
            yield self.table, "what it was asked to do is not what was written"
        if not is_name_of(row["account"], json.loads(start["data"]).get("account"), self._renamed):
            yield self.table, f"it is under the account {row['account']}, and was not when it was written"
        is_open = row["state"] == OperationState.OPEN.value
        if last is start:
            if not is_open:
                yield self.table, f"it is {row['state']} in its row, and open as its events tell"
            if not _is_same(of_sent, recorded[1]):
                yield "requests", _requests_sentence(len(sent), first_count, at_least=True)
            return
        outcome, answers = digest_of_outcome(self._keys, row, sent, key_id=last["key_id"]).split(".")
        recorded = _digests_of(last)
        if not _is_same(outcome, recorded[0]):
            state = json.loads(last["data"]).get("state")
            yield (
                self.table,
                f"its outcome is not what was written: {row['state']} in its row, {state} in its last event",
            )
        if not _is_same(answers, recorded[1]):
            yield "requests", _requests_sentence(len(sent), _count_of_requests(last), at_least=False)


def is_name_of(name: str, recorded: object, renamed: Mapping[str, set[str]]) -> bool:
    """Whether an account has a name that it was written with, or a later one."""
    names, reached = [recorded], {recorded}
    while names:
        former = names.pop()
        following = renamed.get(str(former), set()) - reached
        reached |= following
        names += following
    return name in reached


def _digests_of(event: Mapping[str, Any]) -> tuple[str, str]:
    first, _, second = (event["row_digest"] or "").partition(".")
    return first, second


def _count_of_requests(event: Mapping[str, Any]) -> int:
    return int(json.loads(event["data"]).get("requests", 0))


def _requests_sentence(count: int, recorded: int, *, at_least: bool) -> str:
    if count < recorded:
        return f"{recorded - count} of its {recorded} requests were removed"
    if count > recorded and not at_least:
        return f"{count - recorded} requests were inserted beside the {recorded} that were written"
    return "a request of it is not as it was written"


def _is_same(digest: str, recorded: str) -> bool:
    return hmac.compare_digest(digest, recorded)
