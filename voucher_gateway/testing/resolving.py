"""Promises about finding out later what became of a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Final

from voucher_gateway.adapter import Effect, Intent, Operation, Outcome, VoucherGatewayError, VoucherProvider
from voucher_gateway.testing.calling import Announcements
from voucher_gateway.testing.campaign import Campaign, Strike
from voucher_gateway.testing.deeds import Deed, prepare
from voucher_gateway.testing.effects import EffectsContract
from voucher_gateway.testing.keeping import keeps, must
from voucher_gateway.testing.references import MONEY
from voucher_gateway.testing.scenes import Scenes
from voucher_gateway.testing.stage import Stage
from voucher_gateway.witness import witnessed

_LAPSES: Final = frozenset({Operation.RESERVE})
"""What moves nothing: it need not be found, only known to be over in the end."""


class _Stop(Exception):
    """Raised by a witness instead of sending."""


class _Keeping(Announcements):
    """A witness that keeps the intent and lets nothing be sent."""

    def sending(self, intent: Intent) -> None:
        super().sending(intent)
        raise _Stop


class ResolvingContract(EffectsContract):
    """Resolution of unknown outcomes."""

    @keeps("U1")
    def test_what_happened_is_found(self, campaign: Callable[[], Campaign]) -> None:
        for strike, outcome in _outcomes(campaign().strikes):
            declared = strike.operation in campaign().scenes.declared.resolves
            if strike.times_then != 1 or not declared or strike.operation in _LAPSES:
                continue
            must(
                outcome.effect is Effect.SUCCEEDED,
                f"{strike.where}: it happened, `resolves` names it, and `resolve` says {outcome.effect.value}:"
                f" {outcome.reason}",
            )

    @keeps("U2")
    def test_nothing_is_proved_that_is_not_so(self, campaign: Callable[[], Campaign]) -> None:
        for strike, outcome in _outcomes(campaign().strikes):
            if outcome.effect is Effect.SUCCEEDED:
                must(strike.times_then == 1, f"{strike.where}: `resolve` says that it happened, and it did not")
            elif outcome.effect is not Effect.UNKNOWN:
                must(
                    strike.times_then == 0,
                    f"{strike.where}: `resolve` says {outcome.effect.value}, and it happened: {outcome.reason}",
                )

    @keeps("U3")
    def test_a_look_up_that_lags_or_fails_proves_nothing(self, campaign: Callable[[], Campaign]) -> None:
        for strike, outcome in _outcomes(campaign().lagging):
            if outcome.effect in (Effect.NOT_EXECUTED, Effect.DECLINED):
                must(
                    strike.times_then == 0,
                    f"{strike.operation.value} happened, the look-up lagged behind, and `resolve` says"
                    f" {outcome.effect.value}: {outcome.reason}",
                )
        for one in campaign().blinded:
            seen = f"{one.verb} happened, its look-up met {one.met}, and `resolve`"
            if isinstance(one.said, Exception):
                known = isinstance(one.said, VoucherGatewayError)
                must(known, f"{seen} raised {type(one.said).__name__}, which is no error of voucher_gateway")
            else:
                honest = one.said.effect not in (Effect.NOT_EXECUTED, Effect.DECLINED)
                must(honest, f"{seen} says {one.said.effect.value}: {one.said.reason}")

    @keeps("U4")
    def test_a_call_that_was_never_sent_is_not_found(
        self, stage: Stage, provider_: VoucherProvider, scenes: Scenes
    ) -> None:
        for operation in sorted(provider_.declared.resolves):
            if not scenes.native(operation):
                continue
            witness, deed = _Keeping(stage), prepare(operation, scenes)
            # The witness stops it, and E4 is about how that is told.
            with witnessed(witness), suppress(Exception):
                deed.call(provider_, scenes.reference())
            must(witness.intents, f"{operation.value} announced nothing")
            _must_not_be_found(provider_, witness.intents[-1], deed, "was never sent")
            if operation in MONEY and deed.voucher_id is not None:
                before = scenes.books()
                deed.call(provider_, scenes.reference())
                (entered,) = scenes.books().new_movements(deed.voucher_id, before)
                if entered["reference"] is not None:  # by which the vendor tells the two apart
                    _must_not_be_found(provider_, witness.intents[-1], deed, "was sent under another reference only")

    @keeps("U5")
    def test_a_reservation_in_doubt_is_over_in_the_end(
        self, stage: Stage, provider_: VoucherProvider, scenes: Scenes
    ) -> None:
        rules = provider_.declared.reservations
        assert rules is not None
        assert rules.time_to_live is not None
        witness = Announcements(stage)
        with witness.watching():
            prepare(Operation.RESERVE, scenes).call(provider_, scenes.reference())
        first = provider_.resolve(witness.intents[-1])
        must(first.effect is not Effect.NOT_EXECUTED, "a reservation stands, and `resolve` says that there is none")
        stage.advance(rules.time_to_live.total_seconds() + 150)
        then = provider_.resolve(witness.intents[-1])
        must(then.effect is not Effect.UNKNOWN, f"long after its end, `resolve` says of a reservation: {then.reason}")

    @keeps("U6")
    def test_a_changed_reference_is_not_taken_for_absence(
        self, campaign: Callable[[], Campaign], stage: Stage, scenes: Scenes
    ) -> None:
        rules = scenes.declared.reservations
        life = rules.time_to_live if rules is not None else None
        for operation in MONEY:
            if not scenes.native(operation) or operation not in scenes.declared.resolves:
                continue
            at = campaign().rehearsals[operation].changing[-1]
            deed, witness = prepare(operation, scenes), Announcements(stage)
            provider = stage.provider()
            stage.strike("rewrite-reference", at)
            stage.strike("commit-then-drop", at)
            with witness.watching(), suppress(VoucherGatewayError):
                deed.call(provider, scenes.reference())
            stage.clear()
            must(deed.times() == 1, f"{operation.value} under a changed reference did not happen, although it was sent")
            stage.advance((life or timedelta(days=1)).total_seconds() + 150)
            outcome = provider.resolve(witness.intents[-1], deed.code)
            must(
                outcome.effect not in (Effect.NOT_EXECUTED, Effect.DECLINED),
                f"{operation.value} happened, the vendor keeps it under a changed reference, and `resolve` says"
                f" {outcome.effect.value}: {outcome.reason}",
            )


def _must_not_be_found(provider: VoucherProvider, intent: Intent, deed: Deed, what: str) -> None:
    outcome = provider.resolve(intent, deed.code)
    seen = f"{deed.operation.value} {what}, and `resolve` says {outcome.effect.value}: {outcome.reason}"
    must(outcome.effect is not Effect.SUCCEEDED, seen)


def _outcomes(strikes: list[Strike]) -> Iterator[tuple[Strike, Outcome]]:
    """Yield the strikes that left an outcome unknown, with what `resolve` made of it."""
    for strike in strikes:
        if strike.resolved is None:
            continue
        found = strike.resolved
        if isinstance(found, VoucherGatewayError):
            continue  # a read that failed; the gateway takes it for unknown
        must(not isinstance(found, Exception), f"{strike.where}: `resolve` raised {type(found).__name__}")
        assert isinstance(found, Outcome)
        yield strike, found
