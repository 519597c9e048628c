"""Providers of the made-up vendor with keys that send a request again, and say something untrue of it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs

from tests.testing.keyed.provider import KeyedProvider, KeyedSettings
from tests.testing.spending.registry import breaks
from voucher_gateway.provider_api import (
    Code,
    Effect,
    InsufficientValue,
    Intent,
    KeyRules,
    Outcome,
    OutcomeUnknown,
    RateLimited,
    Redemption,
    Rejected,
    Request,
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
    def move(self, intent: Intent, key: str, code: Code | None = None) -> Redemption | TopUp:
        try:
            return super().move(intent, key, code)
        except OutcomeUnknown as error:
            if "another amount" not in error.message or intent.voucher_id is None:
                raise
            return self.result(intent, intent.voucher_id, "unread", None)


@breaks("E1")
class TakesAConflictForARefusal(KeyedProvider):
    """Its vendor documents a 409, and it takes every 409 for that one."""

    def move(self, intent: Intent, key: str, code: Code | None = None) -> Redemption | TopUp:
        try:
            return super().move(intent, key, code)
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


@breaks("E12")
class TakesATemporaryErrorForARefusal(KeyedProvider):
    @staticmethod
    def explain(reply: Response) -> VoucherGatewayError | None:
        explained = KeyedProvider.explain(reply)
        if explained is None and reply.status == 422:
            return InsufficientValue("the vendor refuses it")
        return explained


@breaks("E13")
class LetsAFailedReadDecide(KeyedProvider):
    def move(self, intent: Intent, key: str, code: Code | None = None) -> Redemption | TopUp:
        result = super().move(intent, key, code)
        assert intent.voucher_id is not None
        self.get(intent.voucher_id)
        return result


@breaks("E13")
class ShowsTheRemainderOfALaterRead(KeyedProvider):
    def move(self, intent: Intent, key: str, code: Code | None = None) -> Redemption | TopUp:
        result = super().move(intent, key, code)
        assert intent.voucher_id is not None
        try:
            remaining = self.get(intent.voucher_id).remaining
        except VoucherGatewayError:
            remaining = None
        return self.result(intent, intent.voucher_id, str(result.id), remaining)


@breaks("E13")
class MakesTheAmountOfTwoReads(KeyedProvider):
    def move(self, intent: Intent, key: str, code: Code | None = None) -> Redemption | TopUp:
        assert intent.voucher_id is not None
        before = self.get(intent.voucher_id).remaining
        result = super().move(intent, key, code)
        try:
            after = self.get(intent.voucher_id).remaining
        except VoucherGatewayError:
            return result
        assert before is not None
        assert after is not None
        moved = before - after if before > after else after - before
        return attrs.evolve(result, money=moved, remaining=None)


@breaks("K1")
class MakesTheKeyWithoutTheVerb(KeyedProvider):
    def key(self, intent: Intent) -> str:
        return hashlib.sha256((intent.reference or "").encode()).hexdigest()


@breaks("K2")
class CutsTheKey(KeyedProvider):
    def key(self, intent: Intent) -> str:
        return f"{intent.verb}-{intent.reference}"[:32]


@breaks("K3")
class MakesANewKeyAtEachAttempt(KeyedProvider):
    def key(self, intent: Intent) -> str:
        return secrets.token_hex(16)


@breaks("K3")
class MakesTheKeyOfTheInstance(KeyedProvider):
    def __init__(self, account: str, settings: KeyedSettings) -> None:
        super().__init__(account, settings)
        self.salt = secrets.token_hex(4)

    def key(self, intent: Intent) -> str:
        return f"{self.salt}{super().key(intent)}"[:64]


@breaks("K3")
class SendsNoKey(KeyedProvider):
    def change(self, request: Request, intent: Intent, read: Callable[[Response], Any], key: str) -> Any:
        return self.http.change(attrs.evolve(request, headers={}), intent, read)


@breaks("K4")
class AsksAgainByHand(KeyedProvider):
    """It believes whatever the vendor says to the second request."""

    def change(self, request: Request, intent: Intent, read: Callable[[Response], Any], key: str) -> Any:
        try:
            return self.http.change(request, intent, read)
        except OutcomeUnknown:
            return self.http.change(request, intent, read)


@breaks("K5")
class OverstatesTheLifeOfKeys(KeyedProvider):
    declared = attrs.evolve(KeyedProvider.declared, keys=KeyRules(lifetime=timedelta(days=7)))


@breaks("E12")
class TakesARateLimitForARefusal(KeyedProvider):
    def change(self, request: Request, intent: Intent, read: Callable[[Response], Any], key: str) -> Any:
        try:
            return self.http.change(request, intent, read, key=key)
        except RateLimited as error:
            message = error.message
        raise Rejected(message, account=self.account, operation=intent.verb)
