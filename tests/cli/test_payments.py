"""Commands about payments: what a support desk lists, shows, completes, cancels and refunds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from voucher_gateway import Gateway, Money, NewVoucher, OutcomeUnknown, Payment, RateLimited
from voucher_gateway.simulator import RunningSimulator

CODE = "JTL-7K2M-9QXD-4HTP"
CHARGE = "POST /v1/reservations/*/charge"
REFUND = "POST /v1/charges/*/refund"


@pytest.fixture
def gateway(kept: RunningSimulator, tmp_path: Path) -> Iterator[Gateway]:
    """The shop's own gateway, whose voucher has 50.00 EUR; the commands use the same configuration."""
    with Gateway.from_config(tmp_path / "voucher-gateway.toml") as opened:
        yield opened


def opened(gateway: Gateway, order: str = "1001", total: str = "60.00", limit: str | None = "20.00") -> Payment:
    payment = gateway.payment(order, total=Money(total, "EUR"))
    payment.add(CODE, limit=None if limit is None else Money(limit, "EUR"))
    return payment


def captured(gateway: Gateway, order: str = "1001", **fields: Any) -> Payment:
    payment = opened(gateway, order, **fields)
    payment.authorize()
    payment.capture()
    return payment


def left(running: RunningSimulator) -> str:
    (voucher,) = running.ledger()
    return str(voucher["remaining"])


def test_payments_are_listed_newest_first_with_state_order_and_amounts(run: Any, gateway: Gateway) -> None:
    captured(gateway, "1001")
    opened(gateway, "1002")
    lines = run("payments", "list").done().out.splitlines()
    assert lines[0].split() == ["opened", "(UTC)", "order", "state", "total", "captured", "due"]
    assert [line.split()[2:] for line in lines[1:]] == [
        ["1002", "open", "60.00", "EUR", "0.00", "EUR", "40.00", "EUR"],
        ["1001", "captured", "60.00", "EUR", "20.00", "EUR", "40.00", "EUR"],
    ]
    first, second = run("--json", "payments", "list").done().objects
    assert (first["order"], second["order"], second["state"]) == ("1002", "1001", "captured")
    assert second["captured"] == {"amount": "20.00", "currency": "EUR"}
    assert (second["other"], second["attention"], second["legs"][0]["hint"]) == (None, None, "••••4HTP")


def test_payments_are_filtered(run: Any, gateway: Gateway, kept: RunningSimulator) -> None:
    captured(gateway, "1001")
    opened(gateway, "1002")
    kept.inject("drop-before", CHARGE)
    doubtful = opened(gateway, "1003")
    doubtful.authorize()
    with pytest.raises(OutcomeUnknown):
        doubtful.capture()

    def orders(*options: str) -> list[str]:
        return [payment["order"] for payment in run("--json", "payments", "list", *options).done().objects]

    assert orders() == ["1003", "1002", "1001"]
    assert orders("--state", "open", "--state", "captured") == ["1002", "1001"]
    assert orders("--attention") == ["1003"]
    assert orders("--no-attention", "--limit", "1") == ["1002"]
    assert orders("--order", "1001") == orders("--order", "1001", "--since", "2026-01-01") == ["1001"]
    assert orders("--since", "2200-01-01") == []
    none = run("payments", "list", "--state", "short").done()
    assert (none.out, none.err) == ("", "There are none.\n")


def test_a_payment_is_shown_with_its_legs_refunds_and_operations(run: Any, gateway: Gateway) -> None:
    captured(gateway).refund(Money("5.00", "EUR"), reference="return-1", strategy="vouchers-first")
    lines = run("payments", "show", "1001").done().out.splitlines()
    assert lines[0] == "Payment of order 1001: captured"
    text = "\n".join(" ".join(line.split()) for line in lines)
    assert "captured 20.00 EUR" in text
    assert "1 shop ••••4HTP captured 20.00 EUR 20.00 EUR" in text
    assert "return-1 done 5.00 EUR 5.00 EUR 0.00 EUR 0.00 EUR" in text
    shown = run("--json", "payments", "show", "1001").done().object
    assert [operation["verb"] for operation in shown["operations"]] == ["reserve", "capture", "refund"]
    assert (shown["refunds"][0]["reference"], shown["look_for"]) == ("return-1", [])
    unknown = run("payments", "show", "404")
    assert (unknown.code, "`voucher-gateway payments list` shows the payments." in unknown.err) == (2, True)
    assert run("payments", "show", "1001", "--attempt", "2").code == 2


def test_a_leg_is_shown_as_held_only_while_it_is(run: Any, gateway: Gateway) -> None:
    payment = opened(gateway)
    payment.authorize()
    assert "held until " in run("payments", "show", "1001").done().out
    payment.capture()
    assert "held until " not in run("payments", "show", "1001").done().out


def test_a_payment_in_doubt_says_what_to_look_for_and_is_resumed(
    run: Any, gateway: Gateway, kept: RunningSimulator
) -> None:
    payment = opened(gateway)
    payment.authorize()
    kept.inject("drop-before", CHARGE)
    with pytest.raises(OutcomeUnknown):
        payment.capture()
    shown = run("payments", "show", "1001").done().out
    assert "attention" in shown
    assert re.search(r"what +capture of 20\.00 EUR", shown)
    (hint,) = run("--json", "payments", "show", "1001").done().object["look_for"]
    assert hint["step"] == "capture"
    assert run("payments", "resume", "1001").code == 4
    kept.clock.advance(1900)
    resumed = run("payments", "resume", "1001").done()
    assert resumed.out.startswith("Payment of order 1001: captured\n")
    assert left(kept) == "30.00"


def test_a_cancellation_says_what_comes_back_and_when_the_rest_is_free(
    run: Any, gateway: Gateway, kept: RunningSimulator
) -> None:
    opened(gateway, "1001").authorize()
    lines = run("payments", "cancel", "1001").done()
    assert lines.out.startswith("Payment of order 1001: cancelled\n")
    assert "free at 20" in lines.out
    assert lines.err == "Void or refund the other means of the shop, if it paid: it is not inside the payment.\n"
    kept.clock.advance(1900)
    captured(gateway, "1002")
    assert left(kept) == "30.00"
    cancelled = run("--json", "payments", "cancel", "1002").done().object
    assert (cancelled["state"], cancelled["cancellation"]["complete"]) == ("cancelled", True)
    assert cancelled["cancellation"]["returned"] == {"amount": "20.00", "currency": "EUR"}
    assert left(kept) == "50.00"
    assert run("payments", "cancel", "1002").code == 0  # it is idempotent


def test_a_cancellation_that_is_not_complete_keeps_its_decision(
    run: Any, gateway: Gateway, kept: RunningSimulator
) -> None:
    captured(gateway)
    kept.inject("rate-limit", REFUND, 0)
    ran = run("payments", "cancel", "1001")
    assert (ran.code, ran.out.splitlines()[0]) == (3, "Payment of order 1001: cancelling")
    assert "attention" in ran.out
    kept.clear_faults()
    run("recover", "--all")
    assert run("--json", "payments", "show", "1001").done().object["state"] == "cancelled"
    assert left(kept) == "50.00"


def test_a_refund_says_what_each_leg_gives_back_and_what_the_shop_must(
    run: Any, gateway: Gateway, kept: RunningSimulator
) -> None:
    captured(gateway)
    refund = ["payments", "refund", "1001", "--reference"]
    first = run(*refund, "return-1", "--amount", "6.00").done()
    rows = [line.split() for line in first.out.splitlines()]
    assert first.out.splitlines()[0] == "Refund return-1 of order 1001: done"
    assert ["other", "means", "4.00", "EUR", "told"] in rows
    assert ["leg", "1", "2.00", "EUR", "refunded"] in rows
    assert first.err == "Give 4.00 EUR back by the other means of the shop: it is not inside the payment.\n"
    assert run("--json", *refund, "return-1", "--amount", "6.00").done().object["refund"]["state"] == "done"
    assert left(kept) == "32.00"
    second = run("--json", *refund, "return-2", "--share", "1=3.00", "--share", "other=1.00").done().object
    assert {part["leg"]: part["amount"]["amount"] for part in second["refund"]["parts"]} == {0: "1.00", 1: "3.00"}
    third = run("--json", *refund, "return-3", "--amount", "15.00", "--strategy", "vouchers-first").done().object
    assert third["refund"]["parts"][0] == {
        "leg": 1,
        "amount": {"amount": "15.00", "currency": "EUR"},
        "state": "refunded",
        "reason": None,
        "replacement_account": None,
        "replacement_id": None,
    }
    assert left(kept) == "50.00"
    assert run(*refund, "return-4", "--amount", "99.00").code == 2
    for wrong in ("1", "x=1.00", "1=one", "=1.00"):
        assert run(*refund, "return-5", "--share", wrong).code == 2


def test_a_refund_that_a_voucher_cannot_take_is_replaced_if_asked(
    run: Any, gateway: Gateway, kept: RunningSimulator
) -> None:
    captured(gateway, total="20.00")
    with Gateway.from_config("voucher-gateway.toml") as other:
        other.deactivate("shop", "gift", reference="d")
    refund = ["payments", "refund", "1001", "--reference"]
    ran = run(*refund, "return-1", "--amount", "5.00")
    assert (ran.code, "not possible" in ran.out) == (1, True)
    assert "5.00 EUR cannot be given back to a voucher. Refund it in another way.\n" in ran.err
    replaced = run("--json", *refund, "return-2", "--amount", "5.00", "--replace-at", "shop").done().object["refund"]
    assert (replaced["parts"][0]["state"], replaced["parts"][0]["replacement_account"]) == ("replaced", "shop")


def test_a_cancellation_replaces_a_voucher_that_cannot_take_its_value_back_if_asked(
    run: Any, gateway: Gateway, kept: RunningSimulator
) -> None:
    captured(gateway, total="20.00")
    with Gateway.from_config("voucher-gateway.toml") as other:
        other.deactivate("shop", "gift", reference="d")
    assert run("payments", "cancel", "1001").code == 3
    assert run("--json", "payments", "cancel", "1001", "--replace-at", "shop").done().object["state"] == "cancelled"
    refund = run("--json", "payments", "show", "1001").done().object["refunds"][0]
    assert (refund["parts"][0]["state"], refund["parts"][0]["replacement_account"]) == ("replaced", "shop")


def test_recover_prints_the_payments_that_it_completed_or_that_still_wait(
    run: Any, gateway: Gateway, kept: RunningSimulator
) -> None:
    payment = opened(gateway, total="20.00")
    payment.authorize()
    kept.inject("drop-before", CHARGE)
    with pytest.raises(OutcomeUnknown):
        payment.capture()
    ran = run("--json", "recover", "--all")
    assert (ran.code, ran.objects[-1]["payment"]["state"]) == (4, "capturing")
    kept.clock.advance(1900)
    lines = run("recover", "--all").done().out.splitlines()
    assert lines[-2].split()[:4] == ["opened", "(UTC)", "order", "state"]
    assert lines[-1].split()[2:4] == ["1001", "captured"]
    assert run("--json", "recover", "--all").done().objects == []


def test_recover_prints_the_sales_that_it_completed(run: Any, gateway: Gateway, kept: RunningSimulator) -> None:
    sale = gateway.sale("1002-1", "shop", NewVoucher(initial=Money("20.00", "EUR")))
    kept.inject("rate-limit", "PATCH /v1/vouchers/*/status", 0)
    with pytest.raises(RateLimited):
        sale.fulfil()
    assert run("recover").code == 3
    kept.clear_faults()
    assert run("--json", "recover").done().object["sale"]["state"] == "fulfilled"


def test_an_order_is_explained_by_its_payment(run: Any, gateway: Gateway) -> None:
    captured(gateway)
    lines = run("explain", "--order", "1001").done().out.splitlines()
    assert lines[0] == "Order 1001 is paid: 20.00 EUR of 60.00 EUR by vouchers, 40.00 EUR due by other means."
    told = run("--json", "explain", "--order", "1001").done().object
    assert (told["payment"]["state"], told["payment"]["legs"][0]["hint"]) == ("captured", "••••4HTP")


def test_no_code_is_printed(run: Any, gateway: Gateway) -> None:
    captured(gateway)
    for command in (["list"], ["show", "1001"], ["resume", "1001"], ["cancel", "1001"]):
        for form in ([], ["--json"]):
            ran = run(*form, "payments", *command)
            assert CODE not in ran.out + ran.err


def test_payments_fit_into_80_columns(run: Any, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    order = "a-rather-long-order-number-of-a-shop-2026-11-30-0001"
    captured(gateway, order).refund(reference="a-long-reference-1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    for command in (["list"], ["show", order]):
        lines = run("payments", *command, terminal=True).out.splitlines()
        assert max(map(cell_len, lines)) <= 80
        assert len(lines) > 1
