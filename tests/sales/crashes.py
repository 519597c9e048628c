"""Sales whose process dies or meets a fault, and are then compared with the vendor's ledger."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from typing import Any, Final

import attrs

from tests.sales.shops import NEW, SellingShop
from voucher_gateway import Gateway, Money, NotExecuted, OperationState, OutcomeUnknown, Sale, SaleState
from voucher_gateway.errors import OperationInProgress, SaleConflict, VoucherGatewayError
from voucher_gateway.journal.records import UNRESOLVED, OperationRecord
from voucher_gateway.testing.harness.calls import AccountClient
from voucher_gateway.testing.harness.child_process import (
    PATIENCE_S,
    CrashPoints,
    GatewayProcess,
    require_reached,
    run_with_signal,
)
from voucher_gateway.testing.harness.vendor import ACCOUNT

SPENT: Final = Decimal("20.00")
LATER_S: Final = 40 * 60
"""Longer than anything of a vendor that ends by itself, in seconds."""

_STEPS: Final[Mapping[str, Callable[[Sale], object]]] = {
    "prepare": Sale.prepare,
    "fulfil": Sale.fulfil,
    "revoke": lambda sale: sale.revoke("chargeback"),
    "restore": Sale.restore,
}
STEPS: Final = tuple(_STEPS)
_GOALS: Final[Mapping[str, tuple[SaleState, ...]]] = {
    "prepare": (SaleState.PREPARED,),
    "fulfil": (SaleState.FULFILLED,),
    "revoke": (SaleState.REVOKED,),
    "restore": (SaleState.FULFILLED,),
}
_numbers = itertools.count(1)


def can_take(step: str, vendor: str) -> bool:
    """Whether a vendor has a step: a card of Square that is deactivated stays so."""
    return not (step == "restore" and vendor == "square")


@attrs.frozen
class SaleUnderTest:
    """One sale, right before a step that is disturbed.

    Attributes:
        shop: the shop.
        step: the step.
        name: the name of the sale.
        known: the vouchers that the vendor had before the sale.
        what: names the case in messages.
    """

    shop: SellingShop
    step: str
    name: str
    known: frozenset[str]
    what: str

    @classmethod
    def ready_for(cls, step: str, shop: SellingShop, what: str) -> SaleUnderTest:
        """Open a sale, and bring it to where the step comes next."""
        known = frozenset(str(entry["id"]) for entry in shop.vendor.ledger())
        case = cls(shop, step, f"{step}-{next(_numbers)}", known, f"{shop.name}: {step} {what}")
        sale = shop.sale(case.name)
        if step in ("fulfil", "revoke", "restore"):
            sale.prepare()
        if step in ("revoke", "restore"):
            sale.fulfil()
            shop.spend(sale, f"{SPENT}", reference=f"{case.name}-spent")
        if step == "restore":
            sale.revoke("chargeback")
        return case

    def take(self, gateway: Gateway) -> object:
        """Take the step with a gateway."""
        sale = gateway.find_sale(self.name)
        assert sale is not None
        return _STEPS[self.step](sale)

    def take_as_client(self, client: AccountClient) -> object:
        """Take the step in a process of the crash kit."""
        return self.take(client._gateway)

    @property
    def sale(self) -> Sale:
        """The sale as it is now."""
        sale = self.shop.gateway.find_sale(self.name)
        assert sale is not None
        return sale

    # --- the truth ---

    def vouchers(self) -> int:
        """Return how many vouchers the sale made."""
        return len(self._shop().sold())

    def spendable(self) -> Decimal:
        """Return what can be spent of them."""
        return self._shop().spendable()

    def _shop(self) -> SellingShop:
        return attrs.evolve(self.shop, known=self.known)

    def wanted(self) -> Decimal:
        """Return what can be spent when the step is done."""
        return Decimal(0) if self.step in ("prepare", "revoke") else self.left()

    def left(self) -> Decimal:
        """Return what is left on the voucher, spendable or not."""
        return NEW.initial.amount - (SPENT if self.step in ("revoke", "restore") else Decimal(0))

    # --- checks ---

    def check_names_the_truth(self) -> None:
        """Check that never two vouchers are made, and that the state names what can be spent."""
        sale, spendable = self.sale, self.spendable()
        seen = f"{self.what}: {sale.state.value}, {spendable} can be spent, {self.vouchers()} vouchers"
        assert self.vouchers() <= 1, seen
        if sale.state in (SaleState.FULFILLED, SaleState.DELIVERED):
            assert spendable == self.left(), seen
            assert sale.code.reveal() == self._shop().sold()[0]["code"], seen
        elif sale.state in (SaleState.OPEN, SaleState.PREPARED, SaleState.REVOKED):
            assert spendable == 0, seen
        else:
            assert spendable in (0, self.left()), seen

    def check_done(self) -> None:
        """Check that the step is done, once."""
        self.check_names_the_truth()
        sale, seen = self.sale, f"{self.what}: {self.sale.state.value}, {self.sale.attention}"
        assert sale.state in _GOALS[self.step], seen
        assert sale.attention is None, seen
        assert self.spendable() == self.wanted(), seen
        revocation = sale.revocation
        if revocation is not None:
            assert revocation.spent == Money(SPENT, "EUR"), seen
            assert revocation.left == Money(NEW.initial.amount - SPENT, "EUR"), seen

    def is_decided(self) -> bool:
        """Whether the decision of the step is committed."""
        return self.sale.state in (SaleState.FULFILLING, SaleState.REVOKING, *_GOALS[self.step])

    def complete(self) -> None:
        """Complete the step as operations do: by `recover`; a person decides what no vendor can show."""
        self.wait_until_free()
        was_decided = self.is_decided() and self.step != "prepare"
        for _ in range(5):
            self.shop.gateway.recover(everything=True)
            if self.sale.state not in (SaleState.FULFILLING, SaleState.REVOKING):
                break
            assert self.sale.attention is not None, f"{self.what}: it waits, and does not say why"
            self._decide()
            self.shop.vendor.advance(LATER_S)
        self.check_names_the_truth()
        if was_decided:
            self.check_done()
        self.repeat()
        self.check_done()

    def repeat(self) -> None:
        """Take the step again and again, as a shop does, until it is done."""
        for _ in range(6):
            try:
                self.take(self.shop.gateway)
            except OutcomeUnknown:
                self.check_names_the_truth()
                self._decide()
                self.shop.vendor.advance(LATER_S)
            except NotExecuted:
                continue
            else:
                return
        raise AssertionError(f"{self.what}: it is never done: {self.sale.attention}")

    def _decide(self) -> None:
        """Decide what stays unknown by the ledger, as a person decides by the vendor's screen."""
        for record in self.shop.gateway.operations(states=UNRESOLVED):
            if self.name in record.key.reference:
                happened = self._has_happened(record)
                with suppress(VoucherGatewayError):
                    self.shop.gateway.decide(record.key, succeeded=happened, by="a person", reason="the ledger")

    def _has_happened(self, record: OperationRecord) -> bool:
        assert record.state is not OperationState.OPEN
        if record.key.verb.value == "update":
            return self.spendable() > 0
        assert record.key.verb.value == "issue", f"{self.what}: {record.label} stays unknown"
        return self.vouchers() == 1

    def wait_until_free(self) -> None:
        """Wait until the lock of a dead process is free: PostgreSQL needs a moment to notice the lost connection."""
        journal, deadline = self.shop.gateway.journal, time.monotonic() + PATIENCE_S
        assert journal is not None
        with journal.database.locks.hold(f"sale:{self.name}", wait_s=PATIENCE_S):
            pass
        while any(
            journal.is_owner_alive(record) for record in journal.iterate_operations(states=[OperationState.OPEN])
        ):
            assert time.monotonic() < deadline, f"{self.what}: the lock of a dead process is not freed"
            time.sleep(0.002)


def crash_points(step: str, shop: SellingShop) -> list[str]:
    """Return the points of a step at which its process can die, from a sale that is not disturbed."""
    case = SaleUnderTest.ready_for(step, shop, "undisturbed")
    points = CrashPoints()
    with closing(GatewayProcess.open(shop.vendor, shop.url)) as process, points.watching(process.journal):
        case.take(process.gateway)
    case.check_done()
    return points.passed


def kill_at(step: str, shop: SellingShop, at: int, label: str) -> None:
    """Kill a process at a point of a step, let others complete it, and check it by the ledger."""
    case = SaleUnderTest.ready_for(step, shop, f"killed at {at}, {label}")
    with run_with_signal(shop.vendor, shop.url, case.take_as_client, at) as child:
        require_reached(child, case.what)
        child.wait_killed()
    case.wait_until_free()
    case.check_names_the_truth()
    case.complete()


def kill_and_revoke(step: str, shop: SellingShop, at: int, label: str) -> None:
    """Kill a process that makes a voucher spendable, and revoke the sale in place of completing it."""
    case = SaleUnderTest.ready_for(step, shop, f"killed at {at}, {label}, then revoked")
    with run_with_signal(shop.vendor, shop.url, case.take_as_client, at) as child:
        require_reached(child, case.what)
        child.wait_killed()
    case.wait_until_free()
    revoking = attrs.evolve(case, step="revoke")
    for _ in range(6):
        try:
            revoking.sale.revoke("chargeback")
        except (OutcomeUnknown, NotExecuted, OperationInProgress):
            assert case.sale.attention is not None, case.what
            revoking._decide()
        except SaleConflict:  # a sale that was revoked before, and is not restored yet
            break
        else:
            break
    assert case.sale.state is SaleState.REVOKED, f"{case.what}: {case.sale.attention}"
    assert case.spendable() == 0, case.what
    assert case.vouchers() <= 1, case.what


def request_count(step: str, shop: SellingShop) -> int:
    """Return how many requests a step sends that is not disturbed, log-ins included."""
    case = SaleUnderTest.ready_for(step, shop, "undisturbed")
    with _impatient(shop) as gateway:
        before = len(shop.vendor.request_lines)
        case.take(gateway)
        return len(shop.vendor.request_lines) - before


def try_fault(step: str, shop: SellingShop, fault: str, at: int) -> None:
    """Take a step with a fault at one of its requests, complete it, and check all that was said by the ledger."""
    case = SaleUnderTest.ready_for(step, shop, f"with {fault} at its request {at}")
    error: VoucherGatewayError | None = None
    with _impatient(shop) as gateway:
        inject(shop, fault, at)
        try:
            case.take(gateway)
        except VoucherGatewayError as raised:
            error = raised
        shop.vendor.clear_faults()
    case.check_names_the_truth()
    if error is None:
        case.check_done()
    elif not isinstance(error, SaleConflict | OperationInProgress):
        assert case.sale.attention is not None, f"{case.what}: {error} is not noted"
    case.complete()


def inject(shop: SellingShop, fault: str, at: int) -> None:
    """Inject a fault at a request; one that does not meet one request holds from there on."""
    vendor: Any = shop.vendor
    if fault == "lagging-lookups":
        vendor.inject(fault, times=0, after=at, lag_s=1e6)
    elif fault == "clock-skew":
        vendor.inject(fault, times=0, after=at)
    else:
        vendor.inject_fault(fault, at)


@contextmanager
def _impatient(shop: SellingShop) -> Iterator[Gateway]:
    from voucher_gateway.testing.harness.vendor import IMPATIENT, select_settings

    provider_class = type(shop.gateway.provider(ACCOUNT))
    settings = {key: value for key, value in select_settings(provider_class, IMPATIENT).items() if key != "tries"}
    journal = shop.gateway.journal
    assert journal is not None
    process = GatewayProcess(shop.gateway, journal).with_provider(shop.vendor.provider(**settings))
    yield process.gateway
