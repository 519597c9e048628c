"""The ledger and its clients as JSON, for the state file and for older pictures of the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from voucher_gateway.simulator import from_records, to_records
from voucher_gateway_jtl.simulator.oauth_clients import Client
from voucher_gateway_jtl.simulator.vouchers import ReservationRecord, VoucherRecord

if TYPE_CHECKING:
    import random
    from datetime import datetime

    from voucher_gateway.simulator import VirtualClock
    from voucher_gateway_jtl.simulator.errors import Errors
    from voucher_gateway_jtl.simulator.ledger import Ledger
    from voucher_gateway_jtl.simulator.oauth_clients import Clients
    from voucher_gateway_jtl.simulator.options import JtlOptions
    from voucher_gateway_jtl.simulator.responses import Answers


class Counter(Protocol):
    """The vendor's side of the counter.

    Attributes:
        options: how it was started.
        clock: the time.
        random: of choices that a seed repeats.
        errors: how it refuses.
        answers: how it answers.
        ledger_book: what it knows.
        clients: who may call.
    """

    options: JtlOptions
    clock: VirtualClock
    random: random.Random
    errors: Errors
    answers: Answers
    ledger_book: Ledger
    clients: Clients

    def moment(self) -> datetime:
        """The time as the vendor writes it down."""
        ...


def dump_ledger(ledger: Ledger) -> dict[str, object]:
    """Every voucher and reservation, as fresh JSON values."""
    return {
        "vouchers": to_records(list(ledger)),
        "reservations": to_records(list(ledger.reservations.values())),
    }


def load_ledger(ledger: Ledger, state: dict[str, Any]) -> None:
    """Replaces all that the ledger holds."""
    reservations = from_records(list[ReservationRecord], state["reservations"])
    vouchers = from_records(list[VoucherRecord], state["vouchers"])
    for index in (ledger.vouchers, ledger.by_code, ledger.reservations, ledger.movements):
        index.clear()
    ledger.reservations.update((reservation.id, reservation) for reservation in reservations)
    for voucher in vouchers:
        if voucher.reservation is not None:  # one and the same, so that a charge shows in both places
            voucher.reservation = ledger.reservations[voucher.reservation.id]
        ledger.add(voucher)


def dump_clients(clients: dict[str, Client]) -> list[dict[str, Any]]:
    """Every client with its secret, as fresh JSON values."""
    records: list[dict[str, Any]] = to_records(list(clients.values()))
    return records


def load_clients(state: list[dict[str, Any]]) -> dict[str, Client]:
    """The clients by their ids."""
    return {client.id: client for client in from_records(list[Client], state)}
