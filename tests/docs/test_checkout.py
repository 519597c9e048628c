"""The tests that the page about testing a checkout shows are run by pytest, as a reader would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "testing-your-checkout.md"


@pytest.mark.long
def test_the_tests_of_the_page_pass_in_a_folder_of_their_own(tmp_path: Path) -> None:
    text = PAGE.read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    shown = len(re.findall(r"^def test_", text, flags=re.MULTILINE))
    tmp_path.joinpath("test_checkout.py").write_text("\n\n".join(blocks), "utf-8")
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert f"{shown} passed" in ran.stdout
    assert shown >= 4


def test_the_five_lines_are_five() -> None:
    body = PAGE.read_text("utf-8").partition("def test_a_lost_answer")[2].partition("```")[0].strip().splitlines()[1:]
    assert len(body) == 5
