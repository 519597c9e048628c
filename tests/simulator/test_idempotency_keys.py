"""Keys are remembered by their vendor's rule, and survive a restart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs
import pytest

from voucher_gateway.simulator import (
    IdempotencyKeys,
    Refused,
    Reply,
    Request,
    VirtualClock,
    write_json,
)


class Till:
    """Counts what was carried out, and answers with the count."""

    def __init__(self) -> None:
        self.count = 0
        self.status = 200

    def pay(self, request: Request) -> Reply:
        self.count += 1
        reply = Reply(self.status, {"count": self.count, "value": Decimal("1.10")}, (("X-Till", "7"),))
        if self.status >= 400:
            raise Refused(reply)
        return reply


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def _busy() -> Reply:
    return Reply(409, {"detail": "Concurrent request with idempotency key."}, (("Retry-After", "5"),))


def _reused() -> Reply:
    return Reply(400, {"errors": [{"category": "INVALID_REQUEST_ERROR", "code": "IDEMPOTENCY_KEY_REUSED"}]})


def _post(body: Mapping[str, Any], path: str = "/pay") -> Request:
    return Request("POST", path, body=json.dumps(body).encode())


def _after_restart(keys: IdempotencyKeys, clock: VirtualClock, **options: Any) -> IdempotencyKeys:
    """Return the keys as the state file brings them back."""
    loaded = IdempotencyKeys(clock.now, running=_busy, **options)
    loaded.load(json.loads(write_json(keys.dump()), parse_float=Decimal))
    return loaded


def test_a_request_without_a_key_is_carried_out_each_time(till: Till, clock: VirtualClock) -> None:
    keys = IdempotencyKeys(clock.now, running=_busy)
    for key in (None, ""):
        keys.answer(_post({}), till.pay, key=key)
    assert (till.count, len(keys)) == (2, 0)


@pytest.mark.parametrize("status", [200, 204, 302, 400, 403, 422])
def test_the_first_reply_is_repeated_with_status_body_and_headers(status: int, till: Till, clock: VirtualClock) -> None:
    till.status = status
    keys = IdempotencyKeys(clock.now, running=_busy)
    first = keys.answer(_post({}), till.pay, key="k")
    assert (
        keys.answer(_post({}), till.pay, key="k")
        == first
        == _after_restart(keys, clock).answer(_post({}), till.pay, key="k")
    )
    assert first.headers == (("X-Till", "7"),)
    assert till.count == 1


def test_bytes_are_repeated_as_they_were(clock: VirtualClock) -> None:
    keys = IdempotencyKeys(clock.now, running=_busy)
    keys.answer(_post({}), lambda _: Reply(200, b"\xff\x00{}"), key="k")
    assert _after_restart(keys, clock).answer(_post({}), lambda _: Reply(500), key="k").body == b"\xff\x00{}"


def test_a_repeated_reply_shares_no_parts_with_the_stored_one(till: Till, clock: VirtualClock) -> None:
    keys = IdempotencyKeys(clock.now, running=_busy)
    keys.answer(_post({}), till.pay, key="k")
    body: Any = keys.answer(_post({}), till.pay, key="k").body
    body["count"] = 99
    assert keys.answer(_post({}), till.pay, key="k").body == {"count": 1, "value": Decimal("1.10")}


@pytest.mark.parametrize("status", [409, 429, 500, 503])
def test_a_reply_that_settles_nothing_is_forgotten(status: int, till: Till, clock: VirtualClock) -> None:
    till.status = status
    keys = IdempotencyKeys(clock.now, running=_busy)
    keys.answer(_post({}), till.pay, key="k")
    till.status = 200
    assert keys.answer(_post({}), till.pay, key="k").status == 200
    assert till.count == 2


def test_a_mistake_of_the_simulator_keeps_no_key(clock: VirtualClock) -> None:
    keys = IdempotencyKeys(clock.now, running=_busy)
    with pytest.raises(ZeroDivisionError):
        keys.answer(_post({}), lambda _: Reply(1 // 0), key="k")
    assert not keys.knows("k")


def test_a_key_is_forgotten_when_its_lifetime_is_over(till: Till, clock: VirtualClock) -> None:
    keys = IdempotencyKeys(clock.now, running=_busy, lifetime_s=60)
    keys.answer(_post({}), till.pay, key="k")
    clock.advance(58)
    assert keys.answer(_post({}), till.pay, key="k").body == {"count": 1, "value": Decimal("1.10")}
    clock.advance(2)
    assert (len(keys), keys.dump(), keys.knows("k")) == (0, [], False)
    keys.answer(_post({}), till.pay, key="k")
    assert till.count == 2


def test_a_key_without_a_lifetime_is_never_forgotten(till: Till, clock: VirtualClock) -> None:
    keys = IdempotencyKeys(clock.now, running=_busy, lifetime_s=None)
    keys.answer(_post({}), till.pay, key="k")
    clock.advance(9e8)
    assert keys.knows("k")
    keys.forget("k")
    assert not keys.knows("k")


def test_the_state_holds_digests_of_scopes_alone(till: Till, clock: VirtualClock) -> None:
    keys = IdempotencyKeys(clock.now, running=_busy)
    keys.answer(_post({"code": "SECRET-CODE"}), till.pay, key="k", scope="Token 4711")
    assert b"4711" not in write_json(keys.dump())
    assert b"SECRET-CODE" not in write_json(keys.dump())


def test_pretix_knows_keys_by_token_for_a_day_and_compares_no_bodies(till: Till, clock: VirtualClock) -> None:
    keys = IdempotencyKeys(clock.now, running=_busy, lifetime_s=86400, cleaned_every_s=43200)

    def ask(cents: int, token: str = "Token a") -> int:
        request = attrs.evolve(_post({"value": cents}))
        request.headers["X-Idempotency-Key"], request.headers["Authorization"] = "vg-1", token
        headers = request.headers
        reply = keys.answer(request, till.pay, key=headers["X-Idempotency-Key"], scope=headers["Authorization"])
        assert isinstance(reply.body, dict)
        return int(reply.body["count"])

    assert [ask(-10), ask(-10), ask(-99)] == [1, 1, 1]  # the same key with another body gets the first answer
    assert [ask(-10, "Token b"), ask(-10)] == [2, 1]  # after a change of the token no key is known
    clock.advance(86400 - 1)
    assert ask(-10) == 1
    clock.advance(43200 + 1)  # the job that removes keys ran in the meantime
    assert ask(-10) == 3


def test_pretix_locks_the_key_of_a_worker_that_died(till: Till, clock: VirtualClock) -> None:
    keys = IdempotencyKeys(clock.now, running=_busy, running_s=86400, cleaned_every_s=43200)
    too_little = Reply(409, {"value": ["The card is worth less."]})
    assert keys.answer(_post({}), lambda _: too_little, key="k") == too_little  # this 409 is not remembered
    keys.answer(_post({}), till.pay, key="k")
    keys.mark_running("k")
    for known in (keys, _after_restart(keys, clock)):
        assert known.answer(_post({}), till.pay, key="k") == _busy()
    assert till.count == 1
    clock.advance(86400 + 43200)
    keys.answer(_post({}), till.pay, key="k")
    assert till.count == 2


def test_square_refuses_a_key_that_comes_with_another_body(till: Till, clock: VirtualClock) -> None:
    keys = IdempotencyKeys(clock.now, running=_busy, reused=_reused)

    def ask(body: dict[str, Any], path: str = "/v2/gift-cards/activities") -> Reply:
        request = _post(body, path)
        return keys.answer(request, till.pay, key=str(body["idempotency_key"]), scope=path)

    redeem = {"idempotency_key": "a1", "amount_money": {"amount": 1053, "currency": "EUR"}}
    assert ask(redeem).status == 200
    assert ask(dict(reversed(redeem.items()))).status == 200  # the order of the members does not count
    assert ask({**redeem, "amount_money": {"amount": 1054, "currency": "EUR"}}) == _reused()
    assert till.count == 1
    assert ask(redeem, "/v2/gift-cards").status == 200  # another path has its own keys
    assert till.count == 2
    restarted = _after_restart(keys, clock, reused=_reused)
    other = _post({**redeem, "reference": "x"}, "/v2/gift-cards")
    assert restarted.answer(other, till.pay, key="a1", scope="/v2/gift-cards") == _reused()


def test_a_running_request_that_was_never_seen_has_any_content(till: Till, clock: VirtualClock) -> None:
    keys = IdempotencyKeys(clock.now, running=_busy, reused=_reused)
    keys.mark_running("k", "here")
    assert keys.answer(_post({"x": 1}), till.pay, key="k", scope="here") == _busy()
    assert keys.answer(_post({"x": 1}), till.pay, key="k").status == 200
