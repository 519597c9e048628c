"""The JSON objects of JTL: vouchers, reservations, movements, clients and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from attrs import frozen

from voucher_gateway_jtl.simulator.scalars import from_cents, instant_to_text

if TYPE_CHECKING:
    from datetime import datetime

    from voucher_gateway.simulator import Request
    from voucher_gateway_jtl.simulator.filters import PageRequest
    from voucher_gateway_jtl.simulator.ledger import MovementRecord, ReservationRecord, VoucherRecord
    from voucher_gateway_jtl.simulator.oauth_clients import Client


# The seed's example has plain http, another host, and a first page whose previous page is the third.
_SEED_HOST: Final = "http://vouchers.internal.example"
_SEED_NUMBERS: Final = {"first": 1, "last": 5, "prev": 3, "next": 2}


def page_links(request: Request, page: PageRequest) -> tuple[str, dict[str, str | None]]:
    """Return the URL of the list as the client reached it, and the links; None for a page that does not exist."""
    target = f"http://{request.headers.get('Host', 'localhost')}{request.raw_path}"
    parameters = [(name, value) for name, value in request.query.items(multi=True) if name != "page"]
    previous, following = page.number - 1, page.number + 1
    numbers = {
        "first": 1,
        "last": page.last_number,
        "prev": min(previous, page.last_number) if previous else None,
        "next": following if following <= page.last_number else None,
    }
    return target, {
        name: None if number is None else f"{target}?{urlencode([*parameters, ('page', number)])}"
        for name, number in numbers.items()
    }


def seed_links(request: Request) -> tuple[str, dict[str, str | None]]:
    """Return the URL and the links of the seed's example, which are the same on every page."""
    target = f"{_SEED_HOST}{request.raw_path}"
    return target, {name: f"{target}?page={number}" for name, number in _SEED_NUMBERS.items()}


@frozen
class ResponseWriter:
    """Makes the JSON objects.

    Attributes:
        reserved_is_subtracted: whether reserved value is subtracted from remaining_amount (not documented).
        omit_unset: whether fields without a value are left out. Otherwise they are null. valid_until and
            voucher_tax_rate are always there, as the seeds show them as null.
        refunds_show_order: whether a refund repeats the order number of its charge (not documented).
        seed_links: whether links are those of the seed's example, which are wrong.
    """

    reserved_is_subtracted: bool
    omit_unset: bool
    refunds_show_order: bool
    seed_links: bool

    def voucher(self, voucher: VoucherRecord) -> dict[str, Any]:
        """Return a voucher without its secrets and its balance."""
        return self._without_unset(
            {
                "id": voucher.id,
                "client_id": voucher.client_id,
                "sku": voucher.sku,
                "batch": voucher.batch,
                "amount": from_cents(voucher.cents),
                "currency": voucher.currency,
                "valid_until": _optional(voucher.valid_until),
                "validity_value": voucher.validity_value,
                "validity_interval": voucher.validity_interval,
                "status": voucher.status,
                "type": voucher.type,
                "taxable": voucher.taxable,
                "tax_rate": voucher.tax_rate,
                "order_number": voucher.order_number,
                "data": voucher.data,
                "created_at": instant_to_text(voucher.created_at),
                "updated_at": instant_to_text(voucher.updated_at),
            }
        )

    def voucher_with_balance(self, voucher: VoucherRecord, now: datetime) -> dict[str, Any]:
        """Return a voucher as the list and `GET /vouchers/{id}` show it."""
        remaining = voucher.remaining
        if self.reserved_is_subtracted:
            remaining -= voucher.reserved_cents(now)
        return {
            **self.voucher(voucher),
            "remaining_amount": from_cents(remaining),
            "deletable": voucher.deletable,
        }

    def voucher_with_secrets(self, voucher: VoucherRecord) -> dict[str, Any]:
        """Return a voucher as creation and `/complete` show it."""
        return {**self.voucher(voucher), **self._without_unset({"code": voucher.code, "pin": voucher.pin})}

    def reservation(self, reservation: ReservationRecord, voucher: VoucherRecord) -> dict[str, Any]:
        """Return a reservation. It shows neither code nor currency."""
        return self._without_unset(
            {
                "id": reservation.id,
                "voucher_id": reservation.voucher_id,
                "voucher_taxable": voucher.taxable,
                "voucher_tax_rate": voucher.tax_rate,
                "client_id": reservation.client_id,
                "amount": from_cents(reservation.cents),
                "valid_until": instant_to_text(reservation.valid_until),
                "created_at": instant_to_text(reservation.created_at),
                "updated_at": instant_to_text(reservation.created_at),
            }
        )

    def movement(self, movement: MovementRecord, voucher: VoucherRecord) -> dict[str, Any]:
        """Return a movement. A refund does not name its charge."""
        return self._without_unset(
            {
                "id": movement.id,
                "voucher_id": movement.voucher_id,
                "client_id": movement.client_id,
                "type": movement.type,
                "amount": from_cents(movement.cents),
                "order_number": self.order_number(movement, voucher),
                "created_at": instant_to_text(movement.at),
                "updated_at": instant_to_text(movement.at),
            }
        )

    def order_number(self, movement: MovementRecord, voucher: VoucherRecord) -> str | None:
        """Return the order number that a movement shows and is found by."""
        if movement.refunds and self.refunds_show_order:
            return next(charge.order_number for charge in voucher.movements if charge.id == movement.refunds)
        return movement.order_number

    def client(self, client: Client) -> dict[str, Any]:
        """Return a client with its secret, as the call that connects it shows it."""
        return self._without_unset(
            {
                "id": client.id,
                "client_group_id": client.client_group_id,
                "name": client.name,
                "secret": client.secret,
                "scopes": list(client.scopes),
                "created_at": instant_to_text(client.created_at),
                "updated_at": instant_to_text(client.updated_at),
                "connected_at": _optional(client.connected_at),
                "type": "pos",
            }
        )

    def page(self, page: PageRequest, request: Request, items: list[dict[str, Any]]) -> dict[str, Any]:
        """Return a page of a list."""
        target, links = seed_links(request) if self.seed_links else page_links(request, page)
        return {
            "data": items,
            "links": self._without_unset(links),
            "meta": self._without_unset(
                {
                    "current_page": page.number,
                    "per_page": page.size,
                    "from": page.first if items else None,
                    "to": page.first + len(items) - 1 if items else None,
                    "last_page": page.last_number,
                    "total": page.total,
                    "path": target,
                }
            ),
        }

    def _without_unset(self, item: dict[str, Any]) -> dict[str, Any]:
        if not self.omit_unset:
            return item
        always_shown = {"valid_until", "voucher_tax_rate"}
        return {name: value for name, value in item.items() if value is not None or name in always_shown}


def _optional(instant: datetime | None) -> str | None:
    return None if instant is None else instant_to_text(instant)
