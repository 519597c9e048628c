"""The payments and sales that `recover` completes, and those that wait for a person."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import attrs

from voucher_gateway.cli.context import DONE, NOT_DONE
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.payment_output import PAYMENT_COLUMNS, payment_fields
from voucher_gateway.cli.tables import TableColumn, print_rows
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.payments.orders import waiting_payments
from voucher_gateway.payments.rows.records import PaymentRecord
from voucher_gateway.payments.rows.states import DECIDED as DECIDED_PAYMENT
from voucher_gateway.sales.records import DECIDED as DECIDED_SALE
from voucher_gateway.sales.records import SaleRecord
from voucher_gateway.sales.store import SaleStore

if TYPE_CHECKING:
    from voucher_gateway.gateway.gateway import Gateway

_SALE_COLUMNS: Final = (
    TableColumn("sale", attrgetter("name")),
    TableColumn("account", attrgetter("account")),
    TableColumn("state", attrgetter("state")),
    TableColumn("value", attrgetter("initial"), right=True),
    TableColumn("attention", attrgetter("attention"), optional=True),
)


@attrs.frozen
class WaitingWork:
    """Payments and sales with something left to do.

    Attributes:
        payments: the payments, the oldest first.
        sales: the sales, the newest first.
    """

    payments: Sequence[PaymentRecord]
    sales: Sequence[SaleRecord]

    @classmethod
    def find(cls, gateway: Gateway, account: str | None) -> WaitingWork:
        """Return what waits; of one account, only its sales, as `Gateway.recover` does."""
        if gateway.journal is None:
            raise ConfigurationError("this needs a journal: name one in the configuration")
        has_sales = SaleStore.exists_in(gateway.journal.database)
        sales = list(gateway.sales(states=DECIDED_SALE, account=account)) if has_sales else []
        return cls([] if account is not None else waiting_payments(gateway), sales)

    def read_again(self, gateway: Gateway) -> WaitingWork:
        """Return the same payments and sales, as they are now."""
        payments = [gateway.find_payment(record.order, attempt=record.attempt) for record in self.payments]
        sales = [gateway.find_sale(record.name) for record in self.sales]
        return WaitingWork(
            [payment.record for payment in payments if payment is not None],
            [sale.record for sale in sales if sale is not None],
        )

    def print(self, output: Output) -> None:
        """Print them: with JSON, each as an object under its kind."""
        if output.as_json:
            lines: list[dict[str, Any]] = [{"payment": payment_fields(record)} for record in self.payments]
            for line in (*lines, *({"sale": record} for record in self.sales)):
                output.object(line)
            return
        for rows, columns in ((self.payments, PAYMENT_COLUMNS), (self.sales, _SALE_COLUMNS)):
            if rows:
                output.show("")
                print_rows(output, rows, columns)

    @property
    def exit_code(self) -> int:
        """3 if a decision is still not carried out."""
        is_open = any(record.state in DECIDED_PAYMENT for record in self.payments)
        return NOT_DONE if is_open or any(record.state in DECIDED_SALE for record in self.sales) else DONE
