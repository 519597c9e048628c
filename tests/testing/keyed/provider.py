"""The provider of the made-up vendor with keys, as its author would write it from the guide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from tests.testing.keyed.simulator import LIFETIME
from voucher_gateway.provider_api import (
    BearerKey,
    Capabilities,
    Code,
    CodeRules,
    Effect,
    Expiry,
    History,
    HttpClient,
    HttpProvider,
    HttpSettings,
    InsufficientValue,
    IntegrityMismatch,
    Intent,
    KeyRules,
    ListingRules,
    Money,
    Movement,
    MovementKind,
    Operation,
    Outcome,
    Path,
    Pin,
    Redemption,
    ReferenceConflict,
    RepeatSafety,
    Request,
    Response,
    SecretSource,
    Status,
    TopUp,
    Voucher,
    VoucherGatewayError,
    VoucherNotFound,
    native,
    parse_instant,
    positive,
    secret_source,
)

KEYED = native(repeat=RepeatSafety.VENDOR_KEY)
_KINDS = {"redemption": MovementKind.REDEMPTION, "top_up": MovementKind.TOP_UP}
_ERRORS: dict[str, type[VoucherGatewayError]] = {
    "too_little": InsufficientValue,
    "no_card": VoucherNotFound,
    "key_reused": ReferenceConflict,
}


@attrs.frozen(kw_only=True)
class KeyedSettings(HttpSettings):
    token: SecretSource = attrs.field(converter=secret_source)


def explain(reply: Response) -> VoucherGatewayError | None:
    body = reply.json()
    word = body.get("error") if isinstance(body, dict) else None
    kind = _ERRORS.get(word) if isinstance(word, str) else None
    return None if kind is None else kind("the vendor refuses it", vendor_code=word)


class KeyedProvider(HttpProvider):
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
            Operation.HISTORY: native(),
            Operation.REDEEM: KEYED,
            Operation.TOP_UP: KEYED,
        },
        codes=CodeRules(choosable=False, readable=True),
        expiry=Expiry.NONE,
        listing=ListingRules(page_size=10),
        keys=KeyRules(lifetime=LIFETIME),
        resolvable=frozenset({Operation.REDEEM, Operation.TOP_UP}),
    )

    def __init__(self, account: str, settings: KeyedSettings) -> None:
        http = HttpClient(account, settings, explain=self.explain, keys=self.declared.keys)
        http.auth = BearerKey(settings.token)
        super().__init__(account, settings, http)

    @staticmethod
    def explain(reply: Response) -> VoucherGatewayError | None:
        """Return the error for a refusal of the vendor; None for any other reply."""
        return explain(reply)

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        code = Code.of(code)

        def read(reply: Response) -> list[Voucher]:
            raw: Any = reply.json()
            return [self.voucher(card) for card in raw["cards"]]

        request = Request(method="GET", path=Path.of("/cards"), query=(("code", code),))
        cards = [card for card in self.calls.send_read("find", request, read) if card.code == code]
        if not cards:
            raise VoucherNotFound("there is no card with this code", account=self.account, operation="find")
        return cards[0]

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        return self.calls.send_read(
            "get", Request(method="GET", path=Path.of("/cards/{id}", id=id)), lambda reply: self.voucher(reply.json())
        )

    def voucher(self, raw: Any) -> Voucher:
        """Return the voucher of a reply."""
        return Voucher(
            account=self.account,
            id=raw["id"],
            code=Code(raw["code"]),
            initial=Money.from_minor(raw["initial"], "EUR"),
            remaining=Money.from_minor(raw["left"], "EUR"),
            status=Status.ACTIVE,
        )

    def history(self, id: str) -> History:
        def read(reply: Response) -> History:
            raw: Any = reply.json()
            return History(
                voucher_id=id,
                movements=tuple(self.movement(id, entry) for entry in raw["movements"]),
                complete=True,
            )

        return self.calls.send_read(
            "history", Request(method="GET", path=Path.of("/cards/{id}/movements", id=id)), read
        )

    def movement(self, id: str, raw: Any) -> Movement:
        """Return an entry of a history."""
        return Movement(
            account=self.account,
            id=raw["id"],
            voucher_id=id,
            kind=_KINDS[raw["kind"]],
            money=Money.from_minor(raw["cents"], "EUR"),
            reference=raw["reference"],
            created_at=parse_instant(raw["at"]),
        )

    def redeem(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Redemption:
        positive(money)
        code = Code.of(code)
        intent = self.intent(
            Operation.REDEEM, reference=reference, order=order, voucher_id=self.find(code).id, money=money
        )
        result = self.move(intent, self.key(intent), code)
        assert isinstance(result, Redemption)
        return result

    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        positive(money)
        intent = self.intent(Operation.TOP_UP, reference=reference, order=order, voucher_id=id, money=money)
        result = self.move(intent, self.key(intent))
        assert isinstance(result, TopUp)
        return result

    def key(self, intent: Intent) -> str:
        """Return the key of a request."""
        return self.make_key(intent)

    def move(self, intent: Intent, key: str, code: Code | None = None) -> Redemption | TopUp:
        """Send a movement under a key. The vendor refuses it if the card has another code."""
        assert intent.money is not None
        assert intent.voucher_id is not None
        cents = intent.money.minor
        request = Request(
            method="POST",
            path=Path.of("/cards/{id}/movements", id=intent.voucher_id),
            headers={"Idempotency-Key": key},
            json={
                "kind": str(intent.verb.replace("redeem", "redemption")),
                "reference": intent.reference,
                "cents": cents,
                **({} if code is None else {"code": code}),
            },
        )

        def read(reply: Response) -> Redemption | TopUp:
            raw: Any = reply.json()
            if raw["cents"] != cents:
                raise IntegrityMismatch("another amount moved than was asked for")
            return self.result(intent, raw["card"], raw["id"], Money.from_minor(raw["left"], "EUR"))

        result: Redemption | TopUp = self.change(request, intent, read, key)
        return result

    def change(self, request: Request, intent: Intent, read: Callable[[Response], Any], key: str) -> Any:
        """Send a request that changes something."""
        return self.http.change(request, intent, read, key=key)

    def result(self, intent: Intent, voucher_id: str, id: str, remaining: Money | None) -> Redemption | TopUp:
        """Return the result of a movement."""
        assert intent.money is not None
        kind = Redemption if intent.verb == Operation.REDEEM else TopUp
        return kind(
            account=self.account,
            id=id,
            voucher_id=voucher_id,
            money=intent.money,
            reference=intent.reference,
            order=intent.order,
            remaining=remaining,
        )

    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        """Look for the reference. That it is missing proves nothing."""
        assert intent.voucher_id is not None
        for entry in self.history(intent.voucher_id):
            if (
                entry.reference == intent.reference
                and entry.kind is _KINDS[intent.verb.replace("redeem", "redemption")]
            ):
                assert entry.id is not None
                result = self.result(intent, intent.voucher_id, entry.id, None)
                return Outcome(effect=Effect.SUCCEEDED, result=result, reason="the vendor shows it")
        return Outcome(effect=Effect.UNKNOWN, reason="the vendor does not show it")
