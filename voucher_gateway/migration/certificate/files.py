"""Writes a certificate: a page, a JSON file, and a folder of CSV files, each sealed, and readable by its owner only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from voucher_gateway.atomic_file import AtomicFile, atomic_write, report_write_errors
from voucher_gateway.html.document import display_instant
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.migration.certificate.csv_text import csv_blocks, text_cell
from voucher_gateway.migration.certificate.model import Certificate
from voucher_gateway.migration.certificate.seal import SEAL_FILE, identity_of, seal_html, seal_json
from voucher_gateway.migration.run.record_text import result_text, work_text
from voucher_gateway.money import Money
from voucher_gateway.serialization import to_json

VOUCHERS_FILE: Final = "vouchers.csv"
"""The list of all vouchers."""


def certificate_content(certificate: Certificate) -> dict[str, Any]:
    """Return the content of a certificate as a JSON object."""
    from voucher_gateway.migration.certificate.model import FORMAT

    return {"format": FORMAT, **to_json(certificate)}


def write_json(keys: JournalKeys, certificate: Certificate, path: Path) -> None:
    """Write a certificate as a sealed JSON file.

    Raises:
        ConfigurationError: if it cannot be written.
    """
    with report_write_errors(f"the certificate {path}"):
        atomic_write(path, seal_json(keys, certificate_content(certificate)))


def write_html(keys: JournalKeys, certificate: Certificate, path: Path) -> None:
    """Write a certificate as a sealed page.

    Raises:
        ConfigurationError: if it cannot be written, or Jinja2 is not installed.
    """
    from voucher_gateway.html.render import render
    from voucher_gateway.migration.certificate.html import certificate_page

    identity = identity_of(certificate_content(certificate))
    page = certificate_page(certificate, identity.sha256)
    with report_write_errors(f"the certificate {path}"):
        atomic_write(path, seal_html(keys, render(page), identity))


@contextmanager
def open_voucher_list(folder: Path) -> Iterator[BinaryIO]:
    """Open the list of all vouchers in a folder for writing; it appears if the ``with`` block ends without an error.

    Raises:
        ConfigurationError: if it cannot be written.
    """
    with report_write_errors(f"the certificate {folder / VOUCHERS_FILE}"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with AtomicFile(folder / VOUCHERS_FILE) as draft:
            yield draft.file
            draft.commit()


def write_tables(keys: JournalKeys, certificate: Certificate, folder: Path) -> None:
    """Write the tables of a certificate as CSV files beside the list of all vouchers, and seal the folder.

    Raises:
        ConfigurationError: if a file cannot be written.
    """
    hashes = {VOUCHERS_FILE: certificate.rows_sha256}
    for name, head, rows in _tables(certificate):
        content = b"".join(csv_blocks(head, rows))
        hashes[name] = hashlib.sha256(content).hexdigest()
        with report_write_errors(f"the certificate {folder / name}"):
            atomic_write(folder / name, content)
    identity = identity_of(certificate_content(certificate))
    names = {"certificate": identity.sha256, "plan": identity.plan_id, "made_at": identity.made_at}
    sealed = {**names, "files": hashes}
    with report_write_errors(f"the certificate {folder / SEAL_FILE}"):
        atomic_write(folder / SEAL_FILE, seal_json(keys, sealed))


def _tables(certificate: Certificate) -> Iterator[tuple[str, Sequence[str], list[list[str]]]]:
    currency_names = (
        "before",
        "moved",
        "stays",
        "moved_by_others",
        "in_doubt",
        "at_target",
        "difference",
        "at_source",
        "added",
    )
    yield (
        "currencies.csv",
        ("currency", *currency_names),
        [
            [summary.currency, *(_amount(getattr(summary, name)) for name in currency_names)]
            for summary in certificate.currencies
        ],
    )
    part_names = ("before", "at_source", "spendable", "at_target", "used", "left")
    yield (
        "parts.csv",
        ("became", "currency", "vouchers", *part_names, "not_listed"),
        [
            [
                total.part.value,
                total.currency or "",
                str(total.count),
                *(_amount(getattr(total, name)) for name in part_names),
                str(total.not_listed),
            ]
            for total in certificate.parts
        ],
    )
    yield (
        "shifted-ends.csv",
        ("account", "shift", "vouchers", "currency", "value", "median_s", "longest_s"),
        [
            [
                text_cell(ends.account),
                ends.shift.value,
                str(ends.count),
                ends.money.currency,
                _amount(ends.money),
                "" if ends.median_s is None else str(ends.median_s),
                "" if ends.most_s is None else str(ends.most_s),
            ]
            for ends in certificate.shifted_ends
        ],
    )
    yield (
        "differences.csv",
        ("number", "source_id", "code", "difference", "explanation"),
        [
            [
                "" if difference.number is None else str(difference.number),
                text_cell(difference.source_id or ""),
                text_cell(difference.code or ""),
                difference.kind.value,
                text_cell(difference.explanation),
            ]
            for difference in certificate.differences
        ],
    )
    yield (
        "unreadable.csv",
        ("account", "voucher", "reason"),
        [
            [text_cell(entry.account), text_cell(entry.name), text_cell(entry.reason)]
            for entry in certificate.unreadable
        ],
    )
    yield (
        "open-operations.csv",
        ("account", "verb", "reference", "state", "of_plan", "began"),
        [
            [
                text_cell(operation.account),
                operation.verb,
                text_cell(operation.reference),
                operation.state,
                "yes" if operation.of_plan else "no",
                display_instant(operation.began_at),
            ]
            for operation in certificate.open_operations
        ],
    )
    yield (
        "runs.csv",
        ("work", "by", "machine", "began", "ended", "version", "result"),
        [
            [
                work_text(record),
                text_cell(record.performed_by),
                text_cell(record.host),
                display_instant(record.began_at),
                "" if record.ended_at is None else display_instant(record.ended_at),
                record.version,
                text_cell(result_text(record)),
            ]
            for record in certificate.runs
        ],
    )


def _amount(money: Money | None) -> str:
    return "" if money is None else f"{money.amount:f}"
