"""The record of a contract run: which promises were tried and kept, and the conformance.json made of it.

This module does not use pytest; `plugin` does.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from voucher_gateway.conformance import Conformance, Level, conformance_path, distribution_of
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.promises import PROMISES
from voucher_gateway.testing.promises.checks import PROMISE_ATTRIBUTE


def promises_of(contract: type[Contract]) -> dict[str, str]:
    """Return the number of the promise of each test of a contract, by the test's name."""
    members = inspect.getmembers(contract)
    return {name: getattr(member, PROMISE_ATTRIBUTE) for name, member in members if hasattr(member, PROMISE_ATTRIBUTE)}


@attrs.frozen(kw_only=True)
class SelectedPromises:
    """The promises that apply to one contract class, as plain values: another process may report than the one that ran.

    Attributes:
        contract: the class, as ``module:name``.
        provider: the provider's name.
        distribution: the distribution that brings it, if it is installed.
        file: where its conformance.json belongs; None where it is in no package, or the class does not count.
        level: the number of the level that the class asks for.
        tests: the number of the promise of each test that is run, by the test's name.
        not_applicable: the promises up to that level that do not apply, with the reason.
        lacking: the promises of that level for which the class has no test: it is not the whole contract.
    """

    contract: str
    provider: str
    distribution: str | None
    file: str | None
    level: int
    tests: dict[str, str]
    not_applicable: dict[str, str]
    lacking: list[str]

    @property
    def promises(self) -> list[str]:
        """The numbers of the promises that are tried, in the order of the table."""
        return sorted(set(self.tests.values()), key=list(PROMISES).index)

    @classmethod
    def of(cls, contract: type[Contract]) -> SelectedPromises:
        """Return the promises that apply to a class."""
        file = conformance_path(contract.provider) if contract.counts else None
        tests = promises_of(contract)
        due = [number for number, promise in PROMISES.items() if promise.level <= contract.level]
        reasons = {number: contract.why_not(PROMISES[number]) for number in due}
        return cls(
            contract=f"{contract.__module__}:{contract.__qualname__}",
            provider=contract.provider.name,
            distribution=distribution_of(contract.provider),
            file=None if file is None else str(file),
            level=int(contract.level),
            tests={name: number for name, number in tests.items() if reasons.get(number, "above the level") is None},
            not_applicable={number: why for number, why in reasons.items() if why is not None},
            lacking=[number for number, why in reasons.items() if why is None and number not in tests.values()],
        )


@attrs.define
class ContractRun:
    """The outcome of one contract class, as reports come in.

    Attributes:
        selected: the promises that apply.
        passed: for each test that ran, by its name, whether it passed so far.
        untried: for each test that found nothing to try, by its name, the reason.
    """

    selected: SelectedPromises
    passed: dict[str, bool] = attrs.field(factory=dict)
    untried: dict[str, str] = attrs.field(factory=dict)

    def note(self, test: str, *, passed: bool) -> None:
        """Record the outcome of one phase of one test."""
        self.passed[test] = self.passed.get(test, True) and passed

    def note_untried(self, test: str, why: str) -> None:
        """Record that a test found nothing to try."""
        self.passed.setdefault(test, True)
        self.untried[test] = why

    @property
    def whole(self) -> bool:
        """Whether every test ran that applies, and the class has one for every promise."""
        return not self.selected.lacking and self.selected.tests.keys() <= self.passed.keys()

    def is_kept(self, number: str) -> bool:
        """Whether every test of a promise tried it and passed."""
        tests = self._tests_of(number)
        return all(self.passed.get(test, False) and test not in self.untried for test in tests)

    def why_untried(self, number: str) -> str | None:
        """Return why a promise was not tried; None if it was kept or broken."""
        tests = self._tests_of(number)
        if not all(self.passed.get(test, False) for test in tests):
            return None
        return next((self.untried[test] for test in tests if test in self.untried), None)

    def _tests_of(self, number: str) -> list[str]:
        return [test for test, about in self.selected.tests.items() if about == number]

    def _allows_level(self, number: str) -> bool:
        """Whether the level of a promise can be reached: it was kept, or may stay untried and was not tried."""
        return self.is_kept(number) or (PROMISES[number].may_stay_untried and self.why_untried(number) is not None)

    def missing_promises(self) -> dict[str, str]:
        """Return the promises that were not tried and without which their level is not reached, with the reasons."""
        reasons = {number: self.why_untried(number) for number in self.selected.promises}
        return {
            number: why for number, why in reasons.items() if why is not None and not PROMISES[number].may_stay_untried
        }

    @property
    def level_reached(self) -> Level | None:
        """The highest level of which every promise was kept, or may stay untried and was not tried; None for none."""
        reached = None
        for level in Level:
            due = [number for number in self.selected.promises if PROMISES[number].level is level]
            if level > self.selected.level or not all(map(self._allows_level, due)):
                break
            reached = level
        return reached

    def conformance(self) -> Conformance | None:
        """Return the content of conformance.json; None if the read level was not reached."""
        level = self.level_reached
        if level is None:
            return None
        up_to = {number for number, promise in PROMISES.items() if promise.level <= level}
        return Conformance(
            provider=self.selected.provider,
            distribution=self.selected.distribution,
            level=level,
            kept=tuple(number for number in self.selected.promises if number in up_to and self.is_kept(number)),
            not_applicable={number: why for number, why in self.selected.not_applicable.items() if number in up_to},
            not_tried={
                number: why
                for number in self.selected.promises
                if number in up_to and (why := self.why_untried(number)) is not None
            },
        )


@attrs.frozen
class Verdict:
    """The result of one contract at the end of a session.

    Attributes:
        sentence: for people.
        fails: whether it fails the session.
    """

    sentence: str
    fails: bool = False


def compare_with_files(runs: Mapping[str, ContractRun], *, write: bool) -> Iterator[Verdict]:
    """Compare each whole run with its file, or write the file.

    Args:
        runs: the runs, by contract.
        write: whether the files are to be written instead of compared.
    """
    files = [run.selected.file for run in runs.values()]
    for run in runs.values():
        if run.selected.file is None:
            continue
        if files.count(run.selected.file) > 1:
            sentence = "several classes count for one provider: set counts = False in all but one"
            yield Verdict(f"{run.selected.contract}: {sentence}", fails=True)
            continue
        if not run.whole:
            if write:
                yield Verdict(
                    f"{run.selected.contract}: not every promise was tried, so nothing is written", fails=True
                )
            continue
        verdict = _write_file(run) if write else _compare_with_file(run)
        needed = run.missing_promises()
        reasons = "".join(
            f". {number} was not tried, and the {PROMISES[number].level.label} level needs it: {why}"
            for number, why in needed.items()
        )
        yield attrs.evolve(verdict, sentence=verdict.sentence + reasons)


def _write_file(run: ContractRun) -> Verdict:
    conformance, selected = run.conformance(), run.selected
    assert selected.file is not None
    if conformance is None:
        return Verdict(f"{selected.contract}: the read level was not reached, so nothing is written", fails=True)
    try:
        Path(selected.file).write_text(conformance.to_json(), "utf-8")
    except OSError as error:
        return Verdict(f"{selected.provider}: {selected.file} cannot be written: {error.strerror}", fails=True)
    return Verdict(f"{selected.provider}: {conformance.summary}; written to {selected.file}")


def _compare_with_file(run: ContractRun) -> Verdict:
    conformance, selected = run.conformance(), run.selected
    assert selected.file is not None
    reached = "not even the read level" if conformance is None else conformance.summary
    try:
        claimed = Conformance.from_json(Path(selected.file).read_text("utf-8"))
    except FileNotFoundError:
        return Verdict(f"{selected.provider}: {reached}; --write-conformance would put that into conformance.json")
    except (ConfigurationError, OSError, ValueError) as error:
        why = error.message if isinstance(error, ConfigurationError) else "conformance.json cannot be read"
        return Verdict(f"{selected.provider}: {why}; --write-conformance writes it again", fails=True)
    if conformance is not None and _facts(conformance) == _facts(claimed):
        return Verdict(f"{selected.provider}: {reached}, as its conformance.json says")
    return Verdict(
        f"{selected.provider}: this run gave another result than conformance.json claims:"
        f" {_differences(conformance, claimed)}. "
        "Correct the provider, or write the file again with --write-conformance",
        fails=True,
    )


def _facts(conformance: Conformance) -> object:
    """Return the facts by which two runs are compared; the wording of reasons does not count."""
    bare = attrs.evolve(conformance, kept=tuple(sorted(conformance.kept)), not_applicable={}, not_tried={})
    return bare, set(conformance.not_applicable), set(conformance.not_tried)


def _differences(conformance: Conformance | None, claimed: Conformance) -> str:
    if conformance is None:
        return "a promise of the read level is broken"
    sentences = []
    for what, ours, theirs in (
        ("suite", conformance.suite, claimed.suite),
        ("interface", conformance.interface, claimed.interface),
        ("level", conformance.level.label, claimed.level.label),
        ("provider", conformance.provider, claimed.provider),
        ("distribution", conformance.distribution, claimed.distribution),
    ):
        if ours != theirs:
            sentences.append(f"{what} {ours}, not {theirs}")
    for what, case, less in (
        ("kept, and not claimed", conformance.kept, claimed.kept),
        ("claimed, and not kept", claimed.kept, conformance.kept),
    ):
        if missing := [number for number in case if number not in less]:
            sentences.append(f"{what}: {', '.join(missing)}")
    if conformance.not_applicable.keys() != claimed.not_applicable.keys():
        sentences.append("other promises are not applicable")
    if conformance.not_tried.keys() != claimed.not_tried.keys():
        sentences.append("other promises were not tried")
    return "; ".join(sentences)
