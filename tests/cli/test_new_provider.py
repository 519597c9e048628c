"""The command that begins a new provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_a_new_provider_is_written_where_it_is_wanted(run: Any, tmp_path: Path) -> None:
    ran = run("new-provider", "gift-house", "--into", str(tmp_path), "--title", "Gift House").done()
    folder = tmp_path / "voucher-gateway-gift-house"
    assert str(folder / "pyproject.toml") in ran.out.splitlines()
    assert str(folder / "src" / "voucher_gateway_gift_house" / "provider.py") in ran.out.splitlines()
    assert f"Next, in {folder}: pip install --editable '.[test]', then pytest." in ran.err
    assert 'title = "Gift House"' in (folder / "src/voucher_gateway_gift_house/provider.py").read_text()


def test_it_is_written_into_the_working_directory_by_default(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = run("--json", "new-provider", "acme").done()
    assert told.object == {
        "provider": "acme",
        "distribution": "voucher-gateway-acme",
        "folder": "voucher-gateway-acme",
    }
    assert (tmp_path / "voucher-gateway-acme" / "README.md").is_file()
    assert told.err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Gift House",), "did you mean gift-house?"),
        (("jtl",), "the provider jtl already exists"),
        (("acme", "--title", 'A"'), "cannot be a title"),
        (("acme", "--into", "no/such/folder"), "is not a folder"),
        (("acme", "--with", "reservations"), "the part reservations needs keys: give keys,reservations"),
    ],
)
def test_what_cannot_be_is_wrong_usage_and_writes_nothing(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("new-provider", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_second_time_nothing_is_overwritten(run: Any, tmp_path: Path) -> None:
    run("new-provider", "acme", "--into", str(tmp_path)).done()
    readme = tmp_path / "voucher-gateway-acme" / "README.md"
    readme.write_text("changed since")
    ran = run("new-provider", "acme", "--into", str(tmp_path))
    assert ran.code == 2
    assert "already exists; nothing in it was changed" in ran.err
    assert readme.read_text() == "changed since"


def test_a_new_provider_has_the_parts_that_are_asked_for(run: Any, tmp_path: Path) -> None:
    run("new-provider", "acme", "--into", str(tmp_path), "--with", "keys,cursors").done()
    text = (tmp_path / "voucher-gateway-acme" / "src" / "voucher_gateway_acme" / "provider.py").read_text()
    for part in ("CursorListing(", "make_key(", "def refund(", "def history(", "resolve_by_reference("):
        assert part in text
    assert "def reserve(" not in text
