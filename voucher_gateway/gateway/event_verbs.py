"""The verbs of a gateway that read the events of the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from voucher_gateway.errors import InvalidRequest
from voucher_gateway.gateway.base import GatewayBase
from voucher_gateway.models.requests import nfc

if TYPE_CHECKING:
    # A journal needs SQLAlchemy, which takes longer to import than everything else. What needs it is imported late.
    from voucher_gateway.journal.events.event import Event
    from voucher_gateway.journal.events.feed import EventFeed, FeedStart
    from voucher_gateway.journal.events.kinds import EventKind
    from voucher_gateway.journal.events.reader import EventReader
    from voucher_gateway.journal.journal import Journal


class EventVerbs(GatewayBase):
    """The verbs that read the events of the journal."""

    def events(
        self,
        *,
        after: str | None = None,
        kinds: Iterable[EventKind | str] = (),
        order: str | None = None,
        limit: int | None = None,
        follow: bool = False,
    ) -> Iterator[Event]:
        """Iterate over what happened, the oldest first: to operations, payments, sales, accounts and the journal.

        An event is written in the same commit as the change that it tells of. The events of one operation, payment or
        sale come in the order of their commits. None is left out: an event is given when all transactions that began
        before it have ended.

        Args:
            after: the cursor of the last event that you have; None for all events.
            kinds: only events of these kinds, such as ``operation.succeeded``; all if none is named.
            order: only events of this order of the shop.
            limit: at most this many.
            follow: whether to wait for later events at the end. The iterator then has no end.

        Raises:
            InvalidRequest: if `after` is not a cursor of this journal, or a kind does not exist.
            ConfigurationError: without a journal.

        Example:
            ```python
            gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1", order="1001")
            for event in gateway.events(order="1001", kinds=["operation.succeeded"]):
                print(event.reference, event.money)  # 1001-card-1 10.00 EUR
            ```
        """
        from voucher_gateway.journal.events.feed import check_limit
        from voucher_gateway.journal.events.reader import iterate_events

        check_limit(limit)
        reader = open_reader(self._require_journal().journal, after=after, kinds=kinds, order=order)
        return iterate_events(reader, limit=limit, follow=follow)

    def event_feed(
        self, name: str, *, kinds: Iterable[EventKind | str] = (), start: FeedStart = "beginning", wait: float = 0.0
    ) -> EventFeed:
        """Return the events that a consumer has not handled yet. The database keeps its place under its name.

        Args:
            name: the name of the consumer, such as ``warehouse``: letters, digits and ``_ . -``. It is
                stored in plain text: never put a code into it.
            kinds: only events of these kinds; all if none is named.
            start: where a name begins that was never used: at the ``beginning``, or ``now``, after all that has
                happened so far.
            wait: how long to wait, in seconds, if another worker has the feed open.

        Raises:
            InvalidRequest: if the name cannot be one, or a kind does not exist.
            ConfigurationError: without a journal.

        Example:
            ```python
            gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1", order="1001")
            with gateway.event_feed("warehouse", kinds=["operation.succeeded"]) as feed:
                for event in feed:
                    print(event.order)  # 1001
                    feed.commit()
            ```
        """
        journal = self._require_journal().journal
        from voucher_gateway.journal.events.feed import EventFeed

        return EventFeed(journal.database, journal.keys, name, kinds=_check_kinds(kinds), start=start, wait=wait)


def open_reader(
    journal: Journal, *, after: str | None, kinds: Iterable[EventKind | str], order: str | None
) -> EventReader:
    """Return what reads the events of `Gateway.events`, a page at a time.

    Raises:
        InvalidRequest: as `Gateway.events`.
    """
    from voucher_gateway.journal.events.event import EventPosition
    from voucher_gateway.journal.events.reader import EventReader, check_position

    position = EventPosition() if after is None else EventPosition.parse(after)
    check_position(journal.database, position)
    order = None if order is None else nfc(order)
    return EventReader(journal.database, position, kinds=_check_kinds(kinds), order=order)


def _check_kinds(kinds: Iterable[EventKind | str]) -> frozenset[str]:
    from voucher_gateway.journal.events.kinds import EventKind

    given = frozenset(map(str, [kinds] if isinstance(kinds, str) else kinds))
    if unknown := sorted(given - set(EventKind)):
        raise InvalidRequest(
            f"{unknown[0]!r:.40} is not a kind of event; expected one of {', '.join(EventKind)}",
            field="kinds",
            rule="kinds of events",
        )
    return given
