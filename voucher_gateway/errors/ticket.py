"""The ticket, with which any process can find out later what became of a call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Self

import attrs

from voucher_gateway.errors.request import InvalidRequest

_encode_json: Final = json.JSONEncoder(ensure_ascii=False).encode


@attrs.frozen(kw_only=True)
class Ticket:
    """What is needed to find out later what became of one changing call. Strings only, no code and no PIN.

    Attributes:
        account: the account's name in the configuration.
        provider: the provider's name.
        host: the vendor's host that the call went to. The call is never looked up at another host.
        login: the vendor-side login, where the vendor names one.
        verb: the operation, e.g. ``capture``.
        reference: the caller's reference.
        wire_reference: the reference under which the vendor may know the call.
        order: the shop's order number.
        voucher_id: the vendor's id of the voucher, where it is known.
        subject: the id that the call acted on: of a reservation, a redemption or the voucher itself.
        amount: the amount, as decimal text.
        currency: the currency of the amount.
        sent_at: when the call was sent, in RFC 3339.
        reason: why the outcome is not known.
        operation_id: the journal's id of the operation, where there is a journal.
        step: the verb of the request that is unknown, where the operation is emulated by others.
        notes: what the provider noted before sending, by which the outcome can be found.
    """

    account: str
    provider: str
    host: str
    login: str | None = None
    verb: str
    reference: str | None = None
    wire_reference: str | None = None
    order: str | None = None
    voucher_id: str | None = None
    subject: str | None = None
    amount: str | None = None
    currency: str | None = None
    sent_at: str | None = None
    reason: str = ""
    operation_id: str | None = None
    step: str | None = None
    notes: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    def to_json(self) -> str:
        """Return the ticket as one line of JSON, without the parts that are not known."""
        return encode_ticket({name: getattr(self, name) for name in _TICKET_FIELDS})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a ticket from the JSON that `to_json` returned.

        Raises:
            InvalidRequest: if the text is not a ticket.
        """
        try:
            fields = json.loads(text)
            ticket = cls(**fields)
            strings = [v for k, v in fields.items() if k != "notes"] + list(ticket.notes.values())
        except (TypeError, ValueError, AttributeError, RecursionError):
            raise InvalidRequest(
                "ticket: expected the JSON text of a ticket", field="ticket", rule="JSON of a ticket"
            ) from None
        if not all(isinstance(value, str) for value in strings):
            raise InvalidRequest("ticket: every value must be a string", field="ticket", rule="strings only")
        return ticket


_TICKET_FIELDS: Final = tuple(field.name for field in attrs.fields(Ticket))


def encode_ticket(fields: Mapping[str, object]) -> str:
    """Return the fields of a ticket as one line of JSON, without those that are not known."""
    return _encode_json({name: value for name, value in fields.items() if value})
