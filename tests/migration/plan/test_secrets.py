"""What a plan reads beyond the list, so that no loss of a PIN goes unnamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
import pytest

from tests.migration.plan.conftest import Vendors
from voucher_gateway import Gateway, Money, NewVoucher
from voucher_gateway.migration import Action, PlannedVoucher, Policy, make_plan, read_vouchers
from voucher_gateway.migration.plan.scan import pins_are_asked_for
from voucher_gateway_file import FileProvider, FileSettings
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_local import LocalProvider, LocalSettings
from voucher_gateway_ticketing import TicketingProvider

Plan = Callable[..., list[PlannedVoucher]]


@pytest.fixture
def gateway(vendors: Vendors, tmp_path: Path) -> Iterator[Gateway]:
    """The accounts ``own`` with one PIN, ``euro`` for euros only, ``paper`` in a file, and ``events`` at ticketing."""
    accounts = {
        "own": LocalProvider("own", LocalSettings(url=f"sqlite:///{tmp_path}/own.db")),
        "euro": LocalProvider("euro", LocalSettings(url=f"sqlite:///{tmp_path}/euro.db", currency="EUR")),
        "paper": FileProvider("paper", FileSettings(path=str(tmp_path / "paper.jsonl"), reveal=True)),
        "events": vendors.gateway.provider("events"),
    }
    with Gateway(accounts, journal=f"sqlite:///{tmp_path}/own-journal.db") as made:
        yield made


@pytest.fixture
def plan(gateway: Gateway, tmp_path: Path) -> Plan:
    """Makes a plan between two accounts and reads it back."""

    def make(source: str, target: str, **more: Any) -> list[PlannedVoucher]:
        out = tmp_path / f"{source}-{target}.plan"
        make_plan(gateway, source, target, out, **more)
        return list(read_vouchers(out))

    return make


def issue(gateway: Gateway, money: str = "5.00 EUR", **fields: Any) -> None:
    amount, currency = money.split()
    new = NewVoucher(initial=Money(amount, currency), active=True, **fields)
    gateway.issue("own", new, reference=f"issue-{uuid4().hex}")


def test_a_pin_that_the_list_hides_is_a_loss_where_the_target_keeps_none(gateway: Gateway, plan: Plan) -> None:
    issue(gateway, code="PINNED-0001", pin="4711")
    issue(gateway, code="PLAIN-0001")
    refused, carried = sorted(plan("own", "events"), key=lambda one: one.action, reverse=True)
    assert refused.reasons == ("the policy does not accept a loss: pin",)
    assert carried.action is Action.CARRY
    losses = [one.losses for one in plan("own", "events", policy=Policy(losses={"pin"}))]
    assert sorted(losses) == [(), ("pin",)]


def test_a_pin_is_read_only_where_it_could_be_lost() -> None:
    own, jtl, ticketing, paper = (one.declared for one in (LocalProvider, JtlProvider, TicketingProvider, FileProvider))
    assert [pins_are_asked_for(own, target) for target in (ticketing, jtl, paper)] == [True, False, False]
    assert pins_are_asked_for(own, attrs.evolve(jtl, max_text_lengths={"pin": 4}))
    assert pins_are_asked_for(attrs.evolve(own, max_text_lengths={}), jtl)
    assert not pins_are_asked_for(paper, ticketing)  # its list shows what it has
    assert not pins_are_asked_for(ticketing, ticketing)


def test_a_masked_pin_beside_a_plain_code_is_a_loss_even_where_pins_are_kept(plan: Plan, tmp_path: Path) -> None:
    record = '{"id":"x","code":"REAL-0001","pin":"••••","remaining":{"amount":"10.00","currency":"EUR"}}\n'
    (tmp_path / "paper.jsonl").write_text(record)
    (one,) = plan("paper", "own")
    assert one.reasons == ("the policy does not accept a loss: pin",)


def test_the_only_currency_of_the_target_is_known_wherever_it_has_one(gateway: Gateway, plan: Plan) -> None:
    issue(gateway, "5.00 CHF", code="FRANCS-1")
    (one,) = plan("own", "euro")
    assert one.reasons == ("it is in CHF, and the target has EUR only",)
