"""A command that was written wrong is explained without what was written: it may have been a code."""

from __future__ import annotations

from typing import Any

import pytest

CODE = "GIFT-4711-SECRET"


@pytest.mark.parametrize(
    "arguments",
    [
        ["find", f"--{CODE}"],
        ["find", f"--{CODE}=x"],
        ["find", f"-{CODE}"],
        ["find", "--code-of-small-letters"],
        [f"--{CODE}", "find"],
        ["operations", f"--{CODE}"],
        ["list", "shop", f"--{CODE}", "1"],
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_an_unknown_option_is_not_repeated(run: Any, arguments: list[str], form: list[str]) -> None:
    ran = run(*form, *arguments)
    assert ran.code == 2
    assert "There is no such option. A value that begins with - comes after --." in ran.err
    for part in ("GIFT", "4711", "code-of", "-G"):
        assert part not in ran.out + ran.err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["redeem", "--refrence", "x"], "There is no such option. Did you mean --reference?"),
        (["find", "--pn", "1"], "There is no such option. Did you mean --help or --pin?"),
    ],
)
def test_the_options_that_may_be_meant_are_named(run: Any, arguments: list[str], hint: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert hint in ran.err
    assert arguments[1] not in ran.err
