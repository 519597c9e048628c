"""Creates the vouchers that contract tests need: issued through the provider, or picked from the vendor's own.

The provider issues them if it can. Otherwise they are picked from those that the simulator began with.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.errors import InvalidRequest, UnsupportedOperation
from voucher_gateway.masking import Code
from voucher_gateway.models.requests import NewVoucher, VoucherChanges
from voucher_gateway.models.results import Redemption, Reservation
from voucher_gateway.models.voucher import Interval, Status, Validity, Voucher
from voucher_gateway.money import Money, exponent
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.harness.ledger import LedgerSnapshot
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.promises.checks import MissingTestData, fail, require

FACE: Final = 5321
"""The value of a voucher in minor units, unless a test gives another one."""

_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_DAY_S: Final = 86_400
_RESTOCKED: Final = 4
"""How often the vendor gets more vouchers before a missing one is reported."""


@attrs.frozen
class VoucherUnderTest:
    """A voucher that a test acts on.

    Attributes:
        id: the vendor's id.
        code: its code.
        value: its value when the test began.
        reservation: the reservation on it, if a test needs one.
        redemption: the redemption of it, if a test needs one.
    """

    id: str
    code: Code
    value: Money
    reservation: Reservation | None = None
    redemption: Redemption | None = None


class VoucherFactory:
    """Makes vouchers of every kind that a test needs, each time another one.

    Args:
        vendor: the vendor.
        client: the provider or the `AccountClient` that makes them.
        provider: the provider of `client`.
    """

    def __init__(self, vendor: VendorUnderTest, provider: VoucherProvider, client: Any = None) -> None:
        self.vendor = vendor
        self.provider = provider
        self.client = provider if client is None else client
        self.declared = provider.declared
        self._numbers = itertools.count(1)
        self._random = random.Random(f"vouchers of {provider.name}")  # noqa: S311 - the same vouchers in every run
        self._used: set[str] = set()
        self._unfit: dict[str, set[str]] = {}
        self._update: Callable[[], VoucherChanges] | None = None
        self.currency = self._currency()
        self.wrap_money: Callable[[Money], Money] = lambda money: money

    # --- names and amounts ---

    def number(self) -> int:
        """Return a number that differs from all earlier ones."""
        return next(self._numbers)

    def reference(self) -> str:
        """Return a reference that no other call has."""
        return f"contract-{next(self._numbers)}"

    def code(self) -> Code:
        """Return a code that no voucher has, within the declared rules."""
        return Code(self.declared.codes.make_code(self._random.choice, _LETTERS))

    def money(self, minor: int) -> Money:
        """Return an amount in the currency of this factory."""
        return self.wrap_money(Money.from_minor(minor, self.currency))

    def native(self, *operations: Operation) -> bool:
        """Whether the provider has all of these itself."""
        return all(self.declared.of(operation).support is Support.NATIVE for operation in operations)

    @property
    def through_gateway(self) -> bool:
        """Whether a gateway makes the calls."""
        return self.client is not self.provider

    def ledger(self) -> Sequence[Mapping[str, Any]]:
        """Return the vendor's ledger, whose codes must not show in messages."""
        return self.vendor.ledger()

    def snapshot(self) -> LedgerSnapshot:
        """Read the ledger."""
        return LedgerSnapshot.of(self.vendor)

    # --- vouchers ---

    def spendable_voucher(self, minor: int = FACE, **fields: Any) -> VoucherUnderTest:
        """Return a voucher that can be spent now."""
        if not self.native(Operation.ISSUE):
            return self._pick_existing("active voucher", minor, self._is_spendable)
        issued = self._issue(minor, active=True, **fields)
        if issued.status is Status.INACTIVE:
            require(
                self.native(Operation.ACTIVATE),
                "a new voucher is inactive, and the provider declares nothing that makes it spendable",
            )
            self.provider.activate(issued.id, reference=self.reference())
        return self._voucher_under_test(issued.id)

    def voucher_with_longest_history(self, minor: int = FACE) -> VoucherUnderTest:
        """Return the voucher with the most movements, if it can be spent now; otherwise another one that can."""
        snapshot = self.snapshot()
        id, entry = max(snapshot.entries.items(), key=lambda item: len(item[1]["movements"]))
        fits = id not in self._used and entry["currency"] == self.currency
        if fits and snapshot.available(id) >= self.money(minor) and self._is_spendable(self.provider.get(id)):
            self._used.add(id)
            return self._voucher_under_test(id)
        return self.spendable_voucher(minor)

    def inactive_voucher(self, minor: int = FACE, **fields: Any) -> VoucherUnderTest:
        """Return a voucher that was never made spendable, or was stopped."""
        if not self.native(Operation.ISSUE):
            return self._pick_existing("inactive voucher", minor, lambda voucher: voucher.status is Status.INACTIVE)
        issued = self._issue(minor, active=False, **fields)
        if issued.status is not Status.INACTIVE:
            require(
                not self.declared.can_issue_inactive,
                "a new voucher that is to be inactive is not, although can_issue_inactive is declared",
            )
            require(
                self.native(Operation.DEACTIVATE),
                "a new voucher is not inactive, and the provider declares nothing that stops it",
            )
            self.provider.deactivate(issued.id, reference=self.reference())
        return self._voucher_under_test(issued.id)

    def unspent_voucher(self) -> VoucherUnderTest:
        """Return a voucher that is not spent yet, for changes that a vendor may refuse of an active one."""
        return self.inactive_voucher() if self.has_statuses else self.spendable_voucher()

    def expired_voucher(self, minor: int = FACE) -> VoucherUnderTest:
        """Return a voucher whose validity has ended; this may move the vendor's clock."""
        expiry = self.declared.expiry
        if not self.native(Operation.ISSUE) or not (expiry.takes_instants or expiry.takes_lengths):
            return self._pick_existing("expired voucher", minor, self._is_expired)
        if not expiry.takes_instants:
            subject, lasts = self.spendable_voucher(minor, validity=Validity(1, Interval.DAYS)), 2 * _DAY_S
        else:
            until = self.vendor_now() + timedelta(hours=1)
            subject, lasts = self.spendable_voucher(minor, valid_until=until), 2 * 3600
        self.vendor.advance(lasts)
        return subject

    def with_pin(self, pin: str) -> tuple[VoucherUnderTest, str]:
        """Return a voucher with a PIN, and the PIN."""
        if self.native(Operation.ISSUE):
            return self.spendable_voucher(pin=pin), pin
        for snapshot in self._ledger_with_restock():
            for id, entry in snapshot.entries.items():
                if entry.get("pin") and id not in self._used and self._is_spendable(self.provider.get(id)):
                    self._used.add(id)
                    return self._voucher_under_test(id), str(entry["pin"])
        raise MissingTestData(
            "the vendor has no active voucher with a PIN, and the provider cannot make one: let the simulator begin"
            " with some (its method `seed`)"
        )

    @property
    def has_statuses(self) -> bool:
        """Whether a voucher can be inactive, as far as the provider declares it."""
        return self.native(Operation.ACTIVATE) or self.native(Operation.DEACTIVATE)

    def vendor_now(self) -> datetime:
        """Return the vendor's time, in whole seconds, by its latest answer."""
        self._any_answer()
        return self.provider.vendor_now().replace(microsecond=0)

    def _any_answer(self) -> None:
        for id in self.snapshot().entries:
            self.provider.get(id)
            return

    # --- reservations and redemptions ---

    def voucher_with_reservation(self, minor: int = 1007, on: VoucherUnderTest | None = None) -> VoucherUnderTest:
        """Return a voucher with a reservation of this amount, a new one or the given one."""
        subject = on or self.spendable_voucher()
        reservation = self.client.reserve(subject.code, self.money(minor), reference=self.reference(), order="O-1")
        return attrs.evolve(subject, reservation=reservation)

    def voucher_with_redemption(self, minor: int = 1007, on: VoucherUnderTest | None = None) -> VoucherUnderTest:
        """Return a voucher with a redemption of this amount, a new one or the given one."""
        subject = on or self.spendable_voucher()
        return attrs.evolve(subject, redemption=self.redeem(subject, minor))

    def redeem(self, subject: VoucherUnderTest, minor: int) -> Redemption:
        """Take an amount off a voucher, in one step or two."""
        money = self.money(minor)
        if self.through_gateway or self.native(Operation.REDEEM):
            redemption = self.client.redeem(subject.code, money, reference=self.reference(), order="O-1")
        else:
            reservation = self.client.reserve(subject.code, money, reference=self.reference(), order="O-1")
            redemption = self.client.capture(reservation, reference=self.reference(), order="O-1")
        assert isinstance(redemption, Redemption)
        return redemption

    # --- changes ---

    def changes(self) -> VoucherChanges:
        """Return a change that the provider accepts, each time with another value.

        Providers do not declare which fields can be updated, so the first call tries them on an extra voucher.
        """
        if self._update is None:
            tried = self.unspent_voucher().id
            for make in self._ways_to_update():
                try:
                    self.provider.update(tried, make(), reference=self.reference())
                except (UnsupportedOperation, InvalidRequest):
                    continue
                self._update = make
                break
            else:
                fail("update is declared, and refuses a change of valid_until, of sku and of batch")
        return self._update()

    def _ways_to_update(self) -> list[Callable[[], VoucherChanges]]:
        def later() -> VoucherChanges:
            return VoucherChanges(valid_until=self.vendor_now() + timedelta(days=400 + next(self._numbers)))

        def new_batch() -> VoucherChanges:
            return VoucherChanges(batch=f"B-{next(self._numbers)}")

        def new_sku() -> VoucherChanges:
            return VoucherChanges(sku=f"SKU-{next(self._numbers)}")

        return [
            later,
            new_batch,
            new_sku,
        ]

    # --- how vouchers are made ---

    def new(self, minor: int, **fields: Any) -> NewVoucher:
        """Return a voucher to issue, with a new code if codes can be chosen."""
        if self.declared.codes.choosable:
            fields.setdefault("code", self.code())
        return NewVoucher(initial=self.money(minor), **fields)

    def _issue(self, minor: int, *, active: bool, **fields: Any) -> Voucher:
        if "active" in self.declared.stored_fields:
            fields["active"] = active
        return self.provider.issue(self.new(minor, **fields), reference=self.reference())

    def _voucher_under_test(self, id: str) -> VoucherUnderTest:
        snapshot = self.snapshot()
        return VoucherUnderTest(id, Code(str(snapshot.entries[id]["code"])), snapshot.remaining(id))

    def _pick_existing(self, kind: str, minor: int, fits: Callable[[Voucher], bool]) -> VoucherUnderTest:
        # A voucher that does not fit now never fits later, except that it can expire.
        unfit: set[str] = set() if fits == self._is_expired else self._unfit.setdefault(kind, set())
        for snapshot in self._ledger_with_restock():
            for id, entry in snapshot.entries.items():
                if id in self._used or id in unfit or entry["currency"] != self.currency:
                    continue
                if snapshot.available(id) < self.money(minor) or snapshot.reserved_amount(id).amount != 0:
                    continue
                if fits(self.provider.get(id)):
                    self._used.add(id)
                    return self._voucher_under_test(id)
                unfit.add(id)
        raise MissingTestData(
            f"the vendor has no unused {kind} of {self.money(minor)} or more, and the provider cannot make one:"
            " let the simulator begin with some (its method `seed`)"
        )

    def _ledger_with_restock(self) -> Iterator[LedgerSnapshot]:
        """Yield the ledger, and again after each restock if the vendor can be restocked."""
        yield (snapshot := self.snapshot())
        restock = getattr(self.vendor, "restock", None)
        for _ in range(_RESTOCKED if callable(restock) else 0):
            assert callable(restock)
            restock()
            before, snapshot = snapshot, self.snapshot()
            if len(snapshot.entries) == len(before.entries):
                return
            yield snapshot

    def _is_spendable(self, voucher: Voucher) -> bool:
        over = voucher.valid_until is not None and voucher.valid_until <= self.provider.vendor_now()
        return voucher.status in (Status.ACTIVE, None) and not over

    def _is_expired(self, voucher: Voucher) -> bool:
        over = voucher.valid_until is not None and voucher.valid_until <= self.provider.vendor_now()
        return voucher.status in (Status.ACTIVE, None) and over

    def _currency(self) -> str:
        """Return a currency of the vendor's vouchers whose decimals all fit into its amounts."""
        decimals = self.declared.amounts.decimals
        counts = Counter(str(entry["currency"]) for entry in self.vendor.ledger())
        fitting = [
            currency for currency, _ in counts.most_common() if decimals is None or exponent(currency) <= decimals
        ]
        return fitting[0] if fitting else "EUR"
