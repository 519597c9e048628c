"""The provider of vouchers that the shop issues itself. There is no vendor and no HTTP: its database is the truth."""

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
from voucher_gateway_local.ledger import Call
from voucher_gateway_local.listing import Pages, check_query, listing
from voucher_gateway_local.open import OpenDatabase, absolute_url, host_of, open_book
from voucher_gateway_local.settings import LocalSettings
from voucher_gateway_local.statements import MOVEMENTS, SHOWN_BY_FINGERPRINT, SHOWN_BY_ID, Row
from voucher_gateway_local.transactions import Changes, Written
from voucher_gateway_local.vault import Vault


class LocalProvider(VoucherProvider):
    """Vouchers of one's own. The database is opened, and created if need be, by the first call that needs it."""

    name = "local"
    title = "the shop's own vouchers"
    interface_version = 1
    settings_type = LocalSettings
    settings: LocalSettings
    declared = DECLARED

    def __init__(self, account: str, settings: LocalSettings, *, clock: Callable[[], datetime] = now) -> None:
        """Make the provider; nothing is opened yet.

        Args:
            account: the account's name in the config.
            settings: where the vouchers are.
            clock: the time, which decides when validities and reservations end. All who share the database must go by
                the same one.
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
        """Everything, with the reservations' time and the page size of the settings."""
        return capabilities_of(self.settings)

    @property
    def host(self) -> str:
        """The database, without login and password."""
        return self._host

    def close(self) -> None:
        """Close the database."""
        fork_safety.renew_if_forked()
        with self._opening:
            book, self._book = self._book, None
        if book is not None:
            book.database.close()

    def renew_after_fork(self) -> None:
        """Make a new lock: one that another thread of the parent held would stay locked for ever."""
        self._opening = threading.Lock()

    def vendor_now(self) -> datetime:
        """Return the time by which validities and reservations end."""
        return self._clock()

    def check(self) -> AccountCheck:
        """Open the database and look into it."""
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
        """Return the voucher with exactly this code. A PIN need not be given; one that is given must be right."""
        code, pin = Code.of(code), Pin.of_given(pin)
        validation.code_and_pin(code, pin)
        book = self._open()
        row = self._read_row(Operation.FIND, "fingerprint", book.vault.fingerprint(code))
        if pin is not None:
            try:
                payments.check_pin(book.vault, row, pin)
            except WrongPin as error:
                raise error.with_context(account=self.account, operation=Operation.FIND.value) from None
        return self._voucher_of(book.vault, row)

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        """Return one voucher with its code; with `secrets`, with its PIN too."""
        validation.text(id, "id")
        return self._voucher_of(self._open().vault, self._read_row(Operation.GET, "id", id), pins=secrets)

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        """List vouchers in the order in which they were issued, or the newest first. A native filter: ``order``."""
        query = query or VoucherQuery()
        check_query(query)
        size = self.settings.page_size if query.limit is None else min(self.settings.page_size, query.limit)
        pages = Pages(self._open, query, size, self._clock, self._voucher_of)
        return listing(pages, query, scope=(self.account, self.host, str(size)))

    def history(self, id: str) -> History:
        """Return all movements of a voucher, in order. It is always complete."""
        validation.text(id, "id")
        as_of = self._clock()
        row = self._read_row(Operation.HISTORY, "id", id)
        with self._open().database.read() as connection:
            entries = connection.execute(MOVEMENTS, {"voucher": row["number"]}).mappings().all()
        movements = tuple(mapping.movement_of(self.account, row, entry) for entry in entries)
        return History(voucher_id=row["id"], movements=movements, complete=True, as_of=as_of)

    # --- issuing ---

    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        """Issue a voucher; inactive, unless `new` says otherwise. Code and id are made here where none are given."""
        validation.new_voucher(new, self.settings.currency)
        intent = self.intent(
            Operation.ISSUE, reference=reference, order=order, voucher_id=new.id, subject=new.id, money=new.initial
        )
        call = self._changes.call(Operation.ISSUE, intent, *validation.content_of(new))
        vault = self._open().vault
        act = vouchers.Issue(new, call, self.settings, vault)

        def make(row: Row, entry: Row) -> Voucher:
            return self._voucher_of(vault, mapping.row_as_left(row, entry), pins=True)

        return self._changes.run(intent, call, act, make)

    def activate(self, id: str, *, reference: str, order: str | None = None) -> Voucher:
        """Make a voucher spendable. A validity that is counted from activation starts the first time."""
        intent, call = self._about(Operation.ACTIVATE, id, reference, order)
        return self._change(intent, call, vouchers.activate(id, call))

    def deactivate(self, id: str, *, reference: str, order: str | None = None) -> Voucher:
        """Stop a voucher from being spent, and its reservations from being captured."""
        intent, call = self._about(Operation.DEACTIVATE, id, reference, order)
        return self._change(intent, call, vouchers.deactivate(id, call))

    def update(self, id: str, changes: VoucherChanges, *, reference: str, order: str | None = None) -> Voucher:
        """Change SKU, batch or end of validity."""
        values = vouchers.values_of_changes(changes)
        intent, call = self._about(Operation.UPDATE, id, reference, order, sorted(values.items()))
        return self._change(intent, call, vouchers.update(id, values, call))

    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        """Add value (JTL: recharge)."""
        positive(money)
        intent, call = self._about(Operation.TOP_UP, id, reference, order, money, money=money)
        return self._changes.run(
            intent, call, vouchers.top_up(id, money, call), partial(mapping.top_up_of, self.account)
        )

    def delete(self, id: str, reason: str, *, reference: str, order: str | None = None) -> Deletion:
        """Remove a voucher that never moved any value. Its code and PIN are erased, and may be used again.

        Raises:
            Rejected: if it has movements or an open reservation: a ledger forgets nothing.
        """
        validation.text(reason, "reason", validation.LONGEST_REASON)
        intent, call = self._about(Operation.DELETE, id, reference, order)
        act = vouchers.delete(id, reason, call)
        return self._changes.run(intent, call, act, partial(mapping.deletion_of, self.account))

    # --- spending ---

    def reserve(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Reservation:
        """Set value aside for as long as the settings say. A voucher may have many reservations at a time."""
        code, pin = Code.of(code), Pin.of_given(pin)
        validation.code_and_pin(code, pin)
        intent = self.intent(Operation.RESERVE, reference=reference, order=order, money=positive(money))
        vault = self._open().vault
        fingerprint = vault.fingerprint(code)
        call = self._changes.call(Operation.RESERVE, intent, fingerprint, money)
        lasting = timedelta(minutes=self.settings.reservation_minutes)
        return self._changes.run(
            intent,
            call,
            payments.reserve(vault, fingerprint, money, pin, call, lasting),
            partial(mapping.reservation_of, self.account),
        )

    def capture(
        self, reservation: Reservation, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Redemption:
        """Take what was set aside, or the part that `money` says; the rest is free again."""
        taken = positive(reservation.money if money is None else money)
        intent, call = self._about(
            Operation.CAPTURE, reservation.id, reference, order, taken, money=taken, voucher_id=reservation.voucher_id
        )
        return self._changes.run(
            intent,
            call,
            payments.capture(reservation.id, reservation.voucher_id, taken, call),
            partial(mapping.redemption_of, self.account),
        )

    def release(self, reservation: Reservation, *, reference: str, order: str | None = None) -> Release:
        """Give a reservation up; its value is free at once."""
        intent, call = self._about(
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
        """Take value in one step; what reservations hold cannot be taken."""
        code, pin = Code.of(code), Pin.of_given(pin)
        validation.code_and_pin(code, pin)
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
        """Give (part of) a redemption back, in as many parts as one likes, up to all of it."""
        back = positive(redemption.money if money is None else money)
        intent, call = self._about(
            Operation.REFUND, redemption.id, reference, order, back, money=back, voucher_id=redemption.voucher_id
        )
        return self._changes.run(
            intent,
            call,
            payments.refund(redemption.id, redemption.voucher_id, back, call),
            partial(mapping.refund_of, self.account),
        )

    # --- in doubt ---

    def resolve(
        self,
        intent: Intent,
        code: Code | None = None,  # noqa: ARG002 - the reference says it all
    ) -> Outcome:
        """Say what became of a call: its entry proves that it was carried out, the lack of one that it was not.

        It waits a few seconds for a transaction of the call that is still under way, and says unknown if it stays so.
        """
        book = self._open()
        return resolution.resolve(book, intent, lambda row: self._voucher_of(book.vault, row, pins=True))

    # --- what the calls have in common ---

    def _read_row(self, operation: Operation, by: str, value: str) -> Row:
        statement = SHOWN_BY_ID if by == "id" else SHOWN_BY_FINGERPRINT
        with self._open().database.read() as connection:
            row = connection.execute(statement, {by: value, "now": format_micros(self._clock())}).mappings().first()
        if row is None:
            what = "id" if by == "id" else "code"
            raise VoucherNotFound(
                f"there is no voucher with this {what}", account=self.account, operation=operation.value
            )
        return row

    def _voucher_of(self, vault: Vault, row: Row, *, pins: bool = False) -> Voucher:
        code, pin = (None, None) if row["sealed"] is None else vault.open(row["id"], row["sealed"])
        return mapping.voucher_of(self.account, row, code, pin if pins else None)

    def _about(
        self,
        verb: Operation,
        subject: str,
        reference: str,
        order: str | None,
        *content: object,
        money: Money | None = None,
        voucher_id: str | None = None,
    ) -> tuple[Intent, Call]:
        """Return the intent and the call of a verb on a voucher, a reservation or a redemption."""
        validation.text(subject, "id")
        on_voucher = verb not in (Operation.CAPTURE, Operation.RELEASE, Operation.REFUND)
        intent = self.intent(
            verb,
            reference=reference,
            order=order,
            voucher_id=subject if on_voucher else voucher_id,
            subject=subject,
            money=money,
        )
        return intent, self._changes.call(verb, intent, subject, *content)

    def _change(self, intent: Intent, call: Call, act: Callable[[Connection], Written]) -> Voucher:
        vault = self._open().vault
        return self._changes.run(
            intent, call, act, lambda row, entry: self._voucher_of(vault, mapping.row_as_left(row, entry))
        )
