"""A certificate is sealed by the journal's key: every later change is found, and another journal's seal is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.masking import Secret
from voucher_gateway.migration.certificate.seal import (
    SEAL_FILE,
    check_certificate,
    check_certificates,
    digest_of,
    identity_of,
    seal_html,
    seal_json,
)

KEYS = JournalKeys.of({"1": Secret("k" * 40)})
OTHERS = JournalKeys.of({"1": Secret("o" * 40)})
PLAN = "a" * 64
MADE_AT = "2026-01-31T10:00:00.000000Z"
CONTENT = {
    "amount": "10.50",
    "name": "Zoë",
    "list": [1, None, True],
    "nested": {"b": 1, "a": 2},
    "plan": {"id": PLAN},
    "made_at": MADE_AT,
}
PAGE = "<!DOCTYPE html>\n<p>10.50 EUR</p>"


@pytest.fixture
def json_file(tmp_path: Path) -> Path:
    path = tmp_path / "certificate.json"
    path.write_bytes(seal_json(KEYS, CONTENT))
    return path


@pytest.fixture
def html_file(tmp_path: Path) -> Path:
    path = tmp_path / "certificate.html"
    path.write_bytes(seal_html(KEYS, PAGE, identity_of(CONTENT)))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "tables"
    path.mkdir()
    (path / "parts.csv").write_text("a,b\n1,2\n")
    hashes = {"parts.csv": hashlib.sha256((path / "parts.csv").read_bytes()).hexdigest()}
    names = {"certificate": digest_of(CONTENT), "plan": PLAN, "made_at": MADE_AT}
    (path / SEAL_FILE).write_bytes(seal_json(KEYS, {**names, "files": hashes}))
    return path


def test_an_unchanged_file_is_accepted(json_file: Path, html_file: Path, folder: Path) -> None:
    checked = check_certificate(KEYS, json_file)
    assert checked.content == CONTENT
    assert checked.sha256 == digest_of(CONTENT)
    assert check_certificate(KEYS, html_file).key_id == "1"
    assert check_certificate(KEYS, folder).path == folder


def test_another_layout_of_the_same_json_is_the_same_certificate(json_file: Path) -> None:
    json_file.write_text(json.dumps(json.loads(json_file.read_text()), sort_keys=True))
    check_certificate(KEYS, json_file)


def edit(old: str, new: str) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    "change",
    [edit("10.50", "10.51"), edit('"a": 2', '"a": 3'), edit("null", "false"), edit("[\n", "[\n 0,\n")],
)
def test_every_change_of_the_content_is_found(json_file: Path, change: Callable[[Path], object]) -> None:
    change(json_file)
    with pytest.raises(ConfigurationError, match="the seal is wrong"):
        check_certificate(KEYS, json_file)


def test_a_new_hash_does_not_hide_a_change(json_file: Path) -> None:
    sealed = json.loads(json_file.read_text())
    sealed["certificate"]["amount"] = "10.51"
    sealed["seal"]["sha256"] = digest_of(sealed["certificate"])
    json_file.write_text(json.dumps(sealed))
    with pytest.raises(ConfigurationError, match="the seal is wrong"):
        check_certificate(KEYS, json_file)


@pytest.mark.parametrize("change", [edit("10.50", "10.51"), edit("<p>", "<p> "), edit("<!DOCTYPE", " <!DOCTYPE")])
def test_every_change_of_a_page_is_found(html_file: Path, change: Callable[[Path], object]) -> None:
    change(html_file)
    with pytest.raises(ConfigurationError, match="the seal is wrong"):
        check_certificate(KEYS, html_file)


def test_a_page_that_goes_on_after_its_seal_is_refused(html_file: Path) -> None:
    html_file.write_text(html_file.read_text() + "<p>1.00 EUR</p>")
    with pytest.raises(ConfigurationError, match="no seal"):
        check_certificate(KEYS, html_file)


def test_the_tables_of_a_folder_are_compared_with_their_hashes(folder: Path) -> None:
    (folder / "parts.csv").write_text("a,b\n1,3\n")
    with pytest.raises(ConfigurationError, match=r"parts\.csv: the file was changed"):
        check_certificate(KEYS, folder)
    (folder / "parts.csv").unlink()
    with pytest.raises(ConfigurationError, match="No such file"):
        check_certificate(KEYS, folder)


def test_what_was_added_to_a_folder_is_named(folder: Path) -> None:
    (folder / "more.csv").write_text("a\n")
    (folder / "letter.txt").write_text("a\n")
    (folder / "old").mkdir()
    with pytest.raises(
        ConfigurationError, match=r"not part of the certificate: letter\.txt, more\.csv, old/; move them"
    ):
        check_certificate(KEYS, folder)


def test_another_journal_is_told_that_it_has_another_key(json_file: Path, html_file: Path) -> None:
    with pytest.raises(ConfigurationError, match="under another key of the journal"):
        check_certificate(OTHERS, json_file)
    with pytest.raises(ConfigurationError, match="or another journal made it"):
        check_certificate(OTHERS, html_file)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"certificate": 1}', '{"certificate": {}, "seal": {"x": 1}}', "<p>"])
def test_other_files_are_no_certificates(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"not a certificate|no seal of a certificate"):
        check_certificate(KEYS, path)


def test_a_seal_of_a_plan_is_no_seal_of_a_certificate() -> None:
    assert KEYS.seal("a" * 64) != KEYS.seal_certificate("a" * 64)


def test_a_key_that_was_rotated_still_checks_its_certificates(json_file: Path, html_file: Path) -> None:
    rotated = JournalKeys.of({"1": Secret("k" * 40), "2": Secret("n" * 40)})
    assert check_certificate(rotated, json_file).key_id == "1"
    assert check_certificate(rotated, html_file).key_id == "1"
    with pytest.raises(ConfigurationError, match="under another key"):
        check_certificate(JournalKeys.of({"2": Secret("n" * 40)}), json_file)


@pytest.mark.parametrize(
    "change",
    [
        edit('"amount"', '"amount": "99.50",\n  "amount"'),
        edit('"certificate": {', '"certificate": {"amount": "99.50"}, "certificate": {'),
        edit("{", '{"note": "99.50 EUR",'),
        edit('"10.50"', "10.50"),
    ],
)
def test_text_that_another_program_would_read_differently_is_refused(
    json_file: Path, change: Callable[[Path], object]
) -> None:
    change(json_file)
    with pytest.raises(ConfigurationError, match="not a certificate as it was written"):
        check_certificate(KEYS, json_file)


def test_the_seal_of_a_folder_is_not_a_certificate(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    copy.write_bytes((folder / SEAL_FILE).read_bytes())
    with pytest.raises(ConfigurationError, match="the seal of a folder"):
        check_certificate(KEYS, copy)


def test_the_parts_of_one_certificate_are_recognised(json_file: Path, html_file: Path, folder: Path) -> None:
    parts = check_certificates(KEYS, [html_file, json_file, folder], PLAN)
    assert {part.identity for part in parts} == {identity_of(CONTENT)}


def test_a_page_of_one_plan_beside_the_json_of_another_is_refused(json_file: Path, html_file: Path) -> None:
    json_file.write_bytes(seal_json(KEYS, {**CONTENT, "plan": {"id": "b" * 64}}))
    with pytest.raises(ConfigurationError, match=f"is of the plan {'b' * 64}, and .* is of the plan {PLAN}"):
        check_certificates(KEYS, [html_file, json_file])


def test_two_certificates_of_one_plan_are_not_taken_for_one(json_file: Path, html_file: Path) -> None:
    json_file.write_bytes(seal_json(KEYS, {**CONTENT, "made_at": "2026-02-01T10:00:00.000000Z"}))
    with pytest.raises(ConfigurationError, match=r"two certificates of one plan: .* 2026-02-01T.* 2026-01-31T"):
        check_certificates(KEYS, [html_file, json_file])


def test_a_certificate_of_another_plan_than_the_given_one_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"is of the plan {PLAN}, and not of the plan {'c' * 64}"):
        check_certificates(KEYS, [folder], "c" * 64)


def test_a_plan_in_a_page_cannot_be_changed(html_file: Path) -> None:
    edit(PLAN, "b" * 64)(html_file)
    with pytest.raises(ConfigurationError, match="the seal is wrong"):
        check_certificate(KEYS, html_file)


def test_a_file_without_a_plan_is_refused(json_file: Path) -> None:
    json_file.write_bytes(seal_json(KEYS, {"amount": "10.50"}))
    with pytest.raises(ConfigurationError, match="does not say of which plan it is"):
        check_certificate(KEYS, json_file)
