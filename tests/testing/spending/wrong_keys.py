"""Providers of the made-up vendor with keys that send a request again, and say something untrue of it."""

from __future__ import annotations

from tests.testing.keyed.provider import KeyedProvider
from tests.testing.spending.registry import breaks
from voucher_gateway.provider_api import (
    Code,
    Effect,
    Intent,
    Outcome,
    OutcomeUnknown,
    Redemption,
    Rejected,
    Response,
    TopUp,
    VoucherGatewayError,
    VoucherNotFound,
)


@breaks("U3")
class TakesAbsenceForProofAfterARepeat(KeyedProvider):
    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        outcome = super().resolve(intent, code)
        if outcome.effect is Effect.UNKNOWN:
            return Outcome(effect=Effect.NOT_EXECUTED, reason="the vendor does not show it", repeatable=True)
        return outcome


@breaks("E6")
class IgnoresTheAmountOfTheReply(KeyedProvider):
    def move(self, intent: Intent, key: str) -> Redemption | TopUp:
        try:
            return super().move(intent, key)
        except OutcomeUnknown as error:
            if "another amount" not in error.message or intent.voucher_id is None:
                raise
            return self.result(intent, intent.voucher_id, "unread", None)


@breaks("E1")
class TakesAConflictForARefusal(KeyedProvider):
    """Its vendor documents a 409, and it takes every 409 for that one."""

    def move(self, intent: Intent, key: str) -> Redemption | TopUp:
        try:
            return super().move(intent, key)
        except OutcomeUnknown as error:
            if error.http_status != 409:
                raise
        raise Rejected("the vendor refuses it", account=self.account, operation=intent.verb)


@breaks("E11")
class TakesAnyPageFor404(KeyedProvider):
    """It knows the proxy's JSON, and takes every other 404 for its vendor's."""

    @staticmethod
    def explain(reply: Response) -> VoucherGatewayError | None:
        if reply.status == 404 and b"no route matched" not in reply.body:
            return VoucherNotFound("there is no such card")
        return KeyedProvider.explain(reply)
