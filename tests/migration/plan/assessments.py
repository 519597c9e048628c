"""Vouchers to be assess_voucher, and the targets that they are assess_voucher for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs

from voucher_gateway.migration import LOSSES, Policy, Retire
from voucher_gateway.migration.plan.assess import Assessment, Assessor, Target
from voucher_gateway.provider_api import Code, Expiry, Money, Voucher
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_ticketing import TicketingProvider

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
JTL = Target(capabilities=JtlProvider.declared, at=AT)
TICKETING = Target(capabilities=TicketingProvider.declared, currency="EUR", at=AT)
ENDLESS = Target(capabilities=attrs.evolve(TicketingProvider.declared, expiry=Expiry.NONE), currency="EUR", at=AT)
ANY_LOSS = Policy(losses=frozenset(LOSSES))


def voucher(value: str = "50.00", currency: str = "EUR", **fields: Any) -> Voucher:
    money = Money(value, currency)
    given: dict[str, Any] = {"code": Code("GIFT-7K2M-9QXD"), "initial": money, "remaining": money, **fields}
    return Voucher(account="from", id="v1", **given)


def assess_voucher(voucher: Voucher, target: Target, policy: Policy | None = None, **options: Any) -> Assessment:
    retire = options.pop("retire", Retire.LEAVE)
    return Assessor(target, policy or Policy(), at=AT, retire=retire).assess(voucher, **options)
