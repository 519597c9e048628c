"""The checkouts of the example shops stay short enough to be read at one sitting."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def code_lines(source: str) -> int:
    """Count the lines that are neither blank, nor comment, nor docstring; imports count."""
    kinds = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    docstrings = {
        line
        for node in nodes
        if ast.get_docstring(node) is not None
        for line in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }
    lines = enumerate(source.splitlines(), start=1)
    return sum(bool(line.strip()) and line.strip()[0] != "#" and number not in docstrings for number, line in lines)


@pytest.mark.parametrize("name", ["django_shop/checkout.py", "fastapi_shop/shop.py"])
def test_a_checkout_has_at_most_60_lines_of_code(name: str) -> None:
    assert 40 < code_lines((EXAMPLES / name).read_text("utf-8")) <= 60


def test_blank_lines_comments_and_docstrings_are_not_counted() -> None:
    assert code_lines('"""A.\n\nB.\n"""\n\nimport os\n\n\ndef f():\n    """C."""\n    # why\n    return os\n') == 3
