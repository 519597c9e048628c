"""The files of a certificate: a page, JSON and tables, each complete, sealed, and for its owner only."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import attrs
import pytest

from tests.migration.run.vendor_pair import VendorPair
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.masking import Secret
from voucher_gateway.migration.certificate.csv_text import text_cell
from voucher_gateway.migration.certificate.files import (
    certificate_content,
    open_voucher_list,
    write_html,
    write_json,
    write_tables,
)
from voucher_gateway.migration.certificate.make import make_certificate
from voucher_gateway.migration.certificate.model import Certificate
from voucher_gateway.migration.certificate.seal import check_certificate, digest_of

KEYS = JournalKeys.of({"1": Secret("k" * 40)})


def keys_of(pair: VendorPair) -> JournalKeys:
    assert pair.gateway.journal is not None
    return pair.gateway.journal.keys


@pytest.fixture
def certificate(pair: VendorPair, tmp_path: Path) -> Certificate:
    """A certificate of a finished move; its list of vouchers is in the folder ``tables``."""
    pair.move()
    with open_voucher_list(tmp_path / "tables") as file:
        return make_certificate(pair.gateway, pair.path, by="Ann", voucher_list=file)


def test_each_file_passes_its_check_and_is_for_its_owner_only(
    pair: VendorPair, certificate: Certificate, tmp_path: Path
) -> None:
    keys, tables = keys_of(pair), tmp_path / "tables"
    write_json(keys, certificate, tmp_path / "c.json")
    write_html(keys, certificate, tmp_path / "c.html")
    write_tables(keys, certificate, tables)
    for path in (tmp_path / "c.json", tmp_path / "c.html", tables):
        check_certificate(keys, path)
    files = [tmp_path / "c.json", tmp_path / "c.html", *tables.iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {path.name for path in tables.iterdir()} == {
        "currencies.csv",
        "differences.csv",
        "open-operations.csv",
        "parts.csv",
        "runs.csv",
        "seal.json",
        "shifted-ends.csv",
        "unreadable.csv",
        "vouchers.csv",
    }


def test_page_and_json_are_recognised_as_one_certificate(
    pair: VendorPair, certificate: Certificate, tmp_path: Path
) -> None:
    keys = keys_of(pair)
    write_json(keys, certificate, tmp_path / "c.json")
    write_html(keys, certificate, tmp_path / "c.html")
    digest = digest_of(certificate_content(certificate))
    assert check_certificate(keys, tmp_path / "c.json").sha256 == digest
    assert digest in (tmp_path / "c.html").read_text()
    sealed = json.loads((tmp_path / "c.json").read_text())
    assert sealed["certificate"]["plan"]["id"] == certificate.plan.id
    assert sealed["certificate"]["rows_sha256"] == certificate.rows_sha256


def test_the_tables_have_the_amounts_of_the_certificate(
    pair: VendorPair, certificate: Certificate, tmp_path: Path
) -> None:
    write_tables(keys_of(pair), certificate, tmp_path / "tables")
    with (tmp_path / "tables" / "currencies.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["currency"], row["before"], row["difference"]) for row in rows] == [
        (summary.currency, f"{summary.before.amount:f}", f"{summary.difference.amount:f}")
        for summary in certificate.currencies
    ]


def test_a_file_that_cannot_be_written_is_named(pair: VendorPair, certificate: Certificate, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing/c\.json cannot be written: No such file"):
        write_json(keys_of(pair), certificate, tmp_path / "missing" / "c.json")


def test_a_list_that_breaks_off_does_not_appear(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_voucher_list(tmp_path / "tables") as file:
        file.write(bytes(1 // 0))
    assert list((tmp_path / "tables").iterdir()) == []


@pytest.mark.parametrize("text", ["=1+1", " =1", "@SUM(A1)", "+1", "-1", "'=1"])
def test_text_that_a_spreadsheet_would_compute_gets_an_apostrophe(text: str) -> None:
    assert text_cell(text) == f"'{text}"


def test_a_name_with_marks_of_direction_is_written_as_it_is(certificate: Certificate, tmp_path: Path) -> None:
    strange = attrs.evolve(certificate, made_by="Ann\u202e<script>")
    write_html(KEYS, strange, tmp_path / "x.html")
    text = (tmp_path / "x.html").read_text()
    assert "<script>" not in text
    assert "\\u202e&lt;script&gt;" in text
