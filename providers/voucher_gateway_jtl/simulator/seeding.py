"""Varied vouchers, as years of business would leave them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from attrs import frozen

from voucher_gateway.simulator import ODD_TEXTS, random_text
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
    "not JSON {",  # the field is a string that should hold JSON, and nobody checks it
)
_TAX_RATES: Final = ("19", "7", "19.00", "8,1")
# Callers may choose ids and codes of up to 255 characters of any kind (seed), so some shops did.
_ODD_EVERY: Final = 5


@frozen
class Seeder:
    """Draws vouchers; the same random state and instants draw the same ones.

    Attributes:
        random: where every choice comes from.
        client_ids: who may have made and moved them.
        now: no voucher is younger.
    """

    random: random.Random
    client_ids: Collection[str]
    now: datetime

    def vouchers(self, count: int, taken_ids: Collection[str], taken_codes: Collection[str]) -> list[VoucherRecord]:
        """That many vouchers of the last three years, oldest first, with ids and codes that are free."""
        ages = sorted((self.random.randrange(3 * 365 * 86400) for _ in range(count)), reverse=True)
        ids, codes = set(taken_ids), set(taken_codes)
        vouchers = []
        for number, age in enumerate(ages):
            turn, rest = divmod(number, _ODD_EVERY)
            odd = ODD_TEXTS[turn % len(ODD_TEXTS)] if rest == _ODD_EVERY - 1 else None
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
        """One voucher that was created then, with a past, and with an odd text in its id and code if asked for."""
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
            code=f"{draw.randrange(1000)}{odd}" if odd else _code(draw),
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
        self._give_past(voucher)
        return voucher

    def _give_past(self, voucher: VoucherRecord) -> None:
        draw = self.random
        moment = self._later(voucher.created_at)
        if draw.random() < 0.75:
            voucher.activate(moment)
            voucher.updated_at = moment
            for _ in range(draw.choice((0, 0, 1, 1, 2, 5))):
                moment = self._later(moment)
                if voucher.valid_until is None or moment < voucher.valid_until:
                    self._move(voucher, moment)
        if draw.random() < 0.1:
            voucher.deactivate()

    def _move(self, voucher: VoucherRecord, at: datetime) -> None:
        draw = self.random
        step = 100 if voucher.currency == "JPY" else 1
        charges = [each for each in voucher.movements if each.type == "charge"]
        refundable = charges and not any(each.refunds for each in voucher.movements)
        if draw.random() < 0.15 and voucher.remaining + 1000 <= LARGEST_CENTS:
            self._enter(voucher, "recharge", 1000, at)
        elif refundable and draw.random() < 0.3:
            self._enter(voucher, "refund", charges[-1].cents, at, charges[-1].id)
        elif voucher.remaining >= step:
            all_of_it = draw.random() < 0.3
            cents = voucher.remaining if all_of_it else draw.randrange(step, voucher.remaining + 1, step)
            self._enter(voucher, "charge", cents, at)

    def _enter(self, voucher: VoucherRecord, kind: str, cents: int, at: datetime, refunds: str | None = None) -> None:
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
    """Hexadecimal digits, like the other ids in the seeds."""
    return random_text(draw, length, _HEX)


def _code(draw: random.Random) -> str:
    return "-".join(["JTL", *(random_text(draw, 4) for _ in range(3))])
