"""A shop at two vendors that does anything in any order, and what must be true of it."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from typing import Any, Final

import attrs

from tests.support.ledger import Ledger
from tests.support.simulators import SimulatorAccount, make_gateway
from voucher_gateway import Gateway
from voucher_gateway.http import retry
from voucher_gateway.journal.records import OperationRecord, OperationState
from voucher_gateway.provider_api import Money, NewVoucher, Operation, Redemption, Reservation, VoucherGatewayError
from voucher_gateway.reconciliation.reconcile import reconcile
from voucher_gateway.simulator import RunningSimulator, start

VENDORS: Final = ("jtl", "ticketing")
FAULTS: Final = (
    "drop-before",
    "reset-before",
    "commit-then-drop",
    "commit-then-reset",
    "error-before",
    "error-after-commit",
    "rate-limit",
    "unauthorized",
    "truncate",
    "html",
    "html-error",
    "not-json",
    "nan",
    "empty",
    "wrong-echo",
    "redirect",
)
OVER_S: Final = 32 * 60

_SIGNS: Final = {Operation.REDEEM: -1, Operation.CAPTURE: -1, Operation.REFUND: 1, Operation.TOP_UP: 1}


@attrs.define
class IssuedVoucher:
    """A voucher, its code and what it was issued with."""

    vendor: str
    id: str
    code: str
    face: Decimal


@attrs.frozen
class RepeatableCall:
    """A call that was made and can be repeated."""

    vendor: str
    operation: Operation
    reference: str
    voucher: IssuedVoucher
    money: Money | None
    make: Callable[[Gateway], Any]


class TwoVendorShop:
    """Two simulators, one journal, and a gateway that is made again from time to time."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        folder = tempfile.mkdtemp(prefix="voucher-gateway-stateful-")
        self._stack.callback(shutil.rmtree, folder)
        self._url = f"sqlite:///{folder}/journal.db"
        self._first_wait_s, retry.FIRST_WAIT_S = retry.FIRST_WAIT_S, 0.0001  # type: ignore[misc]  # a test's own haste
        self.running: dict[str, RunningSimulator] = {
            vendor: self._stack.enter_context(start(vendor)) for vendor in VENDORS
        }
        self._numbers = itertools.count(1)
        self.vouchers: list[IssuedVoucher] = []
        self.calls: list[RepeatableCall] = []
        self.reservations: list[tuple[IssuedVoucher, Reservation]] = []
        self.redemptions: list[tuple[IssuedVoucher, Redemption]] = []
        self.gateways: dict[str, Gateway] = {}
        self.open()

    def open(self) -> None:
        """Make new gateways on the journal, one for each vendor, as a new process would."""
        for vendor, running in self.running.items():
            account = SimulatorAccount(vendor, running.announcement, settings={"workers": 4})
            self.gateways[vendor] = make_gateway((account,), self._url)

    def restart(self) -> None:
        """Close the gateways and make new ones."""
        for gateway in self.gateways.values():
            gateway.close()
        self.open()

    def close(self) -> None:
        """End everything."""
        retry.FIRST_WAIT_S = self._first_wait_s  # type: ignore[misc]  # as above
        for gateway in self.gateways.values():
            gateway.close()
        crashes = [crash for running in self.running.values() for crash in running.crashes]
        self._stack.close()
        assert crashes == []

    def stock(self, vendor: str, cents: int) -> None:
        """Issue a voucher that can be spent; no fault waits."""
        self.running[vendor].clear_faults()
        reference = f"stock-{next(self._numbers)}"
        money = Money(Decimal(cents) / 100, "EUR")
        active = True if vendor == "jtl" else None
        issued = self.gateways[vendor].issue(vendor, NewVoucher(initial=money, active=active), reference=reference)
        assert issued.code is not None
        self.vouchers.append(IssuedVoucher(vendor, issued.id, issued.code.reveal(), money.amount))

    def call(
        self,
        voucher: IssuedVoucher,
        operation: Operation,
        money: Money | None,
        make: Callable[[Gateway, str, str], Any],
    ) -> Any:
        """Make a call under a reference of its own, and remember it; return its result, or None."""
        reference = f"op-{next(self._numbers)}"
        vendor = voucher.vendor
        call = RepeatableCall(
            vendor, operation, reference, voucher, money, lambda gateway: make(gateway, vendor, reference)
        )
        self.calls.append(call)
        return self.attempt(call)

    def attempt(self, call: RepeatableCall) -> Any:
        """Make a new or an earlier call; return its result, or None."""
        before = self.remaining(call.voucher)
        try:
            return call.make(self.gateways[call.vendor])
        except VoucherGatewayError as error:
            failure = error
        if failure.outcome in ("declined", "not_executed") and not self._maybe(call):
            assert self.remaining(call.voucher) == before, f"{call.operation}: {failure}, and money moved"
        return None

    def _maybe(self, call: RepeatableCall) -> bool:
        entry = self.entry(call)
        return entry is not None and entry.state in (OperationState.UNKNOWN, OperationState.SUCCEEDED)

    def entry(self, call: RepeatableCall) -> OperationRecord | None:
        """Return what the journal holds of a call."""
        return self.gateways[call.vendor].operation(call.vendor, call.operation, call.reference)

    def remaining(self, voucher: IssuedVoucher) -> Decimal:
        """What is truly left on a voucher."""
        return Decimal(self._entry(voucher)["remaining"])

    def _entry(self, voucher: IssuedVoucher) -> dict[str, Any]:
        return Ledger(self.running[voucher.vendor]).entry(id=voucher.id)

    def check_ledger(self) -> None:
        """No balance is below zero, and JTL's movements add up."""
        for voucher in self.vouchers:
            true = self._entry(voucher)
            assert Decimal(true["remaining"]) >= 0
            if voucher.vendor == "jtl":
                signs = {"charge": -1, "refund": 1, "recharge": 1}
                moved = sum(signs[movement["kind"]] * Decimal(movement["amount"]) for movement in true["movements"])
                assert voucher.face + moved == Decimal(true["remaining"])

    def settle(self) -> None:
        """End all faults, let reservations lapse, recover."""
        for running in self.running.values():
            running.clear_faults()
        self.restart()
        for _ in range(2):
            for running in self.running.values():
                running.clock.advance(OVER_S)
            for vendor, gateway in self.gateways.items():
                gateway.recover(account=vendor, everything=True)

    def check_agreement(self) -> None:
        """What left each voucher is what the journal says, give or take what it says it does not know."""
        for voucher in self.vouchers:
            sure, open_ends = voucher.face, [Decimal(0)]
            for call in self.calls:
                entry = self.entry(call)
                if call.voucher is not voucher or entry is None or call.money is None:
                    continue
                assert entry.state is not OperationState.OPEN
                change = _SIGNS.get(call.operation, 0) * call.money.amount
                if entry.state is OperationState.SUCCEEDED:
                    sure += change
                elif entry.state is OperationState.UNKNOWN:
                    open_ends += [end + change for end in open_ends]
            possible = {sure + end for end in open_ends}
            assert self.remaining(voucher) in possible, f"{self.remaining(voucher)} is left, not one of {possible}"
        for vendor, gateway in self.gateways.items():
            gateway.provider(vendor).check()
            assert reconcile(gateway, vendor).differences == ()
