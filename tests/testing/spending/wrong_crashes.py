"""Providers that let a shop down when processes die, freeze, crowd or fork."""

from __future__ import annotations

import os
from typing import Any

import attrs

from tests.testing.keyed.provider import KeyedProvider
from tests.testing.spending.registry import breaks, claiming
from tests.testing.spending.wrong_effects import Deaf
from voucher_gateway.provider_api import (
    Code,
    ConfigurationError,
    Effect,
    History,
    Intent,
    Money,
    NewVoucher,
    Operation,
    Outcome,
    OutcomeUnknown,
    Pin,
    Redemption,
    Rejected,
    RepeatSafety,
    Reservation,
    TopUp,
    Voucher,
    VoucherHeld,
    native,
)
from voucher_gateway.request_hooks import use_before_send_hook
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_ticketing import TicketingProvider


def prove_by_absence(outcome: Outcome) -> Outcome:
    """Return "not executed" where a look-up found nothing."""
    if outcome.effect is Effect.UNKNOWN:
        return Outcome(effect=Effect.NOT_EXECUTED, reason="the vendor does not show it", repeatable=True)
    return outcome


@breaks("C1")
class SaysThatNothingHappened(JtlProvider):
    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        return Outcome(effect=Effect.NOT_EXECUTED, reason="nothing was heard of it")


@breaks("C1")
class TakesAbsenceForProofAfterACrash(JtlProvider):
    """Its look-up is right as soon as the vendor shows what happened."""

    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        return prove_by_absence(super().resolve(intent, code))


@breaks("C2")
class TakesAbsenceForProofInRecovery(KeyedProvider):
    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        return prove_by_absence(super().resolve(intent, code))


@breaks("C3")
class TakesAbsenceForProofAfterAFault(KeyedProvider):
    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        return prove_by_absence(super().resolve(intent, code))


@breaks("C2")
class SendsAgainToFindOut(JtlProvider):
    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        if intent.verb == Operation.TOP_UP and intent.voucher_id and intent.money and intent.reference:
            self.top_up(intent.voucher_id, intent.money, reference=intent.reference)
            return Outcome(effect=Effect.SUCCEEDED, reason="now it is surely there")
        return super().resolve(intent, code)


@breaks("C3")
class CallsTheUnknownDeclined(TicketingProvider):
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        try:
            return super().issue(new, reference=reference, order=order)
        except OutcomeUnknown as error:
            raise Rejected(error.message, account=self.account, operation="issue") from None


@breaks("S22")
class KeepsLostReservationsInMind(JtlProvider):
    def reserve(self, code: str | Code, *args: Any, **named: Any) -> Reservation:
        lost: set[Code] = self.__dict__.setdefault("_lost", set())
        if Code.of(code) in lost:
            raise VoucherHeld("an earlier reservation of this voucher may stand", account=self.account)
        try:
            return super().reserve(code, *args, **named)
        except OutcomeUnknown:
            lost.add(Code.of(code))
            raise


@breaks("C4")
class SendsBehindTheJournalsBack(JtlProvider):
    def capture(self, *args: Any, **named: Any) -> Redemption:
        with use_before_send_hook(Deaf()):
            return super().capture(*args, **named)

    def reserve(self, *args: Any, **named: Any) -> Any:
        with use_before_send_hook(Deaf()):
            return super().reserve(*args, **named)


@attrs.frozen(kw_only=True)
class TopUpWithReceipt(TopUp):
    receipt: object = None


@breaks("C5")
class ReturnsWhatCannotBeKept(JtlProvider):
    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        done = super().top_up(id, money, reference=reference, order=order)
        return TopUpWithReceipt(**attrs.asdict(done, recurse=False), receipt=object())


@breaks("C5")
class TellsTheTaxAsANumber(JtlProvider):
    def reserve(self, *args: Any, **named: Any) -> Reservation:
        return attrs.evolve(super().reserve(*args, **named), tax_rate=19)  # type: ignore[arg-type]  # that is wrong here


@breaks("C6")
class OverwritesWithoutALock(TicketingProvider):
    declared = claiming(TicketingProvider.declared, {Operation.REDEEM: native(repeat=RepeatSafety.NONE)})

    def redeem(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Redemption:
        before = self.read_value(code)
        intent = self.intent(
            Operation.REDEEM, reference=reference, order=order, voucher_id=before.voucher_id, money=money
        )
        self.write_value(before, before.value - money, intent=intent)
        return Redemption(account=self.account, id=reference, voucher_id=before.voucher_id, money=money)


@breaks("C7")
class BelongsToOneProcess(TicketingProvider):
    def __init__(self, account: str, settings: Any) -> None:
        super().__init__(account, settings)
        self._process = os.getpid()

    def read_value(self, code: str | Code | None = None, *, id: str | None = None) -> Any:
        if os.getpid() != self._process:
            raise ConfigurationError("another process has the connection")
        return super().read_value(code, id=id)


@breaks("C9")
class RenewsByForkHooksOnly(TicketingProvider):
    def __init__(self, account: str, settings: Any) -> None:
        super().__init__(account, settings)
        self.take_process()
        os.register_at_fork(after_in_child=self.take_process)

    def take_process(self) -> None:
        self._process = os.getpid()

    def read_value(self, code: str | Code | None = None, *, id: str | None = None) -> Any:
        if os.getpid() != self._process:
            raise ConfigurationError("another process has the connection")
        return super().read_value(code, id=id)


@breaks("V8")
class CallsTheUnseenNotExecuted(TicketingProvider):
    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        found = super().resolve(intent, code)
        unseen = intent.verb == Operation.UPDATE and found.effect is Effect.UNKNOWN
        return Outcome(effect=Effect.NOT_EXECUTED, reason="it is not there") if unseen else found


@breaks("C8")
class HidesTheHistory(JtlProvider):
    def history(self, id: str) -> History:
        return attrs.evolve(super().history(id), movements=())
