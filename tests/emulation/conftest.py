"""Vendors small enough to see through, one for each thing that emulations are made of."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any, Final

import attrs
import pytest

from tests.support.simulators import account_table
from voucher_gateway import Account, Gateway
from voucher_gateway.provider_api import (
    AlreadyRefunded,
    Capabilities,
    Code,
    CodeRules,
    Expiry,
    InsufficientValue,
    Intent,
    ListingRules,
    Money,
    Operation,
    OperationSupport,
    Pin,
    Redemption,
    Refund,
    ValueReading,
    Voucher,
    VoucherNotFound,
    VoucherProvider,
    WrongPin,
    native,
    notify_before_send,
    now,
)
from voucher_gateway.simulator import RunningSimulator


@attrs.define(kw_only=True)
class Entry:
    """A voucher in a vendor's books."""

    id: str
    code: str
    value: Money
    remaining: Money
    valid_until: datetime | None = None
    pin: str | None = None


@attrs.define
class Books:
    """A vendor's vouchers by id.

    Attributes:
        entries: the vouchers.
        lock: what the vendor itself does is atomic.
        log: what was asked of the vendor that changes something, in order, with the reference.
        at: what shall happen at a moment of the next call (`before-read`, `before-write`, ...), each once.
    """

    entries: dict[str, Entry] = attrs.field(factory=dict)
    lock: threading.RLock = attrs.field(factory=threading.RLock)
    log: list[tuple[str, str | None]] = attrs.field(factory=list)
    at: dict[str, list[Callable[[], object]]] = attrs.field(factory=dict)

    def add(self, amount: str, currency: str = "EUR", *, id: str = "v", **more: Any) -> Entry:
        """Bring a voucher into being; its code is its id in capitals with a number."""
        money = Money(amount, currency)
        self.entries[id] = Entry(id=id, code=f"{id.upper()}-0001", value=money, remaining=money, **more)
        return self.entries[id]

    def of(self, *, code: str | None = None, id: str | None = None) -> Entry:
        """Return the voucher with this id or code."""
        for entry in self.entries.values():
            if id == entry.id or code == entry.code:
                return entry
        raise VoucherNotFound("the vendor knows no such voucher")

    def happen(self, moment: str) -> None:
        """Let happen what a test arranged for this moment."""
        waiting = self.at.get(moment)
        if waiting:
            waiting.pop(0)()


def capabilities(*operations: Operation, writes_value: bool = False, **more: Any) -> Capabilities:
    own: dict[Operation, OperationSupport] = {operation: native() for operation in operations}
    return Capabilities(
        operations={Operation.FIND: native(), Operation.GET: native(), Operation.BALANCE: native(), **own},
        codes=CodeRules(choosable=False, readable=False),
        expiry=Expiry.ABSOLUTE,
        listing=ListingRules(page_size=1),
        can_overwrite_value=writes_value,
        **more,
    )


@attrs.frozen
class NoSettings:
    pass


class InMemory(VoucherProvider):
    """What both vendors can do: show a voucher."""

    title = "In Memory"
    settings_type = NoSettings

    def __init__(self, account: str = "shop", books: Books | None = None) -> None:
        super().__init__(account, NoSettings())
        self.books = books or Books()

    @property
    def host(self) -> str:
        return f"{self.name}.test"

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        entry = self.books.of(code=Code.of(code).reveal())
        if pin is not None and Pin.of(pin).reveal() != entry.pin:
            raise WrongPin("the PIN is wrong")
        return self.get(entry.id)

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        entry = self.books.of(id=id)
        return Voucher(account=self.account, id=id, initial=entry.value, remaining=entry.remaining)


class Till(InMemory):
    """Redeems and refunds, and knows no reservations."""

    name = "till"
    declared = capabilities(Operation.REDEEM, Operation.REFUND)

    def __init__(self, account: str = "shop", books: Books | None = None) -> None:
        super().__init__(account, books)
        self._numbers = itertools.count(1)
        self._refundable: dict[str, Money] = {}

    def redeem(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Redemption:
        notify_before_send(self.intent(Operation.REDEEM, reference=reference, order=order, money=money))
        self.books.happen("before-redeem")
        with self.books.lock:
            entry = self.books.of(code=Code.of(code).reveal())
            if entry.remaining < money:
                raise InsufficientValue("the vendor says that there is too little on it")
            entry.remaining -= money
            id = f"m-{next(self._numbers)}"
            self._refundable[id] = money
            self.books.log.append(("redeem", reference))
        self.books.happen("after-redeem")
        return Redemption(
            account=self.account,
            id=id,
            voucher_id=entry.id,
            money=money,
            reference=reference,
            order=order,
            remaining=entry.remaining,
            created_at=now(),
        )

    def refund(
        self, redemption: Redemption, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Refund:
        back = redemption.money if money is None else money
        intent = self.intent(
            Operation.REFUND,
            reference=reference,
            order=order,
            subject=redemption.id,
            voucher_id=redemption.voucher_id,
            money=back,
        )
        notify_before_send(intent)
        self.books.happen("before-refund")
        with self.books.lock:
            if self._refundable[redemption.id] < back:
                raise AlreadyRefunded("the vendor says that this was given back")
            self._refundable[redemption.id] -= back
            entry = self.books.of(id=redemption.voucher_id)
            entry.remaining += back
            self.books.log.append(("refund", reference))
        self.books.happen("after-refund")
        return Refund(
            account=self.account, id=f"m-{next(self._numbers)}", redemption_id=redemption.id, money=back, order=order
        )


class Slate(InMemory):
    """Has a value that can be wiped out and written again; what remains moves along with it."""

    name = "slate"
    declared = capabilities(writes_value=True)

    def read_value(self, code: str | Code | None = None, *, id: str | None = None) -> ValueReading:
        self.books.happen("before-read-by-code" if id is None else "before-read")
        with self.books.lock:
            entry = self.books.of(code=None if code is None else Code.of(code).reveal(), id=id)
            read = ValueReading(
                voucher_id=entry.id, value=entry.value, remaining=entry.remaining, valid_until=entry.valid_until
            )
        self.books.happen("after-read-by-code" if id is None else "after-read")
        return read

    def write_value(self, before: ValueReading, value: Money, *, intent: Intent) -> None:
        self.books.happen("before-write")
        with self.books.lock:
            entry = self.books.of(id=before.voucher_id)
            entry.remaining += value - entry.value
            entry.value = value
            self.books.log.append((intent.verb, intent.reference))
        self.books.happen("after-write")


BY_UPDATE: Final = ("redeem-by-update", "refund-by-update", "top-up-by-update")


@pytest.fixture(scope="session")
def tills() -> type[Till]:
    """The class, for tests that need more than one."""
    return Till


@pytest.fixture(scope="session")
def slates() -> type[Slate]:
    """The class, for tests that need more than one."""
    return Slate


@pytest.fixture
def till() -> Till:
    """A till with a voucher of 50 EUR, `v`, whose code is ``V-0001``."""
    till = Till()
    till.books.add("50.00")
    return till


@pytest.fixture
def slate() -> Slate:
    """A slate with a voucher of 50 EUR, `v`, whose code is ``V-0001``."""
    slate = Slate()
    slate.books.add("50.00")
    return slate


@pytest.fixture(scope="session")
def gateway_to() -> Callable[..., Gateway]:
    """Make a gateway with one account that accepts every risk, unless others are given."""

    def make(provider: VoucherProvider, *risks: str) -> Gateway:
        accepted = risks or ("reserve-by-redeem", *BY_UPDATE)
        return Gateway([Account(name=provider.account, provider=provider, accept_risks=accepted)])

    return make


@pytest.fixture
def open_gateway() -> Iterator[Callable[..., Gateway]]:
    """Make a gateway with the account `shop` at a simulator, with more keys of its table, and close it at the end."""
    with ExitStack() as stack:

        def make(running: RunningSimulator, **settings: object) -> Gateway:
            accounts = {"shop": account_table(running, **settings)}
            return stack.enter_context(Gateway.from_config({"accounts": accounts}))

        yield make


@pytest.fixture
def yesterday() -> datetime:
    return now() - timedelta(days=1)
