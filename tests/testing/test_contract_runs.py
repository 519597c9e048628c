"""Contract runs as an author makes them: what is collected, what is written, and what fails a session."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from voucher_gateway.conformance import Conformance, Level

Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]

PROVIDER = """
from tests.testing.corner.provider import CornerProvider

class AcmeProvider(CornerProvider):
    name = "acme"
    title = "Acme"
"""
# A vendor of its own, at which little can go wrong, so that a whole run takes a moment.
CONTRACT = """
from acme_vouchers import AcmeProvider
from tests.testing.corner.simulator import CornerSimulator
from voucher_gateway.testing import Level, ProviderContract, SimulatedVendor

class CalmVendor(SimulatedVendor):
    faults = {"drop-before": False}

class TestAcme(ProviderContract):
    provider = AcmeProvider
    level = Level.READ

    def make_vendor(self, **options):
        return CalmVendor(AcmeProvider, CornerSimulator, **{"vouchers": 9, **options})
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An author's project: a package with a provider, and its contract."""
    package = tmp_path / "acme_vouchers"
    package.mkdir()
    package.joinpath("__init__.py").write_text(PROVIDER)
    tmp_path.joinpath("test_acme.py").write_text(CONTRACT)
    return tmp_path


@pytest.fixture
def run(project: Path) -> Run:
    """Runs pytest in the author's project."""

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", *options],
            cwd=project,
            env={**os.environ, "PYTHONPATH": f"{project}{os.pathsep}{ROOT}"},
            capture_output=True,
            text=True,
            timeout=100,
        )

    return run


@pytest.mark.long
def test_a_whole_run_is_held_against_its_file_or_writes_it(project: Path, run: Run) -> None:
    file = project / "acme_vouchers" / "conformance.json"
    claim = Conformance(provider="acme", distribution=None, level=Level.SPEND, kept=("R1", "M4"), not_applicable={})
    file.write_text(claim.to_json(), "utf-8")
    lied = run()
    assert lied.returncode == 1, lied.stdout
    assert " failed" not in lied.stdout, lied.stdout
    assert "another result than conformance.json claims: level read, not spend" in lied.stdout
    assert "claimed, and not kept: M4" in lied.stdout

    written = run("--write-conformance")
    assert written.returncode == 0, written.stdout
    told = Conformance.from_json(file.read_text("utf-8"))
    assert (told.provider, told.level, told.distribution) == ("acme", Level.READ, None)
    assert {"R1", "M1", "T1", "P1", "D1"} <= set(told.kept)
    assert told.not_applicable["M4"] == "a test cannot change the replies of the vendor"
    assert told.not_applicable["P8"] == "the listing cannot be sorted"
    assert told.not_applicable["P5"] == "the vendor does not have the fault insert-while-paging"
    assert f"acme: {told.summary}; written to {file}" in written.stdout


@pytest.mark.long
def test_one_promise_can_be_run_by_its_number_and_writes_nothing(project: Path, run: Run) -> None:
    done = run("--promise", "R2", "--write-conformance", "-vv")
    assert done.returncode == 1
    assert "test_a_code_finds_nothing_but_its_own_voucher PASSED" in done.stdout
    assert "1 passed" in done.stdout
    assert "not every promise was tried, so nothing is written" in done.stdout
    assert not (project / "acme_vouchers" / "conformance.json").exists()


@pytest.mark.long
def test_a_broken_promise_keeps_its_level_out_of_the_file(project: Path, run: Run) -> None:
    package = project / "acme_vouchers" / "__init__.py"
    trims = "\n    def find(self, code, pin=None):\n        return super().find(code.strip(), pin)\n"
    package.write_text(PROVIDER + trims)
    done = run("--write-conformance", "-n", "2")  # several processes keep one book
    assert done.returncode == 1
    assert "promise R2 (read level) is broken" in done.stdout
    assert "the read level was not reached, so nothing is written" in done.stdout
    assert not project.joinpath("acme_vouchers", "conformance.json").exists()


@pytest.mark.long
def test_a_project_without_contracts_notices_nothing(project: Path, run: Run) -> None:
    project.joinpath("test_acme.py").write_text("def test_nothing():\n    pass\n")
    done = run()
    assert done.returncode == 0
    assert "contract" not in done.stdout


@pytest.mark.long
def test_a_promise_that_could_not_be_tried_is_reported_with_its_reason(project: Path, run: Run) -> None:
    untried = """
from voucher_gateway.testing import for_promise
from voucher_gateway.testing.promises.checks import not_tried

class TestUntried(TestAcme):
    counts = False

    @for_promise("R2")
    def test_a_code_finds_nothing_but_its_own_voucher(self):
        not_tried("the vendor has no codes")
"""
    project.joinpath("test_acme.py").write_text(CONTRACT + untried)
    done = run("--promise", "R2", "-rs", "-k", "TestUntried")
    assert done.returncode == 0, done.stdout
    assert "promise R2 was not tried: the vendor has no codes" in done.stdout
    assert "1 skipped" in done.stdout
