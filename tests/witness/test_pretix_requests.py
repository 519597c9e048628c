"""One list of plain requests, sent to the simulator and to the real program: the answers are the same.

Times are compared as present or not. Error texts are compared by number, because only the program may word them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol

import attrs
import pytest

from tests.providers.pretix.simulator.simulated_program import START, SimulatedProgram
from tests.witness.pretix_program import ISSUER, ORGANIZER, PretixProgram
from voucher_gateway.simulator import start

pytestmark = pytest.mark.slow

CARDS: Final = f"/organizers/{ORGANIZER}/giftcards/"
SISTERS: Final = f"/organizers/{ISSUER}/giftcards/"


class Answering(Protocol):
    """The program or the simulator."""

    tokens: dict[str, dict[str, str]]

    def request(
        self, method: str, path: str, body: object = None, *, token: str | None = None, key: str | None = None
    ) -> tuple[int, dict[str, str], Any]: ...


@attrs.frozen
class Ask:
    """A plain request; `team` names the team of the organizer whose token it has."""

    method: str
    path: str
    body: object = None
    key: str | None = None
    team: str = "till"
    organizer: str = ORGANIZER

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.body!r} key={self.key} {self.organizer}/{self.team}"


def _transact(value: object, id: int = 1, key: str | None = None, **fields: object) -> Ask:
    return Ask("POST", f"{CARDS}{id}/transact/", {"value": value, **fields}, key)


def _issues(*bodies: dict[str, object]) -> list[Ask]:
    return [Ask("POST", CARDS, {"value": "1.00", "currency": "EUR", **body}) for body in bodies]


def _texts(*texts: object) -> list[Ask]:
    return [_transact("-1.00", text=text) for text in texts]


def _changes(*bodies: object) -> list[Ask]:
    return [Ask("PATCH", f"{CARDS}1/", body) for body in bodies]


def _lists(*queries: str) -> list[Ask]:
    return [Ask("GET", f"{CARDS}?{query}") for query in queries]


REQUESTS: Final[tuple[Ask, ...]] = (
    Ask("GET", CARDS),
    Ask("POST", CARDS, {"secret": "HLBY", "value": "50.00", "currency": "EUR"}),
    *_issues(
        {"secret": "HLBY"},
        {"secret": "hlby"},
        {"secret": " A9 ", "testmode": True, "conditions": " c ", "owner_ticket": None, "other": 1},
        {"secret": 5555},
        {"secret": "A8", "conditions": ""},
        {"secret": "A7", "value": 1},
        {"secret": "A6", "value": "1e1"},
        {"secret": "A5", "value": " 2.50 ", "currency": "JPY"},
        {"secret": "A4", "value": "0"},
        {"secret": "A3", "expires": "2030-01-01"},
        {"secret": "A2", "expires": "2030-01-01T00:00:00.123456+02:00"},
        {"secret": "A1", "expires": "soon"},
        {"secret": "A0", "value": "1.001", "currency": "KWD"},
        {"secret": "A-", "value": "-1", "currency": "eur"},
        {"secret": "x" * 191},
        {"secret": None, "value": None, "currency": None},
        {"secret": "", "value": "", "currency": ""},
        {"secret": True, "value": True},
        {"secret": "B1", "testmode": "true"},
        {"secret": "B2", "testmode": "x"},
    ),
    Ask("POST", CARDS, {}),
    Ask("POST", CARDS, []),
    Ask("POST", CARDS, b"{"),
    Ask("GET", f"{CARDS}1/"),
    Ask("GET", f"{CARDS}999/"),
    Ask("GET", f"{CARDS}abc/"),
    Ask("GET", f"{CARDS}0/"),
    Ask("GET", f"{CARDS}a%2Fb/"),
    Ask("GET", f"{CARDS}1%2F/"),
    Ask("GET", f"{CARDS}%201/"),
    Ask("GET", f"{CARDS}1%3F/"),
    Ask("GET", f"{CARDS}1"),
    Ask("GET", f"{CARDS}1/nothing/"),
    Ask("GET", f"{CARDS}1/transact/"),
    Ask("PUT", f"{CARDS}1/transact/", {}),
    Ask("POST", f"{CARDS}1/transactions/", {}),
    Ask("DELETE", f"{CARDS}1/"),
    Ask("DELETE", CARDS),
    _transact("-10.53", text="order 1001", info={"reference": "1001-a"}),
    _transact(" -1.00 ", text="  a  ", info=None),
    _transact(-1, text=5, info=[1, {"a": None}]),
    _transact("-1.10", text=""),
    _transact("-0.00"),
    *map(_transact, ("-1.005", "123456789012.00", "NaN", "x", "", None, True, [], "-1000")),
    *_texts(None, True, [5], {}),
    _transact("1.00", id=999),
    Ask("POST", f"{CARDS}1/transact/", []),
    Ask("POST", f"{CARDS}1/transact/", b"{"),
    Ask("POST", f"{CARDS}1/transact/"),
    Ask("POST", f"{CARDS}1/transact", {"value": "-1.00"}),
    Ask("GET", f"{CARDS}1/transactions/"),
    Ask("GET", f"{CARDS}1/transactions/?page_size=2&page=2"),
    Ask("GET", f"{CARDS}999/transactions/"),
    *_changes(
        {"expires": "2031-05-06T07:08:09.123456+02:00"},
        {"expires": None, "conditions": "x"},
        {"expires": "x"},
        {"secret": "A9"},
        {"secret": "-"},
        {"secret": "NEW-ONE", "currency": "USD", "testmode": True},
        {"value": "-1"},
        {"value": None},
        {"value": "30.00"},
        {},
        [],
    ),
    Ask("PATCH", f"{CARDS}999/", {"expires": "x"}),
    Ask("PATCH", f"{CARDS}1/?include_accepted=true", {"conditions": "x"}),
    Ask("PATCH", f"{CARDS}1/?include_accepted=false", {"conditions": "x"}),
    Ask("GET", f"{CARDS}1/"),
    *_lists(
        "secret=hlby",
        "secret=%20HLBY%20",
        "secret=HLB",
        "secret=",
        "testmode=true",
        "testmode=x",
        "expired=true",
        "expired=false",
        "value=1.00",
        "value=x",
        "unknown=1",
        "page=2",
        "page=last",
        "page=0",
        "page_size=2&page=2",
        "page_size=0",
        "page_size=x",
    ),
    *[Ask("GET", CARDS, team=team) for team in ("auditor", "nobody")],
    Ask("POST", f"{CARDS}1/transact/", {"value": "-1.00"}, team="auditor"),
    Ask("GET", "/organizers/never/giftcards/"),
    Ask("GET", SISTERS),
    Ask("POST", SISTERS, {"secret": "SISTER", "value": "9.00", "currency": "EUR"}, organizer=ISSUER),
    Ask("POST", SISTERS, {"secret": "HLBY", "value": "9.00", "currency": "EUR"}, organizer=ISSUER),
    Ask("POST", CARDS, {"secret": "SISTER", "value": "9.00", "currency": "EUR"}),
    Ask("GET", f"{CARDS}?secret=HLBY&include_accepted=true"),
    Ask("GET", f"{CARDS}?secret=SISTER"),
    Ask("GET", f"{CARDS}?include_accepted=True&page_size=1&page=last"),
    _transact("-1.00", key="k1"),
    _transact("-2.00", key="k1"),
    Ask("PATCH", f"{CARDS}1/", {"conditions": "y"}, "k1"),
    Ask("GET", "/idempotency_query?key=k1"),
    Ask("GET", "/idempotency_query?key=other"),
    _transact("x", key="k2"),
    _transact("-1.00", key="k2"),
    _transact("-1000.00", key="k3"),
    _transact("-1.00", key="k3"),
    _transact("-1.00", id=999, key="k4"),
    _transact("-1.00", key="k4"),
    Ask("DELETE", f"{CARDS}1/", None, "k5"),
    _transact("-1.00", key="k5"),
    Ask("POST", f"{CARDS}1/transact/", [], "k6"),
    _transact("-1.00", key="k6"),
    Ask("POST", f"{CARDS}1/transact", {"value": "-1.00"}, "k7"),
    _transact("-1.00", key="k7"),
    Ask("POST", CARDS, {"secret": "KEYED", "value": "1.00", "currency": "EUR"}, "k8"),
    Ask("POST", CARDS, {"secret": "KEYED", "value": "1.00", "currency": "EUR"}, "k8"),
    Ask("POST", f"{CARDS}1/transact/", {"value": "-1.00"}, "k9", team="auditor"),
    Ask("POST", f"{CARDS}1/transact/", {"value": "-1.00"}, "k1", team="second-till"),
    Ask("GET", f"{CARDS}1/transactions/"),
    Ask("GET", CARDS),
)


def answers(program: Answering) -> Iterator[tuple[str, object]]:
    """Send all requests, and yield each with its answer as it is compared."""
    for ask in REQUESTS:
        token = program.tokens[ask.organizer][ask.team]
        status, headers, body = program.request(ask.method, ask.path, ask.body, token=token, key=ask.key)
        kind = headers.get("content-type", "").partition(";")[0]
        kept = {name: headers[name] for name in ("location", "retry-after") if name in headers}
        yield str(ask), (status, kind if body else "", kept, _comparable(body, status))


def _comparable(body: Any, status: int) -> object:
    if isinstance(body, str):
        return "a page" if body else ""
    if status >= 400:
        return _without_texts(body)
    return _without_times(body)


def _without_texts(body: Any) -> object:
    if isinstance(body, dict):
        return {name: _without_texts(value) for name, value in sorted(body.items())}
    return [_without_texts(value) for value in body] if isinstance(body, list) else "a text"


def _without_times(value: Any) -> object:
    if isinstance(value, list):
        return [_without_times(entry) for entry in value]
    if isinstance(value, dict):
        return {name: _member(name, member) for name, member in value.items()}
    return value


def _member(name: str, value: Any) -> object:
    if name in ("issuance", "datetime"):
        return value is not None
    if name in ("next", "previous"):
        return None if value is None else value.partition("/api/v1")[2]
    return value if name == "info" else _without_times(value)


def test_the_simulator_answers_as_the_program_does(pretix: PretixProgram) -> None:
    with start("pretix", vouchers=0, start=START) as running:
        simulated = dict(zip(range(len(REQUESTS)), answers(SimulatedProgram(running)), strict=True))
    differing = {
        number: (simulated[number], answer)
        for number, answer in enumerate(answers(pretix))
        if simulated[number] != answer
    }
    assert differing == {}
