"""Roll-forwards against what truly happened at the simulated vendors, and to vouchers of our own, to the cent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import attrs
import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.simulators import BY_UPDATE, account_table
from voucher_gateway import Gateway
from voucher_gateway.provider_api import (
    Declined,
    Interval,
    Money,
    NewVoucher,
    Redemption,
    UnsupportedOperation,
    Validity,
    parse_instant,
)
from voucher_gateway.reports import Line, RollForward, Snapshots, roll_forward
from voucher_gateway.reports.movements import overwrites
from voucher_gateway.simulator import RunningSimulator, start

KEY: Final = "a-key-for-the-tests-of-reports"
RISKS: Final = sorted(BY_UPDATE)

PATIENT: Final = settings(
    max_examples=examples(25),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking days of HTTP calls takes longer than a suite may
)
MOVING: Final = (Line.REDEEMED, Line.REFUNDED, Line.TOPPED_UP)

STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(["issue", "stock", "redeem", "redeem", "refund", "top_up", "activate", "deactivate", "wait"]),
        st.integers(0, 7),
        st.integers(1, 9_999),
    ),
    max_size=14,
)


@attrs.define
class Business:
    """A shop's days: it makes vouchers and moves value, and keeps books of its own.

    Attributes:
        gateway: has the account ``shop``.
        wait: lets time pass at the vendor.
        moved: what moved in the present period, by line, in cents.
    """

    gateway: Gateway
    wait: Callable[[float], object]
    moved: Counter[Line] = attrs.field(factory=Counter)
    _number: int = 0
    _vouchers: list[tuple[str, str]] = attrs.field(factory=list)
    _redemptions: list[Redemption] = attrs.field(factory=list)

    def do(self, what: str, which: int, cents: int) -> None:
        """Do one thing; what the vendor refuses has not happened."""
        self._number += 1
        with suppress(Declined, UnsupportedOperation, IndexError):
            getattr(self, f"_{what}")(which, Money.from_minor(cents, "EUR"))

    @property
    def _reference(self) -> str:
        return f"step-{self._number}"

    def _wait(self, which: int, money: Money) -> None:
        self.wait(float((which + 1) * money.minor * 60))

    def _issue(self, which: int, money: Money) -> None:
        self._new(money, active=True)

    def _stock(self, which: int, money: Money) -> None:
        self._new(money, active=False)

    def _new(self, money: Money, *, active: bool) -> None:
        validity = Validity(3 * self._number, Interval.DAYS)
        new = NewVoucher(initial=money, active=active, validity=validity)
        made = self.gateway.issue("shop", new, reference=self._reference)
        assert made.code is not None
        if active:
            with suppress(UnsupportedOperation):
                self.gateway.activate("shop", made.id, reference=self._reference)
        self._vouchers.append((made.id, made.code.reveal()))

    def _redeem(self, which: int, money: Money) -> None:
        code = self._vouchers[which % len(self._vouchers or [0])][1]
        self._redemptions.append(self.gateway.redeem("shop", code, money, reference=self._reference))
        self.moved[Line.REDEEMED] += money.minor

    def _refund(self, which: int, money: Money) -> None:
        redemption = self._redemptions[which % len(self._redemptions or [0])]
        back = min(money, redemption.money)
        self.gateway.refund("shop", redemption, back, reference=self._reference)
        self.moved[Line.REFUNDED] += back.minor

    def _top_up(self, which: int, money: Money) -> None:
        id = self._vouchers[which % len(self._vouchers or [0])][0]
        self.gateway.top_up("shop", id, money, reference=self._reference)
        self.moved[Line.TOPPED_UP] += money.minor

    def _activate(self, which: int, money: Money) -> None:
        self.gateway.activate("shop", self._vouchers[which % len(self._vouchers or [0])][0], reference=self._reference)

    def _deactivate(self, which: int, money: Money) -> None:
        id = self._vouchers[which % len(self._vouchers or [0])][0]
        self.gateway.deactivate("shop", id, reference=self._reference)


def cents(found: RollForward, line: Line) -> int:
    """Return a line of a roll-forward in euros, in cents."""
    return next((one.lines[line].minor for one in found.rolls if one.currency == "EUR"), 0)


@pytest.fixture(scope="module")
def jtl() -> Iterator[RunningSimulator]:
    with start("jtl") as running:
        yield running
        assert running.crashes == []


def owed_at_jtl(running: RunningSimulator, at: datetime) -> int:
    """Return what JTL's own ledger owes in cents: active, and not past its end at a moment."""
    return sum(
        Money(str(entry["remaining"]), "EUR").minor
        for entry in running.ledger()
        if entry["status"] == "active"
        and (entry["valid_until"] is None or parse_instant(str(entry["valid_until"])) > at)
    )


@PATIENT
@given(before=STEPS, during=STEPS)
def test_any_days_at_jtl_are_explained_to_the_cent(
    before: list[tuple[str, int, int]], during: list[tuple[str, int, int]], jtl: RunningSimulator, tmp_path: Path
) -> None:
    kept = Snapshots(f"sqlite:///{tmp_path / 'kept.db'}")
    with kept, Gateway.from_config({"accounts": {"shop": account_table(jtl)}}) as gateway:
        business = Business(gateway, jtl.clock.advance)
        for step in before:
            business.do(*step)
        jtl.clock.advance(1)
        opening = kept.take(gateway, "shop")
        assert opening.consistent
        owed_before = owed_at_jtl(jtl, opening.began_at)
        # What is taken and given back whole in the very second of a snapshot cannot be told from none of it.
        jtl.clock.advance(5)
        business.moved.clear()
        for step in during:
            business.do(*step)
            jtl.clock.advance(1)
        closing = kept.take(gateway, "shop")
        found = roll_forward(gateway, kept, opening, closing)
        assert cents(found, Line.OPENING) == owed_before
        assert cents(found, Line.CLOSING) == owed_at_jtl(jtl, closing.began_at)
        assert {line: cents(found, line) for line in MOVING} == {line: business.moved[line] for line in MOVING}
        assert found.unexplained == ()
        assert cents(found, Line.UNEXPLAINED) == 0


@PATIENT
@given(before=STEPS, during=STEPS)
def test_any_days_with_vouchers_of_our_own_are_explained_to_the_cent(
    before: list[tuple[str, int, int]], during: list[tuple[str, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("local")
    kept = Snapshots(f"sqlite:///{folder / 'kept.db'}")
    table = {"provider": "local", "url": f"sqlite:///{folder / 'vouchers.db'}"}
    with kept, Gateway.from_config({"accounts": {"shop": table}}) as gateway:
        business = Business(gateway, lambda _: None)
        for step in before:
            business.do(*step)
        opening = kept.take(gateway, "shop")
        business.moved.clear()
        for step in during:
            business.do(*step)
        closing = kept.take(gateway, "shop")
        found = roll_forward(gateway, kept, opening, closing, every_history=True)
        assert {line: cents(found, line) for line in MOVING} == {line: business.moved[line] for line in MOVING}
        assert found.unexplained == ()
        # Whatever moved is seen in when a voucher was last changed, so that the quick way misses nothing.
        assert roll_forward(gateway, kept, opening, closing) == found


@pytest.fixture
def events(tmp_path: Path) -> Iterator[tuple[RunningSimulator, Gateway, Snapshots]]:
    """A gateway with a journal on the ticketing vendor, which keeps no entry of what is overwritten."""
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    with start("ticketing") as running, Snapshots(url) as kept:
        table = {
            "journal": url,
            "journal_keys": {"1": KEY},
            "accounts": {"shop": account_table(running, accept_risks=RISKS)},
        }
        with Gateway.from_config(table) as gateway:
            yield running, gateway, kept
        assert running.crashes == []


def test_at_the_ticketing_vendor_the_journal_explains_what_the_history_lacks(
    events: tuple[RunningSimulator, Gateway, Snapshots],
) -> None:
    running, gateway, kept = events
    old = gateway.issue("shop", NewVoucher(initial=Money("50.00", "EUR")), reference="old")
    assert old.code is not None
    gateway.redeem("shop", old.code, Money("1.00", "EUR"), reference="earlier")
    running.clock.advance(3600)
    opening = kept.take(gateway, "shop")
    running.clock.advance(3600)
    taken = gateway.redeem("shop", old.code, Money("20.00", "EUR"), reference="a")
    gateway.refund("shop", taken, Money("5.53", "EUR"), reference="a")
    gateway.top_up("shop", old.id, Money("0.01", "EUR"), reference="a")
    new = gateway.issue("shop", NewVoucher(initial=Money("30.00", "EUR")), reference="new")
    assert new.code is not None
    gateway.redeem("shop", new.code, Money("7.00", "EUR"), reference="b")
    running.clock.advance(3600)
    closing = kept.take(gateway, "shop")
    running.clock.advance(3600)
    gateway.redeem("shop", new.code, Money("2.00", "EUR"), reference="later")
    found = roll_forward(gateway, kept, opening, closing)
    assert {line: str(money.amount) for line, money in found.rolls[0].lines.items() if money} == {
        Line.OPENING: "49.00",
        Line.ISSUED: "30.00",
        Line.TOPPED_UP: "0.01",
        Line.REDEEMED: "27.00",
        Line.REFUNDED: "5.53",
        Line.CLOSING: "57.54",
    }
    assert found.unexplained == ()


def test_at_the_ticketing_vendor_what_somebody_else_overwrote_is_unexplained(
    events: tuple[RunningSimulator, Gateway, Snapshots],
) -> None:
    running, gateway, kept = events
    made = gateway.issue("shop", NewVoucher(initial=Money("50.00", "EUR")), reference="old")
    opening = kept.take(gateway, "shop")
    said = running.announcement
    with requests.Session() as outsider:
        outsider.trust_env = False
        reply = outsider.put(
            f"{said['base_url']}/api/vouchers/{made.id}",
            json={"amount": 49.99},
            headers={"Authorization": f"Bearer {said['api_key']}"},
            timeout=10,
        )
    assert reply.ok, reply.text
    running.clock.advance(timedelta(hours=1).total_seconds())
    found = roll_forward(gateway, kept, opening, kept.take(gateway, "shop"))
    assert [(one.voucher_id, str(one.money)) for one in found.unexplained] == [(made.id, "-0.01 EUR")]
    assert cents(found, Line.UNEXPLAINED) == -1


def test_what_the_journal_wrote_at_another_host_explains_nothing_here(
    events: tuple[RunningSimulator, Gateway, Snapshots], tmp_path: Path
) -> None:
    _, gateway, _ = events
    made = gateway.issue("shop", NewVoucher(initial=Money("50.00", "EUR")), reference="old")
    assert made.code is not None
    gateway.redeem("shop", made.code, Money("20.00", "EUR"), reference="a")
    assert [str(one.money) for one in overwrites(gateway, "shop")[made.id]] == ["20.00 EUR"]
    with start("ticketing") as elsewhere:
        accounts = {"shop": account_table(elsewhere, accept_risks=RISKS)}
        table = {"journal": f"sqlite:///{tmp_path / 'journal.db'}", "journal_keys": {"1": KEY}, "accounts": accounts}
        with Gateway.from_config(table) as moved:
            assert overwrites(moved, "shop") == {}
