"""Old vouchers and long histories, which a client must read to their end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import requests
from attrs import frozen

from tests.simulator.conftest import JarSimulator
from voucher_gateway.simulator import (
    Activity,
    ActivityLedger,
    Cursors,
    Reply,
    Request,
    Route,
    RunningSimulator,
    SimulatorOptions,
    past_instants,
    start,
)

NOW = datetime(2026, 11, 29, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("count", [0, 1, 2, 250])
def test_instants_are_different_and_reach_back_exactly_so_far(count: int) -> None:
    instants = past_instants(Random(1), NOW, count, years=2)
    assert len(set(instants)) == count
    assert instants == sorted(instants)
    assert instants[:1] == [NOW.replace(microsecond=0) - timedelta(days=730)][:count]
    assert all(instant < NOW and not instant.microsecond for instant in instants)
    assert instants == past_instants(Random(1), NOW, count, years=2)


@pytest.mark.parametrize("count", [-1, 86401 * 365])
def test_a_count_that_cannot_be_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="instants"):
        past_instants(Random(1), NOW, count, years=1)


def test_a_vendor_without_long_histories_says_so() -> None:
    with pytest.raises(ValueError, match="jar has no seed_history"):
        start(JarSimulator, history=5)


@pytest.mark.parametrize("vendor", ["jtl", "ticketing"])
@pytest.mark.parametrize("count", [1, 250])
def test_our_vendors_have_a_voucher_of_three_years_ago(vendor: str, count: int, tmp_path: Path) -> None:
    with start(vendor, vouchers=2, history=count, seed=1, state=tmp_path / "state.json") as running:
        *_, old = running.ledger()
        assert len(running.ledger()) == 3
        assert len(old["movements"]) == count
        assert float(old["remaining"]) > 0
        first = datetime.fromisoformat(old["movements"][0]["at"])
        assert first < running.clock.now()
        assert count == 1 or running.clock.now() - first > timedelta(days=1000)
    with start(vendor, history=count, state=tmp_path / "state.json") as again:
        assert again.ledger()[-1] == old
        assert len(again.ledger()) == 3


@frozen
class _Card:
    id: str = "gftc:1"
    code: str = "7783320001000001"


class HistorySimulator(JarSimulator):
    """Square's list of activities: 50 on a page, the newest first, of the last year unless `begin_time` is sent."""

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self.activities = ActivityLedger()

    def routes(self) -> Sequence[Route]:
        return [Route("GET", "/v2/gift-cards/activities", self.list_activities, look_up=True)]

    def seed_history(self, count: int) -> None:
        sold, *moments = past_instants(self.random, self.clock.now(), count)
        self._add("ACTIVATE", 100_000, sold)
        for moment in moments:
            self._add("REDEEM", -1, moment)

    def _add(self, kind: str, amount: int, at: datetime) -> None:
        number = len(self.activities)
        self.activities.add(Activity(id=f"gcact_{number:04d}", voucher_id="gftc:1", kind=kind, amount=amount, at=at))

    def list_activities(self, request: Request) -> Reply:
        query = request.query
        year_ago = self.clock.now() - timedelta(days=365)
        begin = datetime.fromisoformat(query["begin_time"]) if "begin_time" in query else year_ago
        page = Cursors().page(
            [activity for activity in self.activities.of(query["gift_card_id"]) if activity.at >= begin],
            sort_key=lambda activity: (activity.at, activity.id),
            limit=min(int(query.get("limit", "50")), 100),
            cursor=query.get("cursor"),
            query=[query["gift_card_id"], query.get("begin_time")],
            newest_first=True,
        )
        shown = [{"id": activity.id, "type": activity.kind} for activity in page.entries]
        return Reply(200, {"gift_card_activities": shown} | ({"cursor": page.cursor} if page.cursor else {}))

    def ledger(self) -> list[dict[str, object]]:
        return [self.activities.ledger_voucher(_Card(), currency="EUR", status="ACTIVE").to_json()]


def _read_history(running: RunningSimulator, session: requests.Session, **query: str) -> list[dict[str, Any]]:
    url = running.announcement["base_url"] + "/v2/gift-cards/activities"
    activities: list[dict[str, Any]] = []
    while True:
        page = session.get(url, params={"gift_card_id": "gftc:1", **query}, timeout=5).json()
        activities += page["gift_card_activities"]
        if "cursor" not in page:
            return activities
        query["cursor"] = page["cursor"]


def test_square_hides_what_is_older_than_a_year_unless_it_is_asked_for(session: requests.Session) -> None:
    with start(HistorySimulator, history=250, seed=1, start=datetime(2024, 2, 29, 12, tzinfo=UTC)) as running:
        (true,) = running.ledger()
        assert running.clock.now().year == 2024
        assert (true["initial"], true["remaining"]) == ("1000.00", "997.51")
        last_year = _read_history(running, session)
        everything = _read_history(running, session, begin_time="2000-01-01T00:00:00+00:00")
        assert 50 < len(last_year) < 150
        assert [one["id"] for one in everything] == [one["id"] for one in reversed(true["movements"])]
        assert everything[: len(last_year)] == last_year
        assert running.crashes == []
