"""The file that a plan is: JSON lines that a person can review, a program can read, and nobody can change unnoticed.

The first line is the header, then comes a line for each voucher, then one with the totals, and at last the SHA-256 of
all bytes before it, which is the plan's id. No code and no PIN stands in it: codes are masked, and recognised by keyed
fingerprints. Values of vouchers are business secrets all the same, so the file is readable by its owner only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, Self, TypeVar

import attrs
import cattrs

from voucher_gateway.atomic_file import AtomicFile
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.migration.plan.estimate import Estimate
from voucher_gateway.migration.plan.model import PlanHeader, PlannedVoucher
from voucher_gateway.migration.plan.totals import Totals
from voucher_gateway.serialization import make_converter
from voucher_gateway.wire.json import decode

FORMAT: Final = 1
"""The version of the file's form."""

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class PlanSummary:
    """A plan without its vouchers.

    Attributes:
        id: the SHA-256 of its file.
        path: the file.
        header: what holds for all vouchers.
        totals: what they come to.
        estimate: how long it takes.
    """

    id: str
    path: Path
    header: PlanHeader
    totals: Totals
    estimate: Estimate


class PlanWriter:
    """Writes a plan. Under its name the file appears whole or not at all; use it in a ``with`` block.

    Args:
        path: the file, which is replaced.
        header: the first line.

    Raises:
        ConfigurationError: if the file cannot be written.
    """

    def __init__(self, path: Path, header: PlanHeader) -> None:
        self._path = path
        self._header = header
        self._hash = hashlib.sha256()
        with _writing(path):
            self._output = AtomicFile(path)
        self._line({"plan": FORMAT, **_CONVERTER.unstructure(header)})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._output.__exit__(*error)

    def write(self, planned: PlannedVoucher) -> None:
        """Write one voucher."""
        self._line(_CONVERTER.unstructure(planned))

    def read_back(self) -> Iterator[PlannedVoucher]:
        """Read back what was written so far."""
        with _writing(self._path):
            self._output.file.flush()
        with self._output.draft.open("rb") as file:
            next(file)
            for line in file:
                yield _CONVERTER.structure(json.loads(line), PlannedVoucher)

    def finish(self, totals: Totals, estimate: Estimate) -> PlanSummary:
        """Write the end and give the file its name."""
        self._line({"totals": _CONVERTER.unstructure(totals), "estimate": _CONVERTER.unstructure(estimate)})
        plan_id = self._hash.hexdigest()
        self._line({"sha256": plan_id})
        with _writing(self._path):
            self._output.commit()
        return PlanSummary(id=plan_id, path=self._path, header=self._header, totals=totals, estimate=estimate)

    def _line(self, value: object) -> None:
        line = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
        self._hash.update(line)
        with _writing(self._path):
            self._output.file.write(line)


def read_summary(path: Path) -> PlanSummary:
    """Read all of a plan but its vouchers.

    Raises:
        ConfigurationError: if the file cannot be read, is no plan, or is not as it was written.
    """
    with _open_unchanged(path) as (file, plan_id, end):
        header = _parse_line(path, 1, file.readline(), _header)
        file.seek(end)
        totals, estimate = _parse_line(path, None, file.readline(), _footer)
    return PlanSummary(id=plan_id, path=path, header=header, totals=totals, estimate=estimate)


def plan_id(path: Path) -> str:
    """Return a plan's id, after looking whether the file is as it was written."""
    with _open_unchanged(path) as (_, digest, _end):
        return digest


def read_header(path: Path) -> PlanHeader:
    """Read what holds for all vouchers of a plan; errors as `read_summary`."""
    return read_summary(path).header


def read_totals(path: Path) -> Totals:
    """Read what a plan comes to; errors as `read_summary`."""
    return read_summary(path).totals


def read_vouchers(path: Path) -> Iterator[PlannedVoucher]:
    """Read the vouchers of a plan one by one, after looking whether the file is as it was written.

    Raises:
        ConfigurationError: as `read_summary`, before the first voucher.
    """
    with _open_unchanged(path) as (file, _, end):
        number = 1
        place = len(file.readline())
        while place < end:
            line = file.readline()
            number, place = number + 1, place + len(line)
            yield _parse_line(path, number, line, _voucher)


@contextmanager
def _open_unchanged(path: Path) -> Iterator[tuple[IO[bytes], str, int]]:
    """Open a plan that is as it was written. Gives the file at its beginning, its hash, and where the totals begin."""
    with _reading(path), path.open("rb") as file:
        digest, held, totals_at, place = hashlib.sha256(), b"", 0, 0
        before = b""
        for line in file:
            if held:
                digest.update(held)
                totals_at = place - len(held)
            before, held = held, line
            place += len(line)
        if not before or not held.endswith(b"\n"):
            raise ConfigurationError(f"{path}: is cut off, or no plan")
        stored_hash = _parse_line(path, None, held, lambda value: str(value["sha256"]))
        if stored_hash != digest.hexdigest():
            raise ConfigurationError(f"{path}: was changed after it was made: make the plan anew, do not edit it")
        file.seek(0)
        yield file, stored_hash, totals_at


def _header(value: Mapping[str, Any]) -> PlanHeader:
    if value["plan"] != FORMAT:
        raise ValueError("of another version")
    header: PlanHeader = _CONVERTER.structure(value, PlanHeader)
    return header


def _voucher(value: Mapping[str, Any]) -> PlannedVoucher:
    planned: PlannedVoucher = _CONVERTER.structure(value, PlannedVoucher)
    return planned


def _footer(value: Mapping[str, Any]) -> tuple[Totals, Estimate]:
    return _CONVERTER.structure(value["totals"], Totals), _CONVERTER.structure(value["estimate"], Estimate)


def _parse_line(path: Path, number: int | None, line: bytes, read: Any) -> Any:
    where = "the last line" if number is None else f"line {number}"
    with suppress(Exception):  # whatever it is, the file is not what this version writes
        return read(decode(line))
    raise ConfigurationError(f"{path}: {where} is not what a plan of this version has there")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or "it cannot be read"
    else:
        return
    raise ConfigurationError(f"{path}: {reason}")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or "it cannot be written"
    else:
        return
    raise ConfigurationError(f"the plan {path} cannot be written: {reason}")


def _make() -> cattrs.Converter:
    converter = make_converter()
    converter.register_structure_hook_func(lambda kind: kind is object, lambda value, _: value)  # the policy, as it is
    return converter


_CONVERTER: Final = _make()
