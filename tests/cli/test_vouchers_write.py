"""Commands that bring vouchers into being, change them, or remove them."""

from __future__ import annotations

import json
from typing import Any

from voucher_gateway.simulator import RunningSimulator

CODE = "JTL-7K2M-9QXD-4HTP"


def test_issuing_prints_one_operation_with_the_voucher(run: Any, shop: RunningSimulator) -> None:
    told = run(
        "--json", "issue", "shop", "50.00", "EUR", "--code", CODE, "--id", "gift", "--medium", "print",
        "--valid-for", "3 years", "--taxable", "--tax-rate", "19", "--sku", "A-1", "--batch", "xmas",
        "--metadata", '{"price": 10.10}', "--order", "1001", "--reference", "r-1",
    ).done().object  # fmt: skip
    assert [told[name] for name in ("account", "verb", "reference", "order", "outcome", "replayed")] == [
        "shop",
        "issue",
        "r-1",
        "1001",
        "succeeded",
        False,
    ]
    result = told["result"]
    assert (result["id"], result["initial"]) == ("gift", {"amount": "50.00", "currency": "EUR"})
    assert (result["medium"], result["taxable"], result["tax_rate"]) == ("print", True, "19")
    assert (result["sku"], result["batch"], result["order"]) == ("A-1", "xmas", "1001")
    assert result["validity"] == {"value": 3, "interval": "years"}
    assert b'"{\\"price\\":10.10}"' in shop.requests[-1].body


def test_issuing_and_activating_are_two_operations_under_one_reference(run: Any, shop: RunningSimulator) -> None:
    ran = run("--json", "issue", "shop", "5.00", "EUR", "--code", CODE, "--activate", "--reference", "r").done()
    assert [(one["verb"], one["reference"], one["result"]["status"]) for one in ran.objects] == [
        ("issue", "r", "inactive"),
        ("activate", "r", "active"),
    ]


def test_a_voucher_of_a_vendor_without_activation_is_spendable_as_it_is(
    run: Any, both: dict[str, RunningSimulator]
) -> None:
    ran = run("issue", "events", "5.00", "EUR", "--code", "EVENT-1", "--activate", "--reference", "r").done()
    assert "The vendor has no activation: the voucher can be spent." in ran.err
    assert [one.method for one in both["events"].requests if one.method != "GET"] == ["POST"]


def test_an_issued_voucher_survives_when_its_activation_fails(run: Any, shop: RunningSimulator) -> None:
    shop.inject("commit-then-drop", "PATCH /v1/vouchers/*/status")
    ran = run("--json", "issue", "shop", "5.00", "EUR", "--code", CODE, "--activate", "--reference", "r")
    assert ran.code == 4
    assert ran.object["verb"] == "issue"
    assert (ran.error["error"], ran.error["ticket"]["verb"]) == ("OutcomeUnknown", "activate")


def test_a_code_that_the_vendor_made_is_masked_and_can_be_seen_later(run: Any, shop: RunningSimulator) -> None:
    ran = run("issue", "shop", "5.00", "EUR", "--id", "gift", "--reference", "r").done()
    (voucher,) = shop.ledger()
    assert str(voucher["code"]) not in ran.out + ran.err
    assert "voucher-gateway show shop --id gift --reveal" in ran.err
    assert str(voucher["code"]) in run("show", "shop", "--id", "gift", "--reveal").done().out


def test_reveal_shows_the_new_code_at_once(run: Any, shop: RunningSimulator) -> None:
    told = run("--json", "issue", "shop", "5.00", "EUR", "--reference", "r", "--reveal").done().object
    assert told["result"]["code"] == shop.ledger()[0]["code"]


def test_a_new_code_that_would_be_lost_is_refused_before_anything_is_issued(
    run: Any, jtl: RunningSimulator, configure: Any
) -> None:
    configure({"shop": jtl}, shop='scopes = ["manage", "use"]')
    ran = run("--json", "issue", "shop", "5.00", "EUR", "--reference", "r")
    assert (ran.code, ran.error["error"], ran.error["field"]) == (2, "InvalidRequest", "code")
    assert jtl.ledger() == []
    assert run("issue", "shop", "5.00", "EUR", "--reference", "r", "--reveal").code == 0
    assert run("issue", "shop", "5.00", "EUR", "--reference", "s", "--code", CODE).code == 0


def test_activation_that_the_login_may_not_do_is_refused_before_the_voucher_is_issued(
    run: Any, jtl: RunningSimulator, configure: Any
) -> None:
    configure({"shop": jtl}, shop='scopes = ["manage", "read-lists"]')
    ran = run("--json", "issue", "shop", "5.00", "EUR", "--code", CODE, "--activate", "--reference", "r")
    assert (ran.code, ran.error["error"], jtl.ledger()) == (2, "MissingScope", [])


def test_what_a_vendor_cannot_keep_is_refused_and_never_dropped(run: Any, both: dict[str, RunningSimulator]) -> None:
    absolute = run("--json", "issue", "shop", "5.00", "EUR", "--valid-until", "2030-01-01T00:00:00Z",
                   "--code", CODE, "--reference", "r")  # fmt: skip
    assert (absolute.code, absolute.error["error"]) == (1, "UnsupportedOperation")
    assert run("issue", "events", "5.00", "EUR", "--code", "EVENT-1", "--sku", "A", "--reference", "r").code in (1, 2)
    assert both["shop"].ledger() == both["events"].ledger() == []


def test_wrong_amounts_validities_and_metadata_are_refused_without_being_repeated(
    run: Any, shop: RunningSimulator
) -> None:
    for amount, currency, more in [
        ("10.531", "EUR", ()),
        ("1e3", "EUR", ()),
        (CODE, "EUR", ()),
        ("10", CODE, ()),
        ("10", "eur", ()),
        ("100000.00", "EUR", ()),
        ("1.234", "BHD", ()),
        ("10", "EUR", ("--valid-for", "soon")),
        ("10", "EUR", ("--metadata", "[1")),
        ("10", "EUR", ("--metadata", "{")),
        ("10", "EUR", ("--medium", "stone")),
    ]:
        ran = run("--json", "issue", "shop", amount, currency, "--code", "C", "--reference", "r", *more)
        assert ran.code == 2, (amount, currency, more)
        assert CODE not in ran.err
    assert shop.requests == []


def test_data_of_a_voucher_can_be_changed(run: Any, shop: RunningSimulator, both: Any) -> None:
    run("issue", "shop", "5.00", "EUR", "--id", "gift", "--code", CODE, "--reference", "r").done()
    told = run("--json", "update", "shop", "gift", "--batch", "spring", "--reference", "u").done().object
    assert (told["verb"], told["result"]["batch"]) == ("update", "spring")


def test_an_expiry_is_changed_or_taken_away(run: Any, both: dict[str, RunningSimulator]) -> None:
    issued = run("--json", "issue", "events", "5.00", "EUR", "--code", "EVENT-1", "--reference", "r").done().object
    id = issued["result"]["id"]
    until = "2031-05-06T07:08:09Z"
    told = run("--json", "update", "events", id, "--valid-until", until, "--reference", "u").done().object
    assert told["result"]["valid_until"] == until
    told = run("--json", "update", "events", id, "--valid-until", "never", "--reference", "v").done().object
    assert told["result"]["valid_until"] is None


def test_a_voucher_is_deactivated_deleted_and_gone(run: Any, shop: RunningSimulator, gift: str) -> None:
    assert run("deactivate", "shop", gift, "--reference", "d").done().out.startswith("shop: deactivate succeeded")
    told = run("--json", "delete", "shop", gift, "--reason", "printed wrong", "--reference", "x").done().object
    assert (told["verb"], told["result"]["voucher_id"]) == ("delete", gift)
    assert json.loads(shop.requests[-1].body) == {"comment": "printed wrong"}
    assert run("show", "shop", "--id", gift).code == 1


def test_a_top_up_says_what_moved(run: Any, gift: str) -> None:
    told = run("--json", "top-up", "shop", gift, "12.34", "EUR", "--reference", "t").done().object
    assert (told["verb"], told["result"]["money"]["amount"]) == ("top_up", "12.34")
    assert run("balance", "shop", CODE).done().out.startswith("62.34 EUR")


def test_an_amount_that_the_vendor_cannot_take_is_refused_before_anything_is_sent(
    run: Any, shop: RunningSimulator
) -> None:
    before = len(shop.requests)
    ran = run("--json", "issue", "shop", "1.234", "BHD", "--reference", "r")
    assert (ran.code, ran.error["error"], ran.error["field"]) == (2, "AmountPrecisionError", "amount")
    assert len(shop.requests) == before
