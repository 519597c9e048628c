"""What is needed to find out later what became of one changing call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Self

import attrs

from voucher_gateway.errors.request import InvalidRequest


@attrs.frozen(kw_only=True)
class Ticket:
    """What is needed to find out later what became of one changing call. Strings only, no code and no PIN.

    Attributes:
        account: the account's name in the config.
        provider: the provider's name.
        host: the vendor's host the call went to; it is never looked up at another.
        login: the vendor-side login, where the vendor names one.
        verb: the operation, e.g. ``capture``.
        reference: the caller's reference.
        wire_reference: the name under which the vendor may know the call.
        order: the shop's order.
        voucher_id: the voucher, by the vendor's id, where it is known.
        subject: the id the call acted on: a reservation's, a redemption's, or the voucher's own.
        amount: the amount, as decimal text.
        currency: the currency of the amount.
        sent_at: when the call was sent, RFC 3339.
        reason: why the outcome is not known.
        operation_id: the journal's name of the operation, where there is a journal.
        step: the verb of the request that it is about, where the operation is made of others.
        notes: provider's notes taken before sending, by which the outcome can be found.
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
        return json.dumps(attrs.asdict(self, filter=lambda _, value: value not in (None, {}, "")), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a ticket back.

        Raises:
            InvalidRequest: if the text is no ticket.
        """
        try:
            fields = json.loads(text)
            ticket = cls(**fields)
            strings = [v for k, v in fields.items() if k != "notes"] + list(ticket.notes.values())
        except (TypeError, ValueError, AttributeError, RecursionError):
            raise InvalidRequest("the ticket is not one of ours", field="ticket", rule="JSON of a ticket") from None
        if not all(isinstance(value, str) for value in strings):
            raise InvalidRequest("a ticket holds only text", field="ticket", rule="strings only")
        return ticket
