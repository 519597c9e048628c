"""Stores of vouchers: simulated vendors, a shop's own database, and a file.

The vouchers of a simulated vendor are read from its ledger, not through the library that is tested.
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

from tests.support.ledger import Ledger, LedgerVoucher
from tests.support.simulators import BY_UPDATE, account_table
from voucher_gateway import registry
from voucher_gateway.provider_api import Money, NewVoucher, SecretSource, VoucherProvider, now
from voucher_gateway.simulator import RunningSimulator, start

CURRENCIES: Final = ("EUR", "EUR", "EUR", "USD", "CHF", "JPY", "BHD")
CENTS: Final = (0, 1, 5, 10, 33, 50, 90, 95, 99)
KINDS: Final = frozenset({"unused", "partly-used", "expired", "inactive", "empty"})
"""The kinds of vouchers in every store that these tests fill."""
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


class VoucherStore(abc.ABC):
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
    def vouchers(self) -> dict[str, LedgerVoucher]:
        """Every voucher by its code.

        Raises:
            AssertionError: if one code is there twice.
        """

    @abc.abstractmethod
    def codes(self) -> dict[str, str]:
        """The codes by id."""


class SimulatedStore(VoucherStore):
    """A simulated vendor with an account of the same name.

    Args:
        vendor: which simulator.
        stack: closes it.
        vouchers: how many it has at the start.
        options: of the simulator.
    """

    def __init__(self, vendor: str, stack: ExitStack, vouchers: int = 0, **options: Any) -> None:
        self.name = vendor
        kinds = {
            "jtl": KINDS | {RESERVED},
            "pretix": frozenset({"unused", "expired"}),  # lists do not show the initial value
            "square": frozenset({"unused", "deactivated"}),
            "ticketing": KINDS - {"inactive"},
        }
        self.kinds = kinds[vendor]
        self.running: RunningSimulator = stack.enter_context(start(vendor, vouchers=vouchers, seed=11, **options))

    def table(self) -> Mapping[str, Any]:
        table = account_table(self.running, tries=4)
        if self.name == "ticketing":
            table["accept_risks"] = sorted(BY_UPDATE)
        return table

    def vouchers(self) -> dict[str, LedgerVoucher]:
        return Ledger(self.running).vouchers()

    def faults(self) -> int:
        """Return how many faults met a request."""
        return sum(len(request.faults) for request in self.running.requests)

    def codes(self) -> dict[str, str]:
        return Ledger(self.running).codes()


class LocalStore(VoucherStore):
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

    def vouchers(self) -> dict[str, LedgerVoucher]:
        at = now()
        found = {}
        for one in self._provider.vouchers():
            assert one.remaining is not None
            code = self._code(one.id, one.code)
            assert code not in found, "a code is there twice"
            active = str(one.status) == "active" and (one.valid_until is None or one.valid_until > at)
            found[code] = LedgerVoucher(one.remaining.currency, one.remaining.amount, active, one.valid_until)
        return found

    def codes(self) -> dict[str, str]:
        return {one.id: self._code(one.id, one.code) for one in self._provider.vouchers()}

    def _code(self, id: str, shown: Any) -> str:
        known = shown or self._provider.get(id, secrets=True).code
        assert known is not None
        revealed: str = known.reveal()
        return revealed


class FileStore(VoucherStore):
    """A file of vouchers, JSON lines; what is on paper is worth something, and cannot be spent."""

    def __init__(self, folder: Path, vouchers: int = 0) -> None:
        self.path = folder / "vouchers.jsonl"
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

    def vouchers(self) -> dict[str, LedgerVoucher]:
        at = now()
        found = {}
        for one in self._lines():
            assert one["code"] not in found, "a code is there twice"
            until = None if one.get("valid_until") is None else _instant(one["valid_until"])
            active = one.get("status") != "inactive" and (until is None or until > at)
            money = one["remaining"]
            found[one["code"]] = LedgerVoucher(money["currency"], Decimal(money["amount"]), active, until)
        return found

    def codes(self) -> dict[str, str]:
        return {one["id"]: one["code"] for one in self._lines()}


@attrs.frozen
class Seed:
    """One voucher that these tests make.

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
