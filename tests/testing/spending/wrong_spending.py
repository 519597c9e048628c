"""Providers that reserve, capture, release and redeem wrongly."""

from __future__ import annotations

import attrs

from tests.testing.spending.registry import breaks, claiming, with_rules
from voucher_gateway.provider_api import (
    Code,
    Declined,
    InsufficientValue,
    Money,
    Operation,
    Pin,
    Redemption,
    Rejected,
    Release,
    RepeatSafety,
    Reservation,
    ReservationExpired,
    Voucher,
    VoucherExpired,
    VoucherGatewayError,
    VoucherInactive,
    VoucherNotFound,
    native,
)
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_local import LocalProvider

JTL = JtlProvider.declared


@breaks("S1")
class ReservesACentMore(JtlProvider):
    def reserve(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Reservation:
        more = money + Money("0.01", money.currency)
        made = super().reserve(code, more, pin, reference=reference, order=order)
        return attrs.evolve(made, money=money)


@breaks("S1")
class ClaimsALongerLife(JtlProvider):
    declared = with_rules(JTL, time_to_live=JTL.reservations.time_to_live * 2)  # type: ignore[union-attr, operator]  # JTL has both


@breaks("S1")
class TellsWhatIsFreeForWhatIsLeft(JtlProvider):
    held = Money("0", "EUR")

    def reserve(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Reservation:
        made = super().reserve(code, money, pin, reference=reference, order=order)
        self.held = made.money
        return made

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        found = super().find(code, pin)
        if found.remaining is None or found.remaining.currency != self.held.currency:
            return found
        return attrs.evolve(found, remaining=found.remaining - self.held)


@breaks("S2")
class TellsOfMoreThanItCaptured(JtlProvider):
    def capture(
        self, reservation: Reservation, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Redemption:
        done = super().capture(reservation, money, reference=reference, order=order)
        return attrs.evolve(done, money=done.money + done.money)


@breaks("S2")
class ForgetsTheTaxOfTheReservation(JtlProvider):
    def capture(
        self, reservation: Reservation, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Redemption:
        done = super().capture(reservation, money, reference=reference, order=order)
        return attrs.evolve(done, taxable=None, tax_rate=None)


@breaks("S3")
class ClaimsCapturesOfAPart(JtlProvider):
    declared = claiming(
        with_rules(JTL, partial_capture=True),
        {Operation.CAPTURE: native(partial=True, repeat=RepeatSafety.LOOK_UP)},
    )


@breaks("S3")
class ContradictsItself(JtlProvider):
    declared = with_rules(JTL, partial_capture=True)


@breaks("S4")
class CapturesWhateverIsAsked(JtlProvider):
    def capture(
        self, reservation: Reservation, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Redemption:
        return super().capture(reservation, reference=reference, order=order)


@breaks("S5")
class TakesARefusalForSuccess(JtlProvider):
    def capture(
        self, reservation: Reservation, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Redemption:
        try:
            return super().capture(reservation, money, reference=reference, order=order)
        except Rejected:
            return Redemption(account=self.account, id="again", money=reservation.money)


@breaks("S6")
class ClaimsReservationsForEver(JtlProvider):
    declared = with_rules(JTL, time_to_live=None)


@breaks("S23")
class TellsNoReasonForALateCapture(JtlProvider):
    def capture(
        self, reservation: Reservation, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Redemption:
        try:
            return super().capture(reservation, money, reference=reference, order=order)
        except ReservationExpired as error:
            refused = Rejected(error.message, account=self.account, operation="capture")
        raise refused


@breaks("S7")
class ClaimsReservationsSideBySide(JtlProvider):
    declared = with_rules(JTL, superseded_by_next=False, at_once=None)


@breaks("S7")
class ClaimsThatTheFirstReservationStands(JtlProvider):
    declared = with_rules(JTL, superseded_by_next=False, at_once=1)


@breaks("S8")
class ReleasesInItsMindOnly(JtlProvider):
    declared = claiming(with_rules(JTL, release=True), {Operation.RELEASE: native(repeat=RepeatSafety.NONE)})

    def release(self, reservation: Reservation, *, reference: str, order: str | None = None) -> Release:
        return Release(account=self.account, reservation_id=reservation.id, freed=True)


@breaks("S8")
class CallsFreeWhatWasCaptured(LocalProvider):
    def release(self, reservation: Reservation, *, reference: str, order: str | None = None) -> Release:
        try:
            return super().release(reservation, reference=reference, order=order)
        except Declined:
            return Release(account=self.account, reservation_id=reservation.id, freed=True)


class Redeeming(JtlProvider):
    """Redeems of its own, as a vendor of one step would."""

    declared = claiming(JTL, {Operation.REDEEM: native(repeat=RepeatSafety.NONE)})

    def redeem(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Redemption:
        return self.capture(self.reserve(code, money, pin, reference=reference), reference=reference, order=order)


@breaks("S9")
class TakesEverythingForTaxable(LocalProvider):
    def redeem(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Redemption:
        done = super().redeem(code, money, pin, reference=reference, order=order)
        return attrs.evolve(done, taxable=True, tax_rate="19")


@breaks("S9")
class KeepsACentOfEach(Redeeming):
    def redeem(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Redemption:
        less = money - Money("0.01", money.currency)
        done = super().redeem(code, less, pin, reference=reference, order=order)
        return attrs.evolve(done, money=money)


class Reserving(JtlProvider):
    """Lets the ones below put something in front of a reservation."""

    def reserve(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Reservation:
        try:
            return super().reserve(code, self.meant(code, money), self.pin(pin), reference=reference, order=order)
        except VoucherGatewayError as error:
            told = self.told(error)
        raise told

    def meant(self, code: str | Code, money: Money) -> Money:
        return money

    def pin(self, pin: str | Pin | None) -> str | Pin | None:
        return pin

    def told(self, error: VoucherGatewayError) -> VoucherGatewayError:
        return error


@breaks("S10")
class TakesWhatIsLeft(Reserving):
    def meant(self, code: str | Code, money: Money) -> Money:
        left = self.find(code).remaining
        assert left is not None
        return min(left, money) if left.currency == money.currency else money


@breaks("S11")
class TakesAnUnknownCodeForAnInactiveOne(Reserving):
    def told(self, error: VoucherGatewayError) -> VoucherGatewayError:
        return VoucherInactive("it cannot be spent") if isinstance(error, VoucherNotFound) else error


@breaks("S12")
class TakesFrancsForEuros(Reserving):
    def meant(self, code: str | Code, money: Money) -> Money:
        held = self.find(code).initial
        assert held is not None
        return Money(money.amount, held.currency)


@breaks("S13")
class WakesInactiveVouchers(Reserving):
    def meant(self, code: str | Code, money: Money) -> Money:
        self.activate(self.find(code).id, reference="woken")
        return money


@breaks("S14")
class GuessesTheReason(Reserving):
    def told(self, error: VoucherGatewayError) -> VoucherGatewayError:
        return InsufficientValue("it is not enough") if isinstance(error, VoucherExpired) else error


@breaks("S15")
class LosesThePin(Reserving):
    def pin(self, pin: str | Pin | None) -> str | Pin | None:
        return None


@breaks("S16")
class TakesMinusForPlus(Reserving):
    def meant(self, code: str | Code, money: Money) -> Money:
        return Money(abs(money.amount), money.currency)
