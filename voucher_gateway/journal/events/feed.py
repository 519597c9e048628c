"""A named consumer of events: its place is in the database, and one worker at a time reads for it."""

from __future__ import annotations

import inspect
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from typing import Any, Final, Literal, Self, TypeAlias

import sqlalchemy as sa

from voucher_gateway.errors import InvalidRequest, OperationInProgress
from voucher_gateway.instants import format_micros, now
from voucher_gateway.journal.events.event import Event, EventPosition
from voucher_gateway.journal.events.reader import PAGE, POLL_S, read_end, read_events
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.keys.row_seals import CURSORS
from voucher_gateway.journal.schema import cursors
from voucher_gateway.limits.call_deadline import check_wait
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.storage.engine import Database

log: Final = get_logger("voucher_gateway.events")

FeedStart: TypeAlias = Literal["beginning", "now"]
"""Where a feed begins that has never been read: at the first event, or after all that have happened so far."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_OF_NAME: Final = sa.select(cursors).where(cursors.c.name == sa.bindparam("feed"))


class EventFeed:
    """The events that one consumer has not handled yet, in order. `Gateway.event_feed` returns it.

        with gateway.event_feed("warehouse") as feed:
            for event in feed:
                handle(event)
                feed.commit()

    `deliver` does the same. What is not committed comes again: after a crash, the next worker begins with the event
    that was not committed. So each event is handled at least once, and a handler must bear that an event comes twice.
    While the feed is open, no other worker reads under its name.

    Args:
        database: the journal's.
        keys: the journal's, which seal its place.
        name: the name of the consumer: letters, digits and ``_ . -``, at most 64.
        kinds: only events of these kinds; all if none is named.
        start: where it begins if it has never been read.
        wait: how long to wait, in seconds, if another worker has the feed open.

    Raises:
        InvalidRequest: if the name cannot be one.
    """

    def __init__(
        self,
        database: Database,
        keys: JournalKeys,
        name: str,
        *,
        kinds: Collection[str] = (),
        start: FeedStart = "beginning",
        wait: float = 0.0,
    ) -> None:
        if not _is_name(name):
            rule = "letters, digits and _ . - (64 at most, a letter or digit first)"
            raise InvalidRequest(f"the name of a feed must be {rule}", field="name", rule=rule)
        if start not in ("beginning", "now"):
            raise InvalidRequest("start must be beginning or now", field="start", rule="beginning or now")
        self._database = database
        self._keys = keys
        self._name = name
        self._kinds = frozenset(kinds)
        self._start: FeedStart = start
        self._wait_s = check_wait(wait)
        self._guard = threading.RLock()
        self._closings = 0
        self._lock: AbstractContextManager[None] | None = None
        self._committed = self._position = EventPosition()

    def __repr__(self) -> str:
        return f"EventFeed({self._name!r})"

    @property
    def name(self) -> str:
        """The name of the consumer."""
        return self._name

    def open(self) -> Self:
        """Take the feed, so that no other worker reads under its name. A ``with`` block does it at its begin.

        Raises:
            OperationInProgress: if another worker has it open.
        """
        with self._guard:
            if self._lock is not None:
                return self
            closings = self._closings
        lock = self._database.locks.hold(f"event feed {self._name}", wait_s=self._wait_s)
        try:
            lock.__enter__()
        except OperationInProgress:
            raise OperationInProgress(
                f"another worker reads the feed {self._name}: one at a time can do that"
            ) from None
        try:
            with self._guard:
                if closings != self._closings:  # by another thread, while this one waited
                    raise OperationInProgress(f"the feed {self._name} was closed")
                self._committed = self._position = self._read_cursor()
                self._lock = lock
        except BaseException:
            lock.__exit__(None, None, None)
            raise
        return self

    def close(self) -> None:
        """Give the feed back. What is not committed comes again. A ``with`` block does it at its end."""
        with self._guard:
            self._closings += 1
            lock, self._lock = self._lock, None
            if lock is not None:
                lock.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        """Iterate over the events that are there now, from the first one that this object has not given yet."""
        while events := self.read():
            for event in events:
                self.pass_by(event)
                yield event

    def pass_by(self, event: Event) -> None:
        """Go on after an event with the next read. It comes again for another worker unless it is committed."""
        self._position = EventPosition.parse(event.cursor)

    def read(self) -> list[Event]:
        """Return the next events, some hundred at most; an empty list at the end.

        Raises:
            InvalidRequest: if the feed is not open.
        """
        with self._guard:
            self._require_open()
            while True:
                events = read_events(self._database, self._position)
                wanted = [event for event in events if not self._kinds or event.kind in self._kinds]
                if wanted or len(events) < PAGE:
                    if events and not wanted:
                        self._skip(events[-1])
                    return wanted
                self._skip(events[-1])

    def commit(self, event: Event | None = None) -> None:
        """Record that an event and all before it are handled.

        Args:
            event: the event; None for the last one that an iteration has given.

        Raises:
            OperationInProgress: if another worker has read under this name since, because this one had lost its
                connection to the database. The event may be handled twice.
            InvalidRequest: if the feed is not open.
        """
        with self._guard:
            self._require_open()
            self._move_to(self._position if event is None else EventPosition.parse(event.cursor))

    def wait(self) -> None:
        """Wait as long as a follower waits before it looks for later events."""
        time.sleep(POLL_S)

    def deliver(self, handler: Callable[[Event], object], *, limit: int | None = None, follow: bool = False) -> int:
        """Call a function with each event, and commit after each call. It opens the feed, and closes it at the end.

        An error of the function ends it, and the event comes again.

        Args:
            handler: the function, such as one that gives the event to a task queue.
            limit: at most this many events.
            follow: whether to wait for later events at the end, without an end.

        Returns:
            how many events were delivered.

        Raises:
            InvalidRequest: if the limit is below zero, or the function is a coroutine function: nothing would await it.
            OperationInProgress: if another worker has the feed open.
        """
        check_limit(limit)
        was_open = self._lock is not None
        self.open()
        count = 0
        try:
            while count != limit:
                events = self.read()
                for event in events[: None if limit is None else limit - count]:
                    _require_done(handler(event))
                    self.commit(event)
                    count += 1
                if events:
                    continue
                if not follow:
                    break
                self.wait()
            return count
        finally:
            if not was_open:
                self.close()

    def _require_open(self) -> None:
        if self._lock is None:
            raise InvalidRequest("the feed is not open: use it in a with block", field="feed", rule="open")

    def _skip(self, event: Event) -> None:
        """Move on over events of other kinds; the place is recorded as well if all before is committed."""
        is_committed = self._position == self._committed
        self._position = EventPosition.parse(event.cursor)
        if is_committed:
            self._move_to(self._position)

    def _read_cursor(self) -> EventPosition:
        with self._database.read() as connection:
            row = connection.execute(_OF_NAME, {"feed": self._name}).mappings().first()
        if row is not None:
            return EventPosition(row["transaction_id"], row["event_id"])
        position = EventPosition() if self._start == "beginning" else read_end(self._database)
        with self._database.write() as connection:
            connection.execute(sa.insert(cursors), self._row(position))
            CURSORS.add_to_count(connection, self._keys, 1)
        log.info("the feed %s begins at %s", self._name, position)
        return position

    def _row(self, position: EventPosition) -> dict[str, Any]:
        row = {
            "name": self._name,
            "transaction_id": position.transaction_id,
            "event_id": position.event_id,
            "updated_at": format_micros(now()),
        }
        return CURSORS.seal_row(self._keys, row)

    def _move_to(self, position: EventPosition) -> None:
        if position <= self._committed:
            return
        known = self._committed
        is_ours = (
            (cursors.c.name == self._name)
            & (cursors.c.transaction_id == known.transaction_id)
            & (cursors.c.event_id == known.event_id)
        )
        with self._database.write() as connection:
            moved = connection.execute(sa.update(cursors).where(is_ours).values(self._row(position)))
        if moved.rowcount != 1:
            raise OperationInProgress(
                f"another worker has read the feed {self._name} since: its events may be handled twice"
            )
        self._committed = position
        self._position = max(self._position, position)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def check_limit(limit: object) -> None:
    """Check how many events are asked for at most.

    Raises:
        InvalidRequest: if it is not a whole number from zero on, or None.
    """
    if limit is not None and (not isinstance(limit, int) or limit < 0):
        raise InvalidRequest("limit is 0 or more, or None for all", field="limit", rule="0 or more")


def _require_done(result: object) -> None:
    """Check that a function has handled its event. A coroutine has not even begun, so its event must come again."""
    if inspect.iscoroutine(result):
        result.close()
        raise InvalidRequest(
            "the function is a coroutine function, which this feed cannot await: use AsyncGateway.event_feed",
            field="handler",
            rule="a function that returns when the event is handled",
        )
