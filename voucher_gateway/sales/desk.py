"""Opens, finds and lists the sales of a gateway, and completes those that are decided."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.emulation.registry import unsupported_error
from voucher_gateway.errors import (
    ConfigurationError,
    InvalidRequest,
    ReferenceConflict,
    UnsupportedOperation,
    VoucherGatewayError,
)
from voucher_gateway.instants import format_micros, now
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys.keys import new_id
from voucher_gateway.journal.pruned.pruned import SALE, require_name_not_pruned
from voucher_gateway.limits.call_deadline import check_wait
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.requests import NewVoucher, nfc, require_name, require_no_secret
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.rules.amounts import AmountKind
from voucher_gateway.sales.codes import SaleCodes
from voucher_gateway.sales.content import is_same_content, write_content
from voucher_gateway.sales.records import DECIDED, SaleRecord, SaleRow, SaleState
from voucher_gateway.sales.sale import Sale
from voucher_gateway.sales.store import SaleStore
from voucher_gateway.sales.verbs import SaleVerbs, SellingAccount

log: Final = get_logger("voucher_gateway.sales")


class SalesDesk:
    """The sales of a gateway.

    Args:
        verbs: the gateway.
        journal: its journal.
    """

    def __init__(self, verbs: SaleVerbs, journal: Journal) -> None:
        self._verbs = verbs
        self._journal = journal
        self._store = SaleStore(journal)
        self._codes = SaleCodes(journal)

    def open(
        self,
        name: str,
        account: str,
        new: NewVoucher,
        *,
        order: str | None = None,
        batch: str | None = None,
        batch_size: int | None = None,
        wait: float = 0.0,
    ) -> Sale:
        """Open a sale, or return the one that has its name.

        Raises:
            ReferenceConflict: if that one has another content.
            ReferencePruned: if there was a sale of this name whose row was removed.
            UnsupportedOperation: if the account cannot issue, or its vouchers are only a record.
            InvalidRequest: if the name, the order or a field of the voucher is wrong, or if the name or the order
                contains the code or the PIN of the voucher.
        """
        name, wait = nfc(name), check_wait(wait)
        require_name(name, "name")
        order_number = nfc(order or new.order or batch or name)
        require_name(order_number, "order")
        require_no_secret(name, "name", new.code, new.pin)
        require_no_secret(order_number, "order", new.code, new.pin)
        seller = self._verbs.account(account)
        _check_voucher(seller, new)
        row = self._new_row(name, seller, new, order_number, batch, batch_size)
        existing = self._store.find(name) or self._store.open(row)
        if existing is not row:
            self._require_same(existing, row, new, seller)
        return self._sale(existing, wait)

    def find(self, name: str, *, wait: float = 0.0) -> Sale | None:
        """Return the sale of a name; None if it does not exist.

        Raises:
            ReferencePruned: if there was one whose row was removed.
        """
        name, wait = nfc(name), check_wait(wait)
        row = self._store.find(name)
        if row is None:
            with self._journal.database.read() as connection:
                require_name_not_pruned(connection, self._journal.keys, SALE, name)
            return None
        return self._sale(row, wait)

    def issues_inactive(self, account: str) -> bool:
        """Whether an account issues vouchers inactive, so that they exist before they are fulfilled."""
        return _issues_inactive(self._verbs.account(account))

    def iterate(
        self,
        *,
        states: Iterable[SaleState] = (),
        account: str | None = None,
        batch: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[SaleRecord]:
        """Yield what is known of sales, the newest first; see `SaleStore.iterate`."""
        rows = self._store.iterate(states=states, account=account, batch=batch, since=since, limit=limit)
        return (row.record() for row in rows)

    def complete(self, *, account: str | None = None) -> list[SaleRecord]:
        """Go on with all decisions that are committed and not carried out, and return the sales as they are then.

        What stops one of them is noted in its `attention`, and the others go on. Sales of living workers are left to
        those. A sale that was removed from the journal since is over.
        """
        records = []
        for row in self.iterate_decided(account=account):
            if self._store.find(row.name) is None:
                continue
            sale = self._sale(row, 0.0)
            with suppress(VoucherGatewayError):
                sale.resume()
            log.info("sale %s: %s", sale.name, sale.state.value)
            records.append(sale.record)
        return records

    def iterate_decided(self, *, account: str | None = None) -> Iterator[SaleRow]:
        """Yield the sales with a decision that is not carried out, or with a lost call that may still arrive."""
        decided = self._store.iterate(states=DECIDED, account=account)
        watched = self._store.iterate(states=[SaleState.REVOKED], account=account, watched=True)
        return itertools.chain(decided, watched)

    def _sale(self, row: SaleRow, wait: float) -> Sale:
        return Sale(self._verbs, self._store, self._codes, row, wait=wait)

    def _new_row(
        self,
        name: str,
        seller: SellingAccount,
        new: NewVoucher,
        order_number: str,
        batch: str | None,
        batch_size: int | None,
    ) -> SaleRow:
        keys = self._journal.keys
        sale_id, key_id = new_id(keys.tag(seller.name, "sale", name)), keys.newest
        prefix, code = ("", new.code) if new.code is not None else self._codes.choose(sale_id, seller)
        sealed = self._codes.seal_columns(sale_id, new.code, new.pin)
        at = format_micros(now())
        fields: dict[str, Any] = dict.fromkeys(field.name for field in attrs.fields(SaleRow))
        return SaleRow(
            **fields
            | sealed
            | {
                "id": sale_id,
                "name": name,
                "account": seller.name,
                "provider": seller.provider.name,
                "host": seller.provider.host,
                "order_number": order_number,
                "batch": batch,
                "batch_size": batch_size,
                "amount": f"{new.initial.amount:f}",
                "currency": new.initial.currency,
                "content": write_content(new),
                "inactive": _issues_inactive(seller),
                "key_id": key_id,
                "code_prefix": prefix,
                "fingerprint": None if code is None else self._codes.fingerprint(code, seller, key_id),
                "state": SaleState.OPEN,
                "generation": 1,
                "stops": 0,
                "epoch": 0,
                "created_at": at,
                "updated_at": at,
            }
        )

    def _require_same(self, existing: SaleRow, asked: SaleRow, new: NewVoucher, seller: SellingAccount) -> None:
        names = (seller.name, *(seller.former_names or ()))
        differing = [
            word
            for word, is_other in (
                ("account", existing.account not in names),
                ("order", existing.order_number != asked.order_number),
                ("batch", (existing.batch, existing.batch_size) != (asked.batch, asked.batch_size)),
                ("voucher", not is_same_content(existing.content, asked.content)),
                ("code", new.code is not None and not self._is_code_of(existing, new.code, seller)),
                ("PIN", self._is_other_pin(existing, new.pin)),
            )
            if is_other
        ]
        if differing:
            raise ReferenceConflict(
                f"the sale {existing.name} exists with another {' and another '.join(differing)}: use a new name for a"
                " new sale",
                account=seller.name,
            )

    def _is_code_of(self, row: SaleRow, code: Code, seller: SellingAccount) -> bool:
        return self._codes.fingerprint(code, seller, row.key_id) == row.fingerprint

    def _is_other_pin(self, row: SaleRow, pin: Pin | None) -> bool:
        """Whether a PIN is another one than the caller's first; False once that is erased."""
        return pin is not None and row.sealed_pin is not None and self._codes.pin_of(row) != pin


def open_desk(verbs: SaleVerbs) -> SalesDesk:
    """Return the sales of a gateway. The first call creates their table.

    Raises:
        ConfigurationError: if the gateway has no journal.
    """
    if verbs.journal is None:
        raise ConfigurationError("sales need a journal: name one in the configuration")
    return SalesDesk(verbs, verbs.journal)


def complete_sales(verbs: SaleVerbs, *, account: str | None = None) -> list[SaleRecord]:
    """Go on with all sales that are decided, if the database has ever had a sale."""
    journal = verbs.journal
    if journal is None or not SaleStore.exists_in(journal.database):
        return []
    return SalesDesk(verbs, journal).complete(account=account)


def list_accounts_to_complete(verbs: SaleVerbs) -> set[str]:
    """Return the names of the accounts of all sales that `complete_sales` may have to call."""
    journal = verbs.journal
    if journal is None or not SaleStore.exists_in(journal.database):
        return set()
    return {row.account for row in SalesDesk(verbs, journal).iterate_decided()}


def _issues_inactive(seller: SellingAccount) -> bool:
    can = seller.capabilities
    return can.can_issue_inactive and can.of(Operation.ACTIVATE).available


def _check_voucher(seller: SellingAccount, new: NewVoucher) -> None:
    can = seller.capabilities
    support = can.of(Operation.ISSUE)
    if not support.available:
        raise unsupported_error(seller.provider, Operation.ISSUE, support)
    if can.record:
        raise UnsupportedOperation(
            f"the vouchers of {seller.provider.title} are only a record, and cannot be sold", account=seller.name
        )
    if new.active is not None:
        raise InvalidRequest(
            "leave active out: `prepare` issues the voucher inactive, and `fulfil` activates it",
            field="active",
            rule="left out",
            account=seller.name,
        )
    can.amounts.check(new.initial, AmountKind.BALANCE)
