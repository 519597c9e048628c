"""The pytest plugin: fixtures for shops, and the hooks of the contract.

The hooks select the promises that apply, and record the outcome. pytest imports this module at the start of every run
where the library is installed, so everything but pytest is imported when it is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from voucher_gateway.testing.pytest_fixtures import voucher_gateway as voucher_gateway
from voucher_gateway.testing.pytest_fixtures import voucher_simulator as voucher_simulator

if TYPE_CHECKING:
    from voucher_gateway.testing.conformance_run import ContractRun, Verdict

_BASE: Final = "voucher_gateway.testing.contracts.base"
_REPORTED: Final = "voucher_gateway_contract"
_runs: Final[pytest.StashKey[dict[str, ContractRun]]] = pytest.StashKey()
_verdicts: Final[pytest.StashKey[list[Verdict]]] = pytest.StashKey()
_asked: Final[pytest.StashKey[dict[str, Any]]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of contract runs."""
    group = parser.getgroup("voucher-gateway", "voucher-gateway: the contract of providers")
    group.addoption(
        "--write-conformance",
        action="store_true",
        help="write what the contract run proved into conformance.json, in the provider's package",
    )
    group.addoption(
        "--promise",
        action="append",
        default=[],
        metavar="NUMBER",
        help="run nothing but the tests of this promise of the contract, such as R2; may be repeated",
    )
    group.addoption(
        "--contract-thorough",
        action="store_true",
        help="try every combination of call, request and fault, where a contract run usually draws some",
    )


def _contract_of(item: pytest.Item) -> Any:
    """Return the contract class of a test; None if it has none. Loads nothing where no contract was imported."""
    base = sys.modules.get(_BASE)
    kind = getattr(item, "cls", None)
    if base is None or not isinstance(kind, type) or not issubclass(kind, base.Contract):
        return None
    return kind


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the promises above the level of a contract, and those that do not apply to the provider."""
    contracts = {item: _contract_of(item) for item in items}
    if not any(contracts.values()):
        return
    from voucher_gateway.testing.conformance_run import SelectedPromises
    from voucher_gateway.testing.promise_checks import PROMISE_ATTRIBUTE

    asked = {kind: attrs_of(SelectedPromises.of(kind)) for kind in set(contracts.values()) if kind is not None}
    chosen, left_out = [], []
    wanted = set(config.getoption("--promise"))
    for item in items:
        kind = contracts[item]
        test = getattr(item, "originalname", item.name)
        number = getattr(getattr(item, "function", None), PROMISE_ATTRIBUTE, None)
        due = kind is None or number is None or test in asked[kind]["tests"]
        if not due or (wanted and number not in wanted):
            left_out.append(item)
            continue
        chosen.append(item)
        if kind is not None and number is not None:
            item.stash[_asked] = {"asked": asked[kind], "test": test}
    items[:] = chosen
    if left_out:
        config.hook.pytest_deselected(items=left_out)


def attrs_of(value: Any) -> dict[str, Any]:
    """Return an attrs value as plain values, which can be sent from one process of pytest to another."""
    import attrs

    return attrs.asdict(value)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add the promise of a test to its report."""
    outcome: Any = yield
    promise_asked = item.stash.get(_asked, None)
    if promise_asked is not None:
        setattr(outcome.get_result(), _REPORTED, promise_asked)


class OutcomeRecorder:
    """Collects the outcomes of contract tests in the process that reports."""

    def __init__(self, config: pytest.Config) -> None:
        self._runs = config.stash.setdefault(_runs, {})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record one phase of one test."""
        report_data = getattr(report, _REPORTED, None)
        if report_data is None:
            return
        from voucher_gateway.testing.conformance_run import ContractRun, SelectedPromises

        contract = report_data["asked"]["contract"]
        if contract not in self._runs:
            self._runs[contract] = ContractRun(SelectedPromises(**report_data["asked"]))
        self._runs[contract].note(report_data["test"], passed=report.passed)


def pytest_configure(config: pytest.Config) -> None:
    """Register the recorder, in the process that reports."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(OutcomeRecorder(config), "voucher_gateway_bookkeeper")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Compare the promises that were kept with conformance.json, or write the file."""
    runs = session.config.stash.get(_runs, {})
    if not runs:
        return
    from voucher_gateway.testing.conformance_run import compare_with_files

    verdicts_ = list(compare_with_files(runs, write=session.config.getoption("--write-conformance")))
    session.config.stash[_verdicts] = verdicts_
    if any(verdict.fails for verdict in verdicts_) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the result of each contract."""
    verdicts_ = config.stash.get(_verdicts, [])
    if verdicts_:
        terminalreporter.section("provider contracts")
        for verdict in verdicts_:
            terminalreporter.write_line(verdict.sentence, red=verdict.fails, green=not verdict.fails)
