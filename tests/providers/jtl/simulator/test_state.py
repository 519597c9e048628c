"""What the JTL simulator keeps between runs, and what a seed repeats."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from pathlib import Path

    from tests.providers.jtl.conftest import Caller
    from voucher_gateway.simulator import RunningSimulator

    StartJtl = Callable[..., RunningSimulator]
    CallJtl = Callable[[RunningSimulator], Caller]

START = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def _token(jtl: RunningSimulator, credentials: dict[str, str]) -> requests.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": credentials["client_id"],
        "client_secret": credentials["client_secret"],
    }
    return requests.post(jtl.announcement["token_url"], data=form, timeout=5)


def test_the_same_seed_and_start_make_the_same_vouchers_and_credentials(start_jtl: StartJtl) -> None:
    first, second = (start_jtl(seed=5, start=START, vouchers=50) for _ in range(2))
    assert first.ledger() == second.ledger()
    for name in ("client_id", "client_secret", "token"):
        assert first.announcement[name] == second.announcement[name]
    assert start_jtl(seed=6, start=START, vouchers=50).ledger() != first.ledger()


def test_a_state_file_keeps_value_reservations_and_credentials(
    start_jtl: StartJtl, call_jtl: CallJtl, tmp_path: Path
) -> None:
    first = start_jtl(state=tmp_path / "jtl.json", vouchers=30)
    caller = call_jtl(first)
    voucher = caller.issue("50.00", pin="1234")
    replaced, held = (caller.reserve(voucher["code"], "10.00", pin="1234").json() for _ in range(2))
    before = first.ledger()
    first.close()

    second = start_jtl(state=tmp_path / "jtl.json", vouchers=30)
    assert second.ledger() == before
    assert _token(second, first.announcement).status_code == 200
    caller = call_jtl(second)
    assert caller.charge(replaced["id"]).status_code == 404
    charge = caller.charge(held["id"]).json()
    assert caller.remaining(voucher["id"]) == "40.00"
    refund = caller.call("POST", f"/charges/{charge['id']}/refund", {"amount": "10.00", "currency": "EUR"})
    assert refund.status_code == 201
    second.close()

    third = call_jtl(start_jtl(state=tmp_path / "jtl.json"))
    again = third.call("POST", f"/charges/{charge['id']}/refund", {"amount": "0.01", "currency": "EUR"})
    assert again.status_code == 422, "the refund still belongs to its charge"


def test_a_client_that_connected_stays_connected(start_jtl: StartJtl, call_jtl: CallJtl, tmp_path: Path) -> None:
    first = start_jtl(state=tmp_path / "jtl.json")
    pin = {"pin": first.announcement["connect_pin"]}
    client = call_jtl(first).call("POST", "/clients/connect", pin).json()
    first.close()
    second = start_jtl(state=tmp_path / "jtl.json")
    assert second.announcement["connect_pin"] == ""
    assert _token(second, {"client_id": client["id"], "client_secret": client["secret"]}).status_code == 200
