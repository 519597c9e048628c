"""The read level: amounts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from functools import partial
from types import ModuleType
from typing import Any, Final
from unittest.mock import patch

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import InvalidRequest, MalformedResponse, VoucherGatewayError, VoucherNotFound
from voucher_gateway.models.results import Balance
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money, exponent
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.harness.ledger import ExpectedVoucher, can, check_money, ledger_vouchers, readings
from voucher_gateway.testing.harness.reply_changes import each_leaf, one_word
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.promises.checks import fail, for_promise, not_tried, require
from voucher_gateway.testing.simulated_vendor import SimulatedVendor

_SEVENTEEN_DIGITS: Final = Decimal("100000000000000.07")
"""More digits than a binary float can hold: it comes back as 100000000000000.06 or .08."""


_OTHER_CURRENCIES: Final = ("JPY", "KWD")
"""A currency without decimals, and one with three."""


class AmountsContract(Contract):
    """Amounts are exact, and values that are not amounts are refused."""

    @for_promise("M1")
    def test_every_amount_is_the_vendors(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        listed = {}
        if can(provider_, Operation.VOUCHERS):
            listed = {voucher.id: voucher for voucher in provider_.vouchers()}
        for true in ledger_vouchers(vendor):
            values = dict(readings(provider_, true))
            if true.id in listed:
                values["vouchers"] = listed[true.id]
            for by, value in values.items():
                check_money(value.initial, true.initial, f"initial of {true.id!r} by {by}")
                check_money(value.remaining, true.remaining, f"remaining of {true.id!r} by {by}")
            require(
                any(value.initial is not None for value in values.values()) or not provider_.declared.shows_initial,
                f"nothing shows the initial value of {true.id!r}; `Capabilities.shows_initial` says that a call does",
            )

    @for_promise("M2")
    def test_the_balance_is_what_is_left(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        for true in ledger_vouchers(vendor):
            balance = provider_.balance(true.code)
            require(balance.remaining is not None, f"the balance of {true.id!r} has no amount")
            check_money(balance.remaining, true.remaining, f"the balance of {true.id!r}")
            require(
                balance.voucher_id == true.id, f"the balance of {true.id!r} is said to be of {balance.voucher_id!r}"
            )
            require(
                balance.valid_until in (None, true.valid_until),
                f"the balance of {true.id!r} has another end of validity",
            )

    @for_promise("M3")
    def test_no_amount_passes_through_a_float(self, vendor: SimulatedVendor) -> None:
        provider = vendor.provider()
        vouchers = _with_cents(vendor, provider)
        with _watch_float_calls(provider) as tripped:
            for true in vouchers[:6]:
                for call in calls_of(provider, true).values():
                    call()
        require(not tripped, f"the provider calls float() on {' and '.join(sorted(set(tripped)))}")
        for true in vouchers[:6]:
            large = _in_digits(_SEVENTEEN_DIGITS, true.initial.currency)
            for by, reading in _read_changed(vendor, provider, true, large, only=_value_of_reply(provider, true)):
                if reading is not None and reading not in (true.initial, true.remaining):
                    require(
                        reading.amount == large, f"{by} made {reading} of {large}, which has more digits than a float"
                    )

    @for_promise("M4")
    def test_an_amount_off_the_grid_is_malformed(self, vendor: SimulatedVendor) -> None:
        provider = vendor.provider()
        for true in _with_cents(vendor, provider)[:8]:
            places, shown = exponent(true.initial.currency), _value_of_reply(provider, true)
            wrong = shown.amount + Decimal(3).scaleb(-places - 1)
            others = (None, *({true.initial, true.remaining} - {shown}))
            for by, reading in _read_changed(vendor, provider, true, wrong, only=shown):
                require(reading in others, f"{by} made {reading} of {wrong} {shown.currency}")

    @for_promise("R23")
    def test_a_negative_amount_is_malformed(self, vendor: SimulatedVendor) -> None:
        provider = vendor.provider()
        for true in _with_cents(vendor, provider)[:8]:
            amounts = list(dict.fromkeys([true.initial, true.remaining]))
            for money in filter(_has_cents, amounts):
                others = [amount for amount in amounts if amount != money]
                for by, reading in _read_changed(vendor, provider, true, -money.amount, only=money):
                    require(reading is None or reading in others, f"{by} made {reading} of {-money}")

    @for_promise("M5")
    def test_float_noise_is_read_as_the_cent_it_means(self, vendor: SimulatedVendor) -> None:
        provider = vendor.provider()
        for true in _with_cents(vendor, provider)[:8]:
            for noise in (Decimal("4E-15"), Decimal("-4E-15")):
                noisy = _value_of_reply(provider, true).amount + noise
                for by, reading in _read_changed(vendor, provider, true, noisy, only=_value_of_reply(provider, true)):
                    exact = reading in (None, true.initial, true.remaining)
                    require(exact, f"{by} made {reading} of {noisy} {true.initial.currency}")

    @for_promise("M7")
    def test_an_amount_has_the_decimals_of_its_currency(self, vendor: SimulatedVendor) -> None:
        provider, tried = vendor.provider(), False
        for true in _with_cents(vendor, provider)[:4]:
            for currency in _OTHER_CURRENCIES:
                spellings = _Spellings(true, currency)
                vendor.tamper(each_leaf(spellings.change))
                for by, call in calls_of(provider, true).items():
                    spellings.seen.clear()
                    try:
                        result = call()
                    except (MalformedResponse, VoucherNotFound):
                        continue
                    shown = result.initial if isinstance(result, Voucher) else None
                    for money in filter(None, (shown, result.remaining)):
                        if spellings.seen and money.currency == currency:
                            tried = True
                            require(
                                money in spellings.seen,
                                f"{by} made {money} of {' or '.join(spellings.texts)} in the currency {currency}",
                            )
            vendor.tamper(None)
        if not tried:
            not_tried("no reply has both an amount and the word for its currency")

    @for_promise("M6")
    def test_a_currency_that_does_not_exist_is_malformed(self, vendor: SimulatedVendor) -> None:
        provider = vendor.provider()
        for true in ledger_vouchers(vendor)[:8]:
            # The first is ISO 4217's own code for "no currency", so no voucher can be in it.
            for wrong in ("XXX", "EURO", true.initial.currency.lower(), ""):
                vendor.tamper(one_word(true.initial.currency, wrong))
                for by, call in calls_of(provider, true).items():
                    try:
                        result = call()
                    except MalformedResponse:
                        continue
                    for money in (result.initial if isinstance(result, Voucher) else None, result.remaining):
                        require(money is None, f"{by} made {money} of an amount in the currency {wrong!r}")
            vendor.tamper(None)


class _Spellings:
    """Replaces the currency of a voucher in replies, and notes which amounts the numbers beside it then are.

    Args:
        true: the voucher.
        currency: the currency that replaces its own.
    """

    def __init__(self, true: ExpectedVoucher, currency: str) -> None:
        self._own, self._other = true.initial.currency, currency
        self._amounts = (true.initial, true.remaining)
        self.seen: set[Money] = set()
        self.texts: list[str] = []

    def change(self, value: Any) -> Any:
        """Return a value of a reply in the other currency."""
        for money in self._amounts:
            self._note(value, money)
        return self._other if value == self._own and isinstance(value, str) else value

    def _note(self, value: Any, money: Money) -> None:
        if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
            return
        try:
            number = Decimal(value)
        except ArithmeticError:
            return
        if number == money.minor and number == number.to_integral_value():
            self._add(value, Money.from_minor(money.minor, self._other))
        elif number == money.amount:
            with suppress(InvalidRequest):  # a number that is not an amount of the other currency
                self._add(value, Money(money.amount, self._other))

    def _add(self, value: Any, money: Money) -> None:
        self.seen.add(money)
        self.texts = sorted({*self.texts, str(value)})


def calls_of(provider: VoucherProvider, true: ExpectedVoucher) -> dict[str, Callable[[], Voucher | Balance]]:
    """Return every call that reads the value of one voucher, by its name."""
    calls: dict[str, Callable[[], Voucher | Balance]] = {
        "find": partial(provider.find, true.code),
        "get": partial(provider.get, true.id),
    }
    if can(provider, Operation.BALANCE):
        calls["balance"] = partial(provider.balance, true.code)
    return calls


def _value_of_reply(provider: VoucherProvider, true: ExpectedVoucher) -> Money:
    """Return the value that replies have: the initial one, or what is left if the vendor does not show that."""
    return true.initial if provider.declared.shows_initial else true.remaining


def _with_cents(vendor: VendorUnderTest, provider: VoucherProvider) -> list[ExpectedVoucher]:
    """Return the vouchers whose amounts differ from other numbers of a reply: they have cents."""
    vouchers = [truth for truth in ledger_vouchers(vendor) if _has_cents(_value_of_reply(provider, truth))]
    assert vouchers, "the vendor has no voucher with a value such as 10.53: seed some, or nothing exact can be shown"
    return vouchers


def _has_cents(money: Money) -> bool:
    return bool(money.minor > 1000 and money.minor % 10 and exponent(money.currency))


def _in_digits(amount: Decimal, currency: str) -> Decimal:
    places = exponent(currency)
    return amount if places == 2 else amount.scaleb(2 - places)


def _read_changed(
    vendor: SimulatedVendor, provider: VoucherProvider, true: ExpectedVoucher, to: Decimal, only: Money
) -> Iterator[tuple[str, Money | None]]:
    """Yield the amounts that are read while one value, in any spelling, is another number on the wire.

    Reads whose replies do not have that value are left out.
    """
    changed = False

    def with_new_spelling(value: Any) -> Any:
        nonlocal changed
        other = _respell(value, only, to)
        changed = changed or other != value
        return other

    vendor.tamper(each_leaf(with_new_spelling))
    for by, call in calls_of(provider, true).items():
        changed = False
        try:
            result = call()
        except (MalformedResponse, VoucherNotFound):
            continue
        except VoucherGatewayError as error:
            fail(f"{by} of a reply with the amount {to} raised {type(error).__name__}")
        if not changed:
            continue
        if isinstance(result, Voucher):
            yield f"initial by {by}", result.initial
        yield f"remaining by {by}", result.remaining
    vendor.tamper(None)


def _respell(value: Any, money: Money, to: Decimal) -> Any:
    """Return another amount in the spelling of a value that stands for `money`, and any other value as it is."""
    if isinstance(value, str):
        try:
            same = Decimal(value) == money.amount and not value.isdigit()
        except ArithmeticError:
            return value
        return f"{to:f}" if same else value
    if isinstance(value, Decimal):
        return to if value == money.amount else value
    if isinstance(value, int) and not isinstance(value, bool) and value == money.minor:
        minor = to.scaleb(exponent(money.currency))
        return int(minor) if minor == minor.to_integral_value() else minor
    return value


@contextmanager
def _watch_float_calls(provider: VoucherProvider) -> Iterator[list[str]]:
    """Watch every call of float() in the modules of a provider's package, and yield the types of its arguments."""
    tripped: list[str] = []

    class Watching(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, float)

    class Watched(float, metaclass=Watching):
        def __new__(cls, value: Any = 0) -> Any:
            if isinstance(value, Decimal | str):
                tripped.append(f"a {type(value).__name__}")
            return float(value)

    with _each_patched(_modules_of(type(provider)), Watched):
        yield tripped


def _modules_of(provider: type[VoucherProvider]) -> list[ModuleType]:
    package = provider.__module__.partition(".")[0]
    return [
        module
        for name, module in list(sys.modules.items())
        if (name == provider.__module__ or name.startswith(f"{package}.") or name == package)
        and ".simulator" not in name
        and isinstance(module, ModuleType)
    ]


@contextmanager
def _each_patched(modules: list[ModuleType], watched: type) -> Iterator[None]:
    patches = [patch.dict(vars(module), {"float": watched}) for module in modules]
    for patcher in patches:
        patcher.start()
    try:
        yield
    finally:
        for patcher in reversed(patches):
            patcher.stop()
