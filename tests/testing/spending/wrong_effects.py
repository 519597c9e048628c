"""Providers that say something untrue of a call, and find out something untrue later."""

from __future__ import annotations

from typing import Any

import attrs
import requests

from tests.testing.spending.registry import breaks
from voucher_gateway.provider_api import (
    Code,
    Deletion,
    Effect,
    InsufficientValue,
    Intent,
    Money,
    NewVoucher,
    Operation,
    Outcome,
    OutcomeUnknown,
    Pin,
    ProviderUnavailable,
    Rejected,
    Reservation,
    TopUp,
    Voucher,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway.request_hooks import use_before_send_hook
from voucher_gateway_jtl import JtlProvider, JtlSettings
from voucher_gateway_ticketing import TicketingProvider


class Deaf:
    """A recorder that keeps nothing."""

    def before_send(self, intent: Intent) -> None:
        pass


@breaks("E1")
class TakesUnknownForFailed(TicketingProvider):
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        try:
            return super().issue(new, reference=reference, order=order)
        except OutcomeUnknown as error:
            raise ProviderUnavailable(error.message, account=self.account, operation="issue") from None


@breaks("E1")
class TakesUnknownForDone(TicketingProvider):
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        try:
            return super().issue(new, reference=reference, order=order)
        except OutcomeUnknown:
            return Voucher(account=self.account, id="there", code=new.code, initial=new.initial)


@breaks("E1")
class LetsItsOwnErrorsOut(TicketingProvider):
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        try:
            return super().issue(new, reference=reference, order=order)
        except VoucherGatewayError as error:
            raise ConnectionError(error.message) from None


@breaks("E2")
class RetriesACharge(JtlProvider):
    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        try:
            return super().top_up(id, money, reference=reference, order=order)
        except OutcomeUnknown:
            return super().top_up(id, money, reference=reference, order=order)


@breaks("E3")
class SendsInSecret(TicketingProvider):
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        with use_before_send_hook(Deaf()):
            return super().issue(new, reference=reference, order=order)


@breaks("E3")
class AnnouncesTooLate(TicketingProvider):
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        from voucher_gateway.provider_api import notify_before_send

        with use_before_send_hook(Deaf()):
            made = super().issue(new, reference=reference, order=order)
        notify_before_send(self.intent(Operation.ISSUE, reference=reference, order=order, money=new.initial))
        return made


@breaks("E4")
class SendsWhateverTheJournalSays(TicketingProvider):
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        try:
            return super().issue(new, reference=reference, order=order)
        except VoucherGatewayError:
            raise
        except Exception:  # noqa: BLE001 - it is broken on purpose
            with use_before_send_hook(Deaf()):
                return super().issue(new, reference=reference, order=order)


@breaks("E5")
class KeepsHalfATicket(TicketingProvider):
    def intent(self, verb: Operation, **known: Any) -> Intent:
        return attrs.evolve(super().intent(verb, **known), order=None)


@breaks("E5")
class PutsTheCodeIntoTheTicket(TicketingProvider):
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        try:
            return super().issue(new, reference=reference, order=order)
        except OutcomeUnknown as error:
            assert new.code is not None
            error.ticket = attrs.evolve(error.ticket, notes={"code": new.code.reveal()})
            raise


@breaks("E6")
class TakesTheEchoForWhatMoved(TicketingProvider):
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        try:
            return super().issue(new, reference=reference, order=order)
        except OutcomeUnknown as error:
            if "the reply" not in error.message:
                raise
            return Voucher(account=self.account, id="there", code=new.code, initial=new.initial)


@breaks("E7")
class QuotesTheCode(JtlProvider):
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
            return super().reserve(code, money, pin, reference=reference, order=order)
        except OutcomeUnknown:
            said = f"what became of {Code.of(code).reveal()} is not known"
        raise Rejected(said, account=self.account, operation="reserve")


@breaks("E7")
class KeepsThePinInALocalVariable(JtlProvider):
    def reserve(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Reservation:
        code = Code.of(code)
        body = {"pin": None if pin is None else Pin.of(pin).reveal()}
        pin = Pin.of_given(body["pin"])
        return super().reserve(code, money, pin, reference=reference, order=order)


@breaks("E7")
class TellsWhichCodeHoldsTooLittle(JtlProvider):
    """A `Code` would hide itself in the message; what a client read in does not."""

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
            return super().reserve(code, money, pin, reference=reference, order=order)
        except InsufficientValue as error:
            raise InsufficientValue(f"{code} holds too little", account=self.account) from error


@breaks("E8")
class ChangesThroughPlainRequests(JtlProvider):
    """requests takes an interim reply for the answer, and keeps the connection on which the answer is still to come."""

    def __init__(self, account: str, settings: JtlSettings) -> None:
        super().__init__(account, settings)
        self.http._transport._session.mount("http://", requests.adapters.HTTPAdapter())


@breaks("E10")
class NamesTheVoucherThatWasAskedFor(JtlProvider):
    def intent(self, verb: Operation, **known: Any) -> Intent:
        return attrs.evolve(super().intent(verb, **known), voucher_id=None)


@breaks("E10")
class NamesTheVoucherOfAnEarlierLookUp(JtlProvider):
    def reserve(self, code: str | Code, *args: Any, **named: Any) -> Reservation:
        code = Code.of(code)
        known = self.find(code)
        return attrs.evolve(super().reserve(code, *args, **named), voucher_id=known.id)


@breaks("E11")
class TakesAny404ForARefusal(JtlProvider):
    def delete(self, id: str, reason: str, *, reference: str, order: str | None = None) -> Deletion:
        try:
            return super().delete(id, reason, reference=reference, order=order)
        except OutcomeUnknown as error:
            if error.http_status != 404:
                raise
            missing = VoucherNotFound("there is no such voucher", account=self.account, operation="delete")
        raise missing


@breaks("U1")
class FindsNothing(TicketingProvider):
    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        return Outcome(effect=Effect.UNKNOWN, reason="somebody should look")


@breaks("U2")
class ClaimsEverything(TicketingProvider):
    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        return Outcome(effect=Effect.SUCCEEDED, reason="it usually works")


@breaks("U3")
class TakesAbsenceForProof(TicketingProvider):
    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        found = super().resolve(intent, code)
        if found.effect is Effect.UNKNOWN:
            return Outcome(effect=Effect.NOT_EXECUTED, reason="it is not there")
        return found


@breaks("U3")
class TakesAnErrorForAbsence(JtlProvider):
    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        try:
            return super().resolve(intent, code)
        except VoucherGatewayError:
            return Outcome(effect=Effect.NOT_EXECUTED, reason="the vendor shows nothing")


@breaks("U4")
class MatchesByAmount(JtlProvider):
    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        if intent.verb == Operation.TOP_UP and intent.voucher_id is not None:
            for one in self.history(intent.voucher_id):
                if one.money == intent.money:
                    return Outcome(effect=Effect.SUCCEEDED, reason="such an amount is there")
        return super().resolve(intent, code)


@breaks("U5")
class DoubtsForEver(JtlProvider):
    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        if intent.verb == Operation.RESERVE:
            return Outcome(effect=Effect.UNKNOWN, reason="it may still stand")
        return super().resolve(intent, code)


@breaks("U6")
class TrustsTheSpellingOfReferences(JtlProvider):
    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        found = super().resolve(intent, code)
        return Outcome(effect=Effect.NOT_EXECUTED, reason="our name is not there") if found.candidates else found
