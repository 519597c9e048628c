"""The distribution that `new-provider` writes: it is whole, in order, installs, is found, passes, and guides on."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.scaffold.conftest import install
from voucher_gateway import scaffold
from voucher_gateway.provider_api import INTERFACE, ConfigurationError
from voucher_gateway.scaffold.names import Naming
from voucher_gateway.scaffold.write import PARTS, gateway_range, write_project

if TYPE_CHECKING:
    from collections.abc import Callable

    Python = Callable[..., subprocess.CompletedProcess[str]]

SAMPLE = Path(__file__).parents[2] / "docs" / "sample"
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


def texts(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(folder).parts)
    }


def test_every_template_becomes_a_file_and_nothing_of_the_templates_shows(project: Path) -> None:
    written = texts(project)
    templates = Path(scaffold.__file__).parent / "templates"
    assert len(written) == sum(path.is_file() for path in templates.rglob("*"))
    for name, text in written.items():
        assert not re.search(r"\{\{|\}\}|\{%|jinja", name + text.replace("{{ title }}", "")), name
        assert text == "" or text.endswith("\n"), name


def test_the_sample_of_the_documentation_is_a_new_provider_with_keys_and_cursors(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    sample = {name: text for name, text in texts(SAMPLE).items() if not name.endswith("conformance.json")}
    whole = write_project(Naming.of("acme", "Acme Gift Cards"), tmp_path / "whole", parts=("keys", "cursors"))[0]
    command = "voucher-gateway new-provider acme --title 'Acme Gift Cards' --with keys,cursors"
    assert sample == texts(whole), f"run {command} and copy it"


def test_a_provider_that_passes_the_read_level_has_at_most_150_lines(project: Path) -> None:
    """All that an author must write but the simulator, with its comments and blank lines."""
    package = project / "src" / "voucher_gateway_acme"
    provider = [path for path in package.glob("*.py") if path.name != "simulator.py"]
    assert sum(len(path.read_text("utf-8").splitlines()) for path in provider) <= 150


def test_the_distribution_asks_for_the_gateway_whose_interface_it_is_built_for(project: Path) -> None:
    told = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    assert re.fullmatch(r"voucher-gateway>=\d+\.\d+,<\d+", told["dependencies"][0])
    assert f"interface_version = {INTERFACE}\n" in (project / "src/voucher_gateway_acme/provider.py").read_text("utf-8")


@pytest.mark.parametrize(
    ("version", "asked"), [("0.1.0", ">=0.1,<1"), ("1.4.2", ">=1.4,<2"), ("2.0.0.dev1", ">=2.0,<3")]
)
def test_versions_up_to_the_next_major_one_will_do(version: str, asked: str) -> None:
    assert gateway_range(version) == asked


def test_the_simulator_shares_no_code_with_the_adapter(project: Path) -> None:
    module = ast.parse((project / "src/voucher_gateway_acme/simulator.py").read_text("utf-8"))
    imported = {node.module for node in ast.walk(module) if isinstance(node, ast.ImportFrom)}
    ours = {name for name in imported if name and name.startswith("voucher_gateway")}
    assert ours == {"voucher_gateway.simulator"}


def test_what_is_there_already_is_never_touched(tmp_path: Path) -> None:
    there = tmp_path / "voucher-gateway-acme"
    there.mkdir()
    there.joinpath("mine.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="already exists; nothing in it was changed"):
        write_project(Naming.of("acme"), tmp_path)
    assert texts(there) == {"mine.txt": "mine"}


def test_a_file_in_the_way_is_not_touched_either(tmp_path: Path) -> None:
    tmp_path.joinpath("voucher-gateway-acme").write_text("mine")
    with pytest.raises(ConfigurationError, match="already exists"):
        write_project(Naming.of("acme"), tmp_path)
    assert tmp_path.joinpath("voucher-gateway-acme").read_text() == "mine"


def test_nothing_is_left_of_what_cannot_be_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str, *_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ConfigurationError, match="cannot be written: No space left on device"):
        write_project(Naming.of("acme"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_it_is_formatted_and_linted_by_its_own_rules(installed: Python) -> None:
    assert installed("-m", "ruff", "check", "--no-cache", ".").stdout == "All checks passed!\n"
    assert installed("-m", "ruff", "format", "--no-cache", "--check", ".").returncode == 0


COMBINATIONS = [(), ("cursors",), ("keys",), ("keys", "cursors"), ("keys", "reservations"), tuple(PARTS)]


def ruff(project: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", "."]
    return subprocess.run(command, cwd=project, capture_output=True, check=False, text=True).stdout


@pytest.mark.parametrize("parts", COMBINATIONS)
def test_with_any_parts_it_is_formatted_and_linted_by_its_own_rules(tmp_path: Path, parts: tuple[str, ...]) -> None:
    project = write_project(Naming.of("acme", "Acme Gift Cards"), tmp_path, parts=parts)[0]
    assert ruff(project, "check") == "All checks passed!\n"
    assert ruff(project, "format", "--diff") == ""


@pytest.mark.parametrize("parts", [(), tuple(PARTS)])
def test_a_long_name_stays_in_order(tmp_path: Path, parts: tuple[str, ...]) -> None:
    """Whatever the name, no line gets too long and imports stay sorted."""
    project = write_project(Naming.of("zz9-" + "a" * 26, "Ä" * 40), tmp_path, parts=parts)[0]
    assert ruff(project, "check") == "All checks passed!\n"


def test_a_part_that_does_not_exist_or_lacks_another_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="unknown parts: holds; the parts are keys, cursors, reservations"):
        write_project(Naming.of("acme"), tmp_path, parts=("holds",))
    with pytest.raises(ConfigurationError, match="the part reservations needs keys: give keys,reservations"):
        write_project(Naming.of("acme"), tmp_path, parts=("reservations",))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("parts", [("cursors",), tuple(PARTS)])
def test_with_parts_it_passes_its_tests_at_once(tmp_path: Path, parts: tuple[str, ...]) -> None:
    project = write_project(Naming.of("acme", "Acme Gift Cards"), tmp_path, parts=parts)[0]
    install(project, tmp_path / "site")
    path = os.pathsep.join([str(tmp_path / "site"), str(project / "src")])
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
    ran = subprocess.run(
        [sys.executable, *PYTEST],
        cwd=project,
        env={**kept, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
        text=True,
        timeout=800,
    )
    assert ran.returncode == 0, ran.stdout
    assert f"acme: {'crash-safe' if 'keys' in parts else 'read'}, " in ran.stdout


@pytest.mark.slow
def test_its_types_are_strict(installed: Python, tmp_path: Path) -> None:
    ran = installed("-m", "mypy", "--cache-dir", str(tmp_path / "mypy"))
    assert ran.stdout.startswith("Success: no issues found"), ran.stdout


def test_it_is_discovered(installed: Python) -> None:
    listed = installed("-c", "from voucher_gateway.cli import main; main()", "--json", "providers")
    assert '"provider":"acme","title":"Acme Gift Cards","distribution":"voucher-gateway-acme"' in listed.stdout


@pytest.mark.long
def test_it_passes_its_first_tests_at_once(installed: Python) -> None:
    ran = installed(*PYTEST)

    assert ran.returncode == 0, ran.stdout
    assert "acme: read, " in ran.stdout


@pytest.mark.long
def test_raising_the_level_says_what_to_do_next(installed: Python, project: Path) -> None:
    contract = project / "tests" / "test_contract.py"
    contract.write_text(contract.read_text("utf-8").replace("Level.READ", "Level.SPEND"), "utf-8")

    ran = installed(*PYTEST, "--promise", "L1")

    assert ran.returncode == 1
    assert "promise L1 (spend level) is broken" in ran.stdout
    assert "Seen: acme declares reading operations only" in ran.stdout
    assert "To change: Declare an operation that the vendor has, such as `Operation.ISSUE`" in ran.stdout


def test_declaring_without_doing_is_refused_by_name(installed: Python, project: Path) -> None:
    provider = project / "src" / "voucher_gateway_acme" / "provider.py"
    text = provider.read_text("utf-8")
    provider.write_text(text.replace("Operation.BALANCE: native()", "Operation.REDEEM: native()"), "utf-8")

    ran = installed("-c", "import voucher_gateway_acme.provider")

    assert "AcmeProvider: redeem is declared native but not overridden" in ran.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    ("before", "after", "promise"),
    [
        ("if voucher.code != code:", "if False:", None),  # the simulator is exact, so nothing is wrong yet
        ('"inactive": Status.INACTIVE', '"inactive": Status.ACTIVE', "R7"),
        ("valid_until=voucher.valid_until,", "valid_until=None,", "T2"),
        ("voucher.balance, voucher.currency", "voucher.initial, voucher.currency", "M2"),
    ],
)
def test_a_mistake_in_the_adapter_is_told_by_the_promise_it_breaks(
    installed: Python, project: Path, before: str, after: str, promise: str | None
) -> None:
    provider = project / "src" / "voucher_gateway_acme" / "provider.py"
    text = provider.read_text("utf-8")
    assert before in text
    provider.write_text(text.replace(before, after), "utf-8")

    ran = installed(*PYTEST, "--promise", promise or "R1")

    assert (f"promise {promise} (read level) is broken" in ran.stdout) == (promise is not None), ran.stdout


@pytest.mark.long
@pytest.mark.parametrize("fallback", ["UNKNOWN", "INACTIVE"])
def test_a_vendor_may_have_words_of_its_own(installed: Python, project: Path, fallback: str) -> None:
    """The promise about new words holds, and bites, where the vendor says "frozen" for what we call inactive."""
    package = project / "src" / "voucher_gateway_acme"
    provider, simulator = package / "provider.py", package / "simulator.py"
    text = provider.read_text("utf-8").replace('"inactive": Status', '"frozen": Status')
    provider.write_text(text.replace("Status.UNKNOWN)", f"Status.{fallback})"), "utf-8")
    before = simulator.read_text("utf-8")
    words = '{"status": "frozen" if self.status == "inactive" else self.status}'
    after = before.replace('"validUntil": until}', '"validUntil": until} | ' + words)
    assert after != before
    simulator.write_text(after, "utf-8")

    ran = installed(*PYTEST, "--promise", "R8", "--promise", "R7")

    assert ("promise R8 (read level) is broken" in ran.stdout) == (fallback != "UNKNOWN"), ran.stdout
    assert "R7" not in ran.stdout
