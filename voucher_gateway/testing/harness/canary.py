"""The canary: planted secrets that must not appear in logs, messages, reprs and tracebacks."""

from __future__ import annotations

import base64
import http.client
import json
import logging
import re
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Final
from unittest.mock import patch
from urllib.parse import quote, quote_plus

LONG_ENOUGH: Final = 8
"""A text of this length does not appear by chance."""

_DEPTH: Final = 6
"""How many levels of containers are searched, as error trackers do."""

_NOT_LOOKED_AT: Final = ("voucher_gateway.testing", "voucher_gateway.simulator")
"""Packages whose frames may hold secrets: they stand for the caller and the vendor."""

_GENERATED: Final = "<attrs generated methods "


class Canary(logging.Handler):
    """Collects what is logged, warned of, printed and raised, and looks for planted secrets in it.

    Of an error that was raised, the local variables of its frames are collected too, as an error tracker sends them:
    from the first frame of a package in `packages` inwards, third parties' frames included.

    Secrets are looked for as they are, percent-encoded, with escapes of Python and JSON, and in base64. Plant texts
    that are long and odd enough not to be there by chance, and keep them out of lines that raise: a traceback quotes
    those. A test that reads its own output passes it to `note`.

    Attributes:
        packages: top-level packages whose frames are looked at, besides `voucher_gateway` and ``voucher_gateway_*``.
        warned: the warnings.
    """

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.packages: set[str] = set()
        self._planted: list[str] = []
        self._seen: list[tuple[str, str]] = []
        self.warned: list[str] = []

    def plant(self, text: str) -> str:
        """Remember a secret, and return it."""
        self._planted.append(text)
        return text

    def saw(self, error: BaseException) -> None:
        """Note an error with its causes, contexts, attributes and frames, even those that a traceback leaves out."""
        visited: list[BaseException] = []
        queue: list[BaseException | None] = [error]
        while queue:
            current = queue.pop()
            if current is None or current in visited:
                continue
            visited.append(current)
            queue += [current.__cause__, current.__context__, *getattr(current, "exceptions", ())]
            text = "".join(traceback.format_exception(current, chain=False))
            self.note(
                f"the error {type(current).__name__}", f"{text}\n{current!r}\n{current.args!r}\n{vars(current)!r}"
            )
            for frame in self._frames(current.__traceback__):
                where = f"{frame.f_globals.get('__name__', frame.f_code.co_filename)}.{frame.f_code.co_qualname}"
                for name, value in list(frame.f_locals.items()):
                    self.note(f"the local variable {name} of {where}", "\n".join(_local_texts(value)))

    def _frames(self, trace: TracebackType | None) -> Iterator[FrameType]:
        """Yield the frames from the first one of a watched package inwards, without the callers' and the vendor's."""
        is_inside = False
        for frame, _ in traceback.walk_tb(trace):
            module = _module_of(frame)
            if any(module == name or module.startswith(f"{name}.") for name in _NOT_LOOKED_AT):
                continue
            package = module.partition(".")[0]
            is_inside = is_inside or package.startswith("voucher_gateway") or package in self.packages
            if is_inside:
                yield frame

    def note(self, where: str, text: str) -> None:
        """Note any other text, such as a table or a page."""
        self._seen.append((where, text))

    def emit(self, record: logging.LogRecord) -> None:
        """Note a log record: its line, and the arguments that a log shipper would send."""
        self.note(f"a log line of {record.name}", f"{self.format(record)}\n{record.args!r}")
        if record.exc_info is not None and record.exc_info[1] is not None:
            self.saw(record.exc_info[1])

    def find_leak(self) -> str | None:
        """Return where, and in which form, a planted secret was seen; None if none was."""
        for text in self._planted:
            for form, written in _forms(text):
                for where, seen in self._seen:
                    if written in seen:
                        return f"a planted secret shows in {where}, {form}"
        return None

    def look(self) -> None:
        """Check that no planted secret was seen anywhere.

        Raises:
            AssertionError: naming where, and in which form.
        """
        where = self.find_leak()
        assert where is None, where


def _module_of(frame: FrameType) -> str:
    filename = frame.f_code.co_filename
    if filename.startswith(_GENERATED):  # the globals of such a function do not name its module
        return filename.removeprefix(_GENERATED)
    return str(frame.f_globals.get("__name__", ""))


def _local_texts(value: object, depth: int = _DEPTH) -> Iterator[str]:
    """Yield what an error tracker sends of a local variable: its repr, and that of what a container holds."""
    if isinstance(value, str):
        yield str.__repr__(value)  # whatever the repr of a subclass shows, its text is sent
        return
    try:
        yield repr(value)
    except Exception as error:  # noqa: BLE001 - an error tracker goes on, too
        yield f"<{type(error).__name__} in repr>"
    if depth > 0 and isinstance(value, Mapping):
        for name, member in list(value.items()):
            yield from _local_texts(name, depth - 1)
            yield from _local_texts(member, depth - 1)
    elif depth > 0 and isinstance(value, Sequence | Set) and not isinstance(value, bytes | bytearray | memoryview):
        for member in list(value):
            yield from _local_texts(member, depth - 1)


def _forms(text: str) -> Iterator[tuple[str, str]]:
    yield "as it is", text
    yield "with escapes", ascii(text)[1:-1]
    yield "with escapes", json.dumps(text)[1:-1]
    yield "as bytes", repr(text.encode())[2:-1]
    for written in {quote(text), quote(text, safe=""), quote_plus(text)}:
        yield "percent-encoded", written
        yield "percent-encoded", re.sub("%..", lambda code: code[0].lower(), written)
    # Base64 of a longer text that holds the secret: what it looks like depends on where in the text it begins, and
    # its first and last characters on the neighbours.
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + text.encode()).decode().rstrip("=")
        core = encoded[(before * 8 + 5) // 6 : -1]
        if len(core) >= 8:
            yield "in base64", core
            yield "in base64", core.replace("+", "-").replace("/", "_")


@contextmanager
def listen_to_logs() -> Iterator[Canary]:
    """Set every logger to DEBUG, and give a canary that gets all records. The caller plants secrets and looks for them.

    It also gets warnings and the debug lines of http.client. The caller passes printed output to `note`.
    """
    canary = Canary()
    canary.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.Logger.manager.loggerDict))]
    before = [(logger, logger.level, logger.disabled) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.disabled = False
    logging.getLogger().addHandler(canary)
    try:
        with (
            patch.object(http.client.HTTPConnection, "debuglevel", 1),
            warnings.catch_warnings(record=True) as warned,
        ):
            warnings.simplefilter("always")
            yield canary
    finally:
        logging.getLogger().removeHandler(canary)
        for logger, level, disabled in before:
            logger.setLevel(level)
            logger.disabled = disabled
        for warning in warned:
            canary.warned.append(str(warning.message))
            canary.note("a warning", canary.warned[-1])
