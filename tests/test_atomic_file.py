from __future__ import annotations

import os
from pathlib import Path

import pytest

from voucher_gateway.atomic_file import AtomicFile, atomic_write


def test_a_file_appears_with_its_content_for_its_owner_only(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a.txt", b"content")

    assert (tmp_path / "a.txt").read_bytes() == b"content"
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_an_earlier_file_is_replaced(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a.txt", b"earlier")
    atomic_write(tmp_path / "a.txt", b"later")

    assert (tmp_path / "a.txt").read_bytes() == b"later"


def test_an_earlier_file_stays_where_it_must_not_be_replaced(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a.txt", b"earlier")

    with pytest.raises(FileExistsError):
        atomic_write(tmp_path / "a.txt", b"later", replace=False)

    assert (tmp_path / "a.txt").read_bytes() == b"earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_without_commit_nothing_is_left(tmp_path: Path) -> None:
    with AtomicFile(tmp_path / "a.txt") as draft:
        draft.file.write(b"half")

    assert list(tmp_path.iterdir()) == []


def test_the_name_appears_only_after_the_content_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _: steps.append("present" if (tmp_path / "a.txt").exists() else "absent"))

    atomic_write(tmp_path / "a.txt", b"content")

    assert steps == ["absent", "present"]
