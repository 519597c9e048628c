"""The ledger adds up: the database refuses whatever would not, and random lives of vouchers end in the right sums."""

from __future__ import annotations

import itertools
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any, Final

import psycopg
import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import make_url

from tests.providers.local.conftest import KEY, Clock, MakeTill, Till, eur
from tests.support.examples import examples
from tests.support.schemas import table_differences
from voucher_gateway.provider_api import Declined, InvalidRequest, NewVoucher, Redemption, Reservation
from voucher_gateway_local import LocalProvider, LocalSettings
from voucher_gateway_local.tables import VOUCHERS, vouchers

COLUMNS: Final = (
    "voucher, seq, kind, before, amount, after, held_before, held_amount, held,"
    " previous, subject, reference, ends_at, at"
)


def row(seq: int, kind: str, value: tuple[int, int, int], held: tuple[int, int, int] = (0, 0, 0), **more: Any) -> str:
    """Return an INSERT of an entry of voucher 1."""
    given: dict[str, Any] = {"previous": seq - 1, "subject": None, "reference": None, "ends_at": None, **more}
    numbers = [given.get("voucher", 1), seq, f"'{kind}'", *value, *held, given["previous"], given["subject"]]
    texts = [None if given[name] is None else f"'{given[name]}'" for name in ("reference", "ends_at")]
    values = ", ".join("NULL" if one is None else str(one) for one in [*numbers, *texts])
    return f"INSERT INTO local_entries ({COLUMNS}) VALUES ({values}, '2026-01-01T00:00:00.000000Z')"


@pytest.fixture
def broken_into(either_till: Till) -> Callable[[str], None]:
    """Runs a statement past the provider, on voucher 1: 50.00, of which 10.00 were redeemed and 5.00 are set aside."""
    code = either_till.code("50.00")
    either_till.redeem(code, "10.00")
    either_till.reserve(code, "5.00")
    database = either_till.provider._open().database

    engine = sa.create_engine(database._url, poolclass=sa.pool.NullPool)

    def run(statement: str) -> None:
        with engine.begin() as connection:
            if database.is_sqlite:
                connection.exec_driver_sql("PRAGMA foreign_keys=ON")
            connection.exec_driver_sql(statement)

    return run


SOUND: Final = row(4, "redeem", (4000, -100, 3900), (500, 0, 500))
WRONG: Final = {
    "a sum that is wrong": row(4, "redeem", (4000, -100, 3950), (500, 0, 500)),
    "a beginning that is not the end before": row(4, "top_up", (5000, 100, 5100), (500, 0, 500)),
    "a beginning of held value that is not the end before": row(4, "top_up", (4000, 100, 4100), (0, 0, 0)),
    "a gap": row(5, "redeem", (4000, -100, 3900), (500, 0, 500)),
    "a chain with two ends": row(4, "redeem", (5000, -100, 4900), previous=1),
    "an entry that stands twice": row(3, "redeem", (4000, -100, 3900), (0, 0, 0), previous=2),
    "another beginning": row(1, "issue", (0, 100, 100), previous=None),
    "an entry without one before": row(4, "redeem", (4000, -100, 3900), (500, 0, 500), previous=None),
    "value below zero": row(4, "redeem", (4000, -4001, -1), (500, 0, 500)),
    "less value than is set aside": row(4, "redeem", (4000, -3501, 499), (500, 0, 500)),
    "more set aside than there is": row(4, "reserve", (4000, 0, 4000), (500, 3501, 4001), ends_at="2027"),
    "held value below zero": row(4, "release", (4000, 0, 4000), (500, -501, -1), subject=3),
    "a redemption that adds": row(4, "redeem", (4000, 100, 4100), (500, 0, 500)),
    "a refund of nothing in particular": row(4, "refund", (4000, 100, 4100), (500, 0, 500)),
    "a refund of what is not there": row(4, "refund", (4000, 100, 4100), (500, 0, 500), subject=9),
    "a capture of more than it frees": row(4, "capture", (4000, -600, 3400), (500, -500, 0), subject=3),
    "a kind that there is not": row(4, "gift", (4000, 100, 4100), (500, 0, 500)),
    "an entry of no voucher": row(1, "issue", (0, 100, 100), previous=None, voucher=7),
    "value beyond what can be kept": row(4, "top_up", (4000, 10**17, 10**17 + 4000), (500, 0, 500)),
    "another amount in the last entry": "UPDATE local_entries SET amount = -1, after = 4999 WHERE seq = 2",
    "another reference": "UPDATE local_entries SET reference = 'x'",
    "an entry taken away": "DELETE FROM local_entries WHERE seq = 3",
    "a voucher taken away": "DELETE FROM local_vouchers",
    "a refund of more than was taken": row(4, "refund", (4000, 1001, 5001), (500, 0, 500), subject=2),
    "a refund of an issue": row(4, "refund", (4000, 100, 4100), (500, 0, 500), subject=1),
    "a release of more than was set aside": row(4, "release", (4000, 0, 4000), (500, -400, 100), subject=3),
    "a release of what was taken": row(4, "release", (4000, 0, 4000), (500, -500, 0), subject=2),
    "a top-up about an entry": row(4, "top_up", (4000, 100, 4100), (500, 0, 500), subject=2),
    "a reservation of nothing": "INSERT INTO local_holds VALUES (1, 9, 5, '2027')",
    "a reservation of what was taken": "INSERT INTO local_holds VALUES (1, 2, 1000, '2027')",
    "another amount of an open reservation": "UPDATE local_holds SET amount = 1",
    "an open reservation taken away": "DELETE FROM local_holds",
    "another currency": "UPDATE local_vouchers SET currency = 'JPY'",
    "a status that there is not": "UPDATE local_vouchers SET status = 'spent'",
}


def test_the_database_refuses_what_does_not_add_up(either_till: Till, broken_into: Callable[[str], None]) -> None:
    tables = ("local_entries", "local_vouchers", "local_holds")
    before = [either_till.rows(table) for table in tables]
    for what, statement in WRONG.items():
        try:
            broken_into(statement)
        except sa.exc.IntegrityError:
            assert [either_till.rows(table) for table in tables] == before, what
        else:
            pytest.fail(f"the database takes {what}")


def test_refunds_in_parts_never_exceed_what_was_taken(either_till: Till, broken_into: Callable[[str], None]) -> None:
    broken_into(row(4, "refund", (4000, 600, 4600), (500, 0, 500), subject=2))
    with pytest.raises(sa.exc.IntegrityError, match="cover it"):
        broken_into(row(5, "refund", (4600, 401, 5001), (500, 0, 500), subject=2))
    broken_into(row(5, "refund", (4600, 400, 5000), (500, 0, 500), subject=2))
    (shown,) = either_till.provider.vouchers()
    assert shown.remaining == eur("50.00")


def test_a_reservation_that_was_ended_is_not_opened_again(
    either_till: Till, broken_into: Callable[[str], None]
) -> None:
    (hold,) = either_till.rows("local_holds")
    again = f"INSERT INTO local_holds VALUES (1, 3, 500, '{hold['ends_at']}')"
    broken_into(row(4, "release", (4000, 0, 4000), (500, -500, 0), subject=3))
    broken_into("DELETE FROM local_holds")
    with pytest.raises(sa.exc.IntegrityError, match="as its entry says"):
        broken_into(again)


def test_another_program_needs_not_have_the_tables_in_its_path(make_till: MakeTill, postgres_url: str) -> None:
    till = make_till(postgres_url)
    till.redeem(till.code("50.00"), "10.00")
    refund = row(3, "refund", (4000, 100, 4100), subject=2).replace("local_entries", "public.local_entries")
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SET search_path = pg_catalog")
        other.execute(refund)
    assert till.rows("local_entries")[-1]["kind"] == "refund"


def test_an_entry_that_adds_up_is_taken_whoever_writes_it(
    either_till: Till, broken_into: Callable[[str], None]
) -> None:
    """Or the refusals above would prove nothing; and the voucher's worth follows, as it stands nowhere else."""
    broken_into(SOUND)
    (shown,) = either_till.provider.vouchers()
    assert shown.remaining == eur("39.00")


def test_a_reservation_ends_once_and_a_reference_makes_one_entry(
    either_till: Till, broken_into: Callable[[str], None]
) -> None:
    broken_into(row(4, "release", (4000, 0, 4000), (500, -500, 0), subject=3))
    broken_into(row(5, "reserve", (4000, 0, 4000), (0, 500, 500), ends_at="2027", reference="taken"))
    for again in (
        row(6, "lapse", (4000, 0, 4000), (500, -500, 0), subject=3),
        row(6, "reserve", (4000, 0, 4000), (500, 500, 1000), ends_at="2027", reference="taken"),
    ):
        with pytest.raises(sa.exc.IntegrityError):
            broken_into(again)


@pytest.mark.parametrize(
    "statement",
    [
        row(2, "redeem", (5000, -1, 4999)),
        row(5, "redeem", (4000, -1, 3999), reference="taken"),
        row(5, "lapse", (4000, 0, 4000), (500, -500, 0), subject=3),
    ],
    ids=["by its place", "by its reference", "by the reservation that it ends"],
)
def test_sqlite_does_not_let_an_entry_be_replaced_either(till: Till, statement: str) -> None:
    code, other = till.code("50.00"), till.code("50.00")
    till.redeem(other, "10.00", reference="taken")
    till.redeem(code, "10.00")
    reservation = till.reserve(code, "5.00")
    till.provider.release(reservation, reference="freed")
    entries = till.rows("local_entries")
    assert in_sqlite(till, statement.replace("INSERT", "INSERT OR REPLACE")) == "entries are never changed or removed"
    assert till.rows("local_entries") == entries


def test_sqlite_does_not_let_a_voucher_be_replaced_or_removed(till: Till) -> None:
    till.issue()
    same = f"INSERT OR REPLACE INTO local_vouchers SELECT {', '.join(columns_but_currency())} FROM local_vouchers"
    for statement in (same, "DELETE FROM local_vouchers"):
        assert in_sqlite(till, statement) == "a voucher stays, with its number and currency"


def test_sqlite_keeps_the_chain_even_for_a_program_that_does_not_ask_for_it(till: Till) -> None:
    """Its foreign keys are checked for whoever says so; the shell, for one, does not."""
    till.redeem(till.code("50.00"), "10.00")
    for statement in (row(3, "top_up", (5000, 100, 5100)), row(1, "issue", (0, 100, 100), previous=None, voucher=7)):
        assert in_sqlite(till, statement) == "an entry begins where the one before it ended"


@pytest.mark.parametrize("amount", ["-0.5", "'abc'", "x'31'"])
def test_sqlite_takes_whole_cents_only(till: Till, amount: str) -> None:
    till.issue("50.00")
    statement = row(2, "redeem", (5000, -1, 4999)).replace("-1, 4999", f"{amount}, 5000 + {amount}")
    assert "CHECK constraint failed: ck_local_entries_" in in_sqlite(till, statement)


def in_sqlite(till: Till, statement: str) -> str:
    """Run a statement as a program that sets nothing up, and return why it was refused."""
    with closing(sqlite3.connect(make_url(till.url).database or "")) as connection:
        with pytest.raises(sqlite3.IntegrityError) as caught:
            connection.execute(statement)
        return str(caught.value)


def columns_but_currency() -> list[str]:
    return ["'JPY'" if column.name == "currency" else column.name for column in vouchers.c]


def test_the_scripts_make_the_tables_that_the_code_expects(either_till: Till) -> None:
    database = either_till.provider._open().database
    with database.write() as connection:
        assert table_differences(connection, VOUCHERS) == []
    config = Config()
    config.set_main_option("script_location", str(VOUCHERS.scripts))
    assert ScriptDirectory.from_config(config).get_current_head() == VOUCHERS.head


# --- random lives ---

_cents = st.integers(1, 2000).map(lambda cents: f"{cents // 100}.{cents % 100:02}")


class Lives(RuleBasedStateMachine):
    """Vouchers that are issued, spent, set aside and given back at random, beside a plain model of what is left."""

    vouchers: Bundle[str] = Bundle("vouchers")
    held: Bundle[Reservation] = Bundle("held")
    taken: Bundle[Redemption] = Bundle("taken")
    url = ""
    numbers = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.stack = ExitStack()
        given = LocalSettings(url=self.url, key=KEY)
        self.own = self.stack.enter_context(LocalProvider("own", given, clock=self.clock))
        self.left: dict[str, int] = {}
        self.aside: dict[str, tuple[str, int, Any]] = {}
        self.back: defaultdict[str, int] = defaultdict(int)

    def teardown(self) -> None:
        self.stack.close()

    def reference(self) -> str:
        return f"life-{next(self.numbers)}"

    def free(self, code: str) -> int:
        until = self.clock.now
        return self.left[code] - sum(cents for of, cents, ends in self.aside.values() if of == code and ends > until)

    def tried(self, fits: bool, call: Callable[[], Any]) -> Any:
        """Make a call that the model says to fit or not, and hold the provider to it."""
        try:
            done = call()
        except (Declined, InvalidRequest):
            assert not fits
            return None
        assert fits
        return done

    @rule(target=vouchers, amount=_cents)
    def issue(self, amount: str) -> str:
        code = f"LIFE-{next(self.numbers)}"
        new = NewVoucher(initial=eur(amount), code=code, active=True)
        self.own.issue(new, reference=self.reference())
        self.left[code] = eur(amount).minor
        return code

    @rule(target=taken, code=vouchers, amount=_cents)
    def redeem(self, code: str, amount: str) -> Any:
        money = eur(amount)
        done = self.tried(
            money.minor <= self.free(code), lambda: self.own.redeem(code, money, reference=self.reference())
        )
        if done is None:
            return multiple()
        self.left[code] -= money.minor
        return done

    @rule(target=held, code=vouchers, amount=_cents)
    def reserve(self, code: str, amount: str) -> Any:
        money = eur(amount)
        done = self.tried(
            money.minor <= self.free(code), lambda: self.own.reserve(code, money, reference=self.reference())
        )
        if done is None:
            return multiple()
        self.aside[done.id] = (code, money.minor, done.valid_until)
        return done

    @rule(target=taken, reservation=held, amount=st.none() | _cents)
    def capture(self, reservation: Reservation, amount: str | None) -> Any:
        money = reservation.money if amount is None else eur(amount)
        code, cents, ends = self.aside.get(reservation.id, ("", 0, self.clock.now))
        done = self.tried(
            ends > self.clock.now and money.minor <= cents,
            lambda: self.own.capture(reservation, money, reference=self.reference()),
        )
        if done is None:
            return multiple()
        del self.aside[reservation.id]
        self.left[code] -= money.minor
        return done

    @rule(reservation=consumes(held))
    def release(self, reservation: Reservation) -> None:
        _, _, ends = self.aside.get(reservation.id, ("", 0, self.clock.now))
        if self.tried(ends > self.clock.now, lambda: self.own.release(reservation, reference=self.reference())):
            del self.aside[reservation.id]

    @rule(redemption=taken, amount=st.none() | _cents)
    def refund(self, redemption: Redemption, amount: str | None) -> None:
        money = redemption.money if amount is None else eur(amount)
        fits = money.minor <= redemption.money.minor - self.back[redemption.id]
        if self.tried(fits, lambda: self.own.refund(redemption, money, reference=self.reference())):
            self.back[redemption.id] += money.minor
            code = self.own.get(redemption.voucher_id or "").code
            assert code is not None
            self.left[code.reveal()] += money.minor

    @rule(code=vouchers, amount=_cents)
    def top_up(self, code: str, amount: str) -> None:
        self.own.top_up(self.own.find(code).id, eur(amount), reference=self.reference())
        self.left[code] += eur(amount).minor

    @rule(minutes=st.integers(1, 40))
    def wait(self, minutes: int) -> None:
        self.clock.advance(minutes=minutes)

    @invariant()
    def every_sum_is_right(self) -> None:
        """By the entries, by the reservations that stand, and by what the provider says."""
        with self.own._open().database.read() as connection:
            sums = connection.exec_driver_sql(
                "SELECT local_vouchers.id, sum(amount), sum(held_amount),"
                " (SELECT coalesce(sum(amount), 0) FROM local_holds WHERE local_holds.voucher = number)"
                " FROM local_entries JOIN local_vouchers ON number = voucher GROUP BY local_vouchers.id, number"
            ).all()
        worth = {id: amount for id, amount, _, _ in sums}
        assert all(held == standing for _, _, held, standing in sums)
        for code, left in self.left.items():
            voucher = self.own.find(code)
            assert voucher.remaining is not None
            assert voucher.remaining.minor == worth[voucher.id] == left


def test_random_lives_of_vouchers_add_up(either_url: str) -> None:
    class Here(Lives):
        url = either_url

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples(12), stateful_step_count=25, suppress_health_check=list(HealthCheck), deadline=None
        ),
    )
