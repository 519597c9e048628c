"""Anchors show that the whole journal was replaced by an older copy; a restored journal is named as restored."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from tests.audit.edited_journal import EditedJournal
from voucher_gateway import InvalidRequest
from voucher_gateway.audit.anchors import write_anchor
from voucher_gateway.journal.backup import copy_journal, import_missing_movements, mark_restored
from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.journal import Journal


def append(journal: Journal, subject: str) -> None:
    with journal.database.write() as connection:
        append_event(connection, journal.keys, EventKind.ACCOUNT_RESUMED, subject, {})


def anchor_of(edited: EditedJournal, *, after: str | None = None) -> str:
    """Return an anchor of a journal, after an event of a subject."""
    with closing(edited.open()) as journal:
        if after is not None:
            append(journal, after)
        return write_anchor(journal)


def test_a_journal_that_has_grown_fits_its_anchors(edited: EditedJournal) -> None:
    anchors = [anchor_of(edited), "", anchor_of(edited, after="first")]
    anchor_of(edited, after="second")

    report = edited.verify(anchors=anchors)

    assert report.differences == ()
    assert report.anchors == 2


def test_a_journal_that_was_rolled_back_does_not_fit(edited: EditedJournal, tmp_path: Path) -> None:
    with closing(edited.open()) as journal:
        older = EditedJournal(tmp_path / "older.db")
        copy_journal(journal, older.path)
    older.edit("DELETE FROM voucher_gateway_facts WHERE name = 'restored'")
    anchor = anchor_of(edited, after="lost")

    assert older.verify().differences == ()
    (difference,) = older.verify(anchors=[anchor]).differences

    assert difference.kind.value == "removed"
    assert difference.explanation.endswith("has only 57: the journal was rolled back")


def test_a_journal_that_went_on_after_it_was_rolled_back_does_not_fit(edited: EditedJournal, tmp_path: Path) -> None:
    older = EditedJournal(Path(shutil.copy(edited.path, tmp_path / "older.db")))
    anchor = anchor_of(edited, after="lost")
    anchor_of(older, after="another")

    (difference,) = older.verify(anchors=[anchor]).differences

    assert difference.explanation.endswith("has another event there")


def test_a_journal_that_was_restored_from_a_backup_is_named_as_restored(edited: EditedJournal, tmp_path: Path) -> None:
    with closing(edited.open()) as journal:
        backup = EditedJournal(tmp_path / "backup.db")
        copy_journal(journal, backup.path)
    anchor = anchor_of(edited, after="lost")

    assert not backup.verify(anchors=[anchor]).is_clean  # as long as `recover --after-restore` was not run
    with closing(backup.open()) as journal:
        mark_restored(journal)
        import_missing_movements(journal, [])
        append(journal, "another")
    report = backup.verify(anchors=[anchor])

    assert report.differences == ()
    assert len(report.restored_at) == 1
    assert backup.verify(anchors=[anchor, anchor_of(backup)]).is_clean


@pytest.mark.parametrize(
    "change",
    [("{", ""), ('"at":"2', '"at":"1'), ("[[1,", "[[2,"), ('"mac":"', '"mac":"0')],
)
def test_a_line_that_is_not_an_anchor_of_this_journal_is_refused(
    edited: EditedJournal, change: tuple[str, str]
) -> None:
    anchor = anchor_of(edited)
    with pytest.raises(InvalidRequest, match="line 2 of the file is not an anchor of this journal"):
        edited.verify(anchors=[anchor, anchor.replace(*change, 1)])
