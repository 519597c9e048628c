"""The verbs of a gateway that keep its journal small, and verify it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from voucher_gateway.gateway.base import GatewayBase

if TYPE_CHECKING:
    # A journal needs SQLAlchemy, which takes longer to import than everything else. What needs it is imported late.
    from voucher_gateway.audit.report import AuditReport
    from voucher_gateway.journal.records import OperationRecord
    from voucher_gateway.upkeep.archive import ArchiveSummary
    from voucher_gateway.upkeep.forget import ForgetSummary
    from voucher_gateway.upkeep.prune import PruneSummary
    from voucher_gateway.upkeep.status import JournalStatus


class UpkeepVerbs(GatewayBase):
    """The verbs that keep the journal small, and verify it."""

    def prune_journal(
        self,
        *,
        older_than: timedelta,
        archive: str | os.PathLike[str] | None = None,
        dry_run: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> PruneSummary:
        """Remove the details of operations, payments and sales that are over and old. Other workers go on.

        What may still change stays, whatever its age. A removed reference is recognised for ever and never sent again:
        it raises `ReferencePruned`. Refunds of a removed redemption stay limited to what it took. It may be killed at
        any moment, and called again.

        Args:
            older_than: how long ago the last change was at least; not less than 30 days.
            archive: a new file that holds what is removed, as of `archive_journal`. It is written first. If the call
                was broken off, give the same file again: then only what it holds is removed.
            dry_run: whether to change nothing, and only count.
            on_progress: is called with the number of old operations that were removed, and with that of all old ones.

        Raises:
            InvalidRequest: if `older_than` is too short, or the file cannot be written.
            MalformedFile: if the file exists, and is not a complete archive of this journal.
            OperationInProgress: if another process prunes the journal.
            ConfigurationError: without a journal.

        Example:
            ```python
            from datetime import timedelta

            gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1")
            print(gateway.prune_journal(older_than=timedelta(days=400)).operations)  # 0
            ```
        """
        journal = self._require_journal().journal
        from voucher_gateway.upkeep.prune import check_age, plan_prune, prune

        before = check_age(older_than)
        if dry_run:
            return plan_prune(journal, before)
        return prune(journal, before, archive=None if archive is None else Path(archive), on_progress=on_progress)

    def archive_journal(self, file: str | os.PathLike[str], *, older_than: timedelta) -> ArchiveSummary:
        """Write what `prune_journal` would remove into a new file. Nothing is removed.

        Args:
            file: a new file (JSON Lines, compressed by gzip, mode 0600).
            older_than: how long ago the last change was at least; not less than 30 days.

        Raises:
            InvalidRequest: if `older_than` is too short, or the file exists or cannot be written.
            ConfigurationError: without a journal.

        Example:
            ```python
            from datetime import timedelta

            print(gateway.archive_journal("journal-2030.jsonl.gz", older_than=timedelta(days=400)).operations)  # 0
            ```
        """
        journal = self._require_journal().journal
        from voucher_gateway.upkeep.archive import write_archive
        from voucher_gateway.upkeep.prune import check_age

        return write_archive(journal, Path(file), check_age(older_than))

    def archived_operations(self, file: str | os.PathLike[str]) -> Iterator[OperationRecord]:
        """Iterate over the operations of an archive that this journal has written, the oldest first.

        Args:
            file: the archive.

        Raises:
            MalformedFile: if it is not a complete archive of this journal, or was changed. What changed is known at the
                end only.
            InvalidRequest: if it cannot be read.
            ConfigurationError: without a journal.

        Example:
            ```python
            from datetime import timedelta

            gateway.archive_journal("journal-2030.jsonl.gz", older_than=timedelta(days=400))
            print(list(gateway.archived_operations("journal-2030.jsonl.gz")))  # []
            ```
        """
        journal = self._require_journal().journal
        from voucher_gateway.upkeep.archive_reader import read_archive

        return read_archive(Path(file), journal.keys)

    def forget_order(self, order: str) -> ForgetSummary:
        """Erase what the journal has of an order, for data protection. What a prune keeps stays: keyed digests.

        References, orders, vouchers, results and events of its operations, payments and sales are erased. None of its
        references is ever sent again. Backups, archives and vendors are not changed.

        Args:
            order: the shop's order number.

        Raises:
            OperationInProgress: if something of the order may still change; nothing is erased then.
            ConfigurationError: without a journal.

        Example:
            ```python
            gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1", order="1001")
            print(gateway.forget_order("1001").operations)  # 1
            print(gateway.explain(order="1001").reason)  # removed
            ```
        """
        journal = self._require_journal().journal
        from voucher_gateway.upkeep.forget import forget

        return forget(journal, order)

    def journal_status(self) -> JournalStatus:
        """Return how large the journal is, how far it reaches back, and which schemas its tables have.

        Raises:
            ConfigurationError: without a journal.

        Example:
            ```python
            gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1")
            print(gateway.journal_status().rows["operations"])  # 1
            ```
        """
        journal = self._require_journal().journal
        from voucher_gateway.upkeep.status import read_status

        return read_status(journal)

    def verify_journal(
        self, *, anchors: Iterable[str] = (), on_progress: Callable[[int, int], None] | None = None
    ) -> AuditReport:
        """Find rows of the journal that were changed, removed or inserted by something else than this library.

        It only reads, and memory holds one batch. Other workers may go on.

        Args:
            anchors: lines that `journal_anchor` returned earlier, and that were kept elsewhere. They show whether the
                whole database was replaced by an older copy.
            on_progress: is called with the number of rows that were verified, and with that of all rows at about.

        Returns:
            the differences, each with its table and the reference or order, and what was verified.

        Raises:
            OperationInProgress: if another process removes old rows at the moment.
            InvalidRequest: if a line is not an anchor of this journal.
            ConfigurationError: without a journal, or a key is not configured any more that it was written with.

        Example:
            ```python
            gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1")
            anchor = gateway.journal_anchor()
            print(gateway.verify_journal(anchors=[anchor]).is_clean)  # True
            ```
        """
        journal = self._require_journal().journal
        from voucher_gateway.audit.verify import verify_journal

        return verify_journal(journal, anchors=anchors, on_progress=on_progress)

    def journal_anchor(self) -> str:
        r"""Return one line that shows later whether the journal was replaced by an older copy. Keep it elsewhere.

        Raises:
            ConfigurationError: without a journal.

        Example:
            ```python
            with open("anchors.jsonl", "a") as file:
                file.write(gateway.journal_anchor() + "\n")
            ```
        """
        journal = self._require_journal().journal
        from voucher_gateway.audit.anchors import write_anchor

        return write_anchor(journal)
