"""Providers that issue and change vouchers wrongly."""

from __future__ import annotations

from decimal import Decimal
from string import ascii_letters, digits

import attrs

from tests.testing.spending.registry import breaks
from voucher_gateway.provider_api import (
    Deletion,
    DuplicateCode,
    Expiry,
    Money,
    NewVoucher,
    Rejected,
    Status,
    TopUp,
    Voucher,
    VoucherChanges,
    VoucherNotFound,
)
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_ticketing import TicketingProvider

JTL = JtlProvider.declared
TICKETING = TicketingProvider.declared


@breaks("I1")
class DropsTheCents(JtlProvider):
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        whole = attrs.evolve(new, initial=Money(int(new.initial.amount), new.initial.currency))
        return super().issue(whole, reference=reference, order=order)


@breaks("I2")
class ShoutsTheCode(JtlProvider):
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        code = None if new.code is None else new.code.reveal().upper()
        return super().issue(attrs.evolve(new, code=code), reference=reference, order=order)


@breaks("I3")
class ClaimsLongerCodes(TicketingProvider):
    """The vendor takes codes of four characters, and so does the adapter."""

    declared = attrs.evolve(TICKETING, codes=attrs.evolve(TICKETING.codes, min_length=6))


@breaks("I3")
class ClaimsLettersAndDigits(TicketingProvider):
    """The vendor takes other characters too, and so does the adapter."""

    declared = attrs.evolve(TICKETING, codes=attrs.evolve(TICKETING.codes, alphabet=ascii_letters + digits))


@breaks("I3")
class ClaimsAPattern(TicketingProvider):
    """The adapter sends codes that do not match it."""

    declared = attrs.evolve(
        TICKETING, codes=attrs.evolve(TICKETING.codes, pattern="[0-9]{4}-[0-9]{4}-[0-9]{4}", example="1234-5678-9012")
    )


@breaks("I4")
class DeclinesATakenCodeVaguely(JtlProvider):
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        try:
            return super().issue(new, reference=reference, order=order)
        except DuplicateCode as error:
            raise Rejected(error.message, account=self.account, operation="issue") from None


@breaks("I5")
class DropsTheBatch(JtlProvider):
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        return super().issue(attrs.evolve(new, batch=None), reference=reference, order=order)


@breaks("I6")
class LeavesTheAmountToTheVendor(JtlProvider):
    """What is declared to be too much goes out, and it is the vendor's business to refuse it."""

    declared = attrs.evolve(JTL, amounts=attrs.evolve(JTL.amounts, maximum=Decimal(500)))


@breaks("I7")
class ClaimsLargerAmounts(JtlProvider):
    declared = attrs.evolve(JTL, amounts=attrs.evolve(JTL.amounts, maximum=Decimal(100_000)))


@breaks("I8")
class ClaimsDatesOfExpiry(JtlProvider):
    declared = attrs.evolve(JTL, expiry=Expiry.ABSOLUTE)


@breaks("I5")
class SaysNothingOfTheBatch(JtlProvider):
    declared = attrs.evolve(JTL, stored_fields=JTL.stored_fields - {"batch"})


@breaks("I9")
class CutsTexts(JtlProvider):
    declared = attrs.evolve(JTL, max_text_lengths={**JTL.max_text_lengths, "sku": 300})

    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        sku = None if new.sku is None else new.sku[:255]
        return super().issue(attrs.evolve(new, sku=sku), reference=reference, order=order)


@breaks("V1")
class ActivatesNothing(JtlProvider):
    def activate(self, id: str, *, reference: str, order: str | None = None) -> Voucher:
        return self.get(id)


@breaks("V10")
class SaysNothingOfTheRestart(JtlProvider):
    """The vendor counts the validity from each activation."""

    declared = attrs.evolve(JTL, restarts_validity=False)


@breaks("V10")
class ClaimsARestart(JtlProvider):
    """It hides from the vendor that a voucher was stopped, so the validity goes on."""

    def deactivate(self, id: str, *, reference: str, order: str | None = None) -> Voucher:
        return attrs.evolve(self.get(id), status=Status.INACTIVE)

    def activate(self, id: str, *, reference: str, order: str | None = None) -> Voucher:
        voucher = self.get(id)
        return voucher if voucher.status is Status.ACTIVE else super().activate(id, reference=reference, order=order)


@breaks("V2")
class ChangesMoreThanAsked(JtlProvider):
    def update(self, id: str, changes: VoucherChanges, *, reference: str, order: str | None = None) -> Voucher:
        return super().update(id, attrs.evolve(changes, sku="changed"), reference=reference, order=order)


@breaks("V3")
class DropsTheExpiry(JtlProvider):
    def update(self, id: str, changes: VoucherChanges, *, reference: str, order: str | None = None) -> Voucher:
        if "valid_until" in changes.fields_to_change():
            return self.get(id)
        return super().update(id, changes, reference=reference, order=order)


@breaks("V4")
class CountsInFloats(JtlProvider):
    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        cents = int(float(money.amount) * 100)  # 0.29 becomes 28
        return super().top_up(id, Money.from_minor(cents, money.currency), reference=reference, order=order)


@breaks("V5")
class AddsFrancsAsEuros(JtlProvider):
    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        held = self.get(id).initial
        assert held is not None
        return super().top_up(id, Money(money.amount, held.currency), reference=reference, order=order)


@breaks("V6")
class DeletesInItsMindOnly(JtlProvider):
    def delete(self, id: str, reason: str, *, reference: str, order: str | None = None) -> Deletion:
        return Deletion(account=self.account, voucher_id=id)


@breaks("V7")
class DeclinesAnUnknownVoucherVaguely(JtlProvider):
    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        try:
            return super().top_up(id, money, reference=reference, order=order)
        except VoucherNotFound as error:
            raise Rejected(error.message, account=self.account, operation="top_up") from None
