"""Events are read in an order in which none is left out, whenever its transaction commits."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.shop import Shop
from tests.support.threads import run_numbered_threads
from voucher_gateway import Event, EventKind, Money
from voucher_gateway.errors import InvalidRequest, OutcomeUnknown
from voucher_gateway.journal.events import reader
from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.event import EventPosition
from voucher_gateway.journal.events.reader import EventReader, read_end, read_events
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.schema import events
from voucher_gateway.storage.engine import Database

TEN = Money("10.00", "EUR")


@pytest.fixture
def postgres_shop(make_shop: Callable[..., Shop], postgres_url: str) -> Shop:
    return make_shop(postgres_url)


def append(journal: Journal, subject: str, connection: sa.Connection | None = None, **data: Any) -> None:
    """Append an event that means nothing."""
    if connection is not None:
        append_event(connection, journal.keys, EventKind.ACCOUNT_PAUSED, subject, data)
        return
    with journal.database.write() as transaction:
        append(journal, subject, transaction, **data)


def subjects_of(shop: Shop, **options: Any) -> list[str]:
    return [event.subject for event in shop.gateway.events(kinds=[EventKind.ACCOUNT_PAUSED], **options)]


def test_an_event_tells_what_happened(either_shop: Shop) -> None:
    id, code = either_shop.voucher()
    either_shop.redeem(code, reference="r-1", order="1001")

    started, succeeded = either_shop.gateway.events()

    assert (started.kind, succeeded.kind) == (EventKind.OPERATION_STARTED, EventKind.OPERATION_SUCCEEDED)
    record = next(either_shop.gateway.operations())
    assert (succeeded.subject, succeeded.account, succeeded.order) == (record.id, "shop", "1001")
    assert (succeeded.reference, succeeded.voucher_id, succeeded.money) == ("r-1", id, TEN)
    assert (succeeded.state, succeeded.data["verb"]) == ("succeeded", "redeem")
    assert succeeded.at >= started.at
    assert json.loads(json.dumps(succeeded.as_dict()))["amount"] == "10.00"


def test_a_cursor_goes_on_where_another_process_stopped(either_shop: Shop) -> None:
    _, code = either_shop.voucher()
    for number in range(4):
        either_shop.redeem(code, "1.00", reference=f"r-{number}")
    everything = list(either_shop.gateway.events())
    assert len(everything) == 8
    for number, event in enumerate(everything):
        rest = list(either_shop.another_gateway().events(after=event.cursor))
        assert rest == everything[number + 1 :]


def test_events_are_chosen_by_kind_order_and_number(either_shop: Shop) -> None:
    _, code = either_shop.voucher()
    either_shop.redeem(code, reference="r-1", order="1001")
    either_shop.redeem(code, reference="r-2", order="1002")
    gateway = either_shop.gateway
    assert [event.order for event in gateway.events(kinds=["operation.succeeded"])] == ["1001", "1002"]
    assert [str(event.kind) for event in gateway.events(order="1002")] == ["operation.started", "operation.succeeded"]
    assert [event.order for event in gateway.events(limit=3)] == ["1001", "1001", "1002"]
    assert list(gateway.events(limit=0)) == []


def test_more_events_than_a_page_are_read_page_by_page(either_shop: Shop) -> None:
    with either_shop.journal.database.write() as connection:
        for number in range(450):
            append(either_shop.journal, f"a-{number}", connection)
    assert subjects_of(either_shop) == [f"a-{number}" for number in range(450)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"after": "17"}, "after must be the cursor of an event"),
        ({"after": 17}, "after must be the cursor of an event"),
        ({"after": "0-99999999999999999999"}, "after must be the cursor of an event"),
        ({"kinds": ["operation.suceeded"]}, "'operation.suceeded' is not a kind of event"),
        ({"limit": -1}, "limit is 0 or more"),
    ],
)
def test_wrong_arguments_are_refused(either_shop: Shop, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        either_shop.gateway.events(**options)


def test_a_cursor_of_another_database_is_refused(either_shop: Shop) -> None:
    with pytest.raises(InvalidRequest, match="of an event of another database"):
        either_shop.gateway.events(after="999999999999-1")


def test_an_event_whose_transaction_commits_late_is_never_left_out(postgres_shop: Shop) -> None:
    journal, gateway = postgres_shop.journal, postgres_shop.gateway
    append(journal, "first")
    with journal.database.write() as late:
        append(journal, "late", late)  # it has the smaller id and is not committed yet
        append(journal, "early")  # on another connection, committed
        seen = [event.subject for event in gateway.events()]
        assert seen == ["first"]  # `early` waits, or `late` would be behind the reader
        cursor = list(gateway.events())[-1].cursor
    assert [event.subject for event in gateway.events(after=cursor)] == ["late", "early"]


def test_an_event_of_a_transaction_that_is_rolled_back_delays_nothing_afterwards(postgres_shop: Shop) -> None:
    journal = postgres_shop.journal
    append(journal, "first")
    with pytest.raises(RuntimeError), journal.database.write() as late:  # noqa: PT012 - the block is the transaction
        append(journal, "never", late)
        append(journal, "kept")
        assert subjects_of(postgres_shop) == ["first"]
        raise RuntimeError
    assert subjects_of(postgres_shop) == ["first", "kept"]


def test_a_reader_beside_many_writers_reads_each_event_once_and_in_order(either_shop: Shop) -> None:
    journal, writers, each = either_shop.journal, 6, 25
    is_over = threading.Event()
    seen: list[Event] = []

    def read() -> None:
        position = EventPosition()
        while True:
            was_over = is_over.is_set()
            batch = read_events(journal.database, position, limit=7)
            seen.extend(batch)
            if batch:
                position = EventPosition.parse(batch[-1].cursor)
            elif was_over:
                return

    def write(writer: int) -> None:
        for number in range(each):
            append(journal, f"{writer}", n=number)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        run_numbered_threads(writers, write)
    finally:
        is_over.set()
        reader.join()
    for writer in range(writers):
        assert [event.data["n"] for event in seen if event.subject == str(writer)] == list(range(each))
    assert len(seen) == writers * each


def test_events_of_a_restored_journal_come_before_those_of_its_new_server(postgres_shop: Shop) -> None:
    journal = postgres_shop.journal
    for name in ("old-1", "old-2", "old-3"):
        append(journal, name)
    with journal.database.write() as connection:
        connection.execute(sa.update(events).values(transaction_id=0))
    for name in ("new-1", "new-2"):
        append(journal, name)
    everything = ["old-1", "old-2", "old-3", "new-1", "new-2"]
    assert subjects_of(postgres_shop) == everything
    cursors = [event.cursor for event in postgres_shop.gateway.events()]
    for number, cursor in enumerate(cursors):
        assert subjects_of(postgres_shop, after=cursor) == everything[number + 1 :]
    assert [event.subject for event in read_events(journal.database, EventPosition(), limit=4)] == everything[:4]


def test_what_is_committed_from_now_on_comes_after_the_end(either_shop: Shop) -> None:
    journal = either_shop.journal
    append(journal, "before")
    end = read_end(journal.database)
    append(journal, "after")
    assert [event.subject for event in read_events(journal.database, end)] == ["after"]


def append_other(journal: Journal, count: int) -> None:
    """Append events of another kind."""
    with journal.database.write() as connection:
        for number in range(count):
            append_event(connection, journal.keys, EventKind.ACCOUNT_RESUMED, f"other-{number}", {})


@pytest.mark.parametrize("filters", [{"kinds": [EventKind.ACCOUNT_PAUSED]}, {"order": "1001"}])
def test_a_follower_reads_events_that_it_does_not_want_once(
    either_shop: Shop, monkeypatch: pytest.MonkeyPatch, filters: dict[str, Any]
) -> None:
    journal = either_shop.journal
    begins: list[EventPosition] = []

    def read_and_note(database: Database, after: EventPosition, **options: Any) -> list[Event]:
        begins.append(after)
        return read_events(database, after, **options)

    monkeypatch.setattr(reader, "read_events", read_and_note)
    append_other(journal, 3)
    events_of_kind = EventReader(journal.database, EventPosition(), **filters)
    for _ in range(3):
        assert events_of_kind.read() == []
    with journal.database.read() as connection:
        last = connection.scalar(sa.select(sa.func.max(events.c.id)))
    assert begins[0] == EventPosition()
    assert begins[1] == begins[2] == read_end(journal.database)
    assert begins[1].event_id >= last


def test_a_follower_of_one_kind_misses_no_event_whose_transaction_was_open(postgres_shop: Shop) -> None:
    journal = postgres_shop.journal
    append_other(journal, 1)  # the first event starts a chain, for which others would wait
    paused = EventReader(journal.database, EventPosition(), kinds=[EventKind.ACCOUNT_PAUSED])
    with journal.database.write() as early:
        append(journal, "early", early)
        run_numbered_threads(1, lambda _: append_other(journal, 3))
        run_numbered_threads(1, lambda _: append(journal, "late"))
        assert paused.read() == paused.read() == []
    assert [event.subject for event in paused.read()] == ["early", "late"]
    assert paused.read() == []
    append(journal, "last")
    assert [event.subject for event in paused.read(1)] == ["last"]


def test_a_reader_of_small_pages_gives_each_event_of_its_kind_once(either_shop: Shop) -> None:
    journal = either_shop.journal
    paused = EventReader(journal.database, EventPosition(), kinds=[EventKind.ACCOUNT_PAUSED])
    subjects: list[str] = []
    for number in range(6):
        append(journal, f"wanted-{number}")
        append_other(journal, number)
        if number % 2:
            subjects += [event.subject for event in paused.read(1)]
    while page := paused.read(2):
        subjects += [event.subject for event in page]
    assert subjects == [f"wanted-{number}" for number in range(6)]


def test_a_follower_waits_for_later_events(either_shop: Shop) -> None:
    journal = either_shop.journal
    append(journal, "first")
    follower = either_shop.gateway.events(follow=True)
    assert next(follower).subject == "first"
    later = threading.Timer(0.2, append, (journal, "second"))
    later.start()
    assert next(follower).subject == "second"
    later.join()


def test_an_erased_event_keeps_its_place(either_shop: Shop) -> None:
    append(either_shop.journal, "gone", account="shop", amount="1.00", currency="EUR")
    with either_shop.journal.database.write() as connection:
        connection.execute(sa.update(events).values(data=None, order_number=None, erased="proof"))
    (event,) = either_shop.gateway.events()
    assert (event.is_erased, event.data, event.money, event.account) == (True, {}, None, "gone")


def test_a_kind_of_a_later_version_is_read_as_it_is(either_shop: Shop) -> None:
    append(either_shop.journal, "x")
    with either_shop.journal.database.write() as connection:
        connection.execute(sa.update(events).values(kind="voucher.printed"))
    (event,) = either_shop.gateway.events()
    assert event.kind == "voucher.printed"


def test_no_event_holds_a_code(either_shop: Shop) -> None:
    _, code = either_shop.voucher()
    either_shop.redeem(code, reference="r-1")
    either_shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    with pytest.raises(OutcomeUnknown):
        either_shop.redeem(code, reference="r-2")
    told = json.dumps([event.as_dict() for event in either_shop.gateway.events()])
    assert code not in told
    assert repr(code) not in repr(list(either_shop.gateway.events()))
