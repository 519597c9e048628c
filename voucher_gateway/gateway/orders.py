"""The verbs of a gateway for whole orders: payments, sales, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from voucher_gateway.errors import InvalidRequest
from voucher_gateway.gateway.account_cache import AccountCache
from voucher_gateway.gateway.journal_verbs import JournalVerbs
from voucher_gateway.gateway.look_ups import LookUpVerbs
from voucher_gateway.gateway.value_verbs import ValueVerbs
from voucher_gateway.gateway.voucher_changes import VoucherChangeVerbs
from voucher_gateway.instants import require_aware
from voucher_gateway.limits.call_deadline import use_call_deadline
from voucher_gateway.limits.work_class import WorkClass, use_work_class
from voucher_gateway.masking import Code, Pin, hide_refused_arguments
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.money import Money

if TYPE_CHECKING:
    # A journal needs SQLAlchemy, which takes longer to import than everything else. What needs it is imported late.
    from voucher_gateway.execution.recovery import Resolution
    from voucher_gateway.gateway.explanation.model import Explanation
    from voucher_gateway.payments.allocation import AllocationName, AllocationOrder
    from voucher_gateway.payments.means import OtherMeans
    from voucher_gateway.payments.payment import Payment
    from voucher_gateway.payments.rows.records import PaymentRecord
    from voucher_gateway.payments.rows.states import PaymentState
    from voucher_gateway.sales.desk import SalesDesk
    from voucher_gateway.sales.records import SaleRecord, SaleState
    from voucher_gateway.sales.sale import Sale


class OrderVerbs(LookUpVerbs, VoucherChangeVerbs, ValueVerbs, JournalVerbs):
    """The verbs for whole orders: payments, sales, and what became of them."""

    def payment(
        self,
        order: str,
        *,
        total: Money,
        allocation: AllocationOrder | AllocationName = "soonest-expiry-first",
        other: OtherMeans | None = None,
        renew: bool = False,
        wait: float = 0.0,
        timeout: float | None = None,
    ) -> Payment:
        """Return the payment of an order by vouchers and other means, and open it if it has none. Needs a journal.

        If the order has a payment of another total of which nothing is taken, that one is cancelled, and the next one
        is opened, without vouchers.

        Args:
            order: the shop's order number.
            total: what the order costs.
            allocation: in which order the vouchers pay: ``soonest-expiry-first``, ``as-entered``, ``fewest-vouchers``
                or ``largest-first``. It counts when the payment is opened.
            other: the other means, such as a card, if it shall be inside the payment. It is given again whenever the
                payment is used, unless the configuration names it (``other_means``).
            renew: whether to open another payment if the one there is was cancelled.
            wait: how long each method of the payment waits for another worker on it, in seconds.
            timeout: how long this call may take in all, in seconds; each method of the payment has its own.

        Raises:
            PaymentConflict: if there is a payment of another total that is captured, or is being captured or cancelled.
            ConfigurationError: without a journal, or the package `cryptography` is not installed.

        Example:
            ```python
            payment = gateway.payment("1001", total=Money("89.90", "EUR"))
            payment.add("JTL-SPRING-0042", limit=Money("40.00", "EUR"))
            print(payment.due)  # 49.90 EUR
            payment.authorize()
            payment.capture()  # now the shop captures its card for payment.due
            print(payment.state)  # captured
            ```
        """
        from voucher_gateway.payments.orders import open_payment

        with use_call_deadline(timeout):
            return open_payment(self, order, total, allocation=allocation, other=other, renew=renew, wait=wait)

    def find_payment(
        self, order: str, *, attempt: int | None = None, other: OtherMeans | None = None, wait: float = 0.0
    ) -> Payment | None:
        """Return the payment of an order; None if it has none.

        Args:
            order: the shop's order number.
            attempt: which of the payments of the order, from 1; None for the latest.
            other: the other means, if it is inside the payment; None for that of the configuration.
            wait: how long each method of the payment waits for another worker on it, in seconds.

        Raises:
            ConfigurationError: without a journal.

        Example:
            ```python
            gateway.payment("1001", total=Money("89.90", "EUR"))
            payment = gateway.find_payment("1001")  # later, in another process
            print(payment.state)  # open
            ```
        """
        from voucher_gateway.payments.orders import find_payment

        return find_payment(self, order, attempt=attempt, other=other, wait=wait)

    def payments(
        self,
        *,
        states: Iterable[PaymentState] = (),
        order: str | None = None,
        needs_attention: bool | None = None,
        voucher: str | None = None,
        reference: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[PaymentRecord]:
        """Iterate over the payments of all orders, the newest first.

        Args:
            states: only payments in these states; all if none is named.
            order: only payments of this order.
            needs_attention: True for payments that wait for a person or a look-up, False for the others.
            voucher: only payments with a leg of the voucher with this id, at any account.
            reference: only payments with a refund under this reference.
            since: only payments that were opened at this moment or later.
            until: only payments that were opened before this moment.
            limit: at most this many.

        Raises:
            ConfigurationError: without a journal.

        Example:
            ```python
            gateway.payment("1001", total=Money("89.90", "EUR"))
            print([payment.order for payment in gateway.payments(states=[PaymentState.OPEN])])  # ['1001']
            ```
        """
        from voucher_gateway.payments.orders import open_store

        return open_store(self).iterate(
            states=states,
            order=order,
            needs_attention=needs_attention,
            voucher=voucher,
            reference=reference,
            since=None if since is None else require_aware(since, "since"),
            until=None if until is None else require_aware(until, "until"),
            limit=limit,
        )

    @hide_refused_arguments
    def sale(self, name: str, account: str, new: NewVoucher, *, order: str | None = None, wait: float = 0.0) -> Sale:
        """Open the sale of a voucher, or return the one that has this name. Nothing is sent.

        The code is derived from the journal's key and the sale, as far as the vendor lets us choose it.

        Args:
            name: your own name for this one voucher, such as the order's number and the position. It is unique among
                all sales. It is stored and shown in plain text: never put a code or a PIN into it.
            account: the name of the account that issues the voucher.
            new: the voucher, without `active`.
            order: the shop's order number; the order of `new` or the name by default.
            wait: how long the methods of the sale wait for another worker on it, in seconds.

        Raises:
            ReferenceConflict: if the sale of this name is of another account, voucher or order.
            InvalidRequest: if the name or the order contains the voucher's code or PIN of your choice.
            ConfigurationError: without a journal; or if the voucher has a code or a PIN of your choice, and the
                package for encryption is not installed.

        Example:
            ```python
            sale = gateway.sale("1002-1", "shop", NewVoucher(initial=Money(50, "EUR")))
            sale.prepare()  # issued, and inactive
            sale.fulfil()  # after the payment
            print(sale.state, sale.code)  # fulfilled ••••...
            sale.delivered()  # once the buyer has the code
            ```
        """
        return self._sales_desk().open(name, account, new, order=order, wait=wait)

    def sell_many(
        self,
        batch: str,
        account: str,
        new: NewVoucher,
        count: int,
        *,
        order: str | None = None,
        fulfil: bool = False,
        workers: int = 4,
        wait: float = 0.0,
    ) -> Iterator[Sale]:
        """Make equal vouchers under the name of a batch, such as for a printer, and yield their sales.

        The sales are called ``BATCH/000001`` and so on. If the same call comes again after it was broken off, it goes
        on: the codes are the same, and no voucher is made twice. A failure is raised for the first sale that meets it.

        Args:
            batch: the name of the batch.
            account: the name of the account that issues the vouchers.
            new: the voucher, without a code, a PIN and an id of your own.
            count: how many. It is part of what the name of the batch stands for.
            order: the shop's order number; the name of the batch by default.
            fulfil: whether to make them spendable at once. Otherwise they are prepared.
            workers: how many are made at a time.
            wait: how long to wait for another worker on one of the sales, in seconds.

        Raises:
            ReferenceConflict: if the batch of this name is of another account, voucher, number or order.
            UnsupportedOperation: if the vendor has no inactive vouchers, and they are not to be fulfilled.

        Example:
            ```python
            sales = list(gateway.sell_many("spring-2030", "shop", NewVoucher(initial=Money(50, "EUR")), 3))
            print(sales[0].name, sales[0].code)  # spring-2030/000001 ••••...
            ```
        """
        from voucher_gateway.sales.bulk import sell_batch

        return sell_batch(
            self._sales_desk(),
            batch,
            account,
            new,
            count,
            order=order,
            fulfil=fulfil,
            workers=workers,
            wait=wait,
        )

    def find_sale(self, name: str, *, wait: float = 0.0) -> Sale | None:
        """Return the sale of a name; None if it does not exist.

        Args:
            name: the name of the sale.
            wait: how long the methods of the sale wait for another worker on it, in seconds.

        Example:
            ```python
            gateway.sale("1002-1", "shop", NewVoucher(initial=Money(50, "EUR"))).fulfil()
            print(gateway.find_sale("1002-1").state)  # fulfilled
            ```
        """
        return self._sales_desk().find(name, wait=wait)

    def sales(
        self,
        *,
        states: Iterable[SaleState] = (),
        account: str | None = None,
        batch: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[SaleRecord]:
        """Yield the sales, the newest first.

        Args:
            states: only sales in these states; all if none is named.
            account: only sales of this account.
            batch: only sales of this print batch.
            since: only sales that were opened at this moment or later.
            limit: at most this many.

        Example:
            ```python
            gateway.sale("1002-1", "shop", NewVoucher(initial=Money(50, "EUR"))).fulfil()
            for record in gateway.sales(states=[SaleState.FULFILLED]):
                print(record.name, record.initial)  # 1002-1 50.00 EUR
            ```
        """
        return self._sales_desk().iterate(states=states, account=account, batch=batch, since=since, limit=limit)

    def explain(
        self,
        code: str | Code | None = None,
        pin: str | Pin | None = None,
        *,
        order: str | None = None,
        broadcast: bool = False,
        timeout: float | None = None,
    ) -> Explanation:
        """Return why a voucher cannot be spent, or what became of an order, in one sentence and as a story.

        For a code, the vendors are asked as in `find`, and for the history of the voucher. For an order, only the
        journal is read. Nothing is changed.

        Args:
            code: the voucher's code; or give `order`.
            pin: the PIN, if there is one.
            order: the shop's order number.
            broadcast: whether to show the code to the vendors of the accounts whose pattern does not match, too.
            timeout: how long the call may take in all, in seconds; see `Gateway`.

        Raises:
            InvalidRequest: unless either a code or an order is given.
            ConfigurationError: if an order is given without a journal.

        Example:
            ```python
            gateway.redeem("shop", "JTL-SPRING-0042", Money(100, "EUR"), reference="1001-card-1", order="1001")
            print(gateway.explain("JTL-SPRING-0042").sentence)  # Used up on ... by order 1001.
            print(gateway.explain(order="1001").sentence)  # Order 1001 took 100.00 EUR.
            ```
        """
        code, pin = Code.of_given(code), Pin.of_given(pin)
        if (code is None) == (order is None):
            raise InvalidRequest("give either a code or an order", field="code", rule="one of code and order")
        with use_call_deadline(timeout):
            if order is not None:
                journal = self._require_journal().journal
                from voucher_gateway.gateway.explanation.order import explain_order

                return explain_order(journal, self._accounts, order)
            assert code is not None
            from voucher_gateway.gateway.explanation.voucher import explain_code

            result = self.find(code, pin, broadcast=broadcast)
            return explain_code(self.journal, self._accounts, code, result)

    def recover(
        self, *, account: str | None = None, everything: bool = False, other: OtherMeans | None = None
    ) -> list[Resolution]:
        """Ask the vendors about every operation that is unknown or that a crashed worker left open.

        An operation that stays unknown is looked up at longer and longer intervals. Then complete what was decided
        about payments and sales, and what a worker left open: captures, cancellations and refunds of payments, sales to
        be fulfilled or revoked. It makes no decision. `payments` and `sales` show what still waits.

        Several machines may run this at the same time, for example from cron. It moves money only where that was
        decided.

        Args:
            account: only operations and sales of this account, and no payments.
            everything: whether to look up operations that are not due yet, too.
            other: the other means of payments that have it inside; None for that of the configuration. Without any,
                their vouchers are completed, and the rest waits.

        Raises:
            ConfigurationError: without a journal.

        Example:
            ```python
            for resolution in gateway.recover():
                print(resolution.state)
            ```
        """
        executor = self._require_journal()
        from voucher_gateway.execution.recovery import recover
        from voucher_gateway.payments.orders import recover_if_used
        from voucher_gateway.sales.desk import complete_sales

        with use_work_class(WorkClass.RECOVER):
            account = self._follow_renames(account)
            resolutions = recover(executor, self.provider, account=account, everything=everything)
            if account is None:
                recover_if_used(self, other)
            complete_sales(self, account=account)
        return resolutions

    def _follow_renames(self, account: str | None) -> str | None:
        """Give what waits under a former name of an account of the source its new name; return that of `account`."""
        if account is not None:
            return self._follow_rename(account, search=True)
        if not isinstance(self._accounts, AccountCache):
            return None
        from voucher_gateway.gateway.renames import adopt_renamed_accounts
        from voucher_gateway.journal.queries import list_accounts_in_doubt
        from voucher_gateway.payments.orders import list_accounts_to_recover
        from voucher_gateway.sales.desk import list_accounts_to_complete

        journal = self._require_journal().journal
        waiting = list_accounts_in_doubt(journal.database)
        waiting |= list_accounts_to_recover(self) | list_accounts_to_complete(self)
        adopt_renamed_accounts(self._accounts, journal.names, waiting)
        return None

    def _sales_desk(self) -> SalesDesk:
        from voucher_gateway.sales.desk import open_desk

        return open_desk(self)
