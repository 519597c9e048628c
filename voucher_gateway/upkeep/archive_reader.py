"""Reads an archive of a journal; see `voucher_gateway.upkeep.archive`."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from voucher_gateway.errors import InvalidRequest, MalformedFile
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.records import OperationRecord
from voucher_gateway.upkeep.archive import FORMAT
from voucher_gateway.upkeep.batches import OPERATIONS, PAYMENTS, SALES, Known


def read_archive(file: Path, keys: JournalKeys | None = None) -> Iterator[OperationRecord]:
    """Yield the operations of an archive, the oldest first.

    Args:
        file: the archive.
        keys: the keys of the journal that wrote it, to compare the seal at the end; None to compare the SHA-256 alone.

    Raises:
        MalformedFile: if it is not a complete archive, or was changed. The end is compared when it is reached.
        InvalidRequest: if it cannot be read.
    """
    for line in iterate_lines(file, keys=keys):
        if line["kind"] == OPERATIONS:
            yield OperationRecord.from_row(line["operation"])


def iterate_lines(file: Path, *, keys: JournalKeys | None = None) -> Iterator[dict[str, Any]]:
    """Yield the lines of an archive between its header and its end. The end is compared when it is reached.

    Args:
        file: the archive.
        keys: the keys of the journal that wrote it, to compare the seal; None to compare the SHA-256 alone.

    Raises:
        MalformedFile: if it is not a complete archive, or was changed.
        InvalidRequest: if it cannot be read.
    """
    digest = hashlib.sha256()
    end: Mapping[str, Any] | None = None
    try:
        with gzip.open(file, "rb") as lines:
            for number, text in enumerate(lines):
                line = json.loads(text)
                if number == 0 and line.get("format") != FORMAT:
                    raise MalformedFile(f"{file} is not an archive of a journal")
                if line.get("kind") == "end":
                    end = line
                    break
                digest.update(text)
                if number:
                    yield line
    except (EOFError, gzip.BadGzipFile, ValueError, AttributeError):
        end = None
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be read: {error.strerror}", field="file", rule="an archive") from None
    if end is None:
        raise MalformedFile(f"{file} is not a complete archive of a journal")
    if end["sha256"] != digest.hexdigest() or (keys is not None and not _is_sealed(keys, end)):
        raise MalformedFile(f"{file} was changed, or was written by another journal")


def _is_sealed(keys: JournalKeys, end: Mapping[str, Any]) -> bool:
    if end["key_id"] not in keys.keys:
        return False
    return hmac.compare_digest(end["seal"], keys.keyed_digest("archive", end["sha256"], key_id=end["key_id"]))


def check_archive(file: Path, keys: JournalKeys) -> None:
    """Read a whole archive, and check that it is complete, unchanged, and of this journal.

    Raises:
        MalformedFile: if it is not.
        InvalidRequest: if it cannot be read.
    """
    for _ in iterate_lines(file, keys=keys):
        pass


def iterate_archived_batches(file: Path, *, size: int) -> Iterator[tuple[str, Known]]:
    """Yield what an archive holds, some rows at a time: the kind, and the ids with the moments of the last change."""
    kind, known = "", dict[str, str | None]()
    for line in iterate_lines(file):
        rows = [entry["payment"] for entry in line["payments"]] if line["kind"] == PAYMENTS else [_row_of(line)]
        if known and (line["kind"] != kind or len(known) >= size):
            yield kind, known
            known = {}
        kind = line["kind"]
        known.update({row["id"]: row["updated_at"] for row in rows})
    if known:
        yield kind, known


def _row_of(line: Mapping[str, Any]) -> Mapping[str, Any]:
    row: Mapping[str, Any] = line["sale"] if line["kind"] == SALES else line["operation"]
    return row
