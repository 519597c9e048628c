"""The file of a plan: JSON lines that a person can review and a program can read. A change of the file is detected.

The first line is the header. Then come a line for each voucher and a line with the totals. The last line has the
SHA-256 of all bytes before it, which is the id of the plan, and a seal: an HMAC of the id under the journal's key. The
file has no codes and no PINs: codes are masked, and compared by keyed fingerprints. The values of vouchers are business
secrets, so only the owner of the file can read it.
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

from voucher_gateway.atomic_file import AtomicFile, report_write_errors
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.migration.plan.estimate import Estimate
from voucher_gateway.migration.plan.model import Action, PlanHeader, PlannedVoucher
from voucher_gateway.migration.plan.totals import Totals
from voucher_gateway.migration.plan.voucher_text import planned_voucher, voucher_text
from voucher_gateway.serialization import make_converter
from voucher_gateway.wire.json import decode

FORMAT: Final = 1
"""The version of the format."""

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class PlanSummary:
    """A plan without its vouchers.

    Attributes:
        id: the SHA-256 of its file.
        path: the file.
        header: the properties that all vouchers share.
        totals: the totals of the vouchers.
        estimate: the estimated time of a run.
        seal: the seal of the journal's key over `id`; None if the plan was made by an earlier version.
    """

    id: str
    path: Path
    header: PlanHeader
    totals: Totals
    estimate: Estimate
    seal: str | None = None


_BLOCK_SIZE: Final = 1 << 16
"""The number of characters that are collected before they are written."""

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class PlanWriter:
    """Writes a plan, in a ``with`` block. The file is complete, or it is not changed.

    Args:
        path: the file. An existing file is replaced.
        header: the first line.
        keys: the keys of the journal, which seal the plan; None for a plan without a seal.

    Raises:
        ConfigurationError: if the file cannot be written.
    """

    def __init__(self, path: Path, header: PlanHeader, keys: JournalKeys | None = None) -> None:
        self._keys = keys
        self._path = path
        self._header = header
        self._hash = hashlib.sha256()
        self._block: list[str] = []
        self._block_size = 0
        with report_write_errors(f"the plan {path}"):
            self._output = AtomicFile(path)
        self._line({"plan": FORMAT, **_CONVERTER.unstructure(header)})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._output.__exit__(*error)

    def write(self, planned: PlannedVoucher) -> None:
        """Write one voucher."""
        self._add_line(voucher_text(planned))

    def read_back(self) -> Iterator[PlannedVoucher]:
        """Yield the vouchers that were written so far."""
        self._write_block()
        with report_write_errors(f"the plan {self._path}"):
            self._output.file.flush()
        with self._output.draft.open("rb") as file:
            next(file)
            for line in file:
                yield planned_voucher(json.loads(line))

    def finish(self, totals: Totals, estimate: Estimate) -> PlanSummary:
        """Write the last lines, give the file its name, and return the plan without its vouchers."""
        self._line({"totals": _CONVERTER.unstructure(totals), "estimate": _CONVERTER.unstructure(estimate)})
        self._write_block()
        plan_id = self._hash.hexdigest()
        seal = None if self._keys is None else self._keys.seal(plan_id, self._header.key_id)
        self._line({"sha256": plan_id} if seal is None else {"sha256": plan_id, "seal": seal})
        self._write_block()
        with report_write_errors(f"the plan {self._path}"):
            self._output.commit()
        return PlanSummary(
            id=plan_id, path=self._path, header=self._header, totals=totals, estimate=estimate, seal=seal
        )

    def _line(self, value: object) -> None:
        self._add_line(_encode(value))

    def _add_line(self, text: str) -> None:
        self._block.append(text)
        self._block_size += len(text)
        if self._block_size >= _BLOCK_SIZE:
            self._write_block()

    def _write_block(self) -> None:
        """Write the lines that were collected. Few long writes take a fraction of the time of many short ones."""
        block = "".join([f"{line}\n" for line in self._block]).encode("utf-8", "surrogatepass")
        self._block.clear()
        self._block_size = 0
        self._hash.update(block)
        with report_write_errors(f"the plan {self._path}"):
            self._output.file.write(block)


class Plan:
    """A plan that is open for reading. Its file was checked: it is as it was written.

    Attributes:
        summary: the plan without its vouchers.
    """

    def __init__(self, summary: PlanSummary, file: IO[bytes], vouchers_end: int) -> None:
        self.summary = summary
        self._file = file
        self._vouchers_end = vouchers_end

    @property
    def id(self) -> str:
        """The SHA-256 of the file."""
        return self.summary.id

    @property
    def path(self) -> Path:
        """The file."""
        return self.summary.path

    @property
    def header(self) -> PlanHeader:
        """The properties that all vouchers share."""
        return self.summary.header

    @property
    def totals(self) -> Totals:
        """The totals of the vouchers."""
        return self.summary.totals

    def vouchers(self) -> Iterator[PlannedVoucher]:
        """Yield all vouchers of the plan in its order. Only one thread may read at a time."""
        number, place = 1, len(self._line_at(0))
        while place < self._vouchers_end:
            line = self._line_at(place)
            number, place = number + 1, place + len(line)
            yield _parse_line(self.path, number, line, planned_voucher)

    def _line_at(self, place: int) -> bytes:
        with _report_read_errors(self.path):
            self._file.seek(place)  # another iteration may have moved the position; within the buffer this is cheap
            return self._file.readline()

    def carried_vouchers(self) -> Iterator[PlannedVoucher]:
        """Yield the vouchers that are carried to the target, in the order of the plan."""
        return (voucher for voucher in self.vouchers() if voucher.action is Action.CARRY)


@contextmanager
def open_plan(plan: Path | Plan) -> Iterator[Plan]:
    """Open a plan and check once that its file is as it was written.

    Args:
        plan: the file, or an open plan. An open plan is yielded as it is, and stays open.

    Raises:
        ConfigurationError: if the file cannot be read, is not a plan, or was changed.
    """
    if isinstance(plan, Plan):
        yield plan
        return
    with _open_file(plan) as file:
        with _report_read_errors(plan):
            opened = _check_and_read(plan, file)
        yield opened


def read_summary(path: Path) -> PlanSummary:
    """Return a plan without its vouchers. It raises the errors of `open_plan`."""
    with open_plan(path) as plan:
        return plan.summary


def read_vouchers(path: Path) -> Iterator[PlannedVoucher]:
    """Yield the vouchers of a plan in its order. It raises the errors of `open_plan` before the first voucher."""
    with open_plan(path) as plan:
        yield from plan.vouchers()


@contextmanager
def _open_file(path: Path) -> Iterator[IO[bytes]]:
    with _report_read_errors(path):
        file = path.open("rb")
    with file:
        yield file


def _check_and_read(path: Path, file: IO[bytes]) -> Plan:
    plan_id, seal, vouchers_end = _verify_hash(path, file)
    file.seek(0)
    header = _parse_line(path, 1, file.readline(), _header)
    file.seek(vouchers_end)
    totals, estimate = _parse_line(path, None, file.readline(), _footer)
    summary = PlanSummary(id=plan_id, path=path, header=header, totals=totals, estimate=estimate, seal=seal)
    return Plan(summary, file, vouchers_end)


def _verify_hash(path: Path, file: IO[bytes]) -> tuple[str, str | None, int]:
    """Check the hash of a file, and return it with the seal and the offset of the totals."""
    digest, held, totals_at, place = hashlib.sha256(), b"", 0, 0
    before = b""
    for line in file:
        if held:
            digest.update(held)
            totals_at = place - len(held)
        before, held = held, line
        place += len(line)
    if not before or not held.endswith(b"\n"):
        raise ConfigurationError(f"{path}: the file is incomplete, or it is not a plan")
    stored, seal = _parse_line(path, None, held, _read_hash)
    if stored != digest.hexdigest():
        raise ConfigurationError(f"{path}: the file was changed after it was made; do not edit a plan, make a new one")
    return stored, seal, totals_at


def _read_hash(value: Mapping[str, Any]) -> tuple[str, str | None]:
    seal = value.get("seal")
    return str(value["sha256"]), None if seal is None else str(seal)


def _header(value: Mapping[str, Any]) -> PlanHeader:
    if value["plan"] != FORMAT:
        raise ValueError("another version")
    header: PlanHeader = _CONVERTER.structure(value, PlanHeader)
    return header


def _footer(value: Mapping[str, Any]) -> tuple[Totals, Estimate]:
    return _CONVERTER.structure(value["totals"], Totals), _CONVERTER.structure(value["estimate"], Estimate)


def _parse_line(path: Path, number: int | None, line: bytes, read: Any) -> Any:
    where = "the last line" if number is None else f"line {number}"
    with suppress(Exception):  # whatever the error is, this version did not write the file
        return read(decode(line))
    raise ConfigurationError(f"{path}: {where} is not valid in a plan of this version")


@contextmanager
def _report_read_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or "the file cannot be read"
    else:
        return
    raise ConfigurationError(f"{path}: {reason}")


def _is_object(annotation: Any) -> bool:
    return annotation is object


def _keep(value: Any, _: Any) -> Any:
    return value


def _make() -> cattrs.Converter:
    converter = make_converter()
    converter.register_structure_hook_func(_is_object, _keep)  # the policy is kept as it is
    return converter


_CONVERTER: Final = _make()
