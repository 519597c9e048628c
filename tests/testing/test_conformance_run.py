"""The bookkeeping of contract runs, apart from pytest."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest

from tests.testing.corner.provider import CornerProvider
from tests.testing.corner.simulator import CornerSimulator
from voucher_gateway.conformance import Conformance
from voucher_gateway.testing import PROMISES, Level, ProviderContract
from voucher_gateway.testing.conformance_run import (
    ContractRun,
    SelectedPromises,
    Verdict,
    compare_with_files,
    promises_of,
)

KEPT = sum(promise.level is Level.READ for promise in PROMISES.values()) - 2
"""How many promises the corner shop keeps: all of the read level but P8 and P13, as its lists lack both."""


class CornerContract(ProviderContract):
    provider = CornerProvider
    simulator = CornerSimulator
    level = Level.READ


class ShortContract(CornerContract):
    test_every_instant_is_aware_and_in_utc = None  # type: ignore[assignment]  # taken out


@pytest.fixture
def asked(tmp_path: Path) -> SelectedPromises:
    return attrs.evolve(SelectedPromises.of(CornerContract), file=str(tmp_path / "conformance.json"))


@pytest.fixture
def kept(asked: SelectedPromises) -> ContractRun:
    """A run in which everything was kept."""
    return _run(asked)


def _run(asked: SelectedPromises, *broken: str) -> ContractRun:
    run = ContractRun(asked)
    for test, number in asked.tests.items():
        run.note(test, passed=True)
        run.note(test, passed=number not in broken)
    return run


def _verdict(run: ContractRun, *, write: bool = False) -> Verdict:
    [verdict] = compare_with_files({"a contract": run}, write=write)
    return verdict


def test_every_promise_has_a_test_and_every_test_a_promise() -> None:
    tests = promises_of(ProviderContract)
    assert set(tests.values()) == PROMISES.keys()
    assert [name for name in dir(ProviderContract) if name.startswith("test_") and name not in tests] == []


def test_every_promise_says_what_to_change_in_whole_sentences() -> None:
    for promise in PROMISES.values():
        assert promise.says.endswith(".")
        assert promise.advice.endswith(".")
        assert promise.number[0].isupper()
        assert promise.number[1:].isdigit()


def test_a_contract_is_asked_what_applies_to_what_its_provider_declares(asked: SelectedPromises) -> None:
    assert {"R1", "M4", "P6"} <= set(asked.promises)
    assert asked.not_applicable == {
        "P8": "the listing cannot be sorted",
        "P13": "no native filter is declared",
    }
    assert all(PROMISES[number].level is Level.READ for number in asked.promises)


def test_a_whole_run_is_written_and_agrees_with_its_file(kept: ContractRun) -> None:
    written = _verdict(kept, write=True)
    assert not written.fails
    assert f"{KEPT} promises kept, 2 not applicable; written to" in written.sentence
    assert _verdict(kept).sentence.endswith("as its conformance.json says")


def test_a_run_without_a_file_only_says_so(kept: ContractRun) -> None:
    verdict = _verdict(kept)
    assert not verdict.fails
    assert "--write-conformance would put that into conformance.json" in verdict.sentence


def test_a_broken_promise_contradicts_the_file(kept: ContractRun, asked: SelectedPromises) -> None:
    _verdict(kept, write=True)
    verdict = _verdict(_run(asked, "M2"))
    assert verdict.fails
    assert "a promise of the read level is broken" in verdict.sentence


def test_a_promise_that_no_longer_applies_contradicts_the_file(kept: ContractRun, asked: SelectedPromises) -> None:
    _verdict(kept, write=True)
    fewer = {name: number for name, number in asked.tests.items() if number != "P6"}
    verdict = _verdict(
        _run(attrs.evolve(asked, tests=fewer, not_applicable={"P6": "no filters", **asked.not_applicable}))
    )
    assert verdict.fails
    assert "claimed, and not kept: P6; other promises are not applicable" in verdict.sentence


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"suite": 99}, "suite 1, not 99"),
        ({"interface": 2}, "interface 1, not 2"),
        ({"level": "divine"}, "is not a file that a contract run writes"),
        ({"kept": 7}, "is not a file that a contract run writes"),
    ],
)
def test_a_file_that_cannot_count_fails_the_session(kept: ContractRun, change: dict[str, object], said: str) -> None:
    _verdict(kept, write=True)
    assert kept.selected.file is not None
    file = Path(kept.selected.file)
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    verdict = _verdict(kept)
    assert verdict.fails
    assert said in verdict.sentence


def test_a_level_is_reached_only_with_all_before_it(asked: SelectedPromises) -> None:
    higher = attrs.evolve(asked, level=int(Level.SPEND))
    assert _run(asked).level_reached is Level.READ
    assert _run(asked, "R1").level_reached is None
    assert _run(higher).level_reached is Level.SPEND
    assert _run(higher, "R1").level_reached is None


def _run_without(asked: SelectedPromises, untried: str) -> ContractRun:
    """Return a run in which everything was kept but one promise, which was not tried."""
    run = _run(asked)
    for test in (test for test, number in asked.tests.items() if number == untried):
        run.note_untried(test, "nothing was there")
    return run


def test_an_untried_promise_keeps_its_level_from_being_reached(asked: SelectedPromises) -> None:
    run = _run_without(asked, "R2")
    assert run.level_reached is None
    assert run.conformance() is None
    verdict = _verdict(run, write=True)
    assert verdict.fails
    assert verdict.sentence.endswith(
        "the read level was not reached, so nothing is written. R2 was not tried, and the read level needs it: nothing"
        " was there"
    )


def test_a_promise_that_may_stay_untried_is_listed_and_not_counted_as_kept(
    asked: SelectedPromises, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROMISES, "R2", attrs.evolve(PROMISES["R2"], may_stay_untried=True))
    run = _run_without(asked, "R2")
    written = run.conformance()
    assert written is not None
    assert (written.level, dict(written.not_tried)) == (Level.READ, {"R2": "nothing was there"})
    assert "R2" not in written.kept
    assert written.summary == f"read, {KEPT - 1} promises kept, 1 not tried (R2), 2 not applicable"
    assert Conformance.from_json(written.to_json()) == written
    assert _run_without(attrs.evolve(asked, level=int(Level.SPEND)), "R2").level_reached is Level.SPEND


def test_a_broken_test_counts_more_than_an_untried_one(asked: SelectedPromises) -> None:
    tests = [test for test, number in asked.tests.items() if number == "R13"]
    run = _run_without(asked, "R13")
    run.note(tests[0], passed=False)
    assert run.why_untried("R13") is None
    assert not run.is_kept("R13")


def test_another_promise_untried_contradicts_the_file(kept: ContractRun, asked: SelectedPromises) -> None:
    _verdict(kept, write=True)
    assert kept.selected.file is not None
    file = Path(kept.selected.file)
    file.write_text(json.dumps({**json.loads(file.read_text()), "not_tried": {"R2": "nothing was there"}}))
    verdict = _verdict(kept)
    assert verdict.fails
    assert "other promises were not tried" in verdict.sentence


def test_a_class_that_does_not_count_is_not_written(asked: SelectedPromises) -> None:
    assert list(compare_with_files({"one": _run(attrs.evolve(asked, file=None))}, write=True)) == []


def test_only_one_class_counts_for_a_provider(kept: ContractRun) -> None:
    said = list(compare_with_files({"one": kept, "other": kept}, write=True))
    assert [one.fails for one in said] == [True, True]
    assert "set counts = False in all but one" in said[0].sentence


def test_a_folder_that_cannot_be_written_is_said(asked: SelectedPromises, tmp_path: Path) -> None:
    verdict = _verdict(_run(attrs.evolve(asked, file=str(tmp_path / "gone" / "conformance.json"))), write=True)
    assert verdict.fails
    assert "cannot be written: No such file or directory" in verdict.sentence


def test_a_class_with_a_test_taken_out_is_not_the_whole_contract(tmp_path: Path) -> None:
    short = attrs.evolve(SelectedPromises.of(ShortContract), file=str(tmp_path / "conformance.json"))
    assert short.lacking == ["T1"]
    verdict = _verdict(_run(short), write=True)
    assert verdict.fails
    assert "not every promise was tried" in verdict.sentence


def test_a_file_says_the_same_after_a_round_trip(kept: ContractRun) -> None:
    found = kept.conformance()
    assert found is not None
    assert Conformance.from_json(found.to_json()) == found
    assert found.summary == f"read, {KEPT} promises kept, 2 not applicable"
