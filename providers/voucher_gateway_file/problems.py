"""Collects the problems of a file: counts all of them, keeps the first ones, and lists all of them in another file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, Self

from voucher_gateway_file.formats import file_error

MAX_PROBLEMS: Final = 200
"""The maximum of problems that an error has."""


class ProblemList:
    """The problems of one file, in a ``with`` block.

    Args:
        path: the file that lists all problems, readable for its owner only. None for no such file. It is removed if
            the file has no problem.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._output: IO[str] | None = None
        self._first: list[str] = []
        self._count = 0
        self._lines = 0

    def __enter__(self) -> Self:
        if self._path is not None:
            with suppress(OSError):  # a list that cannot be removed cannot be written either
                self._path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def add(self, line: int, problems: Sequence[tuple[str, str]]) -> None:
        """Add the problems of a line: the place in the line, and the rule that is broken."""
        if not self._count and self._path is not None:
            self._open(self._path)
        texts = [f"line {line}{place and f', {place}'}: {rule}" for place, rule in problems]
        self._count += len(texts)
        self._lines += 1
        self._first += texts[: MAX_PROBLEMS - len(self._first)]
        if self._output is not None:
            try:
                self._output.writelines(f"{text}\n" for text in texts)
            except OSError:
                self._give_up()

    def raise_if_any(self) -> None:
        """Raise the error of the file, if it has problems.

        Raises:
            MalformedFile: with the number of all problems.
        """
        if not self._count:
            return
        if self._output is not None:
            try:
                self._output.flush()
            except OSError:
                self._give_up()
        problems = "1 problem" if self._count == 1 else f"{self._count} problems"
        lines = "1 line" if self._lines == 1 else f"{self._lines} lines"
        raise file_error(
            f"the file has {problems} in {lines}",
            self._first,
            problem_count=self._count,
            wrong_lines=self._lines,
            listed_in=None if self._output is None else str(self._path),
        )

    def _open(self, path: Path) -> None:
        with suppress(OSError):  # the error still has the first problems and their number
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._output = open(descriptor, "w", encoding="utf-8")  # noqa: SIM115 - closed at the end of the block

    def _give_up(self) -> None:
        """Close a list that cannot be completed, and remove it."""
        self._close()
        self._output = None
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._output is not None:
            with suppress(OSError):
                self._output.close()
