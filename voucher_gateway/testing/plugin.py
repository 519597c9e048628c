"""The pytest plugin: fixtures for shops, and the hooks of the contract.

The hooks select the promises that apply, and record the outcome. pytest imports this module at the start of every run
where the library is installed, so everything but pytest is imported when it is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest

if TYPE_CHECKING:
    from voucher_gateway.gateway.gateway import Gateway
    from voucher_gateway.testing.conformance_run import ContractRun, Verdict
    from voucher_gateway.testing.simulated_vendor import SimulatedVendor

_BASE: Final = "voucher_gateway.testing.contracts.base"
_REPORTED: Final = "voucher_gateway_contract"
_runs: Final[pytest.StashKey[dict[str, ContractRun]]] = pytest.StashKey()
_verdicts: Final[pytest.StashKey[list[Verdict]]] = pytest.StashKey()
_asked: Final[pytest.StashKey[dict[str, Any]]] = pytest.StashKey()


class MakeGateway(Protocol):
    """The type of the fixture `voucher_gateway`."""

    def __call__(self, *, journal: str | None = ..., **accounts: SimulatedVendor | dict[str, Any]) -> Gateway:
        """Return a gateway with these accounts; see the fixture."""


@pytest.fixture
def voucher_simulator() -> Iterator[Callable[..., SimulatedVendor]]:
    """Start simulated vendors.

    Give it the name of any installed simulator, and that simulator's options, as in
    ``vendor = voucher_simulator("jtl", vouchers=10)``. The vendor is a
    `voucher_gateway.testing.simulated_vendor.SimulatedVendor`. It stops with the test. The test fails if the simulator
    itself made a mistake.
    """
    from voucher_gateway.testing.simulated_vendor import start_vendor

    started: list[SimulatedVendor] = []

    def begin(name: str, /, **options: Any) -> SimulatedVendor:
        started.append(start_vendor(name, **options))
        return started[-1]

    try:
        yield begin
    finally:
        for vendor in reversed(started):
            vendor.close()


@pytest.fixture
def voucher_gateway(tmp_path: Path) -> Iterator[MakeGateway]:
    """Make gateways.

    Each keyword is an account, as in ``gateway = voucher_gateway(shop=vendor)``: a simulated vendor,
    ``vendor.account(accept_risks=[...])``, or any table of a configuration. All gateways of one test share a journal,
    a new SQLite file, unless ``journal`` gives the URL of another or None for none; a second gateway is what the shop
    is after a restart. They are closed after the test.
    """
    from voucher_gateway.gateway.gateway import Gateway

    opened: list[Gateway] = []
    usual = f"sqlite:///{tmp_path / 'voucher-gateway-journal.db'}"

    def make(*, journal: str | None = usual, **accounts: SimulatedVendor | dict[str, Any]) -> Gateway:
        tables = {name: count if isinstance(count, dict) else count.account() for name, count in accounts.items()}
        config = {"accounts": tables} if journal is None else {"accounts": tables, "journal": journal}
        opened.append(Gateway.from_config(config))
        return opened[-1]

    try:
        yield make
    finally:
        for gateway in reversed(opened):
            gateway.close()


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
    from voucher_gateway.testing.promises.checks import PROMISE_ATTRIBUTE

    selected = {kind: attrs_of(SelectedPromises.of(kind)) for kind in set(contracts.values()) if kind is not None}
    chosen, left_out = [], []
    numbers = set(config.getoption("--promise"))
    for item in items:
        kind = contracts[item]
        test = getattr(item, "originalname", item.name)
        number = getattr(getattr(item, "function", None), PROMISE_ATTRIBUTE, None)
        due = kind is None or number is None or test in selected[kind]["tests"]
        if not due or (numbers and number not in numbers):
            left_out.append(item)
            continue
        chosen.append(item)
        if kind is not None and number is not None:
            item.stash[_asked] = {"asked": selected[kind], "test": test}
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
        if report.skipped:
            self._runs[contract].note_untried(report_data["test"], _reason_of_skip(report))
        else:
            self._runs[contract].note(report_data["test"], passed=report.passed)


def _reason_of_skip(report: pytest.TestReport) -> str:
    """Return why a test was skipped, without pytest's own words and the number of the promise."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ").partition(" was not tried: ")[2] or reason.removeprefix("Skipped: ")


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
