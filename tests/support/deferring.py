"""A made-up vendor that accepts payments and decides about them later, with its provider, over real HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from operator import attrgetter
from typing import Any, ClassVar, Final, TypeVar

import attrs

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
    Intent,
    Listing,
    ListingRules,
    Money,
    Movement,
    MovementKind,
    MovementState,
    Operation,
    Outcome,
    Page,
    Path,
    Pin,
    Redemption,
    Refund,
    RefundLink,
    RepeatSafety,
    Request,
    Reservation,
    ReservationRules,
    Response,
    SecretSource,
    Status,
    Voucher,
    VoucherQuery,
    native,
    parse_instant,
    positive,
    secret_source,
)
from voucher_gateway.simulator import Activity, ActivityLedger, Reply, Route, Simulator, SimulatorOptions
from voucher_gateway.simulator import Request as Asked

CODE: Final = "DEFER-0042"
SIGNS: Final = {"redeem": -1, "refund": 1, "reserve": 0}
R = TypeVar("R", Redemption, Refund, Reservation)


class DeferringSimulator(Simulator):
    """One card of 100.00 EUR. A payment is answered with its state: pending while `defers` is set.

    Attributes:
        defers: whether the vendor decides about new payments later.
        hides: how many look-ups do not show any payment.
        takes_what_is_left: whether a redemption of more than is left takes what is left.
        shown_cents: what the card shows as left; None for the truth.
        activities: the payments.
    """

    name: ClassVar[str] = "deferring"
    faults_without_meaning: ClassVar[frozenset[str]] = frozenset({"expire-token", "replace-reservation"})

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self.defers = True
        self.hides = 0
        self.takes_what_is_left = False
        self.shown_cents: int | None = None
        self.activities = ActivityLedger()

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/card", self._card, look_up=True),
            Route("GET", "/payments", self._list, look_up=True),
            Route("GET", "/payments/{id}", self._get, look_up=True),
            Route("POST", "/payments", self._pay),
        ]

    @property
    def cents(self) -> int:
        """What is left on the card."""
        return 10_000 + self.activities.balance("c1")

    def _card(self, _: Asked) -> Reply:
        return Reply(
            200, {"id": "c1", "code": CODE, "cents": self.cents if self.shown_cents is None else self.shown_cents}
        )

    def _list(self, _: Asked) -> Reply:
        if self.hides:
            self.hides -= 1
            return Reply(200, {"payments": []})
        return Reply(200, {"payments": [_payment(activity) for activity in self.activities]})

    def _get(self, request: Asked) -> Reply:
        activity = self.activities.get(request.parts["id"])
        if activity is None or self.hides:
            self.hides = max(0, self.hides - 1)
            return Reply(200, {"payments": []})
        return Reply(200, {"payments": [_payment(activity)]})

    def _pay(self, request: Asked) -> Reply:
        body: Any = request.json()
        cents = body["cents"]
        if self.takes_what_is_left and body["kind"] == "redeem":
            cents = min(cents, self.cents)
        activity = self.activities.add(
            Activity(
                id=f"p{len(self.activities) + 1}",
                voucher_id="c1",
                kind=body["kind"],
                amount=SIGNS[body["kind"]] * cents,
                at=self.clock.now(),
                state="pending" if self.defers else "completed",
                reference=body["reference"],
                linked_id=body.get("of"),
                details={"cents": cents},
            )
        )
        return Reply(202 if self.defers else 201, _payment(activity))

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


def _payment(activity: Activity) -> dict[str, object]:
    return {
        "id": activity.id,
        "kind": activity.kind,
        "cents": activity.details["cents"],
        "state": activity.state,
        "reference": activity.reference,
        "of": activity.linked_id,
        "at": activity.at.isoformat(),
    }


@attrs.frozen(kw_only=True)
class DeferringSettings(HttpSettings):
    token: SecretSource = attrs.field(converter=secret_source)


KINDS: Final = {"redeem": MovementKind.REDEMPTION, "refund": MovementKind.REFUND, "reserve": MovementKind.BLOCK}


def _explain(_: Response) -> None:
    """The vendor refuses nothing."""


class DeferringProvider(HttpProvider):
    """The provider, as its author would write it from the guide."""

    name = "deferring"
    title = "Deferring cards"
    interface_version = 1
    settings_type = DeferringSettings
    settings: DeferringSettings
    declared = Capabilities(
        operations={
            Operation.FIND: native(),
            Operation.GET: native(),
            Operation.BALANCE: native(),
            Operation.VOUCHERS: native(),
            Operation.HISTORY: native(),
            Operation.REDEEM: native(repeat=RepeatSafety.LOOK_UP),
            Operation.REFUND: native(partial=True, repeat=RepeatSafety.LOOK_UP),
            Operation.RESERVE: native(repeat=RepeatSafety.LOOK_UP),
        },
        codes=CodeRules(choosable=False, readable=True),
        expiry=Expiry.NONE,
        listing=ListingRules(page_size=10),
        refund_link=RefundLink.LINKED,
        resolvable=frozenset({Operation.REDEEM, Operation.REFUND, Operation.RESERVE}),
        reservations=ReservationRules(
            at_once=None,
            superseded_by_next=False,
            time_to_live=timedelta(minutes=30),
            partial_capture=False,
            release=False,
        ),
    )

    def __init__(self, account: str, settings: DeferringSettings) -> None:
        http = HttpClient(account, settings, explain=_explain)
        http.auth = BearerKey(settings.token)
        super().__init__(account, settings, http)

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        return self.get("c1")

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        def read(reply: Response) -> Voucher:
            raw: Any = reply.json()
            left = Money.from_minor(raw["cents"], "EUR")
            return Voucher(
                account=self.account, id=raw["id"], code=Code(raw["code"]), remaining=left, status=Status.ACTIVE
            )

        return self.calls.send_read("get", Request(method="GET", path=Path.of("/card")), read)

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        def fetch(_: int) -> Page[Voucher]:
            return Page(items=[self.get("c1")], total=1, size=10)

        return Listing(fetch, key=attrgetter("id"), workers=1)

    def history(self, id: str) -> History:
        movements = tuple(
            Movement(
                account=self.account,
                id=raw["id"],
                voucher_id="c1",
                kind=KINDS[raw["kind"]],
                money=Money.from_minor(raw["cents"], "EUR"),
                state=MovementState(raw["state"]),
                reference=raw["reference"],
                created_at=parse_instant(raw["at"]),
            )
            for raw in self._payments(Path.of("/payments"))
        )
        return History(voucher_id=id, movements=movements, complete=True)

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
        return self._pay(intent, Redemption)

    def reserve(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Reservation:
        intent = self.intent(
            Operation.RESERVE, reference=reference, order=order, voucher_id="c1", money=positive(money)
        )
        return self._pay(intent, Reservation)

    def refund(
        self, redemption: Redemption, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Refund:
        intent = self.intent(
            Operation.REFUND,
            reference=reference,
            order=order,
            voucher_id="c1",
            subject=redemption.id,
            money=redemption.money if money is None else money,
        )
        return self._pay(intent, Refund)

    def _pay(self, intent: Intent, kind: type[R]) -> R:
        assert intent.money is not None
        body = {
            "kind": intent.verb,
            "cents": intent.money.minor,
            "reference": intent.reference,
            **({} if intent.subject is None else {"of": intent.subject}),
        }

        def read(reply: Response) -> R:
            raw: Any = reply.json()
            if raw["state"] == "pending":
                raise intent.pending("the vendor answered PENDING", notes={"payment_id": raw["id"]})
            return self._result(intent, kind, raw)

        return self.http.change(Request(method="POST", path=Path.of("/payments"), json=body), intent, read)

    def _result(self, intent: Intent, kind: type[R], raw: Any) -> R:
        return kind(
            account=self.account,
            id=raw["id"],
            voucher_id="c1",
            money=Money.from_minor(raw["cents"], "EUR"),
            reference=intent.reference,
        )

    def _payments(self, path: Path) -> list[Any]:
        def read(reply: Response) -> list[Any]:
            raw: Any = reply.json()
            return list(raw["payments"])

        return self.calls.send_read("resolve", Request(method="GET", path=path), read)

    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        """Look the payment up: by the vendor's id, where its acceptance gave one, or by our reference."""
        id = intent.notes.get("payment_id")
        path = Path.of("/payments") if id is None else Path.of("/payments/{id}", id=id)
        matches = [raw for raw in self._payments(path) if raw["reference"] == intent.reference]
        if not matches:
            return Outcome(effect=Effect.NOT_EXECUTED, reason="the vendor does not show it")
        raw = matches[0]
        if raw["state"] == "pending":
            return Outcome(effect=Effect.PENDING, reason="the vendor shows it as PENDING")
        if raw["state"] == "cancelled":
            return Outcome(effect=Effect.DECLINED, reason="the vendor has cancelled it")
        kinds: dict[str, Any] = {"redeem": Redemption, "refund": Refund, "reserve": Reservation}
        result = self._result(intent, kinds[intent.verb], raw)
        return Outcome(effect=Effect.SUCCEEDED, result=result, reason="the vendor shows it as COMPLETED")


class PartialProvider(DeferringProvider):
    """The same for a vendor that takes what is left where that is less than the amount."""

    name = "partial"
    declared = attrs.evolve(DeferringProvider.declared, partial_approval=True)
