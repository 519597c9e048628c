"""The ledger and its clients as JSON, for the state file and for older pictures of the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import asdict

from .clients import Client
from .vouchers import Movement, Reservation, Voucher

if TYPE_CHECKING:
    from attrs import Attribute

    from .ledger import Ledger


def dump_ledger(ledger: Ledger) -> dict[str, object]:
    """Every voucher and reservation, as fresh JSON values."""
    return {
        "vouchers": [_plain(voucher) for voucher in ledger],
        "reservations": [_plain(reservation) for reservation in ledger.reservations.values()],
    }


def load_ledger(ledger: Ledger, state: dict[str, Any]) -> None:
    """Replaces all that the ledger holds."""
    for index in (ledger.vouchers, ledger.by_code, ledger.reservations, ledger.movements):
        index.clear()
    for item in state["reservations"]:
        reservation = Reservation(**_with_instants(item))
        ledger.reservations[reservation.id] = reservation
    for item in state["vouchers"]:
        fields = _with_instants(item)
        fields["movements"] = [Movement(**_with_instants(movement)) for movement in fields["movements"]]
        current = fields["reservation"]
        fields["reservation"] = ledger.reservations[current["id"]] if current else None
        ledger.add(Voucher(**fields))


def dump_clients(clients: dict[str, Client]) -> list[dict[str, Any]]:
    """Every client with its secret, as fresh JSON values."""
    return [_plain(client) for client in clients.values()]


def load_clients(state: list[dict[str, Any]]) -> dict[str, Client]:
    """The clients by their ids."""
    clients = [Client(**{**_with_instants(item), "scopes": tuple(item["scopes"])}) for item in state]
    return {client.id: client for client in clients}


_INSTANTS = frozenset({"at", "created_at", "updated_at", "valid_until", "connected_at", "pin_until"})


def _plain(value: Any) -> dict[str, Any]:
    return asdict(value, value_serializer=_serialised)


def _serialised(_: object, __: Attribute[Any], value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _with_instants(item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value) if name in _INSTANTS and value is not None else value
        for name, value in item.items()
    }
