"""A token is checked in the vendor's way, and a refusal has the vendor's shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest
from werkzeug.datastructures import Headers

from voucher_gateway.simulator import (
    AccessGuard,
    AccessTokens,
    Login,
    Refused,
    Reply,
    Request,
    TokenServer,
    VirtualClock,
    write_json,
)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def _request(**headers: str) -> Request:
    return Request("GET", "/", headers=Headers({name.replace("_", "-"): value for name, value in headers.items()}))


def _status(guard: AccessGuard, request: Request, scope: str | None = None) -> int:
    """Return the status that a handler behind the guard gives."""
    try:
        return guard.wrap(lambda _: Reply(200), scope)(request).status
    except Refused as refused:
        return refused.reply.status


def _guard(tokens: AccessTokens) -> AccessGuard:
    return AccessGuard(tokens.of, lambda: Reply(401), lambda scope: Reply(403, {"missing": scope}))


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("Bearer good", 200),
        ("bearer good", 200),
        ("Bearer  good ", 200),
        ("Bearer bad", 401),
        ("Bearer goodd", 401),
        ("Bearer", 401),
        ("good", 401),
        ("Token good", 401),
        ("", 401),
    ],
)
def test_only_a_good_token_reaches_the_handler(value: str, status: int, clock: VirtualClock) -> None:
    tokens = AccessTokens(clock.now)
    tokens.add("good")
    assert _status(_guard(tokens), _request(Authorization=value)) == status
    assert _status(_guard(tokens), _request()) == 401


def test_an_end_an_expiry_and_a_revocation_make_tokens_invalid(clock: VirtualClock) -> None:
    tokens = AccessTokens(clock.now)
    for text in ("a", "b", "c"):
        tokens.add(text, until=clock.now() + timedelta(hours=1) if text == "a" else None)
    guard = _guard(tokens)

    def statuses() -> list[int]:
        return [_status(guard, _request(Authorization=f"Bearer {text}")) for text in ("a", "b", "c")]

    assert statuses() == [200, 200, 200]
    clock.advance(3600)
    assert statuses() == [401, 200, 200]
    tokens.revoke("b")
    assert statuses() == [401, 401, 200]
    tokens.expire()
    assert statuses() == [401, 401, 401]


def test_tokens_survive_a_restart_with_their_scopes_and_ends(clock: VirtualClock) -> None:
    tokens, loaded = AccessTokens(clock.now), AccessTokens(clock.now)
    tokens.add("a", "till", ["READ", "WRITE"], clock.now() + timedelta(hours=1))
    loaded.load(json.loads(write_json(tokens.dump())))
    request = _request(Authorization="Bearer a")
    assert loaded.of(request) == tokens.of(request) is not None


def test_a_header_may_hold_nothing_but_the_token(clock: VirtualClock) -> None:
    tokens = AccessTokens(clock.now, scheme="", header="X-Shopify-Access-Token")
    tokens.add("shpat with blank")
    assert tokens.of(_request(X_Shopify_Access_Token="shpat with blank")) is not None
    assert tokens.of(_request(X_Shopify_Access_Token="shpat")) is None
    assert tokens.of(_request(Authorization="Bearer shpat with blank")) is None


def test_the_tokens_of_a_token_server_are_guarded_too(clock: VirtualClock) -> None:
    server = TokenServer(clock.now, lambda _: Login("secret"))
    guard = AccessGuard(server.of, lambda: Reply(401))
    request = _request(Authorization=f"Bearer {server.long_lived_token('till', ['read'])}")
    assert guard.token(request, "read").client_id == "till"
    assert _status(guard, request, "write") == 401


def test_pretix_calls_its_scheme_token_and_each_team_has_its_rights(clock: VirtualClock) -> None:
    tokens = AccessTokens(clock.now, scheme="Token")
    tokens.add("team-1", "bigevents", ["can_manage_gift_cards"])
    tokens.add("team-2", "bigevents")
    detail: Mapping[int, str] = {401: "Invalid token.", 403: "You do not have permission."}
    guard = AccessGuard(
        tokens.of, lambda: Reply(401, {"detail": detail[401]}), lambda _: Reply(403, {"detail": detail[403]})
    )

    def ask(value: str) -> object:
        with pytest.raises(Refused) as refusal:
            guard.token(_request(Authorization=value), "can_manage_gift_cards")
        return refusal.value.reply.status, refusal.value.reply.body

    assert guard.token(_request(Authorization="Token team-1"), "can_manage_gift_cards").client_id == "bigevents"
    assert ask("Token team-2") == (403, {"detail": "You do not have permission."})
    assert ask("Bearer team-1") == ask("Token team-3") == (401, {"detail": "Invalid token."})


def test_square_names_the_code_of_a_missing_scope(clock: VirtualClock) -> None:
    def error(status: int, code: str) -> Reply:
        return Reply(status, {"errors": [{"category": "AUTHENTICATION_ERROR", "code": code}]})

    tokens = AccessTokens(clock.now)
    tokens.add("EAAA-read", "seller", ["GIFTCARDS_READ"])
    guard = AccessGuard(tokens.of, lambda: error(401, "UNAUTHORIZED"), lambda _: error(403, "INSUFFICIENT_SCOPES"))
    read = _request(Authorization="Bearer EAAA-read")
    assert _status(guard, read, "GIFTCARDS_READ") == 200
    with pytest.raises(Refused) as refusal:
        guard.token(read, "GIFTCARDS_WRITE")
    assert refusal.value.reply == error(403, "INSUFFICIENT_SCOPES")
