"""A made-up vendor with idempotency keys, its simulator and its provider, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

import attrs

from voucher_gateway.provider_api import (
    BearerKey,
    Capabilities,
    Code,
    CodeRules,
    Effect,
    Expiry,
    HttpClient,
    HttpProvider,
    HttpSettings,
    InsufficientValue,
    IntegrityMismatch,
    Intent,
    KeyRules,
    KeyScope,
    ListingRules,
    Money,
    Operation,
    Outcome,
    Path,
    Pin,
    Redemption,
    RepeatSafety,
    Request,
    Response,
    SecretSource,
    Status,
    Voucher,
    VoucherGatewayError,
    native,
    positive,
    secret_source,
)
from voucher_gateway.simulator import Reply, Route, Simulator, SimulatorOptions, fault
from voucher_gateway.simulator import Request as Asked

LIFETIME = timedelta(days=1)
CODE = "KEYED-0042"


class KeyedSimulator(Simulator):
    """One card of 100.00 EUR. A key is remembered for a day of the virtual clock, with its answer.

    Attributes:
        lag: how many look-ups do not show any redemption yet.
        cents: what is left on the card.
        taken: the reference and cents of each redemption.
        tokens: the tokens that are accepted; keys are remembered per token where `per_token`.
        per_token: whether a key is forgotten when the token changes.
    """

    name: ClassVar[str] = "keyed"
    faults_without_meaning: ClassVar[frozenset[str]] = frozenset({"expire-token", "replace-reservation"})
    own_faults = (
        fault("forgetful-error", 500, b"<html>", commits=True, then=lambda vendor, _: vendor.forget_keys()),
        fault("forgetful-error-before", 500, b"<html>", then=lambda vendor, _: vendor.forget_keys()),
    )

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self.lag = 0
        self.cents = 10_000
        self.taken: list[tuple[str, int]] = []
        self.per_token = False
        self.keeps_refusals = False
        self._keys: dict[tuple[str, str], tuple[Any, Any, Reply]] = {}

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/card", lambda _: Reply(200, {"id": "c1", "code": CODE, "cents": self.cents}), look_up=True),
            Route("GET", "/redemptions", self._listed, look_up=True),
            Route("POST", "/redemptions", self._redeem),
        ]

    def forget_keys(self) -> None:
        """Forget all keys, as some vendors do with a key whose request ended with an error."""
        self._keys.clear()

    def _listed(self, _: Asked) -> Reply:
        if self.lag:
            self.lag -= 1
            return Reply(200, {"redemptions": []})
        return Reply(200, {"redemptions": [{"reference": name, "cents": cents} for name, cents in self.taken]})

    def _redeem(self, request: Asked) -> Reply:
        body: Any = request.json()
        scope = request.headers.get("Authorization", "") if self.per_token else ""
        name = (scope, request.headers.get("X-Idempotency-Key", ""))
        known = self._keys.get(name)
        if known is not None and self.clock.now() < known[0] + LIFETIME:
            return known[2] if known[1] == body else self.error_reply(422, "key_reused")
        if body["cents"] > self.cents:
            reply = self.error_reply(422, "too_little")
            if self.keeps_refusals:
                self._keys[name] = (self.clock.now(), body, reply)
            return reply
        self.cents -= body["cents"]
        self.taken.append((body["reference"], body["cents"]))
        reply = Reply(201, {"id": f"r{len(self.taken)}", "card": "c1", "cents": body["cents"], "left": self.cents})
        self._keys[name] = (self.clock.now(), body, reply)
        return reply

    def error_reply(self, status: int, message: str) -> Reply:
        return Reply(status, {"error": message})

    def announcement(self, base: str) -> dict[str, str]:
        return {"base_url": base}

    def seed(self, count: int) -> None:
        """The one card is always there."""

    def insert_voucher(self) -> None:
        """The one card is always there."""

    def ledger(self) -> list[dict[str, object]]:
        return []

    def dump(self) -> dict[str, object]:
        return {}

    def load(self, state: dict[str, object]) -> None:
        """There is nothing to take back."""

    def distort(self, reply: Reply) -> Reply:
        return reply


@attrs.frozen(kw_only=True)
class KeyedSettings(HttpSettings):
    token: SecretSource = attrs.field(converter=secret_source)


def _explain(reply: Response) -> VoucherGatewayError | None:
    body = reply.json()
    is_known = isinstance(body, dict) and body.get("error") == "too_little"
    return InsufficientValue("less is left on the card", vendor_code="too_little") if is_known else None


class KeyedProvider(HttpProvider):
    """The provider, as its author would write it from the guide."""

    name = "keyed"
    title = "Keyed cards"
    interface_version = 1
    settings_type = KeyedSettings
    settings: KeyedSettings
    declared = Capabilities(
        operations={
            Operation.FIND: native(),
            Operation.GET: native(),
            Operation.BALANCE: native(),
            Operation.REDEEM: native(repeat=RepeatSafety.VENDOR_KEY),
        },
        codes=CodeRules(choosable=False, readable=True),
        expiry=Expiry.NONE,
        listing=ListingRules(page_size=10),
        keys=KeyRules(lifetime=LIFETIME),
        resolvable=frozenset({Operation.REDEEM}),
    )

    def __init__(self, account: str, settings: KeyedSettings) -> None:
        http = HttpClient(account, settings, explain=_explain, keys=self.declared.keys)
        http.auth = BearerKey(settings.token)
        super().__init__(account, settings, http)

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        return self.get("c1")

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        def read(reply: Response) -> Voucher:
            raw: Any = reply.json()
            left = Money(f"{raw['cents'] / 100:.2f}", "EUR")
            return Voucher(
                account=self.account, id=raw["id"], code=Code(raw["code"]), remaining=left, status=Status.ACTIVE
            )

        return self.calls.send_read("get", Request(method="GET", path=Path.of("/card")), read)

    def redeem(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Redemption:
        intent = self.intent(Operation.REDEEM, reference=reference, order=order, voucher_id="c1", money=positive(money))
        return self.send(intent, self.make_key(intent))

    def send(self, intent: Intent, key: str) -> Redemption:
        """Send a redemption under a key."""
        assert intent.money is not None
        cents = int(intent.money.amount * 100)
        request = Request(
            method="POST",
            path=Path.of("/redemptions"),
            headers={"X-Idempotency-Key": key},
            json={"reference": intent.reference, "cents": cents},
        )

        def read(reply: Response) -> Redemption:
            raw: Any = reply.json()
            if raw["cents"] != cents:
                raise IntegrityMismatch("another amount was taken than was asked for")
            return self.redemption(intent, raw["id"])

        return self.http.change(request, intent, read, key=key)

    def redemption(self, intent: Intent, id: str) -> Redemption:
        """Return the result of a redemption."""
        assert intent.money is not None
        return Redemption(account=self.account, id=id, voucher_id="c1", money=intent.money, reference=intent.reference)

    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        """Look for the reference. That it is missing proves nothing."""

        def read(reply: Response) -> list[str]:
            raw: Any = json.loads(reply.body)
            return [entry["reference"] for entry in raw["redemptions"]]

        names = self.calls.send_read("resolve", Request(method="GET", path=Path.of("/redemptions")), read)
        if intent.reference in names:
            found = self.redemption(intent, f"r{names.index(intent.reference) + 1}")
            return Outcome(effect=Effect.SUCCEEDED, result=found, reason="the vendor shows it")
        return Outcome(effect=Effect.UNKNOWN, reason="the vendor does not show it", repeatable=True)


class TokenKeyedProvider(KeyedProvider):
    """The same for a vendor that forgets its keys when the token changes."""

    declared = attrs.evolve(KeyedProvider.declared, keys=KeyRules(lifetime=LIFETIME, scope=KeyScope.TOKEN))


class KeepingProvider(KeyedProvider):
    """The same for a vendor that keeps refusals under the key."""

    declared = attrs.evolve(KeyedProvider.declared, keys=KeyRules(lifetime=LIFETIME, kept_refusals=frozenset({422})))


class ForgettingProvider(KeyedProvider):
    """The same for a vendor that forgets a key with an error 500."""

    declared = attrs.evolve(KeyedProvider.declared, keys=KeyRules(lifetime=LIFETIME, forgotten_after=frozenset({500})))
