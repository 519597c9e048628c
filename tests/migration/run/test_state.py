"""The tables of migrations: made by the scripts as they are declared, beside the journal's, and small in memory."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.masking import Secret
from voucher_gateway.migration import Action, Destination, End, Kind, PlanHeader, PlannedVoucher, RowState, Step
from voucher_gateway.migration.plan.voucher_text import read_voucher_text, voucher_text
from voucher_gateway.migration.run.load import load_vouchers
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.schema import SCHEMA
from voucher_gateway.provider_api import Money, Status
from voucher_gateway.storage.engine import Database

_KEYS = JournalKeys.of({"1": Secret("a-key-for-the-tests-of-journals")})
_AT = datetime(2026, 11, 20, 12, 0, 0, 123456, UTC)
_HEADER = PlanHeader(
    made_at=_AT,
    source=End(account="a", provider="jtl", host="here"),
    target=End(account="b", provider="ticketing", host="there"),
    steps=(Step.REREAD, Step.CREATE),
    retire="keep-frozen",
)


def planned(number: int) -> PlannedVoucher:
    money = Money("10.53", "EUR")
    return PlannedVoucher(
        number=number,
        source_id=f"voucher-{number}",
        code="••••1234",
        fingerprint="0" * 64,
        key_id="1",
        kind=Kind.PARTLY_USED,
        initial=Money("20.00", "EUR"),
        remaining=money,
        status=Status.ACTIVE,
        valid_until=_AT,
        action=Action.CARRY,
        losses=("pin", "sku"),
        destination=Destination(value=money, active=True, valid_until=_AT, drift=timedelta(microseconds=1)),
    )


def test_the_scripts_make_the_declared_tables(either_url: str) -> None:
    database = Database(either_url, JOURNAL)
    MigrationState(database, "f" * 64, _HEADER, _KEYS)
    with database.write() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": SCHEMA.version_table,
                "include_name": lambda name, kind, _: (
                    kind != "table" or str(name).startswith("voucher_gateway_migration_")
                ),
            },
        )
        assert compare_metadata(context, SCHEMA.metadata) == []
    database.close()
    config = Config()
    config.set_main_option("script_location", str(SCHEMA.scripts))
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA.head


def test_a_planned_voucher_comes_back_from_its_row_as_it_was() -> None:
    assert read_voucher_text(voucher_text(planned(7))) == planned(7)


def test_what_is_carried_is_loaded_only_once(either_url: str) -> None:
    database = Database(either_url, JOURNAL)
    state = MigrationState(database, "f" * 64, _HEADER, _KEYS)
    for _ in range(2):
        load_vouchers(state, [planned(1), planned(2), planned(4)])
    assert [row.number for row in state.rows(*RowState)] == [1, 2, 4]
    assert state.counts() == {(RowState.PLANNED, "EUR"): (3, Money("31.59", "EUR"))}
    database.close()


def test_a_loading_that_was_broken_off_is_gone_on_with(sqlite_url: str) -> None:
    def broken() -> Iterator[PlannedVoucher]:
        yield from map(planned, range(1, 1501))
        raise KeyboardInterrupt

    database = Database(sqlite_url, JOURNAL)
    state = MigrationState(database, "f" * 64, _HEADER, _KEYS)
    with pytest.raises(KeyboardInterrupt):
        load_vouchers(state, broken())
    load_vouchers(state, map(planned, range(1, 2001)))
    assert [row.number for row in state.rows(*RowState)] == list(range(1, 2001))
    database.close()


def test_a_voucher_is_claimed_by_one_only(either_url: str) -> None:
    one, other = Database(either_url, JOURNAL), Database(either_url, JOURNAL)
    states = [MigrationState(database, "f" * 64, _HEADER, _KEYS) for database in (one, other)]
    load_vouchers(states[0], map(planned, range(1, 51)))
    claimed = []
    for state in states * 4:
        claimed += [row.number for row in state.claim(8).rows]
    assert sorted(claimed) == list(range(1, 51))
    one.close()
    other.close()


def test_who_claims_while_another_claims_neither_waits_nor_gets_the_same(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Database(postgres_url, JOURNAL)) as one, closing(Database(postgres_url, JOURNAL)) as other:
        slow, quick = (MigrationState(database, "f" * 64, _HEADER, _KEYS) for database in (one, other))
        load_vouchers(slow, map(planned, range(1, 21)))
        chosen, go_on = threading.Event(), threading.Event()
        claim_moves = slow._claim_moves

        def dawdle(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
            chosen.set()
            assert go_on.wait(10)
            return claim_moves(connection, rows)

        monkeypatch.setattr(slow, "_claim_moves", dawdle)
        got: list[int] = []
        thread = threading.Thread(target=lambda: got.extend(row.number for row in slow.claim(8).rows))
        thread.start()
        assert chosen.wait(10)
        patience = threading.Timer(3, go_on.set)  # one that waits is to be told from one that hangs
        patience.start()
        theirs = [row.number for row in quick.claim(8).rows]
        waited = go_on.is_set()
        patience.cancel()
        go_on.set()
        thread.join()
    assert not waited
    assert (got, theirs) == (list(range(1, 9)), list(range(9, 17)))


def test_what_was_given_back_can_be_claimed_again(sqlite_url: str) -> None:
    database = Database(sqlite_url, JOURNAL)
    state = MigrationState(database, "f" * 64, _HEADER, _KEYS)
    load_vouchers(state, map(planned, range(1, 4)))
    first = state.claim(3).rows
    state.release(first[1:])
    again = state.claim(3).rows
    assert [(row.number, row.attempts) for row in again] == [(2, 1), (3, 1)]
    database.close()


def test_what_a_dead_process_had_claimed_is_claimed_again(
    either_url: str, at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    database = Database(either_url, JOURNAL)
    state = MigrationState(database, "f" * 64, _HEADER, _KEYS)
    load_vouchers(state, map(planned, range(1, 4)))

    def die() -> str:
        claimed = MigrationState(Database(either_url, JOURNAL), "f" * 64, _HEADER, _KEYS).claim(2)
        return str(len(claimed.rows))

    assert at_once(die, 1) == ["2"]
    assert [row.number for row in state.claim(9).rows] == [3]
    while not state.release_abandoned():  # PostgreSQL takes a moment to notice a death
        pass
    assert [(row.number, row.attempts) for row in state.claim(9).rows] == [(1, 2), (2, 2)]
    database.close()


@pytest.mark.long
def test_loading_keeps_no_plan_in_memory(sqlite_url: str) -> None:
    database = Database(sqlite_url, JOURNAL)

    def peak(plan_id: str, count: int) -> int:
        state = MigrationState(database, plan_id, _HEADER, _KEYS)
        tracemalloc.start()
        load_vouchers(state, map(planned, range(1, count + 1)))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak("0" * 64, 1000)
    assert peak("a" * 64, 6000) < 1.3 * peak("b" * 64, 2000)
    database.close()
