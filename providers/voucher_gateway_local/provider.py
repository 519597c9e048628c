"""The provider of vouchers that the shop issues itself. Its database is the ledger, without a vendor or HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import attrs
from sqlalchemy.engine import Connection

from voucher_gateway.provider_api import (
    AccountCheck,
    Capabilities,
    Code,
    Deletion,
    History,
    Intent,
    Listing,
    Money,
    NewVoucher,
    Operation,
    Outcome,
    Pin,
    Redemption,
    Refund,
    Release,
    Reservation,
    TopUp,
    Voucher,
    VoucherChanges,
    VoucherNotFound,
    VoucherProvider,
    VoucherQuery,
    WrongPin,
    fork_safety,
    format_micros,
    now,
    positive,
)
from voucher_gateway.storage.files import mode_warning
from voucher_gateway_local import mapping, payments, resolution, validation, vouchers
from voucher_gateway_local.capabilities import DECLARED, capabilities_of
from voucher_gateway_local.ledger import LedgerCall
from voucher_gateway_local.listing import Pages, check_query, listing
from voucher_gateway_local.open import OpenDatabase, absolute_url, host_of, open_book
from voucher_gateway_local.settings import LocalSettings
from voucher_gateway_local.statements import MOVEMENTS, VOUCHER_BY_FINGERPRINT, VOUCHER_BY_ID, Row
from voucher_gateway_local.transactions import Changes, Written
from voucher_gateway_local.vault import Vault


class LocalProvider(VoucherProvider):
    """Provides vouchers in a database of the shop. The first call that needs the database opens or creates it."""

    name = "local"
    title = "the shop's own vouchers"
    interface_version = 1
    settings_type = LocalSettings
    settings: LocalSettings
    declared = DECLARED

    def __init__(self, account: str, settings: LocalSettings, *, clock: Callable[[], datetime] = now) -> None:
        """Make the provider. The database is not opened yet.

        Args:
            account: the account's name in the config.
            settings: the settings of the account, such as the URL of the database.
            clock: returns the time, which ends validities and reservations. All processes that share the database must
                use the same clock.
        """
        super().__init__(account, attrs.evolve(settings, url=absolute_url(settings.url)))
        self._host = host_of(self.settings.url)
        self._clock = clock
        self._book: OpenDatabase | None = None
        self.renew_after_fork()
        fork_safety.register(self)
        self._changes = Changes(account, self._open, clock)

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities, with the reservation time and page size of the settings."""
        return capabilities_of(self.settings)

    @property
    def host(self) -> str:
        """The database URL without login and password."""
        return self._host

    def close(self) -> None:
        """Close the database."""
        fork_safety.renew_if_forked()
        with self._opening:
            book, self._book = self._book, None
        if book is not None:
            book.database.close()

    def renew_after_fork(self) -> None:
        """Make a new lock. A lock that another thread of the parent held would stay locked for ever."""
        self._opening = threading.Lock()

    def vendor_now(self) -> datetime:
        """Return the time that ends validities and reservations."""
        return self._clock()

    def check(self) -> AccountCheck:
        """Open the database, and warn if other users can read its file."""
        super().check()
        path = self._open().database.path
        warning = None if path is None else mode_warning(path)
        return AccountCheck(currency=self.settings.currency, warnings=() if warning is None else (warning,))

    def _open(self) -> OpenDatabase:
        fork_safety.renew_if_forked()
        book = self._book
        if book is None:
            with self._opening:
                if self._book is None:
                    self._book = open_book(self.settings)
                book = self._book
        return book

    # --- reading ---

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        """Return the voucher with exactly this code. The PIN is optional; a wrong PIN is an error."""
        code, pin = Code.of(code), Pin.of_given(pin)
        validation.check_code_and_pin(code, pin)
        book = self._open()
        row = self._read_row(Operation.FIND, "fingerprint", book.vault.fingerprint(code))
        if pin is not None:
            try:
                payments.check_pin(book.vault, row, pin)
            except WrongPin as error:
                raise error.with_context(account=self.account, operation=Operation.FIND.value) from None
        return self._voucher_of(book.vault, row)

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        """Return one voucher with its code; if `secrets` is true, also with its PIN."""
        validation.check_text(id, "id")
        return self._voucher_of(self._open().vault, self._read_row(Operation.GET, "id", id), pins=secrets)

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        """List vouchers in the order in which they were issued, or the newest first. The native filter is ``order``."""
        query = query or VoucherQuery()
        check_query(query)
        size = self.settings.page_size if query.limit is None else min(self.settings.page_size, query.limit)
        pages = Pages(self._open, query, size, self._clock, self._voucher_of)
        return listing(pages, query, scope=(self.account, self.host, str(size)))

    def history(self, id: str) -> History:
        """Return all movements of a voucher, in order. The history is always complete."""
        validation.check_text(id, "id")
        as_of = self._clock()
        row = self._read_row(Operation.HISTORY, "id", id)
        with self._open().database.read() as connection:
            entries = connection.execute(MOVEMENTS, {"voucher": row["number"]}).mappings().all()
        movements = tuple(mapping.movement_of(self.account, row, entry) for entry in entries)
        return History(voucher_id=row["id"], movements=movements, complete=True, as_of=as_of)

    # --- vouchers ---

    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        """Issue a voucher. It is inactive unless `new` says otherwise. A missing code or id is generated."""
        validation.check_new_voucher(new, self.settings.currency)
        intent = self.intent(
            Operation.ISSUE, reference=reference, order=order, voucher_id=new.id, subject=new.id, money=new.initial
        )
        call = self._changes.call(Operation.ISSUE, intent, *validation.request_content(new))
        vault = self._open().vault
        act = vouchers.Issue(new, call, self.settings, vault)

        def make(row: Row, entry: Row) -> Voucher:
            return self._voucher_of(vault, mapping.row_after_entry(row, entry), pins=True)

        return self._changes.run(intent, call, act, make)

    def activate(self, id: str, *, reference: str, order: str | None = None) -> Voucher:
        """Make a voucher spendable. The first activation starts a relative validity."""
        intent, call = self._intent_and_call(Operation.ACTIVATE, id, reference, order)
        return self._change(intent, call, vouchers.activate(id, call))

    def deactivate(self, id: str, *, reference: str, order: str | None = None) -> Voucher:
        """Make a voucher not spendable, and its reservations not capturable."""
        intent, call = self._intent_and_call(Operation.DEACTIVATE, id, reference, order)
        return self._change(intent, call, vouchers.deactivate(id, call))

    def update(self, id: str, changes: VoucherChanges, *, reference: str, order: str | None = None) -> Voucher:
        """Change SKU, batch or end of validity."""
        values = vouchers.values_of_changes(changes)
        intent, call = self._intent_and_call(Operation.UPDATE, id, reference, order, sorted(values.items()))
        return self._change(intent, call, vouchers.update(id, values, call))

    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        """Add value to a voucher."""
        positive(money)
        intent, call = self._intent_and_call(Operation.TOP_UP, id, reference, order, money, money=money)
        return self._changes.run(
            intent, call, vouchers.top_up(id, money, call), partial(mapping.top_up_of, self.account)
        )

    def delete(self, id: str, reason: str, *, reference: str, order: str | None = None) -> Deletion:
        """Remove a voucher without movements. Its code and PIN are erased, and can be used again.

        Raises:
            Rejected: if it has movements or an open reservation.
        """
        validation.check_text(reason, "reason", validation.LONGEST_REASON)
        intent, call = self._intent_and_call(Operation.DELETE, id, reference, order)
        act = vouchers.delete(id, reason, call)
        return self._changes.run(intent, call, act, partial(mapping.deletion_of, self.account))

    # --- payments ---

    def reserve(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Reservation:
        """Set value aside for the reservation time of the settings. A voucher can have several reservations."""
        code, pin = Code.of(code), Pin.of_given(pin)
        validation.check_code_and_pin(code, pin)
        intent = self.intent(Operation.RESERVE, reference=reference, order=order, money=positive(money))
        vault = self._open().vault
        fingerprint = vault.fingerprint(code)
        call = self._changes.call(Operation.RESERVE, intent, fingerprint, money)
        duration = timedelta(minutes=self.settings.reservation_minutes)
        return self._changes.run(
            intent,
            call,
            payments.reserve(vault, fingerprint, money, pin, call, duration),
            partial(mapping.reservation_of, self.account),
        )

    def capture(
        self, reservation: Reservation, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Redemption:
        """Take the reserved value, or the part `money`. The rest is free again."""
        amount = positive(reservation.money if money is None else money)
        intent, call = self._intent_and_call(
            Operation.CAPTURE, reservation.id, reference, order, amount, money=amount, voucher_id=reservation.voucher_id
        )
        return self._changes.run(
            intent,
            call,
            payments.capture(reservation.id, reservation.voucher_id, amount, call),
            partial(mapping.redemption_of, self.account),
        )

    def release(self, reservation: Reservation, *, reference: str, order: str | None = None) -> Release:
        """Release a reservation. Its value is free at once."""
        intent, call = self._intent_and_call(
            Operation.RELEASE, reservation.id, reference, order, voucher_id=reservation.voucher_id
        )
        return self._changes.run(
            intent,
            call,
            payments.release(reservation.id, reservation.voucher_id, call),
            partial(mapping.release_of, self.account),
        )

    def redeem(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Redemption:
        """Take value in one step. Reserved value cannot be taken."""
        code, pin = Code.of(code), Pin.of_given(pin)
        validation.check_code_and_pin(code, pin)
        intent = self.intent(Operation.REDEEM, reference=reference, order=order, money=positive(money))
        vault = self._open().vault
        fingerprint = vault.fingerprint(code)
        call = self._changes.call(Operation.REDEEM, intent, fingerprint, money)
        return self._changes.run(
            intent,
            call,
            payments.redeem(vault, fingerprint, money, pin, call),
            partial(mapping.redemption_of, self.account),
        )

    def refund(
        self, redemption: Redemption, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Refund:
        """Give back a redemption or a part of it. All parts together never exceed the redemption."""
        amount = positive(redemption.money if money is None else money)
        intent, call = self._intent_and_call(
            Operation.REFUND, redemption.id, reference, order, amount, money=amount, voucher_id=redemption.voucher_id
        )
        return self._changes.run(
            intent,
            call,
            payments.refund(redemption.id, redemption.voucher_id, amount, call),
            partial(mapping.refund_of, self.account),
        )

    # --- unknown outcomes ---

    def resolve(
        self,
        intent: Intent,
        code: Code | None = None,  # noqa: ARG002 - the reference is enough
    ) -> Outcome:
        """Return the outcome of a call. It was carried out if it has an entry, and was not executed if it has none.

        It waits a few seconds for a transaction of the call that is still open. Then the outcome is unknown.
        """
        book = self._open()
        return resolution.resolve(book, intent, partial(self._voucher_of, book.vault, pins=True))

    # --- helpers ---

    def _read_row(self, operation: Operation, by: str, value: str) -> Row:
        statement = VOUCHER_BY_ID if by == "id" else VOUCHER_BY_FINGERPRINT
        with self._open().database.read() as connection:
            row = statement.first_row(connection, {by: value, "now": format_micros(self._clock())})
        if row is None:
            what = "id" if by == "id" else "code"
            raise VoucherNotFound(f"no voucher has this {what}", account=self.account, operation=operation.value)
        return row

    def _voucher_of(self, vault: Vault, row: Row, *, pins: bool = False) -> Voucher:
        code, pin = (None, None) if row["sealed"] is None else vault.open(row["id"], row["sealed"])
        return mapping.voucher_of(self.account, row, code, pin if pins else None)

    def _intent_and_call(
        self,
        operation: Operation,
        subject: str,
        reference: str,
        order: str | None,
        *content: object,
        money: Money | None = None,
        voucher_id: str | None = None,
    ) -> tuple[Intent, LedgerCall]:
        """Return the intent and the ledger call of an operation on a voucher, reservation or redemption."""
        validation.check_text(subject, "id")
        on_voucher = operation not in (Operation.CAPTURE, Operation.RELEASE, Operation.REFUND)
        intent = self.intent(
            operation,
            reference=reference,
            order=order,
            voucher_id=subject if on_voucher else voucher_id,
            subject=subject,
            money=money,
        )
        return intent, self._changes.call(operation, intent, subject, *content)

    def _change(self, intent: Intent, call: LedgerCall, act: Callable[[Connection], Written]) -> Voucher:
        return self._changes.run(intent, call, act, partial(self._voucher_after_entry, self._open().vault))

    def _voucher_after_entry(self, vault: Vault, row: Row, entry: Row) -> Voucher:
        return self._voucher_of(vault, mapping.row_after_entry(row, entry))
