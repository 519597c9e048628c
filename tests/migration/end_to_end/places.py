"""Places that hold an estate of vouchers: simulated vendors, a shop's own database, a file; and the truth behind them.

What a place is worth is read from its ledger, never through the library that the tests are about.
"""

from __future__ import annotations

import abc
import json
import random
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs

from voucher_gateway import registry
from voucher_gateway.provider_api import Money, NewVoucher, SecretSource, VoucherProvider, now
from voucher_gateway.simulator import RunningSimulator, start

RISKS: Final = ["redeem-by-update", "refund-by-update", "top-up-by-update"]
CURRENCIES: Final = ("EUR", "EUR", "EUR", "USD", "CHF", "JPY", "BHD")
CENTS: Final = (0, 1, 5, 10, 33, 50, 90, 95, 99)
KINDS: Final = frozenset({"unused", "partly-used", "expired", "inactive", "empty"})
"""What every estate of vouchers holds that we make up ourselves."""
RESERVED: Final = "reserved"
"""A kind of vouchers where they can be reserved."""
PAST: Final = timedelta(days=1)
"""So long ago vouchers have expired."""
ODD_CODES: Final = (
    "a/b c",
    "100%2e50",
    "what?x=1",
    "Grüße-{}",
    "🎁🎉🎈🎟",
    '"quo,ted"',
    "=1+1",
    "+49-{}",
    "@sum",
    "two  words",
)


@attrs.frozen
class Held:
    """One voucher by the truth.

    Attributes:
        currency: its currency.
        remaining: what is left.
        spendable: whether a customer could spend it now.
        valid_until: the end of validity, or None.
        pin: whether it takes a PIN to spend it.
    """

    currency: str
    remaining: Decimal
    spendable: bool
    valid_until: datetime | None
    pin: bool = False

    @property
    def value(self) -> Decimal:
        """What a customer could spend now."""
        return self.remaining if self.spendable else Decimal(0)


class Place(abc.ABC):
    """One account of a configuration, or a file.

    Attributes:
        name: as the command line takes it.
        kinds: the kinds of vouchers that it holds at least, if it is made with many.
    """

    name: str
    kinds: frozenset[str] = KINDS

    @abc.abstractmethod
    def table(self) -> Mapping[str, Any] | None:
        """The account's table in the configuration; None where it needs none."""

    @abc.abstractmethod
    def held(self) -> dict[str, Held]:
        """Every voucher by its code.

        Raises:
            AssertionError: if one code is there twice.
        """

    @abc.abstractmethod
    def codes(self) -> dict[str, str]:
        """The codes by id."""


class Simulated(Place):
    """A simulated vendor with an account of the same name.

    Args:
        vendor: which simulator.
        stack: closes it.
        vouchers: how many it has at the start.
        options: of the simulator.
    """

    def __init__(self, vendor: str, stack: ExitStack, vouchers: int = 0, **options: Any) -> None:
        self.name = vendor
        self.kinds = {"jtl": KINDS | {RESERVED}, "ticketing": KINDS - {"inactive"}}[vendor]
        self.running: RunningSimulator = stack.enter_context(start(vendor, vouchers=vouchers, seed=11, **options))

    def table(self) -> Mapping[str, Any]:
        said = self.running.announcement
        keys = ("base_url", "client_id", "client_secret", "api_key")
        table: dict[str, Any] = {"provider": self.name, **{key: said[key] for key in keys if key in said}}
        table["tries"] = 4
        if self.name == "ticketing":
            table["accept_risks"] = RISKS
        return table

    def held(self) -> dict[str, Held]:
        at = self.running.clock.now()
        found = {}
        for one in self.running.ledger():
            until = None if one["valid_until"] is None else _instant(str(one["valid_until"]))
            active = one["status"] != "inactive" and (until is None or until > at)
            code = str(one["code"])
            assert code not in found, "a code is there twice"
            found[code] = Held(
                str(one["currency"]), Decimal(str(one["remaining"])), active, until, bool(one.get("pin"))
            )
        return found

    def struck(self) -> int:
        """How many faults have struck."""
        return sum(len(one.faults) for one in self.running.requests)

    def codes(self) -> dict[str, str]:
        return {str(one["id"]): str(one["code"]) for one in self.running.ledger()}


class Own(Place):
    """The shop's own vouchers, in an SQLite file."""

    kinds = KINDS | {RESERVED}

    def __init__(self, folder: Path, stack: ExitStack, vouchers: int = 0) -> None:
        self.name = "own"
        self._url = f"sqlite:///{folder / 'own.db'}"
        kind = registry.load("local")
        settings = kind.settings_type(url=SecretSource.of(self._url), key=SecretSource.of("a-key-for-the-tests"))
        # made before the first of them has expired
        self._provider: VoucherProvider = stack.enter_context(
            kind("own", settings, clock=lambda: now() - 2 * PAST)  # type: ignore[call-arg]  # as LocalProvider takes it
        )
        for number, seed in enumerate(mixed(vouchers)):
            self._provider.issue(seed.new, reference=f"seed-{number}")
            if seed.spent is not None and seed.new.code is not None:
                self._provider.redeem(seed.new.code, seed.spent, reference=f"spend-{number}")

    def table(self) -> Mapping[str, Any]:
        return {"provider": "local", "url": self._url, "key": "a-key-for-the-tests"}

    def held(self) -> dict[str, Held]:
        at = now()
        found = {}
        for one in self._provider.vouchers():
            assert one.remaining is not None
            code = self._code(one.id, one.code)
            assert code not in found, "a code is there twice"
            active = str(one.status) == "active" and (one.valid_until is None or one.valid_until > at)
            found[code] = Held(one.remaining.currency, one.remaining.amount, active, one.valid_until)
        return found

    def codes(self) -> dict[str, str]:
        return {one.id: self._code(one.id, one.code) for one in self._provider.vouchers()}

    def _code(self, id: str, shown: Any) -> str:
        known = shown or self._provider.get(id, secrets=True).code
        assert known is not None
        revealed: str = known.reveal()
        return revealed


class Paper(Place):
    """A file of vouchers, JSON lines; what is on paper is worth something, and cannot be spent."""

    def __init__(self, folder: Path, vouchers: int = 0) -> None:
        self.path = folder / "estate.jsonl"
        self.name = str(self.path)
        if vouchers:
            self.path.touch(mode=0o600)
            with self.path.open("w", encoding="utf-8") as file:
                for number, seed in enumerate(mixed(vouchers)):
                    file.write(json.dumps(_as_line(number, seed)) + "\n")

    def table(self) -> None:
        return None

    def _lines(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text("utf-8").split("\n") if line]

    def held(self) -> dict[str, Held]:
        at = now()
        found = {}
        for one in self._lines():
            assert one["code"] not in found, "a code is there twice"
            until = None if one.get("valid_until") is None else _instant(one["valid_until"])
            active = one.get("status") != "inactive" and (until is None or until > at)
            money = one["remaining"]
            found[one["code"]] = Held(money["currency"], Decimal(money["amount"]), active, until)
        return found

    def codes(self) -> dict[str, str]:
        return {one["id"]: one["code"] for one in self._lines()}


@attrs.frozen
class Seed:
    """One voucher of an estate of our own.

    Attributes:
        new: as it was issued.
        spent: what was spent from it since; None for nothing.
    """

    new: NewVoucher
    spent: Money | None = None


def mixed(count: int) -> list[Seed]:
    """Return vouchers of many kinds: currencies, cents, codes, ends, inactive, empty, partly used and expired ones."""
    draw = random.Random(17)
    return [_one(draw, number) for number in range(count)]


def _one(draw: random.Random, number: int) -> Seed:
    currency = draw.choice(CURRENCIES)
    whole, cents = draw.choice((0, 5, 10, 25, 50, 100, 250, 99_999)), draw.choice(CENTS)
    places = {"JPY": 0, "BHD": 3}.get(currency, 2)
    amount = Decimal(whole) if places == 0 else Decimal(whole) + Decimal(cents) / 10**places
    code = f"OWN-{number:06d}" if number % 9 else f"{draw.choice(ODD_CODES)}{number:05d}".format("x")
    until = None if number % 3 == 0 else now().replace(microsecond=0) + timedelta(days=draw.randrange(2, 900))
    if number % 14 == 1:
        until = now().replace(microsecond=0) - PAST
    active = number % 11 != 0
    money = Money(amount, currency)
    spent = Money.from_minor((money.minor + 1) // 3, currency) if number % 5 == 3 and active else None
    new = NewVoucher(initial=money, code=code, active=active, valid_until=until)
    return Seed(new, spent or None)


def _as_line(number: int, seed: Seed) -> dict[str, Any]:
    new = seed.new
    assert new.code is not None
    left = new.initial if seed.spent is None else new.initial - seed.spent
    return {
        "id": f"paper-{number}",
        "code": new.code.reveal(),
        "initial": _money(new.initial),
        "remaining": _money(left),
        "status": "active" if new.active else "inactive",
        "valid_until": None if new.valid_until is None else new.valid_until.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _money(money: Money) -> dict[str, str]:
    return {"amount": f"{money.amount:f}", "currency": money.currency}


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
