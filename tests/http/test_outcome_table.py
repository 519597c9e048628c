"""The table of effects is total, and is the one that was agreed on, row by row."""

from __future__ import annotations

import pytest

from voucher_gateway.http.outcome_table import REFUSALS, TransportFailure, effect_of_failure, effect_of_status
from voucher_gateway.outcome import Effect

NOT_EXECUTED, UNKNOWN, DECLINED, SUCCEEDED = Effect.NOT_EXECUTED, Effect.UNKNOWN, Effect.DECLINED, Effect.SUCCEEDED

# What is known if no byte of the request left, and if we never saw a connection of ours (sent is None). After a byte
# may have left nothing is known, whatever was seen.
FAILURES = {
    TransportFailure.NAME_NOT_RESOLVED: (NOT_EXECUTED, NOT_EXECUTED),
    TransportFailure.REFUSED: (NOT_EXECUTED, NOT_EXECUTED),
    TransportFailure.CONNECT_TIMED_OUT: (NOT_EXECUTED, NOT_EXECUTED),
    TransportFailure.PROXY_REFUSED: (NOT_EXECUTED, NOT_EXECUTED),
    TransportFailure.OUT_OF_TIME: (NOT_EXECUTED, NOT_EXECUTED),
    TransportFailure.HANDSHAKE_FAILED: (NOT_EXECUTED, UNKNOWN),
    TransportFailure.TIMED_OUT: (NOT_EXECUTED, UNKNOWN),
    TransportFailure.BROKE_OFF: (NOT_EXECUTED, UNKNOWN),
    TransportFailure.TOO_LARGE: (UNKNOWN, UNKNOWN),
    TransportFailure.NOT_RECOGNISED: (UNKNOWN, UNKNOWN),
}

STATUSES = range(100, 600)


def test_every_failure_has_its_row() -> None:
    assert set(FAILURES) == set(TransportFailure)


@pytest.mark.parametrize("failure", TransportFailure)
def test_once_a_byte_may_have_left_the_outcome_is_unknown(failure: TransportFailure) -> None:
    assert effect_of_failure(failure, sent=True) is UNKNOWN


@pytest.mark.parametrize("failure", TransportFailure)
def test_what_fails_before_the_first_byte_did_nothing_if_we_know_the_failure(failure: TransportFailure) -> None:
    while_connecting, unseen = FAILURES[failure]
    assert effect_of_failure(failure, sent=False) is while_connecting
    assert effect_of_failure(failure, sent=None) is unseen


@pytest.mark.parametrize("in_shape", [True, False])
def test_only_these_statuses_say_that_nothing_was_done(in_shape: bool) -> None:
    said = {status for status in STATUSES if effect_of_status(status, in_shape=in_shape) is NOT_EXECUTED}
    assert said == {401, 429}


def test_only_these_statuses_decline_and_only_in_the_vendors_shape() -> None:
    assert {status for status in STATUSES if effect_of_status(status, in_shape=True) is DECLINED} == {
        400,
        403,
        404,
        422,
    }
    assert not [status for status in STATUSES if effect_of_status(status, in_shape=False) is DECLINED]


def test_a_success_is_one_only_if_it_can_be_read() -> None:
    assert {status for status in STATUSES if effect_of_status(status, in_shape=True) is SUCCEEDED} == set(
        range(200, 300)
    )
    assert not [status for status in STATUSES if effect_of_status(status, in_shape=False) is SUCCEEDED]


def test_every_other_status_leaves_the_outcome_open() -> None:
    known = {*range(200, 300), 400, 401, 403, 404, 422, 429}
    for status in STATUSES:
        assert (effect_of_status(status, in_shape=True) is UNKNOWN) == (status not in known), status
        assert (effect_of_status(status, in_shape=False) is UNKNOWN) == (status not in {401, 429}), status


def test_the_refusals_a_vendor_documents_change_its_refusals_only() -> None:
    wider = REFUSALS | {409}
    for status in STATUSES:
        plain = effect_of_status(status, in_shape=True)
        assert effect_of_status(status, in_shape=True, refusals=wider) is (DECLINED if status == 409 else plain)
        assert effect_of_status(status, in_shape=False, refusals=wider) is effect_of_status(status, in_shape=False)
