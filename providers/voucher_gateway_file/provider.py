"""The provider that reads a file of vouchers and appends to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

import attrs

from voucher_gateway.provider_api import (
    Capabilities,
    Code,
    Effect,
    Intent,
    InvalidRequest,
    Listing,
    NewVoucher,
    Operation,
    Outcome,
    OutcomeUnknown,
    Page,
    Pin,
    SourceForm,
    UnreadableEntry,
    UnsupportedOperation,
    Voucher,
    VoucherGatewayError,
    VoucherNotFound,
    VoucherProvider,
    VoucherQuery,
    WrongPin,
    format_instant,
    hide_frames,
    notify_before_send,
)
from voucher_gateway_file.capabilities import DECLARED, PAGE_SIZE
from voucher_gateway_file.file_store import PartialWrite, VoucherFile, identity
from voucher_gateway_file.filters import predicate
from voucher_gateway_file.formats import file_error
from voucher_gateway_file.index import FileIndex
from voucher_gateway_file.issue import record, voucher_to_write
from voucher_gateway_file.settings import FileSettings

FILTERED_SIZE: Final = 10 * PAGE_SIZE
"""The vouchers that one page of a filtered list is selected from. `Listing` stops after a thousand pages without a
voucher, which are five million vouchers."""


class FileProvider(VoucherProvider):
    """A file of vouchers, JSONL or CSV. It is a source or a target like any vendor, but its vouchers cannot be spent.

    A file is read completely before it is used, and refused as a whole if anything in it is invalid. A file that does
    not exist counts as empty. Records are appended under the file's lock, one at a time. A record is on the disk before
    `issue` returns.
    """

    name = "file"
    title = "A file"
    interface_version = 1
    settings_type = FileSettings
    settings: FileSettings
    declared = DECLARED

    def __init__(self, account: str, settings: FileSettings) -> None:
        """Make the provider; the file is not opened yet."""
        super().__init__(account, settings)
        self._file = VoucherFile(account, settings)

    @property
    def host(self) -> str:
        """The file, by its absolute path."""
        return f"file:{self._file.path}"

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of the file, by the settings and by what was read of it."""
        index, settings = self._file.index, self.settings
        writes = settings.reveal or settings.mask
        masks = index.masked is not None or (settings.mask and not settings.reveal and index.readable is None)
        codes = attrs.evolve(self.declared.codes, choosable=writes, readable=not masks)
        keeps = self.declared.stored_fields if writes else self.declared.stored_fields - {"code", "pin"}
        return attrs.evolve(self.declared, codes=codes, stored_fields=keeps)

    # --- reading ---

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        """Return the voucher with exactly this code.

        Raises:
            UnsupportedOperation: if the file has masked codes, so that the code may be one of them.
            WrongPin: if the voucher has another PIN.
        """
        code, pin = Code.of(code), Pin.of_given(pin)
        with self._file.open(Operation.FIND) as file:
            index = self._file.index
            voucher = None if file is None else index.with_code(file, code)
            if voucher is None and index.masked is not None:
                raise UnsupportedOperation("the file has masked codes, so vouchers cannot be found by code")
            if voucher is None:
                raise VoucherNotFound("the file has no voucher with this code")
            if pin is not None and voucher.pin is not None and pin != voucher.pin:
                raise WrongPin("the PIN is wrong")
        return voucher

    def get(
        self,
        id: str,
        *,
        secrets: bool = False,  # noqa: ARG002 - the file shows code and PIN in any case, or never
    ) -> Voucher:
        """Return the voucher with this id. A voucher without an id has that of its line, ``line:7``."""
        with self._file.open(Operation.GET) as file:
            voucher = None if file is None else self._file.index.with_id(file, id)
            if voucher is None:
                raise VoucherNotFound("the file has no voucher with this id")
        return voucher

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        """List the vouchers in the order of the file.

        An incomplete last record is not listed, but counts in the total, so that the report is not consistent.
        """
        query = query or VoucherQuery()
        matches = predicate(query)
        store, size = self._file, PAGE_SIZE if matches is None else FILTERED_SIZE

        def fetch(number: int) -> Page[Voucher | UnreadableEntry]:
            vouchers: list[Voucher | UnreadableEntry] = []
            with store.open(Operation.VOUCHERS) as file:
                index = store.index
                for first in range(number * size, (number + 1) * size, PAGE_SIZE):
                    part = [] if file is None else index.page(file, first, PAGE_SIZE)
                    vouchers += (entry for entry in part if _passes(entry, matches))
                count, cut_off = len(index), index.cut_off is not None
            # The number of vouchers that match is only known at the end of the list.
            total = count + cut_off if matches is None else None
            return Page(items=vouchers, total=total, pages=-(-count // size), size=size)

        return _FileListing(
            store.index,
            fetch,
            key=attrgetter("id"),
            workers=1,
            limit=query.limit,
            resume=query.resume,
            scope=query.fingerprint(self.account, self.host, str(size)),
        )

    def prepare_source(self, on_read: Callable[[int, int | None], None] | None = None) -> SourceForm:
        """Read the whole file, and return its form.

        Args:
            on_read: is called repeatedly with the number of vouchers that were read, and with the number that the file
                has in all, estimated by its size.

        Raises:
            MalformedFile: if it has problems, or no voucher.
        """
        store, path = self._file, self._file.path
        store.index.on_read = on_read
        try:
            with store.open(Operation.VOUCHERS) as file:
                index = store.index
                if file is None:
                    raise file_error(f"{path.name} cannot be imported", ("the file does not exist",))
                if not len(index):
                    cut_off = index.cut_off and f"line {index.cut_off} is incomplete, and the file has no other voucher"
                    raise file_error(f"{path.name} cannot be imported", (cut_off or "the file has no voucher",))
                sentences, settings = index.form.sentences(index.header), index.form.settings()
                if self.settings.skip_unreadable:
                    settings["skip_unreadable"] = True
                    if index.unreadable:
                        listed_in = self.settings.problems and f"; {self.settings.problems} lists them"
                        records = "1 record" if len(index.unreadable) == 1 else f"{len(index.unreadable)} records"
                        sentences += (f"{records} cannot be read{listed_in or ''}",)
                return SourceForm(sentences=sentences, settings=settings)
        finally:
            store.index.on_read = None

    # --- issuing ---

    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        """Append a voucher, with all its fields. Its remaining value is its initial value.

        Without an id in `new` it gets one. Without a code it has none. It is on the disk before the call returns.

        Raises:
            InvalidRequest: if the file cannot store a field, or its code or PIN may not be written.
            DuplicateCode: if its id or code is in the file.
            ProviderUnavailable: if the file cannot be locked or written; it is unchanged.
            OutcomeUnknown: if the record could neither be written completely nor removed.
        """
        self._check_secrets(new)
        self.declared.amounts.check(new.initial)
        voucher, store = voucher_to_write(self.account, new, order), self._file
        assert voucher.created_at is not None
        with store.open(Operation.ISSUE, writing=True) as file:
            assert file is not None  # it is created for writing
            self._check_not_mixed(voucher)
            with hide_frames():
                line = record(store.form, store.columns, voucher, reveal=self.settings.reveal)
            store.index.check_free(file, voucher)
            intent = self.intent(
                Operation.ISSUE,
                reference=reference,
                order=order,
                voucher_id=voucher.id,
                money=new.initial,
                written_at=format_instant(voucher.created_at),
                file=identity(file),
            )
            notify_before_send(intent)
            try:
                with hide_frames():
                    store.write(file, line)
            except PartialWrite as error:
                reason = str(error)
            else:
                return voucher
        raise OutcomeUnknown(reason, ticket=intent.ticket(reason), account=self.account, operation=Operation.ISSUE)

    def _check_secrets(self, new: NewVoucher) -> None:
        if self.settings.reveal or self.settings.mask or (new.code is None and new.pin is None):
            return
        raise InvalidRequest(
            "the code or PIN would not be written; set reveal, or set mask for a file without readable codes",
            field="reveal",
            rule="true, for a voucher with a code or PIN",
            account=self.account,
            operation=Operation.ISSUE,
        )

    def _check_not_mixed(self, voucher: Voucher) -> None:
        index, reveal = self._file.index, self.settings.reveal
        other = index.masked if reveal else index.readable
        if voucher.code is not None and other is not None:
            present = "masked codes" if reveal else "readable codes"
            raise InvalidRequest(
                f"the file has {present}, as in line {other}; one file cannot have both kinds",
                field="reveal",
                rule="as in the file",
            )

    # --- unknown outcomes ---

    def resolve(
        self,
        intent: Intent,
        code: Code | None = None,  # noqa: ARG002 - the id is enough
    ) -> Outcome:
        """Look for the record of an `issue`. Its presence proves that it was written, its absence that it was not.

        A writer calls the before-send hook while it holds the file's lock. It releases the lock only when the record is
        written and synced, or removed; if it dies, the system releases the lock. So while we hold the lock, no such
        writer exists, and its record cannot arrive later. What a dead writer wrote is in the file, completely or as a
        part that is ignored. The id and the time of writing together prove presence. It is reported only after a sync,
        because the writer may have died before its own.

        That holds for the file that was written, which is noted by device and inode, while programs only append to it.
        Another file at its path, or no file, proves nothing.
        """
        if intent.verb != Operation.ISSUE or intent.voucher_id is None:
            return _unknown("a file records only issued vouchers")
        try:
            with self._file.open(Operation.ISSUE) as file:
                if file is None:
                    return _unknown("the file does not exist")
                same = intent.notes.get("file") == identity(file)
                voucher = self._file.index.with_id(file, intent.voucher_id)
                if voucher is not None:
                    os.fsync(file.fileno())
        except (VoucherGatewayError, OSError) as error:
            reason = error.message if isinstance(error, VoucherGatewayError) else error.strerror
            return _unknown(f"the file could not be read: {reason}")
        if voucher is None:
            if not same:
                return _unknown("it is not in the file, but another file was written to")
            return Outcome(effect=Effect.NOT_EXECUTED, reason="it is not in the file, and no process is writing to it")
        written_at = None if voucher.created_at is None else format_instant(voucher.created_at)
        if (voucher.initial, written_at) != (intent.money, intent.notes.get("written_at")):
            return _unknown("the file has a voucher with this id that was written at another time")
        return Outcome(effect=Effect.SUCCEEDED, result=voucher, reason="it is in the file")


def _passes(entry: Voucher | UnreadableEntry, matches: Callable[[Voucher], bool] | None) -> bool:
    return matches is None or isinstance(entry, UnreadableEntry) or matches(entry)


class _FileListing(Listing[Voucher]):
    """A listing whose report names the line of a record that was left out."""

    def __init__(self, index: FileIndex, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._file_index = index

    def _finish(self) -> None:
        super()._finish()
        if self._file_index.cut_off is not None and "count" in self._problems:
            self._problems["count"] = f"line {self._file_index.cut_off} is incomplete, and was left out"


def _unknown(reason: str) -> Outcome:
    return Outcome(effect=Effect.UNKNOWN, reason=reason)
