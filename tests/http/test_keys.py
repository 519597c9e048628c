"""A change under a vendor's key is asked for again, and once in doubt it never says less than unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from voucher_gateway.provider_api import (
    BearerKey,
    DatabaseUnavailable,
    HttpClient,
    IntegrityMismatch,
    Intent,
    KeyRules,
    KeyScope,
    NotExecuted,
    OperationInProgress,
    OutcomeUnknown,
    Path,
    ProviderUnavailable,
    RateLimited,
    Rejected,
    Request,
    Response,
    VoucherGatewayError,
)
from voucher_gateway.request_hooks import use_before_send_hook, watch_step
from voucher_gateway.setting_types import SecretSource

if TYPE_CHECKING:
    from tests.http.conftest import ClientOf, Serve, Server, Visit

Step = Callable[["Visit"], None]

LOST: Step = lambda visit: visit.reset()  # noqa: E731 - a table of answers
UNREADABLE: Step = lambda visit: visit.answer(200, "<html>")  # noqa: E731
BROKEN: Step = lambda visit: visit.answer(500, "{}")  # noqa: E731
DONE: Step = lambda visit: visit.answer(200, '{"ok": true}')  # noqa: E731
REFUSED: Step = lambda visit: visit.answer(422, '{"code": "too_little"}')  # noqa: E731
SECOND_ANSWERS: Mapping[str, Step] = {
    "429": lambda visit: visit.answer(429, "{}"),
    "401": lambda visit: visit.answer(401, "{}"),
    "a refusal": REFUSED,
    "403": lambda visit: visit.answer(403, '{"code": "forbidden"}'),
    "a proxy's 404": lambda visit: visit.answer(404, "<html>"),
    "409": lambda visit: visit.answer(409, '{"code": "conflict"}'),
    "503": lambda visit: visit.answer(503, "{}"),
    "lost": LOST,
    "rubbish": UNREADABLE,
}


class Recorder:
    def __init__(self, *, refuse_at: int | None = None, error: VoucherGatewayError | None = None) -> None:
        self.intents: list[Intent] = []
        self._refuse_at, self._error = refuse_at, error

    def before_send(self, intent: Intent) -> None:
        if len(self.intents) + 1 == self._refuse_at and self._error is not None:
            raise self._error
        self.intents.append(intent)


@pytest.fixture
def play(serve: Serve) -> Callable[..., Server]:
    def start(*steps: Step) -> Server:
        left = list(steps)

        def script(visit: Visit) -> None:
            while visit.asked():
                step = left.pop(0) if len(left) > 1 else left[0]
                step(visit)
                if step is LOST:
                    return

        return serve(script)

    return start


def make_client(client_of: ClientOf, server: Server, rules: KeyRules | None = None, **settings: Any) -> HttpClient:
    patience = {"tries": 3, "total_timeout_s": 5, "read_timeout_s": 3, "connect_timeout_s": 3, **settings}
    return client_of(server, client={"keys": rules or KeyRules()}, **patience)


def charge(client: HttpClient, intent: Intent, read: Callable[[Response], Any] = Response.json) -> Any:
    key = intent.make_key(max_length=64)
    request = Request(method="POST", path=Path.of("/charges"), json={"amount": "10.53", "once": {"key": key}})
    return client.change(request, intent, read, key=key)


@pytest.mark.parametrize("first", [LOST, UNREADABLE, BROKEN, SECOND_ANSWERS["409"]])
def test_a_lost_or_unreadable_answer_is_asked_for_again_under_the_same_key(
    first: Step, play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    server = play(first, first, DONE)
    assert charge(make_client(client_of, server), intent) == {"ok": True}
    assert len(server.heard) == 3
    assert len({asked.body for asked in server.heard}) == 1


@pytest.mark.parametrize("first", [LOST, UNREADABLE, BROKEN])
@pytest.mark.parametrize("second", SECOND_ANSWERS)
def test_after_a_doubt_nothing_less_than_unknown_is_said(
    first: Step, second: str, play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    client = make_client(client_of, play(first, SECOND_ANSWERS[second]))
    with pytest.raises(OutcomeUnknown) as caught:
        charge(client, intent)
    assert caught.value.ticket.reference == intent.reference
    assert not caught.value.retry_safe


@pytest.mark.parametrize("first", [[BROKEN], [LOST, BROKEN]])
def test_an_error_with_which_the_vendor_forgets_the_key_is_not_asked_for_again(
    first: list[Step], play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    server = play(*first, DONE)
    client = make_client(client_of, server, KeyRules(forgotten_after=frozenset({500})))
    with watch_step() as step, pytest.raises(OutcomeUnknown):
        charge(client, intent)
    assert len(server.heard) == len(first)
    assert step.forgotten_keys == {intent.make_key(max_length=64)}


def test_the_message_of_a_doubt_says_each_reason_once(
    play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        charge(make_client(client_of, play(LOST)), intent)
    broken = "the connection broke before a complete answer"
    assert caught.value.ticket.reason == f"{broken}; asked again under the same key: {broken}"
    assert caught.value.message == f"POST /charges: {caught.value.ticket.reason}; it may have been carried out"


def test_after_a_doubt_a_closed_port_is_unknown(serve: Serve, client_of: ClientOf, intent: Intent) -> None:
    server: Server

    def close(visit: Visit) -> None:
        visit.asked()
        server._listening.close()
        visit.reset()

    server = serve(close)
    with pytest.raises(OutcomeUnknown):
        charge(make_client(client_of, server), intent)


@pytest.mark.parametrize("error", [DatabaseUnavailable("full"), OperationInProgress("taken over"), RuntimeError("bug")])
def test_after_a_doubt_a_journal_that_refuses_is_unknown(
    error: Any, play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    server = play(LOST, DONE)
    recorder = Recorder(refuse_at=2, error=error)
    with use_before_send_hook(recorder), pytest.raises(OutcomeUnknown):
        charge(make_client(client_of, server), intent)
    assert (len(server.heard), len(recorder.intents)) == (1, 1)


def test_without_a_doubt_an_error_stays_what_it_is(
    play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    with pytest.raises(Rejected):
        charge(make_client(client_of, play(REFUSED)), intent)
    with pytest.raises(RateLimited):
        charge(make_client(client_of, play(SECOND_ANSWERS["429"])), intent)
    server = play(SECOND_ANSWERS["429"], DONE)
    assert charge(make_client(client_of, server), intent) == {"ok": True}
    assert len(server.heard) == 2


def test_a_refusal_that_the_vendor_keeps_under_the_key_ends_the_doubt(
    play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    rules = KeyRules(kept_refusals=frozenset({422}))
    with pytest.raises(Rejected):
        charge(make_client(client_of, play(LOST, REFUSED), rules), intent)
    with pytest.raises(OutcomeUnknown):
        charge(make_client(client_of, play(LOST, SECOND_ANSWERS["403"]), rules), intent)
    with pytest.raises(OutcomeUnknown):  # not in the vendor's shape
        charge(make_client(client_of, play(LOST, lambda visit: visit.answer(422, "<html>")), rules), intent)


def test_an_answer_that_contradicts_the_call_is_not_asked_for_again(
    play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    def differ(_: Response) -> None:
        raise IntegrityMismatch("another amount")

    server = play(DONE)
    with pytest.raises(OutcomeUnknown):
        charge(make_client(client_of, server), intent, differ)
    assert len(server.heard) == 1


def test_asking_again_ends_with_the_attempts_and_with_the_deadline(
    play: Callable[..., Server], client_of: ClientOf, intent: Intent, stopwatch: Callable[[], float]
) -> None:
    server = play(LOST)
    with pytest.raises(OutcomeUnknown):
        charge(make_client(client_of, server, tries=2), intent)
    assert len(server.heard) == 2
    server = play(lambda visit: visit.answer(503, "{}", {"Retry-After": "60"}))
    with pytest.raises(OutcomeUnknown):
        charge(make_client(client_of, server), intent)
    assert len(server.heard) == 1
    assert stopwatch() < 15


def test_without_a_key_a_lost_answer_is_not_asked_for_again(
    play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    server = play(LOST, DONE)
    request = Request(method="POST", path=Path.of("/charges"), json={})
    with pytest.raises(OutcomeUnknown):
        make_client(client_of, server).change(request, intent, Response.json)
    assert len(server.heard) == 1


def test_each_sending_is_announced_with_its_key(
    play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    recorder = Recorder()
    with use_before_send_hook(recorder):
        charge(make_client(client_of, play(LOST, DONE)), intent)
    key = intent.make_key(max_length=64)
    assert [(one.key, one.key_credentials) for one in recorder.intents] == [(key, None)] * 2


def test_keys_that_end_with_the_credentials_are_not_used_after_they_changed(
    play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    """The vendor does not know the key under the new token, and would carry the call out again."""
    tokens = iter(["before", "after"])
    server = play(LOST, SECOND_ANSWERS["401"], DONE)
    client = make_client(client_of, server, KeyRules(scope=KeyScope.TOKEN))
    client.auth = BearerKey(SecretSource.of(lambda: next(tokens)))
    recorder = Recorder()
    with use_before_send_hook(recorder), pytest.raises(OutcomeUnknown, match="the credentials have changed"):
        charge(client, intent)
    assert [asked.headers["authorization"] for asked in server.heard] == ["Bearer before"] * 2
    assert len({one.key_credentials for one in recorder.intents}) == 1
    assert "before" not in str(recorder.intents)


def test_keys_that_survive_the_credentials_are_used_after_they_changed(
    play: Callable[..., Server], client_of: ClientOf, intent: Intent
) -> None:
    tokens = iter(["before", "after"])
    server = play(LOST, SECOND_ANSWERS["401"], DONE)
    client = make_client(client_of, server)
    client.auth = BearerKey(SecretSource.of(lambda: next(tokens)))
    assert charge(client, intent) == {"ok": True}
    assert server.heard[-1].headers["authorization"] == "Bearer after"


@pytest.mark.parametrize("place", ["header", "body", "query", "path"])
def test_a_key_may_stand_anywhere_in_the_request(place: str, serve: Serve, client_of: ClientOf, intent: Intent) -> None:
    server, key = serve(), intent.make_key(max_length=32)
    request = {
        "header": Request(method="POST", path=Path.of("/a"), headers={"X-Idempotency-Key": key}),
        "body": Request(method="POST", path=Path.of("/a"), json={"a": [{"key": key}]}),
        "query": Request(method="POST", path=Path.of("/a"), query=[("key", key)]),
        "path": Request(method="POST", path=Path.of("/a/{key}", key=key)),
    }[place]
    make_client(client_of, server).change(request, intent, Response.json, key=key)
    assert len(server.heard) == 1


def test_a_key_that_is_not_in_the_request_or_breaks_the_rules_is_not_sent(
    serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    server, key = serve(), intent.make_key(max_length=64)
    client = make_client(client_of, server, KeyRules(max_length=32))
    for wrong in (key, key[:19], "Müller" * 4, "a\n" * 12):
        request = Request(method="POST", path=Path.of("/a"), json={"key": wrong})
        with pytest.raises(ValueError, match="characters of ASCII"):
            client.change(request, intent, Response.json, key=wrong)
    request = Request(method="POST", path=Path.of("/a"), json={"key": key})
    with pytest.raises(ValueError, match="the key stands neither"):
        client.change(request, intent, Response.json, key=key[:32])
    with pytest.raises(ValueError, match="KeyRules"):
        client_of(server).change(request, intent, Response.json, key=key)
    assert server.heard == []


def test_a_key_differs_by_verb_part_and_reference_and_is_never_cut(intent: Intent) -> None:
    intents = [intent, attrs.evolve(intent, verb="refund"), attrs.evolve(intent, reference="1001-b")]
    keys = {one.make_key(max_length=20, part=part) for one in intents for part in ("", "activate")}
    assert len(keys) == 6
    long = attrs.evolve(intent, reference="Müller~" * 100)
    assert long.make_key(max_length=20) != attrs.evolve(long, reference=f"{long.reference}2").make_key(max_length=20)
    with pytest.raises(ValueError, match="reference"):
        attrs.evolve(intent, reference=None).make_key(max_length=64)


def test_the_rules_of_keys_are_checked() -> None:
    assert KeyRules().usable_for == timedelta(hours=23)
    assert KeyRules(lifetime=timedelta(hours=1)).usable_for == timedelta(minutes=54)
    assert KeyRules(lifetime=None).usable_for is None
    wrongs: list[dict[str, Any]] = [
        {"max_length": 19},
        {"lifetime": timedelta(0)},
        {"kept_refusals": frozenset({429})},
        {"forgotten_after": frozenset({200})},
        {"forgotten_after": frozenset({403}), "kept_refusals": frozenset({403})},
    ]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="must be"):
            KeyRules(**wrong)


@pytest.mark.parametrize("answer", ["429", "404", "closed"])
def test_the_error_of_a_read_after_a_change_is_not_said_of_the_change(
    answer: str, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    def script(visit: Visit) -> None:
        while asked := visit.asked():
            if asked.method == "POST":
                visit.answer()
            elif answer == "closed":
                visit.reset()
                return
            else:
                visit.answer(int(answer), '{"code": "no"}')

    client = client_of(serve(script), total_timeout_s=5, read_timeout_s=3)
    with watch_step() as step:
        client.change(Request(method="POST", path=Path.of("/charges"), json={}), intent, Response.json)
        with pytest.raises((NotExecuted, Rejected)) as caught:
            client.read(Request(method="GET", path=Path.of("/charges")), Response.json)
    error = step.unknown_outcome(caught.value)
    assert error is not None
    assert error.ticket.reference == intent.reference


def test_the_error_of_a_read_before_a_change_stands(serve: Serve, client_of: ClientOf, intent: Intent) -> None:
    client = client_of(serve(each=lambda asked: (200, "{}") if asked.method == "POST" else (503, "{}")))
    with watch_step() as step:
        with pytest.raises(ProviderUnavailable) as caught:
            client.read(Request(method="GET", path=Path.of("/charges")), Response.json)
        assert step.unknown_outcome(caught.value) is None
        client.change(Request(method="POST", path=Path.of("/charges"), json={}), intent, Response.json)
        assert step.unknown_outcome(Rejected("the provider took it back")) is None
        assert step.unknown_outcome(ProviderUnavailable("gone")) is not None
