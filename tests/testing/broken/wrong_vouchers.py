"""Providers that mistake vouchers, amounts and instants."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Any

import attrs

from tests.testing.broken.registry import breaks
from tests.testing.corner.provider import CornerProvider
from voucher_gateway.provider_api import (
    Balance,
    Code,
    History,
    MalformedResponse,
    Money,
    Movement,
    MovementKind,
    MovementState,
    Page,
    Path,
    Pin,
    Presentation,
    Request,
    Response,
    Status,
    Voucher,
    now,
    parse_instant,
)


@breaks("R1")
class FindsAnother(CornerProvider):
    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        super().find(code, pin)
        return self.page("find", 1, []).items[0]


@breaks("R2")
class FindsWithoutRegardToCase(CornerProvider):
    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        wanted = Code.of(code).reveal().casefold()
        for voucher in self.vouchers():
            if voucher.code is not None and voucher.code.reveal().casefold() == wanted:
                return voucher
        return super().find(code, pin)


@breaks("R2")
class TrimsCodes(CornerProvider):
    def checked(self, code: str | Code) -> Code:
        return super().checked(Code.of(code).reveal().strip())


@breaks("R2")
class FindsByPrefix(CornerProvider):
    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        wanted = Code.of(code).reveal()
        for voucher in self.vouchers():
            if voucher.code is not None and wanted and voucher.code.reveal().startswith(wanted):
                return voucher
        return super().find(code, pin)


@breaks("R3")
class GluesPathsTogether(CornerProvider):
    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        request = Request(method="GET", path=Path("/vouchers/{id}", f"/vouchers/{id}"))
        with self.calls.voucher_not_found_on_404():
            return self.asked("get", request)


@breaks("R3")
class CutsCodesAtTheQuestionMark(CornerProvider):
    def checked(self, code: str | Code) -> Code:
        return super().checked(Code.of(code).reveal().partition("?")[0])


@breaks("R4")
class GetsAnotherStatus(CornerProvider):
    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        return attrs.evolve(super().get(id), created_at=now())


@breaks("R5")
class MakesUpWhatIsNotThere(CornerProvider):
    def balance(self, code: str | Code, pin: str | Pin | None = None) -> Balance:
        found = [one for one in self.vouchers() if one.code == Code.of(code)]
        if not found:
            return Balance(account=self.account, voucher_id="", remaining=Money.zero("EUR"))
        return super().balance(code, pin)


@breaks("R6")
class HidesCodesThatAreReadable(CornerProvider):
    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        return attrs.evolve(super().get(id), code=None)


@breaks("R7")
class CallsEverythingActive(CornerProvider):
    def voucher(self, raw: Mapping[str, Any]) -> Voucher:
        return attrs.evolve(super().voucher(raw), status=Status.ACTIVE)


@breaks("R8")
class KnowsOldWordsOnly(CornerProvider):
    def voucher(self, raw: Mapping[str, Any]) -> Voucher:
        return attrs.evolve(super().voucher(raw), status={"active": Status.ACTIVE}.get(raw["status"], Status.INACTIVE))


@breaks("R9")
class DropsTheVendorsObject(CornerProvider):
    def voucher(self, raw: Mapping[str, Any]) -> Voucher:
        return attrs.evolve(super().voucher(raw), raw={"id": raw["id"]})


@breaks("R9")
class KeepsFloatsInRaw(CornerProvider):
    def voucher(self, raw: Mapping[str, Any]) -> Voucher:
        voucher = super().voucher(raw)
        return attrs.evolve(voucher, raw={**raw, "amount": float(raw["amount"])})


@breaks("R10")
class TrustsEveryReply(CornerProvider):
    def voucher(self, raw: Mapping[str, Any]) -> Voucher:
        super_currency = raw["currency"].upper()
        return super().voucher({**raw, "currency": super_currency})


@breaks("R10")
class ReadsNothingAsZero(CornerProvider):
    def money(self, number: object, currency: str) -> Money:
        return super().money(number or 0, currency)


@breaks("R10")
class ReadsAbsurdNumbersAsZero(CornerProvider):
    def body(self, reply: Response) -> dict[str, Any]:
        try:
            return super().body(reply)
        except MalformedResponse:
            body: dict[str, Any] = json.loads(reply.body, parse_float=Decimal)
            return body


@breaks("R10")
class AsksUntilItIsRight(CornerProvider):
    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        while True:
            try:
                return super().get(id)
            except MalformedResponse:
                continue


@breaks("R11")
class LosesAMovement(CornerProvider):
    def history(self, id: str) -> History:
        whole = super().history(id)
        return attrs.evolve(whole, movements=whole.movements[:-1])


@breaks("R11")
class TurnsMovementsAround(CornerProvider):
    def movement(self, id: str, currency: str, raw: Mapping[str, Any]) -> Movement:
        return attrs.evolve(super().movement(id, currency, raw), kind=MovementKind.TOP_UP)


@breaks("R11")
class CutsReferences(CornerProvider):
    def movement(self, id: str, currency: str, raw: Mapping[str, Any]) -> Movement:
        return super().movement(id, currency, {**raw, "reference": raw["reference"][:6]})


@breaks("R11")
class ShowsTheFirstPageOfAHistory(CornerProvider):
    def movements_page(
        self, id: str, currency: str, cursor: str | None
    ) -> tuple[list[Movement], str | None, datetime | None]:
        movements, _, at = super().movements_page(id, currency, cursor)
        return movements, None, at


@breaks("R11")
class IgnoresTheCursorOfAHistory(CornerProvider):
    def movements_page(
        self, id: str, currency: str, cursor: str | None
    ) -> tuple[list[Movement], str | None, datetime | None]:
        movements, following, at = super().movements_page(id, currency, None)
        return ([], None, at) if cursor is not None else (movements, following, at)


@breaks("R11")
class ShowsAYearOfAHistory(CornerProvider):
    def history(self, id: str) -> History:
        whole, since = super().history(id), now() - timedelta(days=365)
        shown = tuple(one for one in whole if one.created_at is None or one.created_at > since)
        return attrs.evolve(whole, movements=shown)


@breaks("R11")
class TakesEveryMovementForCompleted(CornerProvider):
    def movement(self, id: str, currency: str, raw: Mapping[str, Any]) -> Movement:
        return attrs.evolve(super().movement(id, currency, raw), state=MovementState.COMPLETED)


@breaks("R11")
class TakesACancelledMovementForPending(CornerProvider):
    def movement(self, id: str, currency: str, raw: Mapping[str, Any]) -> Movement:
        movement = super().movement(id, currency, raw)
        cancelled = movement.state is MovementState.CANCELLED
        return attrs.evolve(movement, state=MovementState.PENDING) if cancelled else movement


@breaks("R11")
class TellsTheTimeOfAMovementInItsOwnZone(CornerProvider):
    def movement(self, id: str, currency: str, raw: Mapping[str, Any]) -> Movement:
        movement = super().movement(id, currency, raw)
        assert movement.created_at is not None
        return attrs.evolve(movement, created_at=movement.created_at + timedelta(hours=2))


@breaks("R12")
class TellsItsOwnTime(CornerProvider):
    def history(self, id: str) -> History:
        return attrs.evolve(super().history(id), as_of=now())


@breaks("R24")
class TellsAnotherCustomerInTheList(CornerProvider):
    def page(self, operation: str, number: int, params: list[tuple[str, Any]]) -> Page[Voucher]:
        page = super().page(operation, number, params)
        return attrs.evolve(page, items=[attrs.evolve(one, links={"customer_id": "c0"}) for one in page.items])


@breaks("R24")
class TellsTheTaxAsANumber(CornerProvider):
    def voucher(self, raw: Mapping[str, Any]) -> Voucher:
        return attrs.evolve(super().voucher(raw), tax_rate=19)  # type: ignore[arg-type]  # that is wrong here


@breaks("R24")
class PresentsWhateverHasTheId(CornerProvider):
    def presentation(self, code: str | Code, *, id: str | None = None) -> Presentation:
        if id is None:
            return super().presentation(code)
        return Presentation(account=self.account, voucher=self.get(id))


@breaks("R24")
class PresentsWithoutTheCode(CornerProvider):
    def presentation(self, code: str | Code, *, id: str | None = None) -> Presentation:
        shown = super().presentation(code, id=id)
        return attrs.evolve(shown, voucher=attrs.evolve(shown.voucher, code=None))


@breaks("M1")
class PaysInEurosOnly(CornerProvider):
    def money(self, number: object, currency: str) -> Money:
        super().money(number, currency)
        return super().money(number, "EUR")


@breaks("M2")
class ToldTheFaceValueAsBalance(CornerProvider):
    def balance(self, code: str | Code, pin: str | Pin | None = None) -> Balance:
        said = super().balance(code, pin)
        initial = self.find(code, pin).initial
        assert initial is not None
        return attrs.evolve(said, remaining=initial)


@breaks("M3")
class ComputesInFloats(CornerProvider):
    def money(self, number: object, currency: str) -> Money:
        super().money(number, currency)
        assert isinstance(number, int | Decimal)
        return Money(f"{float(number):.2f}", currency)


@breaks("M4")
class Rounds(CornerProvider):
    def money(self, number: object, currency: str) -> Money:
        if isinstance(number, Decimal):
            number = number.quantize(Decimal("0.01"), ROUND_HALF_EVEN)
        return super().money(number, currency)


@breaks("R23")
class BelievesInDebts(CornerProvider):
    def money(self, number: object, currency: str) -> Money:
        if isinstance(number, int | Decimal) and number < 0:
            return -super().money(-number, currency)
        return super().money(number, currency)


@breaks("R23")
class TakesDebtsForWorth(CornerProvider):
    def money(self, number: object, currency: str) -> Money:
        return super().money(abs(number) if isinstance(number, int | Decimal) else number, currency)


@breaks("R23")
class TakesADebtForNothingLeft(CornerProvider):
    def voucher(self, raw: Mapping[str, Any]) -> Voucher:
        left = raw.get("balance")
        return super().voucher({**raw, "balance": max(left, 0)} if isinstance(left, int | Decimal) else raw)


@breaks("M5")
class CutsNoiseOff(CornerProvider):
    def money(self, number: object, currency: str) -> Money:
        if isinstance(number, Decimal):
            number = number.quantize(Decimal("0.01"), ROUND_DOWN)
        return super().money(number, currency)


@breaks("M7")
class CountsCentsInEveryCurrency(CornerProvider):
    def money(self, number: object, currency: str) -> Money:
        super().money(0, currency)
        cents = Decimal(super().money(number, "EUR").minor)
        return Money.from_minor(int(cents), currency)


@breaks("M6")
class TakesAnyCurrency(CornerProvider):
    def money(self, number: object, currency: str) -> Money:
        try:
            return super().money(number, currency)
        except MalformedResponse:
            return Money.from_exact(Decimal(str(number)), currency)


@breaks("T1")
class TellsNaiveTimes(CornerProvider):
    def instant(self, raw: Mapping[str, Any], name: str) -> datetime | None:
        instant = super().instant(raw, name)
        return None if instant is None else instant.replace(tzinfo=None)


@breaks("T2")
class CutsTheExpiryToTheDay(CornerProvider):
    def instant(self, raw: Mapping[str, Any], name: str) -> datetime | None:
        instant = super().instant(raw, name)
        return None if instant is None else instant.replace(hour=0, minute=0, second=0)


@breaks("T2")
class ForgetsTheExpiry(CornerProvider):
    def voucher(self, raw: Mapping[str, Any]) -> Voucher:
        return attrs.evolve(super().voucher(raw), valid_until=None)


@breaks("T5")
class DropsTheOffset(CornerProvider):
    def instant(self, raw: Mapping[str, Any], name: str) -> datetime | None:
        instant = super().instant(raw, name)
        return None if instant is None else parse_instant(f"{raw[name][:19]}Z")


@breaks("T4")
class TakesAnySecond60ForALeapSecond(CornerProvider):
    def instant(self, raw: Mapping[str, Any], name: str) -> datetime | None:
        text = raw.get(name)
        if isinstance(text, str) and text[17:19] == "60":
            return parse_instant(f"{text[:17]}59{text[19:]}") + timedelta(seconds=1)
        return super().instant(raw, name)


@breaks("T3")
class TakesNaiveTimesForUtc(CornerProvider):
    def instant(self, raw: Mapping[str, Any], name: str) -> datetime | None:
        told = raw.get(name)
        if isinstance(told, str):
            naive = datetime.fromisoformat(told)
            return naive.replace(tzinfo=naive.tzinfo or UTC).astimezone(UTC)
        return super().instant(raw, name)
