"""Providers that give back or overwrite wrongly."""

from __future__ import annotations

import attrs

from tests.testing.spending.registry import breaks, claiming
from voucher_gateway.provider_api import (
    Code,
    Intent,
    Money,
    Operation,
    Redemption,
    Refund,
    RepeatSafety,
    TopUp,
    ValueReading,
    native,
)
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_ticketing import TicketingProvider

JTL = JtlProvider.declared


@breaks("S17")
class RefundsHalf(JtlProvider):
    def refund(
        self, redemption: Redemption, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Refund:
        back = redemption.money if money is None else money
        half = Money.from_minor(back.minor // 2, back.currency)
        return attrs.evolve(super().refund(redemption, half, reference=reference, order=order), money=back)


@breaks("S18")
class ClaimsWholeRefundsOnly(JtlProvider):
    declared = claiming(JTL, {Operation.REFUND: native(partial=False, repeat=RepeatSafety.LOOK_UP)})


@breaks("S19")
class RefundsByToppingUp(JtlProvider):
    """Nobody counts what was given back of what."""

    def refund(
        self, redemption: Redemption, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Refund:
        assert redemption.voucher_id is not None
        back = redemption.money if money is None else money
        done = self.top_up(redemption.voucher_id, back, reference=reference, order=order)
        return Refund(account=self.account, id=done.id, voucher_id=done.voucher_id, money=done.money)


@breaks("S24")
class GivesTheWholeBackEachTime(JtlProvider):
    def refund(
        self, redemption: Redemption, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Refund:
        assert redemption.voucher_id is not None
        done = self.top_up(redemption.voucher_id, redemption.money, reference=reference, order=order)
        return Refund(account=self.account, id=done.id, voucher_id=done.voucher_id, money=money or redemption.money)


@breaks("V9")
class BelievesOneReading(TicketingProvider):
    def read_value(self, code: str | Code | None = None, *, id: str | None = None) -> ValueReading:
        return super().read_value(code if id is None else self.get(id).code)


@breaks("S20")
class ForgetsTheExpiry(TicketingProvider):
    def write_value(self, before: ValueReading, value: Money, *, intent: Intent) -> None:
        super().write_value(attrs.evolve(before, passthrough=None, valid_until=None), value, intent=intent)


@breaks("S20")
class AnnouncesAnotherIntent(TicketingProvider):
    def write_value(self, before: ValueReading, value: Money, *, intent: Intent) -> None:
        super().write_value(before, value, intent=attrs.evolve(intent, reference="another"))


@breaks("S21")
class WritesFloats(JtlProvider):
    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        exact = Money(f"{float(money.amount):.2f}", money.currency)
        return super().top_up(id, exact, reference=reference, order=order)
