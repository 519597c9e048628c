"""SQLite keeps any type in any column: the audit names such a row, and goes on."""

from __future__ import annotations

import pytest

from tests.audit.edited_journal import EditedJournal
from voucher_gateway.audit.anchors import write_anchor

EVENT = "events SET {} WHERE number = 3"
EDITS = {
    "text as a number of an event": (EVENT.format("number = 'ü'"), "events"),
    "bytes as a number of an event": (EVENT.format("number = x'00ff'"), "events"),
    "letters as a digest": (EVENT.format("digest = 'ü'"), "events"),
    "letters as a content": (EVENT.format("content = 'ü'"), "events"),
    "letters as a proof": (EVENT.format("erased = 'ü'"), "events"),
    "another kind": (EVENT.format("kind = 'account.renamed'"), "events"),
    "a restoration without a moment": (EVENT.format("kind = 'journal.restored', at = 'x'"), "events"),
    "text as the first number": ("chains SET first_number = 'x'", "chains"),
    "text as a length": ("chains SET length = 'x'", "chains"),
    "bytes as a length": ("chains SET length = x'00ff'", "chains"),
    "letters as the last digest": ("chains SET head = 'ü'", "chains"),
    "bytes as the number of chains": ("facts SET value = x'00ff' WHERE name = 'event-chains'", "chains"),
}


@pytest.mark.parametrize("what", EDITS)
def test_a_value_of_another_type_is_named(edited: EditedJournal, what: str) -> None:
    change, table = EDITS[what]
    journal = edited.open()
    anchor = write_anchor(journal)
    journal.close()
    assert edited.edit(f"UPDATE voucher_gateway_{change}") == 1

    report = edited.verify(anchors=[anchor])

    assert ("changed", table) in {(difference.kind.value, difference.table) for difference in report.differences}
