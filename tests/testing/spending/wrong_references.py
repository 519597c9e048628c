"""Providers that lose references, or claim what they do not do with them."""

from __future__ import annotations

import attrs

from tests.testing.spending.registry import breaks, claiming
from voucher_gateway.provider_api import KeyRules, Money, Operation, RepeatSafety, TopUp, native
from voucher_gateway_jtl import JtlProvider

JTL = JtlProvider.declared


@breaks("N1")
class CutsReferences(JtlProvider):
    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        done = super().top_up(id, money, reference=reference[:20], order=order)
        return attrs.evolve(done, reference=reference)


@breaks("N1")
class LosesReferences(JtlProvider):
    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        done = super().top_up(id, money, reference="top-up", order=order)
        return attrs.evolve(done, reference=reference)


@breaks("N1")
class LosesOrders(JtlProvider):
    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        return super().top_up(id, money, reference=reference)


@breaks("N2")
class CutsLongReferences(JtlProvider):
    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        return super().top_up(id, money, reference=reference[:255], order=order)


@breaks("N3")
class ClaimsAVendorsKey(JtlProvider):
    declared = attrs.evolve(
        claiming(JTL, {Operation.TOP_UP: native(repeat=RepeatSafety.VENDOR_KEY)}), keys=KeyRules(max_length=255)
    )


@breaks("N3")
class ClaimsALookUp(JtlProvider):
    declared = attrs.evolve(JTL, resolvable=JTL.resolvable - {Operation.TOP_UP})


@breaks("N3")
class SaysNothingOfRepeats(JtlProvider):
    declared = claiming(JTL, {Operation.TOP_UP: native()})
