"""The table of effects is total, and is the one that was agreed on, row by row."""

from __future__ import annotations

import pytest

from voucher_gateway.http.effects import REFUSALS, Failure, of_failure, of_status
from voucher_gateway.outcome import Effect

NOT_EXECUTED, UNKNOWN, DECLINED, SUCCEEDED = Effect.NOT_EXECUTED, Effect.UNKNOWN, Effect.DECLINED, Effect.SUCCEEDED

# What is known if no byte of the request left, and if we never saw a connection of ours (sent is None). After a byte
# may have left nothing is known, whatever was seen.
FAILURES = {
    Failure.NAME_NOT_RESOLVED: (NOT_EXECUTED, NOT_EXECUTED),
    Failure.REFUSED: (NOT_EXECUTED, NOT_EXECUTED),
    Failure.CONNECT_TIMED_OUT: (NOT_EXECUTED, NOT_EXECUTED),
    Failure.PROXY_REFUSED: (NOT_EXECUTED, NOT_EXECUTED),
    Failure.OUT_OF_TIME: (NOT_EXECUTED, NOT_EXECUTED),
    Failure.HANDSHAKE_FAILED: (NOT_EXECUTED, UNKNOWN),
    Failure.TIMED_OUT: (NOT_EXECUTED, UNKNOWN),
    Failure.BROKE_OFF: (NOT_EXECUTED, UNKNOWN),
    Failure.TOO_LARGE: (UNKNOWN, UNKNOWN),
    Failure.NOT_RECOGNISED: (UNKNOWN, UNKNOWN),
}

STATUSES = range(100, 600)


def test_every_failure_has_its_row() -> None:
    assert set(FAILURES) == set(Failure)


@pytest.mark.parametrize("failure", Failure)
def test_once_a_byte_may_have_left_the_outcome_is_unknown(failure: Failure) -> None:
    assert of_failure(failure, sent=True) is UNKNOWN


@pytest.mark.parametrize("failure", Failure)
def test_what_fails_before_the_first_byte_did_nothing_if_we_know_the_failure(failure: Failure) -> None:
    while_connecting, unseen = FAILURES[failure]
    assert of_failure(failure, sent=False) is while_connecting
    assert of_failure(failure, sent=None) is unseen


@pytest.mark.parametrize("in_shape", [True, False])
def test_only_these_statuses_say_that_nothing_was_done(in_shape: bool) -> None:
    said = {status for status in STATUSES if of_status(status, in_shape=in_shape) is NOT_EXECUTED}
    assert said == {401, 429}


def test_only_these_statuses_decline_and_only_in_the_vendors_shape() -> None:
    assert {status for status in STATUSES if of_status(status, in_shape=True) is DECLINED} == {400, 403, 404, 422}
    assert not [status for status in STATUSES if of_status(status, in_shape=False) is DECLINED]


def test_a_success_is_one_only_if_it_can_be_read() -> None:
    assert {status for status in STATUSES if of_status(status, in_shape=True) is SUCCEEDED} == set(range(200, 300))
    assert not [status for status in STATUSES if of_status(status, in_shape=False) is SUCCEEDED]


def test_every_other_status_leaves_the_outcome_open() -> None:
    known = {*range(200, 300), 400, 401, 403, 404, 422, 429}
    for status in STATUSES:
        assert (of_status(status, in_shape=True) is UNKNOWN) == (status not in known), status
        assert (of_status(status, in_shape=False) is UNKNOWN) == (status not in {401, 429}), status


def test_the_refusals_a_vendor_documents_change_its_refusals_only() -> None:
    wider = REFUSALS | {409}
    for status in STATUSES:
        plain = of_status(status, in_shape=True)
        assert of_status(status, in_shape=True, refusals=wider) is (DECLINED if status == 409 else plain)
        assert of_status(status, in_shape=False, refusals=wider) is of_status(status, in_shape=False)
