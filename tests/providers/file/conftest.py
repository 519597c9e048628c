"""Files of vouchers in a folder of each test's own."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from voucher_gateway import Money, NewVoucher
from voucher_gateway_file import FileProvider, FileSettings


class Open(Protocol):
    """Make a provider for a file; a text is written into it first."""

    def __call__(
        self, name: str | Path = "vouchers.jsonl", text: str | bytes | None = None, **settings: Any
    ) -> FileProvider: ...


@pytest.fixture
def open_file(tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:

        def open_file(
            name: str | Path = "vouchers.jsonl", text: str | bytes | None = None, **settings: Any
        ) -> FileProvider:
            path = tmp_path / name
            if text is not None:
                path.write_bytes(text.encode() if isinstance(text, str) else text)
                path.chmod(0o600)
            return stack.enter_context(FileProvider("files", FileSettings(path=str(path), **settings)))

        yield open_file


@pytest.fixture(params=["jsonl", "csv"])
def either_name(request: pytest.FixtureRequest) -> str:
    """The name of a file of each form in turn."""
    return f"vouchers.{request.param}"


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], list[dict[str, Any]]]:
    """Reads a file with the standard library alone: an object or a row for each voucher."""

    def written(name: str) -> list[dict[str, Any]]:
        text = (tmp_path / name).read_bytes().decode()
        if name.endswith(".jsonl"):
            return [json.loads(line) for line in text.splitlines()]
        return list(csv.DictReader(io.StringIO(text, newline="")))

    return written


def euros(amount: str = "25.00", **fields: Any) -> NewVoucher:
    """A voucher to be issued."""
    return NewVoucher(initial=Money(amount, "EUR"), **fields)


@pytest.fixture
def new() -> Callable[..., NewVoucher]:
    return euros
