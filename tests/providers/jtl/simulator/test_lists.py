"""Lists at the JTL simulator: pages, order, filters, and look-ups that lag."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.providers.jtl.conftest import Caller
    from voucher_gateway.simulator import RunningSimulator

    StartJtl = Callable[..., RunningSimulator]
    CallJtl = Callable[[RunningSimulator], Caller]


@pytest.fixture
def stocked(start_jtl: StartJtl) -> RunningSimulator:
    return start_jtl(vouchers=130, seed=11)


@pytest.fixture
def reader(stocked: RunningSimulator, call_jtl: CallJtl) -> Caller:
    return call_jtl(stocked)


def _page(caller: Caller, path: str = "/vouchers", /, **params: Any) -> dict[str, Any]:
    response = caller.call("GET", path, params=params)
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


def _ids(page: dict[str, Any]) -> list[str]:
    return [item["id"] for item in page["data"]]


def test_the_first_page_has_twenty_five_and_tells_about_the_others(reader: Caller) -> None:
    page = _page(reader)
    meta = {name: value for name, value in page["meta"].items() if name != "path"}
    assert meta == {"current_page": 1, "per_page": 25, "from": 1, "to": 25, "last_page": 6, "total": 130}
    assert len(page["data"]) == 25


def test_pages_cover_everything_once_in_order_of_creation(reader: Caller, stocked: RunningSimulator) -> None:
    pages = [_page(reader, page=number, per_page=40, sort="created_at") for number in range(1, 6)]
    assert [len(page["data"]) for page in pages] == [40, 40, 40, 10, 0]
    assert [id_ for page in pages for id_ in _ids(page)] == [voucher["id"] for voucher in stocked.ledger()]
    created = [voucher["created_at"] for page in pages for voucher in page["data"]]
    assert created == sorted(created)
    assert pages[4]["meta"].keys() == {"current_page", "per_page", "last_page", "total", "path"}
    assert pages[4]["meta"]["total"] == 130
    assert _ids(_page(reader, per_page=130, sort="-created_at")) == [
        voucher["id"] for voucher in reversed(stocked.ledger())
    ]


def _follow(caller: Caller, page: dict[str, Any], name: str) -> dict[str, Any]:
    """Get the page that a link leads to, with the same token."""
    response = caller.get(page["links"][name])
    assert response.status_code == 200, response.text
    followed: dict[str, Any] = response.json()
    return followed


def test_a_client_that_follows_next_sees_every_voucher_once(reader: Caller, stocked: RunningSimulator) -> None:
    page = _page(reader, per_page=40, sort="created_at")
    ids = _ids(page)
    while "next" in page["links"]:
        page = _follow(reader, page, "next")
        ids += _ids(page)
    assert ids == [voucher["id"] for voucher in stocked.ledger()]
    assert _ids(_follow(reader, page, "prev")) == ids[80:120]
    assert _ids(_follow(reader, page, "first")) == ids[:40]
    assert _ids(_follow(reader, _page(reader, per_page=40, sort="created_at"), "last")) == ids[120:]


def test_links_keep_the_filters_and_the_address_that_was_asked(reader: Caller, stocked: RunningSimulator) -> None:
    page = _page(reader, **{"filter[status]": "active,inactive", "filter[created_from]": "2020-01-01T00:00:00+00:00"})
    followed = _follow(reader, page, "next")
    assert (followed["meta"]["current_page"], followed["meta"]["total"]) == (2, page["meta"]["total"])
    base = stocked.announcement["base_url"]
    assert all(link.startswith(f"{base}/vouchers?") for link in page["links"].values())
    assert page["meta"]["path"] == f"{base}/vouchers"


def test_the_only_page_has_no_neighbours(caller: Caller) -> None:
    voucher = caller.issue()
    for path in ("/vouchers", f"/vouchers/{voucher['id']}/charges"):
        page = _page(caller, path)
        assert page["links"].keys() == {"first", "last"}
        assert _ids(_follow(caller, page, "last")) == _ids(page)


def test_links_can_be_the_nonsense_of_the_vendors_example(start_jtl: StartJtl, call_jtl: CallJtl) -> None:
    links = _page(call_jtl(start_jtl(vouchers=130, seed_links=True)), page=2)["links"]
    assert all(link.startswith("http://vouchers.internal.example/") for link in links.values())
    assert links["prev"].endswith("page=3")


def test_an_empty_list_has_one_page(caller: Caller) -> None:
    page = _page(caller)
    assert (page["data"], page["meta"]["last_page"], page["meta"]["total"]) == ([], 1, 0)


def test_the_vendor_may_cap_the_page(start_jtl: StartJtl, call_jtl: CallJtl) -> None:
    caller = call_jtl(start_jtl(vouchers=10, max_per_page=4))
    page = _page(caller, per_page=1000)
    assert (len(page["data"]), page["meta"]["per_page"], page["meta"]["last_page"]) == (4, 4, 3)


def test_without_a_sort_new_vouchers_shift_the_pages(reader: Caller, stocked: RunningSimulator) -> None:
    stocked.inject("insert-while-paging", "GET /v1/vouchers")
    first, second = _page(reader), _page(reader, page=2)
    assert _ids(first)[-1] == _ids(second)[0]
    assert second["meta"]["total"] == 131


def test_sorted_upwards_they_do_not(reader: Caller, stocked: RunningSimulator) -> None:
    stocked.inject("insert-while-paging", "GET /v1/vouchers", times=0)
    pages = [_page(reader, page=number, per_page=50, sort="created_at") for number in range(1, 4)]
    seen = [id_ for page in pages for id_ in _ids(page)]
    assert len(seen) == len(set(seen)) == 132


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page", "0"),
        ("page", "-1"),
        ("page", "1.0"),
        ("page", "x"),
        ("page", ""),
        ("page", "²"),
        ("page", "9" * 5000),
        ("per_page", "0"),
        ("per_page", "many"),
        ("sort", "amount"),
        ("sort", "created_at,amount"),
        ("sort", ""),
        ("filter[type]", "paper"),
        ("filter[taxable]", "yes"),
        ("filter[remaining_amount]", "5.00"),
        ("filter[created_from]", "2026-01-01"),
        ("filter[created_from]", "2026-01-01T00:00:00"),
        ("filter[created_to]", "2026-13-01T00:00:00Z"),
        ("filter[valid_until_from]", "0001-01-01T00:00:00+23:59"),
        ("filter[valid_until_to]", "yesterday"),
    ],
)
def test_a_wrong_parameter_is_named(reader: Caller, name: str, value: str) -> None:
    response = reader.call("GET", "/vouchers", params={name: value})
    assert response.status_code == 422
    assert [error["property"] for error in response.json()["errors"]] == [name]


def test_an_offset_whose_plus_sign_was_not_encoded_is_refused(reader: Caller) -> None:
    assert reader.call("GET", "/vouchers?filter[created_from]=2026-01-01T00:00:00+00:00").status_code == 422
    assert reader.call("GET", "/vouchers?filter[created_from]=2026-01-01T00:00:00%2B00:00").status_code == 200


def _shown(reader: Caller) -> list[dict[str, Any]]:
    return [*_page(reader, per_page=1000, sort="created_at")["data"]]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"filter[type]": "print"}, lambda each: each["type"] == "print"),
        ({"filter[status]": "active"}, lambda each: each["status"] == "active"),
        ({"filter[status]": "active,inactive"}, lambda each: True),
        ({"filter[status]": ["inactive", "active"]}, lambda each: True),
        ({"filter[status][]": ["inactive"]}, lambda each: each["status"] == "inactive"),
        ({"filter[status]": "used"}, lambda each: False),
        ({"filter[sku]": "GUTSCHEIN/50 €"}, lambda each: each.get("sku") == "GUTSCHEIN/50 €"),
        ({"filter[batch]": "Messe Köln 2026"}, lambda each: each.get("batch") == "Messe Köln 2026"),
        ({"filter[amount]": "10.53"}, lambda each: each["amount"] == "10.53"),
        ({"filter[amount]": "10.5"}, lambda each: False),
        ({"filter[remaining_amount]": "true"}, lambda each: each["remaining_amount"] != "0.00"),
        ({"filter[remaining_amount]": "0"}, lambda each: each["remaining_amount"] == "0.00"),
        ({"filter[taxable]": "1"}, lambda each: each["taxable"]),
        ({"filter[taxable]": "false"}, lambda each: not each["taxable"]),
        ({"filter[tax_rate]": "8,1"}, lambda each: each.get("tax_rate") == "8,1"),
        (
            {"filter[type]": "digital", "filter[taxable]": "true"},
            lambda each: each["type"] == "digital" and each["taxable"],
        ),
        ({"filter[type]": ["digital", "print"]}, lambda each: each["type"] == "print"),
        ({"filter[code]": "none"}, lambda each: False),
        ({"filter[id]": "none"}, lambda each: False),
        ({"filter[client_id]": "none"}, lambda each: False),
        ({"filter[client.client_group_id]": "none"}, lambda each: False),
    ],
)
def test_filters_narrow_the_list(
    reader: Caller, params: dict[str, Any], expected: Callable[[dict[str, Any]], bool]
) -> None:
    wanted = [each["id"] for each in _shown(reader) if expected(each)]
    assert _ids(_page(reader, per_page=1000, sort="created_at", **params)) == wanted


def test_dates_filter_inclusively_and_leave_out_vouchers_without_one(reader: Caller) -> None:
    everything = _shown(reader)
    middle = everything[60]["created_at"]
    for bound, wanted in (("from", everything[60:]), ("to", everything[:61])):
        params: dict[str, Any] = {f"filter[created_{bound}]": middle}
        assert len(_page(reader, per_page=1000, **params)["data"]) == len(wanted)
    ends = sorted(each["valid_until"] for each in everything if each["valid_until"])
    between: dict[str, Any] = {
        "filter[valid_until_from]": ends[0],
        "filter[valid_until_to]": ends[-1].replace("+00:00", "Z"),
    }
    assert _page(reader, **between)["meta"]["total"] == len(ends) < 130


def test_every_voucher_is_found_by_its_exact_id_code_client_and_group(
    reader: Caller, stocked: RunningSimulator
) -> None:
    for voucher in stocked.ledger():
        found = _page(reader, **{"filter[code]": voucher["code"]})
        assert _ids(found) == [voucher["id"]]
        assert _ids(_page(reader, **{"filter[id]": voucher["id"], "filter[code]": voucher["code"]})) == [voucher["id"]]
    by_client = _page(reader, **{"filter[client_id]": stocked.announcement["client_id"]})["meta"]["total"]
    assert 0 < by_client < 130
    client_group = reader.call("POST", "/clients/connect", {"pin": stocked.announcement["connect_pin"]}).json()
    group: dict[str, Any] = {"filter[client.client_group_id]": client_group["client_group_id"]}
    assert _page(reader, **group)["meta"]["total"] == 130


def test_seeded_vouchers_are_varied(stocked: RunningSimulator, reader: Caller) -> None:
    shown = _shown(reader)
    now = stocked.clock.now().isoformat()
    assert {each["status"] for each in shown} == {"active", "inactive"}
    assert {"EUR", "JPY"} < {each["currency"] for each in shown}
    assert any(each["valid_until"] and each["valid_until"] < now for each in shown)
    assert any(each["remaining_amount"] not in {each["amount"], "0.00"} for each in shown)
    assert all(each["amount"].endswith(".00") for each in shown if each["currency"] == "JPY")
    codes = "".join(str(voucher["code"]) for voucher in stocked.ledger())
    assert all(part in codes for part in ("/", "%2e", "?", " ", "ü", "🎁"))
    assert any(voucher["pin"] for voucher in stocked.ledger())


def test_movements_are_listed_newest_first_and_found_by_order_and_time(caller: Caller, jtl: RunningSimulator) -> None:
    voucher = caller.issue()
    path = f"/vouchers/{voucher['id']}/charges"
    charges = []
    for order in ("a", "b", "a"):
        jtl.clock.advance(60)
        charges.append(caller.charge(caller.reserve(voucher["code"], "1.00").json()["id"], order).json())
    newest_first = [charge["id"] for charge in reversed(charges)]
    assert _ids(_page(caller, path)) == newest_first
    assert _ids(_page(caller, path, page=2, per_page=2)) == newest_first[2:]
    assert _ids(_page(caller, path, **{"filter[order_number]": "a"})) == [newest_first[0], newest_first[2]]
    assert _ids(_page(caller, path, **{"filter[created_from]": charges[1]["created_at"]})) == newest_first[:2]
    assert _ids(_page(caller, path, **{"filter[created_to]": charges[0]["created_at"]})) == newest_first[2:]
    assert caller.call("GET", f"{path}/{charges[0]['id']}").json() == charges[0]
    other = caller.issue()
    assert caller.call("GET", f"/vouchers/{other['id']}/charges/{charges[0]['id']}").status_code == 404


def test_lists_and_histories_may_lag_while_single_reads_do_not(caller: Caller, jtl: RunningSimulator) -> None:
    voucher = caller.issue("50.00")
    jtl.inject("lagging-lookups", "GET *", times=0, lag_s=5)
    caller.charge(caller.reserve(voucher["code"], "10.00").json()["id"])
    path = f"/vouchers/{voucher['id']}"
    assert _page(caller)["data"][0]["remaining_amount"] == "50.00"
    assert _page(caller, f"{path}/charges")["data"] == []
    assert caller.remaining(voucher["id"]) == "40.00"
    jtl.clock.advance(6)
    assert _page(caller)["data"][0]["remaining_amount"] == "40.00"
    assert len(_page(caller, f"{path}/charges")["data"]) == 1
