"""The guide for authors of providers: what it shows is there, what it adds works, and what it says is said.

A ``py`` block names its file in its first line. It is either a part of the sample as it stands, or begins with "add
to", and then says where; those are followed one after the other in a project of the test's own.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from voucher_gateway.scaffold.names import Naming
from voucher_gateway.scaffold.write import write_project

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "adding-a-provider.md").read_text("utf-8")
BLOCKS: Final = re.findall(r"^```py\n# (add to )?(\S+?)(?:, (\w+))?\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

SENT: Final = "self.http.change(request, intent, read)"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(Naming.of("acme", "Acme Gift Cards"), tmp_path)[0]


def python(project: Path, *arguments: str) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env={**kept, "PYTHONPATH": str(project / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return ran.stdout + ran.stderr


def contract(project: Path, *arguments: str) -> str:
    return python(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "TestAcme", *arguments)


def put(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new), "utf-8")


def follow(project: Path) -> None:
    """Add what the page adds, as an author would."""
    for adds, name, where, block in BLOCKS:
        if not adds:
            continue
        file = project / name
        if where == "imports":
            put(
                file,
                "from voucher_gateway.provider_api import (\n",
                f"from voucher_gateway.provider_api import (\n{block}",
            )
        elif where == "routes":
            put(file, "        return [\n            Route(", f"        return [\n{block}            Route(")
        elif where == "operations":
            first = "operations={\n" if "operations={\n" in file.read_text("utf-8") else "operations={"
            put(file, first, f"operations={{\n{block}{'' if first.endswith(chr(10)) else '            '}")
        elif where == "class":
            lines = file.read_text("utf-8").splitlines(keepends=True)
            (last,) = [one for one in ast.parse("".join(lines)).body if isinstance(one, ast.ClassDef)][-1:]
            assert last.end_lineno is not None
            lines.insert(last.end_lineno, f"\n{block}")
            file.write_text("".join(lines), "utf-8")
        else:
            assert where == "end"
            file.write_text(f"{file.read_text('utf-8')}\n\n{block}", "utf-8")


def said(text: str) -> bool:
    """Whether the page has this text block, whose ``...`` stand for anything."""
    plain = re.sub(r"^E? +", "", text, flags=re.MULTILINE)
    return any(
        re.search(".*?".join(map(re.escape, re.sub("(?m)^ +", "", block.strip()).split("..."))), plain, re.DOTALL)
        for block in re.findall(r"^```text\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    )


def test_what_is_shown_stands_in_the_new_project_or_in_the_sample(project: Path) -> None:
    shown = [(name, block) for adds, name, _, block in BLOCKS if not adds]
    assert len(shown) >= 12
    for name, block in shown:
        texts = [(folder / name).read_text("utf-8") for folder in (project, ROOT / "docs" / "sample")]
        assert any(block in text for text in texts), (name, block)


@pytest.mark.long
def test_the_list_that_the_page_adds_keeps_every_promise_of_lists(project: Path) -> None:
    about_lists = [word for number in range(1, 11) for word in ("--promise", f"P{number}")]
    assert "no tests collected" in contract(project, *about_lists, "--collect-only")

    follow(project)

    ran = contract(project, *about_lists, "--promise", "R4")
    assert " failed" not in ran, ran
    assert int(re.findall(r"(\d+) passed", ran)[0]) >= 8, ran


def test_what_the_page_adds_is_in_order_but_for_the_sorting_of_imports(project: Path) -> None:
    follow(project)
    assert python(project, "-m", "ruff", "check", "--no-cache", "--ignore", "I,D", ".") == "All checks passed!\n"


@pytest.mark.long
def test_the_spending_that_the_page_adds_is_exact_and_honest(project: Path) -> None:
    follow(project)
    put(project / "tests" / "test_contract.py", "Level.READ", "Level.SPEND")
    spending = [word for number in ("L1", "S4", "S11", "E1", "E2", "E6") for word in ("--promise", number)]
    ran = contract(project, *spending)
    assert " failed" not in ran, ran
    assert int(re.findall(r"(\d+) passed", ran)[0]) >= 4, ran


@pytest.mark.slow
def test_the_provider_of_the_page_reaches_the_highest_level(project: Path) -> None:
    follow(project)
    put(project / "tests" / "test_contract.py", "Level.READ", "Level.CRASH_SAFE")
    ran = contract(project)
    assert " failed" not in ran, ran
    assert "acme: crash-safe, " in ran


@pytest.mark.long
@pytest.mark.parametrize(
    ("right", "wrong", "promise"),
    [
        ("if charged != money:", "if False:", "E6"),
        (f"with self.calls.voucher_not_found_on_404():\n            return {SENT}", f"return {SENT}", "S11"),
    ],
)
def test_the_tests_lead_to_what_the_page_says_they_lead_to(project: Path, right: str, wrong: str, promise: str) -> None:
    follow(project)
    put(project / "src/voucher_gateway_acme/provider.py", right, wrong)
    put(project / "tests" / "test_contract.py", "Level.READ", "Level.SPEND")
    assert f"promise {promise} (spend level) is broken" in contract(project, "--promise", promise)


@pytest.mark.long
def test_declaring_the_list_alone_is_refused_as_the_page_says(project: Path) -> None:
    put(project / "src/voucher_gateway_acme/provider.py", "operations={", "operations={Operation.VOUCHERS: native(), ")
    assert said(python(project, "-c", "import voucher_gateway_acme.provider"))


@pytest.mark.long
def test_the_spend_level_says_what_the_page_says(project: Path) -> None:
    put(project / "tests" / "test_contract.py", "Level.READ", "Level.SPEND")
    assert said(contract(project, "--promise", "L1"))


@pytest.mark.long
def test_a_wrong_balance_is_told_as_the_page_says(project: Path) -> None:
    provider = project / "src" / "voucher_gateway_acme" / "provider.py"
    put(provider, "money_from(wire.AMOUNT, voucher.balance", "money_from(wire.AMOUNT, voucher.initial")
    assert said(contract(project, "--promise", "M2"))
