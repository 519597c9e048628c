"""OAuth2 client credentials by themselves: what is asked for, what is taken, and when a token is renewed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.http import auth as auth_module
from voucher_gateway.http.auth import Form, encode_form
from voucher_gateway.provider_api import (
    AuthenticationFailed,
    BearerKey,
    ClientCredentials,
    ConfigurationError,
    MalformedResponse,
    Response,
    Secret,
)
from voucher_gateway.setting_types import SecretSource

FAR = time.monotonic() + 3600


class TokenEndpoint:
    """Answers with these bodies in turn, and then with the last one for ever."""

    def __init__(self, *bodies: object, status: int = 200) -> None:
        self.forms: list[dict[str, str]] = []
        self._bodies = list(bodies)
        self._status = status

    def __call__(self, form: Form, deadline: float) -> Response:
        self.forms.append(dict(parse_qsl(encode_form(form).decode("ascii"), strict_parsing=True)))
        said = self._bodies.pop(0) if len(self._bodies) > 1 else self._bodies[0]
        text = said if isinstance(said, str) else json.dumps(said)
        return Response(status=self._status, headers={}, body=text.encode())


def credentials(post: TokenEndpoint, **more: Any) -> ClientCredentials:
    return ClientCredentials(client_id="till-1", client_secret=SecretSource.of("a secret&more"), post=post, **more)


def token(**more: object) -> dict[str, object]:
    return {"access_token": "t-1", "token_type": "Bearer", **more}


def test_the_form_is_that_of_the_standard() -> None:
    endpoint = TokenEndpoint(token())
    header = credentials(endpoint).header(FAR)
    assert header == Secret("Bearer t-1")
    assert endpoint.forms == [
        {"grant_type": "client_credentials", "client_id": "till-1", "client_secret": "a secret&more"}
    ]


def test_scopes_and_what_a_vendor_wants_besides_are_asked_for() -> None:
    endpoint = TokenEndpoint(token())
    credentials(endpoint, scopes=("read", "use"), extra={"client_type": "pos"}).header(FAR)
    assert endpoint.forms[0]["scope"] == "read use"
    assert endpoint.forms[0]["client_type"] == "pos"


@pytest.mark.parametrize(
    ("asked", "said", "granted"),
    [
        ((), None, None),
        (("read", "use"), None, {"read", "use"}),
        (("read", "use"), "read", {"read"}),
        ((), "read use", {"read", "use"}),
        (("read",), "", set()),
    ],
)
def test_the_granted_scopes_are_what_the_vendor_says_or_else_what_was_asked_for(
    asked: tuple[str, ...], said: str | None, granted: set[str] | None
) -> None:
    made = credentials(TokenEndpoint(token() if said is None else token(scope=said)), scopes=asked)
    made.header(FAR)
    assert made.granted == granted


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock for tokens whose life is too long to be waited for."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(auth_module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.mark.parametrize(
    ("expires_in", "used_for"), [(3600, 3540), (601, 541), (600, 540), (100, 90), (10, 9), (1, 0.9)]
)
def test_a_token_is_renewed_a_minute_or_a_tenth_of_its_life_before_it_expires(
    expires_in: int, used_for: float, clock: SimpleNamespace
) -> None:
    endpoint = TokenEndpoint(token(expires_in=expires_in))
    made = credentials(endpoint)
    for passed, fetched in ((0, 1), (used_for - 0.01, 1), (used_for + 0.01, 2)):
        clock.now = 1000 + passed
        made.header(clock.now + 10)
        assert len(endpoint.forms) == fetched


def test_the_life_of_a_token_counts_from_when_it_was_asked_for(clock: SimpleNamespace) -> None:
    endpoint = TokenEndpoint(token(expires_in=10))

    def slowly(form: Form, deadline: float) -> Response:
        clock.now += 5
        return endpoint(form, deadline)

    made = ClientCredentials(client_id="till-1", client_secret=SecretSource.of("s"), post=slowly)
    made.header(FAR)
    clock.now += 4.5
    made.header(FAR)
    assert len(endpoint.forms) == 2


@pytest.mark.parametrize("expires_in", [None, 10**400, 2**63 - 1], ids=["unsaid", "beyond floats", "64 bits"])
def test_a_token_without_an_end_is_kept(expires_in: int | None, clock: SimpleNamespace) -> None:
    endpoint = TokenEndpoint(token() if expires_in is None else token(expires_in=expires_in))
    made = credentials(endpoint)
    for clock.now in (1000.0, 10.0**8):
        made.header(FAR)
    assert len(endpoint.forms) == 1


def test_a_token_that_is_over_at_once_is_used_once() -> None:
    endpoint = TokenEndpoint(token(expires_in=0))
    made = credentials(endpoint)
    made.header(FAR)
    made.header(FAR)
    assert len(endpoint.forms) == 2


def test_a_refused_token_is_replaced_once_however_many_report_it() -> None:
    endpoint = TokenEndpoint(token(), token(access_token="t-2"))
    made = credentials(endpoint)
    first = made.header(FAR)
    for _ in range(3):
        assert made.renew(first, FAR)
    assert made.header(FAR) == Secret("Bearer t-2")
    assert len(endpoint.forms) == 2


MALFORMED: dict[str, object] = {
    "a number": token(access_token=12345),
    "nothing": {"token_type": "bearer"},
    "null": token(access_token=None),
    "an empty token": token(access_token=""),
    "a line break": token(access_token="t-1\r\nX-Admin: yes"),
    "a blank": token(access_token="t 1"),
    "another alphabet": token(access_token="tökén"),
    "a list": [token()],
    "a text": '"t-1"',
    "HTML": "<html>Please log in</html>",
    "an empty body": "",
    "another kind of token": token(token_type="mac"),
    "a kind that is no text": token(token_type=1),
    "a life that is a text": token(expires_in="3600"),
    "a life below zero": token(expires_in=-1),
    "a broken life": token(expires_in=3600.5),
    "a life that is a truth": token(expires_in=True),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_an_answer_beside_the_standard_is_refused_without_a_word_of_it(name: str) -> None:
    made = credentials(TokenEndpoint(MALFORMED[name]))
    with pytest.raises(MalformedResponse) as refused:
        made.header(FAR)
    assert refused.value.outcome == "not_executed"
    for quoted in ("t-1", "X-Admin", "12345", "log in", "mac"):
        assert quoted not in str(refused.value) + str(refused.value.problems)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_any_life_of_any_kind_is_taken_or_refused(expires_in: object) -> None:
    made = credentials(TokenEndpoint(token(expires_in=expires_in)))
    try:
        made.header(FAR)
    except MalformedResponse:
        return
    assert expires_in is None or (isinstance(expires_in, int) and expires_in >= 0)


@pytest.mark.parametrize("kind", [{}, {"token_type": "bearer"}, {"token_type": "BEARER"}])
def test_a_token_is_a_bearer_token_in_any_case_of_letters_or_unsaid(kind: dict[str, str]) -> None:
    assert credentials(TokenEndpoint({"access_token": "t-1", **kind})).header(FAR) == Secret("Bearer t-1")


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": "invalid_client", "error_description": "secret hunter2 is wrong"}, "invalid_client"),
        ({"error": "hunter2 is wrong"}, None),
        ({"error": ["hunter2"]}, None),
        ("<html>hunter2</html>", None),
        ('"hunter2"', None),
    ],
)
def test_a_refusal_carries_the_standards_word_and_no_other(body: object, code: str | None, status: int) -> None:
    made = credentials(TokenEndpoint(body, status=status))
    with pytest.raises(AuthenticationFailed) as refused:
        made.header(FAR)
    assert (refused.value.vendor_code, refused.value.http_status) == (code, status)
    assert refused.value.outcome == "not_executed"
    assert "hunter2" not in str(refused.value)


def test_after_a_failure_the_next_call_asks_again() -> None:
    endpoint = TokenEndpoint("<html>", token())
    made = credentials(endpoint)
    with pytest.raises(MalformedResponse):
        made.header(FAR)
    assert made.header(FAR) == Secret("Bearer t-1")


def test_a_rotated_secret_is_used_for_the_next_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SECRET", "before")
    endpoint = TokenEndpoint(token())
    made = ClientCredentials(client_id="till-1", client_secret=SecretSource.of({"env": "SHOP_SECRET"}), post=endpoint)
    refused = made.header(FAR)
    monkeypatch.setenv("SHOP_SECRET", "after")
    made.renew(refused, FAR)
    assert [form["client_secret"] for form in endpoint.forms] == ["before", "after"]


def key_from(monkeypatch: pytest.MonkeyPatch) -> tuple[BearerKey, Callable[[str], None]]:
    def rotate(text: str) -> None:
        monkeypatch.setenv("SHOP_KEY", text)

    return BearerKey(SecretSource.of({"env": "SHOP_KEY"})), rotate


def test_a_key_is_read_again_when_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    key, rotate = key_from(monkeypatch)
    rotate("before")
    refused = key.header(FAR)
    assert not key.renew(refused, FAR)
    rotate("after")
    assert key.header(FAR) == refused
    assert key.renew(refused, FAR)
    assert key.header(FAR) == Secret("Bearer after")


@pytest.mark.parametrize("text", ["two words", "schlüssel", "k\u00a0y"])
def test_a_key_that_is_no_visible_ascii_is_refused_without_a_word_of_it(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, rotate = key_from(monkeypatch)
    rotate(text)
    with pytest.raises(ConfigurationError, match="visible ASCII") as refused:
        key.header(FAR)
    assert text not in str(refused.value)
