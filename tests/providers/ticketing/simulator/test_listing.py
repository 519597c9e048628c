"""Lists of the simulated vendor: slices, filters, order, and who may read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.providers.ticketing.conftest import VendorClient


def ids(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [voucher["_id"] for voucher in answer["docs"]]


def test_slices_put_together_are_the_whole_list_in_the_order_of_creation(
    start_ticketing: Callable[..., VendorClient],
) -> None:
    client = start_ticketing(vouchers=57)
    everything = client.listed(top=1000)
    assert everything["total"] == 57
    slices = [client.listed(top=10, skip=skip) for skip in range(0, 60, 10)]
    assert [voucher for part in slices for voucher in ids(part)] == ids(everything)
    assert ids(everything) == [entry["id"] for entry in client.running.ledger()]
    assert {part["total"] for part in slices} == {57}


def test_a_list_without_a_size_has_25(seeded_ticketing: VendorClient) -> None:
    assert len(seeded_ticketing.listed()["docs"]) == 25


def test_the_list_can_run_newest_first(start_ticketing: Callable[..., VendorClient]) -> None:
    client = start_ticketing(list_order="newest-first")
    first, second = client.create(1), client.create(2)
    assert ids(client.listed()) == [second["_id"], first["_id"]]


@pytest.mark.parametrize("path", ["/api/vouchers", "/api/vouchers/rich"])
@pytest.mark.parametrize(
    ("query", "count"),
    [("top=25.0", 25), ("top=1", 1), ("top=1e1", 10), ("top=2.9", 2), ("skip=28.0", 2), ("skip=1e300", 0)],
)
def test_a_number_of_the_query_may_be_written_as_a_float(
    seeded_ticketing: VendorClient, path: str, query: str, count: int
) -> None:
    answer = seeded_ticketing.call("GET", f"{path}?{query}")
    assert (answer.status_code, len(answer.json()["docs"])) == (200, count)


@pytest.mark.parametrize("path", ["/api/vouchers", "/api/vouchers/rich"])
@pytest.mark.parametrize(
    "query",
    [
        *("top=0", "top=1001", "top=1000.5", "top=-1", "top=1e400", "top=1e999999999", "top=1&top=2"),
        *("top=", "top=abc", "top=NaN", "top=Infinity", "top=%D9%A3", "top=1_0", "top=0x10", "top=%2B5"),
        *("skip=-1", "skip=-1e-9", "skip=NaN", "skip=1e400", "code=a&code=b", "code=%FF"),
    ],
)
def test_a_query_that_cannot_be_meant_is_refused(shared_ticketing: VendorClient, path: str, query: str) -> None:
    answer = shared_ticketing.call("GET", f"{path}?{query}")
    assert answer.status_code == 400
    assert answer.json()["statusCode"] == "400"


@pytest.mark.parametrize(
    ("code_filter", "asked", "found"),
    [
        ("exact", "Gift", ["Gift"]),
        ("exact", "", []),
        ("prefix", "Gift", ["Gift", "Gift-2"]),
        ("case-insensitive", "Gift", ["Gift", "gift"]),
    ],
)
def test_the_total_counts_what_the_code_filter_finds(
    start_ticketing: Callable[..., VendorClient], code_filter: str, asked: str, found: list[str]
) -> None:
    client = start_ticketing(code_filter=code_filter)
    for code in ("Gift", "gift", "Gift-2", "other"):
        client.create(1, code=code)
    answer = client.listed(code=asked, top=1)
    assert answer["total"] == len(found)
    assert [voucher["code"] for voucher in answer["docs"]] == found[:1]


def test_vouchers_are_found_by_the_transaction_they_came_from(
    start_ticketing: Callable[..., VendorClient],
) -> None:
    client = start_ticketing(vouchers=20)
    bought = next(v for v in client.listed()["docs"] if v["origin"] == "shop")
    found = client.listed(transactionId=bought["transactionId"])
    assert (found["docs"], found["total"]) == ([bought], 1)
    assert client.listed(transactionId=bought["transactionId"], code="other")["total"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/vouchers"),
        ("GET", "/api/vouchers/rich"),
        ("POST", "/api/vouchers"),
        ("GET", "/api/vouchers/{id}"),
        ("PUT", "/api/vouchers/{id}"),
        ("GET", "/api/vouchers/{id}/transactions"),
        ("GET", "/api/keys/info"),
    ],
)
@pytest.mark.parametrize("header", [None, "{key}", "Basic {key}", "Bearer key_wrong", "Bearer {key}x", "Bearer é"])
def test_private_calls_need_the_key_after_the_word_bearer(
    seeded_ticketing: VendorClient, method: str, path: str, header: str | None
) -> None:
    before = seeded_ticketing.running.ledger()
    announced = seeded_ticketing.running.announcement["api_key"]
    headers = {} if header is None else {"Authorization": header.format(key=announced).encode()}
    path = path.format(id=before[0]["id"])
    answer = seeded_ticketing.call(method, path, key=None, headers=headers, json={"amount": 50_000})
    assert answer.status_code == 401
    assert answer.json()["statusCode"] == "401"
    assert seeded_ticketing.running.ledger() == before


@pytest.mark.parametrize(("path", "query"), [("/api/vouchers", "order=asc"), ("/api/vouchers/rich", "top=1&limit=5")])
def test_an_unknown_query_field_is_ignored_unless_the_simulator_is_strict(
    start_ticketing: Callable[..., VendorClient], path: str, query: str
) -> None:
    assert start_ticketing().call("GET", f"{path}?{query}").status_code == 200
    assert start_ticketing(strict=True).call("GET", f"{path}?{query}").status_code == 400


def test_an_unknown_body_field_is_ignored_unless_the_simulator_is_strict(
    start_ticketing: Callable[..., VendorClient],
) -> None:
    lax, strict = start_ticketing(), start_ticketing(strict=True)
    assert "origin" in lax.create(1, origin="import", status="active")
    assert lax.listed()["docs"][0]["origin"] == "default"
    assert strict.call("POST", "/api/vouchers", json={"amount": 1, "origin": "import"}).status_code == 400
    voucher = strict.create(1)
    one = f"/api/vouchers/{voucher['_id']}"
    assert strict.call("PUT", one, json={"amount": 1, "code": "code"}).status_code == 400


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", "amount=10"),
        ("text/plain", '{"amount":10}'),
        (None, '{"amount":10}'),
        ("application/json", "amount=10"),
        ("application/json", ""),
        ("application/json", "[]"),
        ("application/json", '"10"'),
        ("application/json", '{"amount":10}{}'),
        ("application/json", "[" * 100_000),
        ("application/json", b'{"amount":10,"code":"\xff\xff\xff\xff"}'),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(
    shared_ticketing: VendorClient, content_type: str | None, body: str | bytes
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    data = body.encode() if isinstance(body, str) else body
    before = shared_ticketing.running.ledger()
    answer = shared_ticketing.call("POST", "/api/vouchers", data=data, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["statusCode"] == "400"
    assert shared_ticketing.running.ledger() == before


def test_json_with_a_charset_is_json(shared_ticketing: VendorClient) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert shared_ticketing.call("POST", "/api/vouchers", data='{"amount":1}', headers=headers).status_code == 201


@pytest.mark.parametrize("path", ["/", "/api", "/api/checkouts", "/api/vouchers/", "//api/vouchers", "/vouchers"])
def test_a_path_the_simulator_does_not_know_is_the_vendors_404(shared_ticketing: VendorClient, path: str) -> None:
    answer = shared_ticketing.call("GET", path)
    assert answer.status_code == 404
    assert answer.json()["statusCode"] == "404"


def test_a_voucher_cannot_be_deleted(ticketing: VendorClient) -> None:
    voucher = ticketing.create(1)
    answer = ticketing.call("DELETE", f"/api/vouchers/{voucher['_id']}")
    assert (answer.status_code, answer.json()["statusCode"]) == (405, "405")
    assert len(ticketing.running.ledger()) == 1
