"""A made-up vendor that issues a card in two requests: a card without value, and its activation with the value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import attrs

from voucher_gateway.provider_api import (
    BearerKey,
    Capabilities,
    Code,
    CodeRules,
    Declined,
    Effect,
    Expiry,
    HttpClient,
    HttpProvider,
    HttpSettings,
    Intent,
    KeyRules,
    ListingRules,
    Money,
    NewVoucher,
    Operation,
    Outcome,
    Path,
    Pin,
    Rejected,
    RepeatSafety,
    Request,
    Response,
    SecretSource,
    Status,
    Voucher,
    VoucherGatewayError,
    native,
    secret_source,
)
from voucher_gateway.simulator import IdempotencyKeys, Reply, Route, Simulator, SimulatorOptions
from voucher_gateway.simulator import Request as Asked

CREATE = "POST /cards"
ACTIVATE = "POST /cards/c1/activation"


class TwoStepSimulator(Simulator):
    """Cards, with the requests that made them.

    Attributes:
        cards: the cents of each card by its id; None before its activation.
        refuses: whether activations are refused.
        reads_fail: whether cards cannot be read.
    """

    name: ClassVar[str] = "two-steps"

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self.cards: dict[str, int | None] = {}
        self.refuses = False
        self.reads_fail = False
        self.keys = IdempotencyKeys(
            self.clock.now,
            running=lambda: self.error_reply(409, "running"),
            reused=lambda: self.error_reply(422, "key_reused"),
            keeps=lambda reply: reply.status < 400,
        )

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/cards/{id}", self._show, look_up=True),
            Route("POST", "/cards", lambda request: self._under_key(request, self._create)),
            Route("POST", "/cards/{id}/activation", lambda request: self._under_key(request, self._activate)),
        ]

    def _under_key(self, request: Asked, handler: Any) -> Reply:
        return self.keys.answer(request, handler, key=request.headers.get("X-Key"))

    def _show(self, request: Asked) -> Reply:
        if self.reads_fail:
            return self.error_reply(503, "later")
        return Reply(200, self._card(request.parts["id"]))

    def _create(self, _: Asked) -> Reply:
        self.cards[f"c{len(self.cards) + 1}"] = None
        return Reply(201, self._card(f"c{len(self.cards)}"))

    def _activate(self, request: Asked) -> Reply:
        body: Any = request.json()
        if self.refuses:
            return self.error_reply(422, "too_much")
        assert self.cards[request.parts["id"]] is None, "activated twice"
        self.cards[request.parts["id"]] = body["cents"]
        return Reply(201, self._card(request.parts["id"]))

    def _card(self, id: str) -> dict[str, Any]:
        return {"id": id, "code": f"CODE-{id}", "cents": self.cards[id]}

    @property
    def empty(self) -> list[str]:
        """The cards that were never activated."""
        return [id for id, cents in self.cards.items() if cents is None]

    def error_reply(self, status: int, message: str) -> Reply:
        return Reply(status, {"error": message})

    def announcement(self, base: str) -> dict[str, str]:
        return {"base_url": base}

    def seed(self, count: int) -> None:
        """There is no card at first."""

    def insert_voucher(self) -> None:
        """There is no card at first."""

    def ledger(self) -> list[dict[str, object]]:
        return []

    def dump(self) -> dict[str, object]:
        return {}

    def load(self, state: dict[str, object]) -> None:
        """There is nothing to take back."""

    def distort(self, reply: Reply) -> Reply:
        return reply


@attrs.frozen(kw_only=True)
class TwoStepSettings(HttpSettings):
    token: SecretSource = attrs.field(converter=secret_source)


def _explain(reply: Response) -> VoucherGatewayError | None:
    body = reply.json()
    if not isinstance(body, dict) or body.get("error") not in ("too_much", "key_reused"):
        return None
    return Rejected(f"the vendor says {body['error']}", vendor_code=body["error"])


class TwoStepProvider(HttpProvider):
    """The provider, as its author would write it from the guide."""

    name = "two-steps"
    title = "Two steps"
    interface_version = 1
    settings_type = TwoStepSettings
    settings: TwoStepSettings
    reads_between: ClassVar[bool] = False
    declared = Capabilities(
        operations={
            Operation.FIND: native(),
            Operation.GET: native(),
            Operation.ISSUE: native(repeat=RepeatSafety.VENDOR_KEY),
        },
        codes=CodeRules(choosable=False, readable=True),
        expiry=Expiry.NONE,
        listing=ListingRules(page_size=10),
        keys=KeyRules(),
        resolvable=frozenset({Operation.ISSUE}),
        requests_per_operation={Operation.ISSUE: 2},
    )

    def __init__(self, account: str, settings: TwoStepSettings) -> None:
        http = HttpClient(account, settings, explain=_explain, keys=self.declared.keys)
        http.auth = BearerKey(settings.token)
        super().__init__(account, settings, http)

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        return self.get(Code.of(code).reveal().removeprefix("CODE-"))

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        request = Request(method="GET", path=Path.of("/cards/{id}", id=id))
        return self.calls.send_read("get", request, self._read)

    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        new.refuse_all_but()
        create = self.intent(
            Operation.ISSUE, reference=reference, order=order, money=new.initial, part="create", leaves="an empty card"
        )
        card = self._send(create, Path.of("/cards"), {})
        if self.reads_between:
            self.get(card.id)
        activate = self.intent(
            Operation.ISSUE, reference=reference, order=order, money=new.initial, voucher_id=card.id, part="activate"
        )
        body = {"cents": new.initial.minor}
        return self._send(activate, Path.of("/cards/{id}/activation", id=card.id), body)

    def _send(self, intent: Intent, path: Path, body: dict[str, Any]) -> Voucher:
        key = self.make_key(intent) if self.declared.keys is not None else None
        headers = {} if key is None else {"X-Key": key}
        request = Request(method="POST", path=path, json=body, headers=headers)
        return self.http.change(request, intent, self._read, key=key)

    def _read(self, reply: Response) -> Voucher:
        raw: Any = reply.json()
        money = None if raw["cents"] is None else Money.from_minor(raw["cents"], "EUR")
        status = Status.PENDING if money is None else Status.ACTIVE
        code = Code(raw["code"])
        return Voucher(account=self.account, id=raw["id"], code=code, initial=money, remaining=money, status=status)

    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        """Look at the card: with its value it was activated. Without it, the activation may still arrive."""
        if intent.voucher_id is None:
            return Outcome(effect=Effect.UNKNOWN, reason="the card is not known")
        try:
            card = self.get(intent.voucher_id)
        except Declined as error:
            return Outcome(effect=Effect.UNKNOWN, reason=error.message)
        if card.initial == intent.money:
            return Outcome(effect=Effect.SUCCEEDED, result=card, reason="the card has its value")
        return Outcome(effect=Effect.UNKNOWN, reason="the card has no value yet")


class ReadsBetween(TwoStepProvider):
    """The same with a read between the two requests."""

    reads_between = True


class WithoutKeys(TwoStepProvider):
    """The same for a vendor without keys."""

    declared = attrs.evolve(
        TwoStepProvider.declared,
        keys=None,
        operations={**TwoStepProvider.declared.operations, Operation.ISSUE: native(repeat=RepeatSafety.LOOK_UP)},
    )
