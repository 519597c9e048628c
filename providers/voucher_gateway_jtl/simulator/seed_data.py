"""Varied vouchers with a history, as a shop would have them after years."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from attrs import frozen

from voucher_gateway.simulator import ODD_TEXTS, past_instants, random_text
from voucher_gateway_jtl.simulator.ledger import MovementRecord, VoucherRecord
from voucher_gateway_jtl.simulator.scalars import LARGEST_CENTS

if TYPE_CHECKING:
    import random
    from collections.abc import Collection

_HEX: Final = "0123456789abcdef"
_CURRENCIES: Final = ("EUR",) * 7 + ("USD", "CHF", "GBP", "JPY", "PLN")
_AMOUNTS: Final = (0, 1, 50, 100, 999, 1000, 1053, 2500, 2999, 5000, 5010, 10000, 15005, 99999, 9_999_999)
_BATCHES: Final = (None, "Winter Campaign", "Messe Köln 2026", "B-17", "Sommer 🌞", "x" * 30)
_DATA: Final = (
    None,
    json.dumps({"foo": "bar"}),
    json.dumps({"gift": True, "to": "Jörg", "lines": [1, 2.5, None]}),
    "not JSON {",  # the field is a string that should hold JSON, which is not checked
)
_TAX_RATES: Final = ("19", "7", "19.00", "8,1")
# Callers may choose ids and codes of up to 255 characters of any kind (seed), so some vouchers have odd ones.
_ODD_EVERY: Final = 5


@frozen
class Seeder:
    """Makes random vouchers. The same random state and time make the same ones.

    Attributes:
        random: the source of every choice.
        client_ids: the clients that created and used them.
        now: the current time; no voucher is newer.
    """

    random: random.Random
    client_ids: Collection[str]
    now: datetime

    def vouchers(self, count: int, taken_ids: Collection[str], taken_codes: Collection[str]) -> list[VoucherRecord]:
        """Return that many vouchers of the last three years, oldest first, with ids and codes that are not taken."""
        ages = sorted((self.random.randrange(3 * 365 * 86400) for _ in range(count)), reverse=True)
        ids, codes = set(taken_ids), set(taken_codes)
        vouchers = []
        for number, age in enumerate(ages):
            round_number, rest = divmod(number, _ODD_EVERY)
            odd = ODD_TEXTS[round_number % len(ODD_TEXTS)] if rest == _ODD_EVERY - 1 else None
            voucher = self.voucher(self.now - timedelta(seconds=age), odd)
            while voucher.id in ids:
                voucher.id += random_text(self.random, 1)
            while voucher.code in codes:
                voucher.code += random_text(self.random, 1)
            for movement in voucher.movements:
                movement.voucher_id = voucher.id
            ids.add(voucher.id)
            codes.add(voucher.code)
            vouchers.append(voucher)
        return vouchers

    def voucher(self, created_at: datetime, odd: str | None = None) -> VoucherRecord:
        """Return a voucher with a history that was created then. `odd` is a text for its id and code."""
        draw = self.random
        currency = draw.choice(_CURRENCIES)
        cents = draw.choice(_AMOUNTS) if draw.random() < 0.6 else draw.randrange(1, 50_000)
        if currency == "JPY":
            cents = -(-cents // 100) * 100
        medium = draw.choice(("digital", "digital", "print"))
        taxable = draw.random() < 0.3
        voucher = VoucherRecord(
            id=f"{odd}{draw.randrange(1000)}" if odd else random_text(draw, 16),
            client_id=draw.choice(list(self.client_ids)),
            code=f"{draw.randrange(1000)}{odd}" if odd else _random_code(draw),
            pin=f"{draw.randrange(10_000):04d}" if medium == "print" and draw.random() < 0.7 else None,
            sku=draw.choice((None, "AJHS8675FG", "GIFT-25", "GUTSCHEIN/50 €")),
            batch=draw.choice(_BATCHES),
            cents=cents,
            remaining=cents,
            currency=currency,
            validity_value=draw.choice((3, 3, 3, 1, 24, 90, 52)),
            validity_interval="years",
            type=medium,
            taxable=taxable,
            tax_rate=draw.choice(_TAX_RATES) if taxable else None,
            order_number=draw.choice((None, f"Order {draw.randrange(10_000)}", "W-2026/0815")),
            data=draw.choice(_DATA),
            created_at=created_at,
            updated_at=created_at,
        )
        if voucher.validity_value > 3:
            voucher.validity_interval = {24: "months", 90: "days", 52: "weeks"}[voucher.validity_value]
        self._add_history(voucher)
        return voucher

    def voucher_with_history(self, count: int) -> VoucherRecord:
        """Return an active voucher of three years ago with that many charges, each fifth of which is given back."""
        created_at, *moments = past_instants(self.random, self.now, count + 1)
        voucher = self.voucher(created_at)
        voucher.movements.clear()
        voucher.pin, voucher.currency = None, "EUR"
        voucher.cents = voucher.remaining = min(10_000 + 50 * count, LARGEST_CENTS)
        voucher.validity_value, voucher.validity_interval = 10, "years"
        voucher.activate(created_at)
        voucher.updated_at = created_at
        for number, moment in enumerate(moments):
            if number % 5 == 4:
                charge = voucher.movements[-1]
                self._record(voucher, "refund", charge.cents, moment, charge.id)
            else:
                self._record(voucher, "charge", self.random.randrange(1, 50), moment)
        return voucher

    def _add_history(self, voucher: VoucherRecord) -> None:
        draw = self.random
        moment = self._later(voucher.created_at)
        if draw.random() < 0.75:
            voucher.activate(moment)
            voucher.updated_at = moment
            for _ in range(draw.choice((0, 0, 1, 1, 2, 5))):
                moment = self._later(moment)
                if voucher.valid_until is None or moment < voucher.valid_until:
                    self._add_movement(voucher, moment)
        if draw.random() < 0.1:
            voucher.deactivate()

    def _add_movement(self, voucher: VoucherRecord, at: datetime) -> None:
        draw = self.random
        step = 100 if voucher.currency == "JPY" else 1
        charges = [movement for movement in voucher.movements if movement.type == "charge"]
        refundable = charges and not any(movement.refunds for movement in voucher.movements)
        if draw.random() < 0.15 and voucher.remaining + 1000 <= LARGEST_CENTS:
            self._record(voucher, "recharge", 1000, at)
        elif refundable and draw.random() < 0.3:
            self._record(voucher, "refund", charges[-1].cents, at, charges[-1].id)
        elif voucher.remaining >= step:
            spend_all = draw.random() < 0.3
            cents = voucher.remaining if spend_all else draw.randrange(step, voucher.remaining + 1, step)
            self._record(voucher, "charge", cents, at)

    def _record(self, voucher: VoucherRecord, kind: str, cents: int, at: datetime, refunds: str | None = None) -> None:
        order = None if refunds else f"ORDER-{self.random.randrange(100_000)}"
        client_id = self.random.choice(list(self.client_ids))
        voucher.movements.append(
            MovementRecord(random_hex(self.random, 21), voucher.id, client_id, kind, cents, order, at, refunds)
        )
        voucher.remaining += -cents if kind == "charge" else cents
        voucher.updated_at = at

    def _later(self, moment: datetime) -> datetime:
        return min(moment + timedelta(seconds=self.random.randrange(30 * 86400)), self.now)


def random_hex(draw: random.Random, length: int) -> str:
    """Return random hexadecimal digits, like the ids in the seeds."""
    return random_text(draw, length, _HEX)


def _random_code(draw: random.Random) -> str:
    return "-".join(["JTL", *(random_text(draw, 4) for _ in range(3))])
