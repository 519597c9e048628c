"""The earlier operation that a command builds on: by its reference in the journal, or by the vendor's id."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.cli.arguments import parse_instant_option, parse_money
from voucher_gateway.cli.context import LOOK_INTO_THE_JOURNAL
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.models.results import Redemption, Reservation

if TYPE_CHECKING:
    from voucher_gateway.gateway.gateway import Gateway
    from voucher_gateway.money import Money

E = TypeVar("E", Reservation, Redemption)


@attrs.frozen(kw_only=True)
class PriorOperation:
    """How a command names the reservation or redemption that it is about.

    Attributes:
        word: ``reservation`` or ``redemption``, as the options say it.
        reference: the reference it was made under, to be looked up in the journal.
        id: the vendor's id.
        amount: how much is to move, as text.
        currency: of the amounts; beside an id only, for the journal knows it.
        whole: the option and the text of what was reserved or redeemed, if `amount` is a part of it.
        voucher_id: the voucher.
        until: when a reservation lapses, as text.
        order: the order that the command gives.

    Raises:
        InvalidRequest: unless it is named in exactly one of the two ways, with all that this way needs.
    """

    word: str
    reference: str | None
    id: str | None
    amount: str | None
    currency: str | None
    whole: tuple[str, str | None] | None = None
    voucher_id: str | None = None
    until: str | None = None
    order: str | None = None

    def __attrs_post_init__(self) -> None:
        by_reference, by_id = f"--{self.word}", f"--{self.word}-id"
        if (self.reference is None) == (self.id is None):
            rule = f"either {by_reference} REFERENCE or {by_id} ID"
            problem = "neither is there" if self.id is None else "both are there"
            raise InvalidRequest(f"give {rule}: {problem}", field=by_reference, rule=rule)
        if self.id is None:
            known = [name for name, value in self._from_journal() if value is not None]
            if known:
                rule = f"only beside {by_id}"
                hint = f"leave {', '.join(known)} away: with {by_reference} the journal knows it"
                raise InvalidRequest(hint, field=known[0], rule=rule)
        elif self.amount is None or self.currency is None:
            rule = f"needed beside {by_id}"
            field = "--amount" if self.amount is None else "--currency"
            raise InvalidRequest(f"{field} is {rule}: only the journal would know it", field=field, rule=rule)

    def _from_journal(self) -> list[tuple[str, str | None]]:
        whole = [] if self.whole is None else [self.whole]
        options = [("--currency", self.currency), *whole, ("--voucher-id", self.voucher_id)]
        return [*options, ("--reserved-until", self.until)]

    def reservation(self, gateway: Gateway, account: str) -> Reservation:
        """Return the reservation."""
        if self.reference is not None:
            return self._find_in_journal(gateway, gateway.reservation, account, Operation.RESERVE)
        return Reservation(**self._fields_from_options(account), valid_until=self._lapses())

    def redemption(self, gateway: Gateway, account: str) -> Redemption:
        """Return the redemption."""
        if self.reference is not None:
            return self._find_in_journal(gateway, gateway.redemption, account, Operation.CAPTURE, Operation.REDEEM)
        return Redemption(**self._fields_from_options(account))

    def part(self, whole: Money) -> Money | None:
        """Return the money to be passed on: None where it is the whole, which every vendor can do."""
        money = whole if self.amount is None else parse_money(self.amount, self.currency or whole.currency)
        return None if money == whole else money

    def _lapses(self) -> datetime | None:
        return parse_instant_option(self.until, "--reserved-until")

    def _fields_from_options(self, account: str) -> dict[str, Any]:
        whole = None if self.whole is None else self.whole[1]
        money = parse_money(whole or self.amount or "", self.currency or "")
        return {
            "account": account,
            "id": self.id,
            "voucher_id": self.voucher_id,
            "money": money,
            "order": self.order,
        }

    def _find_in_journal(
        self, gateway: Gateway, look_up: Callable[[str, str], E], account: str, *verbs: Operation
    ) -> E:
        """Look it up in the journal.

        Raises:
            InvalidRequest: if the gateway has no journal, or the journal has no operation that can be used.
        """
        assert self.reference is not None
        option = f"--{self.word}"
        if gateway.journal is None:
            rule = "a journal in the configuration"
            raise InvalidRequest(
                f"{option} needs {rule}, which has none: give --{self.word}-id instead", field=option, rule=rule
            )
        try:
            return look_up(account, self.reference)
        except InvalidRequest as error:
            problem = error.message
        records = [gateway.operation(account, verb, self.reference) for verb in verbs]
        states = [f"its {record.key.verb.value} is {record.state.value}" for record in records if record is not None]
        missing = InvalidRequest(
            f"{problem} ({'; '.join(states)})" if states else problem,
            field=option,
            rule="of exactly one operation that succeeded",
        )
        missing.add_note(LOOK_INTO_THE_JOURNAL)
        raise missing
