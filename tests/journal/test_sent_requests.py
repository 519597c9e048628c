"""The rows of an attempt's requests are covered by a digest as this process wrote them, or else as they are read."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tests.support.shop import Shop
from voucher_gateway.audit.verify import verify_journal
from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import DatabaseUnavailable
from voucher_gateway.instants import now
from voucher_gateway.journal.records import OperationKey, OperationState, RequestResult
from voucher_gateway.journal.rows import SentRequests
from voucher_gateway.outcome import Effect
from voucher_gateway.storage.connections import SharedConnection


def test_the_outcome_of_a_request_is_noted() -> None:
    sent = SentRequests(is_complete=True, rows={1: {"id": 1, "effect": None}})
    sent.finish([RequestResult(1, Effect.SUCCEEDED)], "2026-01-01")
    assert sent.is_complete
    assert sent.rows == {1: {"id": 1, "effect": "succeeded", "reason": None, "finished_at": "2026-01-01"}}


@pytest.mark.parametrize(
    "result",
    [
        RequestResult(2, Effect.SUCCEEDED),
        RequestResult(1, Effect.SUCCEEDED, key_forgotten=True),
        RequestResult(1, Effect.PENDING, notes={"job": "7"}),
    ],
    ids=["of another attempt", "without its key", "with notes"],
)
def test_requests_are_read_again_where_more_was_written_than_their_outcome(result: RequestResult) -> None:
    sent = SentRequests(is_complete=True, rows={1: {"id": 1}})
    sent.finish([result], "2026-01-01")
    assert not sent.is_complete


def test_an_audit_covers_a_request_whose_commit_failed_after_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    _, code = shop.voucher()
    shop.redeem(code, reference="first")
    journal, key = shop.journal, OperationKey("shop", Operation.REDEEM, "first")
    first = journal.find(key)
    assert first is not None
    (intent, *_) = [request.intent for request in journal.requests_of(first.id)]
    record = attrs.evolve(
        first, id=f"{first.id[:-1]}~", key=attrs.evolve(key, reference="second"), attempt=1, epoch=1, result=None
    )
    sent = SentRequests(is_complete=True)
    arguments: dict[str, Any] = {
        "step": "redeem",
        "decisive": True,
        "intent": intent,
        "finished": (),
        "hold": None,
        "vendor_now": now(),
        "sent": sent,
    }
    journal.record_request(record, new=True, **arguments)
    commit = SharedConnection._commit

    def fail_after_commit(connection: SharedConnection, *given: Any, immediate: bool) -> None:
        commit(connection, *given, immediate=immediate)
        raise DatabaseUnavailable("the answer of the commit was lost")

    monkeypatch.setattr(SharedConnection, "_commit", fail_after_commit)
    with pytest.raises(DatabaseUnavailable):
        journal.record_request(record, new=False, **arguments)
    monkeypatch.undo()
    assert len(journal.requests_of(record.id)) == 2
    journal.close_operation(record, OperationState.SUCCEEDED, result=first.replay(), sent=sent)

    assert verify_journal(journal).differences == ()
