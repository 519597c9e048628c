"""Faults of the vendor's keys, in the vendor's own words: a key that stays locked, and a key that is forgotten."""

from __future__ import annotations

import pytest

from tests.providers.pretix.vendor import TRANSACT, Pretix, eur, redeem
from voucher_gateway.provider_api import OutcomeUnknown


def test_a_key_that_stays_locked_is_unknown_without_a_journal(pretix: Pretix) -> None:
    pretix.issue()
    pretix.running.inject("worker-died", TRANSACT)
    with pytest.raises(OutcomeUnknown):
        pretix.provider(tries=2, total_timeout_s=3).redeem("CARD-1", eur("10.00"), reference="1001")
    assert pretix.remaining() == "40.00"


def test_the_transaction_of_a_dead_worker_is_found(pretix: Pretix) -> None:
    pretix.issue()
    gateway = pretix.gateway()
    pretix.running.inject("worker-died", TRANSACT)
    with pytest.raises(OutcomeUnknown):
        redeem(gateway)
    assert redeem(gateway).money == eur("10.00")
    assert (pretix.remaining(), len(pretix.sent())) == ("40.00", 1)


def test_a_locked_key_stays_unknown_while_the_look_up_lags(pretix: Pretix) -> None:
    pretix.issue()
    gateway = pretix.gateway(total_timeout_s=3)
    pretix.running.inject("lagging-lookups", "GET *transactions/", times=1, lag_requests=9)
    pretix.running.inject("worker-died", TRANSACT)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            redeem(gateway)
    assert redeem(gateway).money == eur("10.00")
    assert (pretix.remaining(), len(pretix.keys())) == ("40.00", 1)


def test_the_two_meanings_of_a_409_are_told_apart(pretix: Pretix) -> None:
    pretix.issue()
    gateway = pretix.gateway(total_timeout_s=3)
    pretix.running.inject("busy-key", TRANSACT)
    with pytest.raises(OutcomeUnknown):
        redeem(gateway, "50.01")
    with pytest.raises(OutcomeUnknown):  # too little value now says nothing of the first request
        redeem(gateway, "50.01")
    assert pretix.remaining() == "50.00"


@pytest.mark.parametrize(("fault", "left"), [("forgetful-error", "50.00"), ("forgetful-error-after-commit", "40.00")])
@pytest.mark.parametrize("tries", [1, 3])
def test_nothing_is_sent_again_after_an_error_with_which_the_key_is_forgotten(
    pretix: Pretix, fault: str, left: str, tries: int
) -> None:
    pretix.issue()
    gateway = pretix.gateway(tries=tries)
    pretix.running.inject("lagging-lookups", "GET *transactions/", times=1, lag_requests=9)
    pretix.running.inject(fault, TRANSACT)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            redeem(gateway)
    assert (pretix.remaining(), len(pretix.sent())) == (left, 1)
    if left == "40.00":
        assert redeem(gateway).money == eur("10.00")  # the look-up shows it now
        assert len(pretix.sent()) == 1
