"""The plan's file: whole or not there, for its owner only, and void once anybody changes it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voucher_gateway.migration import (
    Action,
    Destination,
    End,
    Kind,
    PlanHeader,
    PlannedVoucher,
    Policy,
    Step,
    open_plan,
    read_summary,
    read_vouchers,
)
from voucher_gateway.migration.plan.estimate import AccountLoad, Estimate
from voucher_gateway.migration.plan.plan_file import PlanSummary, PlanWriter
from voucher_gateway.migration.plan.totals import TotalsBuilder
from voucher_gateway.provider_api import ConfigurationError, ListingReport, Money, Status

AT = datetime(2026, 11, 21, 12, 30, 1, 5, tzinfo=UTC)
HEADER = PlanHeader(
    made_at=AT,
    source=End(account="shop", provider="jtl", host="a.example", login="c"),
    target=End(account="estate.jsonl", provider="file", host="file:/x"),
    steps=(Step.REREAD, Step.CREATE),
    retire="expire",
    accepted=frozenset({"spendable-twice", "inconsistent-listing"}),
    policy=Policy().to_json(),
    rates={"shop": 2.5},
)
REPORT = ListingReport(
    seen=3, vendor_total=3, duplicates=0, pages=1, finished=True, consistent=False, problems=("it changed",)
)
ESTIMATE = Estimate(
    vouchers=1,
    workers=8,
    source=AccountLoad(account="shop", requests=3, latency=timedelta(microseconds=30_001), rate=2.5),
    target=AccountLoad(account="estate.jsonl", requests=2, latency=timedelta()),
)


def carried(number: int, money: Money) -> PlannedVoucher:
    return PlannedVoucher(
        number=number,
        source_id=f"grün {number}\n",
        code="••••9QXD",
        fingerprint="ab" * 32,
        key_id="1",
        kind=Kind.PARTLY_USED,
        initial=money + money,
        remaining=money,
        status=Status.ACTIVE,
        valid_until=AT,
        action=Action.CARRY,
        losses=("expiry", "initial"),
        destination=Destination(value=money, active=True, validity_days=9, drift=timedelta(hours=3, microseconds=1)),
    )


def refused(number: int) -> PlannedVoucher:
    return PlannedVoucher(
        number=number, source_id="x", kind=Kind.UNREADABLE, action=Action.REFUSE, reasons=("its code cannot be read",)
    )


def write(path: Path, vouchers: list[PlannedVoucher]) -> PlanSummary:
    adder = TotalsBuilder(workers=2)
    with PlanWriter(path, HEADER) as writer:
        for one in vouchers:
            adder.add(one)
            writer.write(one)
        return writer.finish(adder.totals(REPORT), ESTIMATE)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "a.plan"
    write(path, [carried(1, Money("10.01", "EUR")), refused(2), carried(3, Money("500", "JPY"))])
    return path


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    vouchers = [carried(1, Money("10.01", "EUR")), refused(2), carried(3, Money("1.234", "BHD"))]
    written = write(tmp_path / "a.plan", vouchers)
    path = tmp_path / "a.plan"
    assert read_summary(path) == written
    assert (written.header, read_summary(path).id) == (HEADER, written.id)
    assert list(read_vouchers(path)) == vouchers


def test_an_open_plan_is_read_as_often_as_is_wanted_and_even_side_by_side(tmp_path: Path) -> None:
    vouchers = [carried(1, Money("10.01", "EUR")), refused(2), carried(3, Money("1.234", "BHD"))]
    written = write(tmp_path / "a.plan", vouchers)
    with open_plan(tmp_path / "a.plan") as plan, open_plan(plan) as same:
        assert same is plan
        assert plan.summary == written
        assert list(zip(plan.vouchers(), plan.vouchers(), strict=True)) == [(one, one) for one in vouchers]
        assert [one.number for one in plan.carried_vouchers()] == [1, 3]


def test_a_plan_is_read_once_when_it_is_opened(plan: Path) -> None:
    """What was checked is what is read, even if another plan takes the name of the file in between."""
    with open_plan(plan) as opened:
        numbers = [one.number for one in opened.vouchers()]
        write(plan, [])
        assert [one.number for one in opened.vouchers()] == numbers
    assert list(read_vouchers(plan)) == []


def test_totals_hold_money_by_currency_and_fate(plan: Path) -> None:
    totals = read_summary(plan).totals
    assert totals.all.count == 3
    assert totals.of(Action.CARRY).money == {"EUR": Money("10.01", "EUR"), "JPY": Money("500", "JPY")}
    assert totals.of(Action.REFUSE).count == 1
    assert totals.reasons["its code cannot be read"].count == 1
    assert totals.months["2026-11/carry"].count == 2
    assert totals.months["none/refuse"].count == 1
    assert totals.double_spendable == {"EUR": Money("10.01", "EUR"), "JPY": Money("500", "JPY")}
    assert totals.longest_drift == timedelta(hours=3, microseconds=1)


def test_a_plan_is_for_its_owner_only(plan: Path) -> None:
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600


def test_a_plan_without_vouchers_is_one_too(tmp_path: Path) -> None:
    write(tmp_path / "empty.plan", [])
    assert list(read_vouchers(tmp_path / "empty.plan")) == []


@given(place=st.integers(0, 10_000), value=st.integers(1, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_byte_is_changed_the_plan_is_void(plan: Path, place: int, value: int) -> None:
    written = plan.read_bytes()
    place %= len(written)
    changed = plan.with_name("changed.plan")
    changed.write_bytes(written[:place] + bytes([written[place] ^ value]) + written[place + 1 :])
    for read in (read_summary, lambda path: list(read_vouchers(path))):
        with pytest.raises(ConfigurationError, match=r"changed\.plan"):
            read(changed)


@given(length=st.integers(0, 10_000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_wherever_it_is_cut_the_plan_is_void(plan: Path, length: int) -> None:
    written = plan.read_bytes()
    cut = plan.with_name("cut.plan")
    cut.write_bytes(written[: length % len(written)])
    with pytest.raises(ConfigurationError, match=r"cut\.plan"):
        next(read_vouchers(cut))


def test_a_line_that_is_taken_out_or_added_makes_it_void(plan: Path) -> None:
    lines = plan.read_bytes().splitlines(keepends=True)
    for changed in ([*lines[:1], *lines[2:]], [*lines[:2], lines[1], *lines[2:]], [*lines, b"{}\n"]):
        plan.write_bytes(b"".join(changed))
        with pytest.raises(ConfigurationError, match=r"changed after it was made|last line"):
            read_summary(plan)


@pytest.mark.parametrize("text", [b"", b"\n", b"{}\n{}\n", b"code,amount\nA,1\n", b"\xff\xfe\n\x00\n"])
def test_another_file_is_refused_with_its_name(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(text)
    with pytest.raises(ConfigurationError, match=r"other\.csv"):
        read_summary(path)
    with pytest.raises(ConfigurationError, match="No such file"):
        read_summary(tmp_path / "missing")


def test_a_plan_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voucher_gateway.migration.plan.plan_file.FORMAT", 2)
    write(tmp_path / "next.plan", [])
    monkeypatch.undo()
    with pytest.raises(ConfigurationError, match="of this version"):
        read_summary(tmp_path / "next.plan")


def test_until_it_is_finished_nothing_stands_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.plan"
    with PlanWriter(path, HEADER) as writer:
        writer.write(refused(1))
        assert not path.exists()
    assert os.listdir(tmp_path) == []


def test_an_older_plan_stays_until_the_new_one_is_whole(plan: Path) -> None:
    before = plan.read_bytes()
    with pytest.raises(RuntimeError), PlanWriter(plan, HEADER):
        raise RuntimeError
    assert plan.read_bytes() == before


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere.*cannot be written"):
        PlanWriter(tmp_path / "nowhere" / "a.plan", HEADER)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, at_once: Callable[..., list[str]]) -> None:
    path = tmp_path / "a.plan"

    def fill() -> str:
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            write(path, [refused(number) for number in range(1000)])
        except ConfigurationError as error:
            return error.message
        return "it was written"

    (said,) = at_once(fill, 1)
    assert "cannot be written: File too large" in said
    assert os.listdir(tmp_path) == []


def test_the_id_is_the_hash_of_all_that_it_says(tmp_path: Path) -> None:
    first = write(tmp_path / "a.plan", [carried(1, Money("10.01", "EUR"))])
    again = write(tmp_path / "b.plan", [carried(1, Money("10.01", "EUR"))])
    other = write(tmp_path / "c.plan", [carried(1, Money("10.02", "EUR"))])
    assert first.id == again.id != other.id
    assert attrs.evolve(first, path=again.path) == again
