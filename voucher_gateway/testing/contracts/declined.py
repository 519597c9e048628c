"""Calls that a vendor declines, each with the code as a `Code` and as the text that a till reads in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from voucher_gateway.capabilities import Operation
from voucher_gateway.masking import Code, Pin
from voucher_gateway.money import Money
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.testing.contracts.changes import other_currency
from voucher_gateway.testing.contracts.redemptions import ways_to_spend
from voucher_gateway.testing.harness.vouchers import VoucherFactory

_WRONG_PIN = "2718281828-wrong"


def calls_that_fail(
    provider: VoucherProvider, scenes: VoucherFactory, plant: Callable[[str], str]
) -> Iterator[Callable[[], object]]:
    """Yield calls that are declined for every reason that can be made to happen here.

    Args:
        provider: makes them.
        scenes: makes the vouchers.
        plant: is told every code and PIN that is used, before it is.
    """
    for code, money, pin in _reasons(provider, scenes):
        plant(code.reveal())
        if pin is not None:
            plant(pin)
        for spend in ways_to_spend(provider, scenes).values():
            for written in (code, code.reveal()):
                yield partial(spend, written, money, pin if pin is None else Pin(pin))
        if provider.declared.of(Operation.BALANCE).available:
            yield partial(provider.balance, code.reveal(), pin)


def _reasons(provider: VoucherProvider, scenes: VoucherFactory) -> Iterator[tuple[Code, Money, str | None]]:
    """Yield code, amount and PIN of what cannot be spent: by its amount, currency, PIN, code, status and validity."""
    small, declared = scenes.money(100), provider.declared
    if not ways_to_spend(provider, scenes):
        return
    subject = scenes.spendable()
    yield subject.code, subject.value + scenes.money(1), None
    yield subject.code, other_currency(scenes), None
    yield scenes.code(), small, None
    if "pin" in declared.stored_fields:
        yield scenes.with_pin("4815162342")[0].code, small, _WRONG_PIN
    if scenes.has_statuses:
        yield scenes.inactive().code, small, None
    if declared.expiry.takes_instants or declared.expiry.takes_lengths:
        yield scenes.expired_voucher().code, small, None
