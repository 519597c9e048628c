"""A refund of a payment and its parts, as their rows hold them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

import attrs
import cattrs

from voucher_gateway.errors import InvalidRequest
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.voucher import Metadata, metadata_of
from voucher_gateway.money import Money
from voucher_gateway.payments.rows.distribution import OTHER_NAME, RefundShares, RefundStrategy
from voucher_gateway.payments.rows.states import OTHER, PartState, RefundState
from voucher_gateway.serialization import make_converter
from voucher_gateway.wire.json import decode, encode


def _read_metadata(value: Any, _: Any) -> Metadata:
    return metadata_of(value)


def _make_converter() -> cattrs.Converter:
    converter = make_converter()
    converter.register_structure_hook(Metadata | None, _read_metadata)
    return converter


_CONVERTER: Final = _make_converter()
_CHOSEN_BY_US: Final = ("id", "code", "pin")


@attrs.frozen(kw_only=True)
class ReplacementRule:
    """Where a new voucher is issued for a leg that cannot be given back.

    Attributes:
        account: the name of the account that issues it.
        template: its other fields. Its value is the amount of the leg, whatever the template says.

    Raises:
        InvalidRequest: if the template has an id, a code or a PIN: each voucher needs a different one.
    """

    account: str
    template: NewVoucher | None = None

    def __attrs_post_init__(self) -> None:
        for field in _CHOSEN_BY_US:
            if self.template is not None and getattr(self.template, field) is not None:
                raise InvalidRequest(
                    f"the template of a replacement must not have the field {field}: it may be issued several times",
                    field="replace",
                    rule="a template without id, code and pin",
                )

    def new_voucher(self, amount: Money) -> NewVoucher:
        """Return the voucher that replaces an amount."""
        return NewVoucher(initial=amount) if self.template is None else attrs.evolve(self.template, initial=amount)

    def to_json(self) -> str:
        """Return the rule as one line of JSON."""
        template = None if self.template is None else _CONVERTER.unstructure(self.template)
        return encode({"account": self.account, "template": template}).decode()

    @classmethod
    def from_json(cls, text: str) -> ReplacementRule:
        """Return the rule that `to_json` wrote."""
        fields: Any = decode(text.encode())
        template = fields["template"]
        return cls(
            account=fields["account"],
            template=None if template is None else _CONVERTER.structure(template, NewVoucher),
        )


@attrs.frozen(kw_only=True)
class RefundPart:
    """What one leg of a payment, or its other means, gives back in a refund.

    Attributes:
        leg: the number of the leg; 0 for the other means.
        amount: how much.
        state: whether it is given back.
        reason: why it cannot be given back; None if it can.
        replacement_account: the name of the account that issued a new voucher instead; None if none was issued.
        replacement_id: the vendor's id of that voucher.
    """

    leg: int
    amount: Money
    state: PartState = PartState.PLANNED
    reason: str | None = None
    replacement_account: str | None = None
    replacement_id: str | None = None


@attrs.frozen(kw_only=True)
class PaymentRefund:
    """A refund of a payment.

    Attributes:
        number: its number in the payment, from 1.
        reference: the caller's name of it.
        asked: what the caller asked for; None for all that was left.
        amount: how much it gives back in all.
        strategy: the name of the strategy; of a mapping, its amounts as JSON.
        replacement: the rule for replacement vouchers; None if none was asked for.
        state: whether everything that is possible is done.
        created_at: when it was begun.
        updated_at: when it last changed.
        parts: what each leg gives back, by number.
    """

    number: int
    reference: str
    asked: Money | None
    amount: Money
    strategy: str
    replacement: ReplacementRule | None = None
    state: RefundState = RefundState.OPEN
    created_at: datetime
    updated_at: datetime
    parts: tuple[RefundPart, ...] = ()

    @property
    def other(self) -> Money:
        """What the other means gives back. If it is not inside the payment, the shop gives this back by it."""
        return self._sum_of(*(part for part in self.parts if part.leg == OTHER and not _is_impossible(part)))

    @property
    def vouchers(self) -> Money:
        """What is given back to vouchers, replacement vouchers included."""
        given = (PartState.REFUNDED, PartState.REPLACED)
        return self._sum_of(*(part for part in self.parts if part.leg != OTHER and part.state in given))

    @property
    def not_possible(self) -> Money:
        """What cannot be given back, and was not replaced. The payment can still refund it in another way."""
        return self._sum_of(*filter(_is_impossible, self.parts))

    def _sum_of(self, *parts: RefundPart) -> Money:
        return Money.from_minor(sum(part.amount.minor for part in parts), self.amount.currency)


def strategy_text(strategy: RefundStrategy | RefundShares) -> str:
    """Return a strategy as it is recorded: its name, or the mapping as JSON, the same for the same mapping."""
    if isinstance(strategy, RefundStrategy):
        return strategy.value
    shares = {OTHER_NAME if leg == OTHER else str(leg): str(amount) for leg, amount in strategy.items()}
    return json.dumps(shares, sort_keys=True)


def _is_impossible(part: RefundPart) -> bool:
    return part.state is PartState.NOT_POSSIBLE
