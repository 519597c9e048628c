"""What the simulated Square shows of its ledger: one card, and the two lists with their default windows and pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from voucher_gateway.simulator import Activity, Cursors, InvalidCursor, Reply, Request, VirtualClock
from voucher_gateway_square.simulator.activities import TYPES
from voucher_gateway_square.simulator.ledger import CardLedger, StoredCard
from voucher_gateway_square.simulator.responses import refusal, show_activity, show_card
from voucher_gateway_square.simulator.validation import read_choice, read_instant, read_limit

STATES: Final = ("ACTIVE", "DEACTIVATED", "BLOCKED", "PENDING")
KINDS: Final = ("PHYSICAL", "DIGITAL")

_YEAR: Final = timedelta(days=365)


class LedgerViews:
    """The readings of a ledger.

    Args:
        ledger: the cards and activities.
        clock: the simulator's.
        pending_lowers_balance: whether a card shows its value less what pending redemptions hold.
    """

    def __init__(self, ledger: CardLedger, clock: VirtualClock, *, pending_lowers_balance: bool) -> None:
        self._ledger = ledger
        self._clock = clock
        self._pending_lowers_balance = pending_lowers_balance
        self._cursors = Cursors()

    def show_card(self, card: StoredCard) -> dict[str, object]:
        """Return a card as the API shows it."""
        lowered = self._pending_lowers_balance
        return show_card(card, self._ledger.spendable(card) if lowered else self._ledger.balance(card))

    def list_cards(self, request: Request) -> Reply:
        """Return a page of cards, oldest first."""
        query = {
            "type": read_choice(request, "type", KINDS),
            "state": read_choice(request, "state", STATES),
            "customer_id": request.query.get("customer_id"),
        }
        cards = [
            card
            for card in self._ledger.cards
            if query["type"] in (None, card.type)
            and query["state"] in (None, card.state)
            and (query["customer_id"] is None or query["customer_id"] in card.customer_ids)
        ]
        return self._page(request, "gift_cards", cards, query, default=30, most=200)

    def list_activities(self, request: Request) -> Reply:
        """Return a page of activities: those of one year, and newest first, unless the request says otherwise."""
        newest_first = read_choice(request, "sort_order", ("ASC", "DESC")) != "ASC"
        begin, end = read_instant(request, "begin_time"), read_instant(request, "end_time")
        query = {
            "gift_card_id": request.query.get("gift_card_id"),
            "type": read_choice(request, "type", TYPES),
            "location_id": request.query.get("location_id"),
            "begin_time": str(begin),
            "end_time": str(end),
        }
        now = self._clock.now()
        begin, end = begin or now - _YEAR, end or now
        if begin > end:
            raise refusal("INVALID_TIME_RANGE", "begin_time is after end_time.", "begin_time")
        activities = [
            activity
            for activity in self._ledger.activities
            if query["gift_card_id"] in (None, activity.voucher_id)
            and query["type"] in (None, activity.kind)
            and query["location_id"] in (None, activity.details["location_id"])
            and begin <= activity.at <= end
        ]
        return self._page(
            request, "gift_card_activities", activities, query, default=50, most=100, newest_first=newest_first
        )

    def _page(
        self,
        request: Request,
        name: str,
        entries: list[Any],
        query: dict[str, str | None],
        *,
        default: int,
        most: int,
        newest_first: bool = False,
    ) -> Reply:
        try:
            page = self._cursors.page(
                entries,
                sort_key=_position,
                limit=read_limit(request, default, most),
                cursor=request.query.get("cursor"),
                query={"list": name, **query},
                newest_first=newest_first,
            )
        except InvalidCursor:
            raise refusal("INVALID_CURSOR", "The cursor does not belong to this query.", "cursor") from None
        # The last page has no cursor, and an empty one no list (schema).
        body: dict[str, object] = {} if page.cursor is None else {"cursor": page.cursor}
        return Reply(200, {name: [self._show(entry) for entry in page.entries], **body} if page.entries else body)

    def _show(self, entry: StoredCard | Activity) -> dict[str, object]:
        if isinstance(entry, StoredCard):
            return self.show_card(entry)
        card = self._ledger.cards.get(entry.voucher_id)
        assert card is not None, "cards are never removed"
        return show_activity(card, entry)


def _position(entry: StoredCard | Activity) -> tuple[datetime, str]:
    return (entry.created_at if isinstance(entry, StoredCard) else entry.at), entry.id
