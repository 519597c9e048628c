"""The simulated pretix: one organizer, and another one whose cards it accepts."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

import attrs
from attrs import frozen

from voucher_gateway.simulator import (
    InvalidJson,
    Refused,
    Reply,
    Request,
    Route,
    Simulator,
    SimulatorOptions,
    VoucherStore,
    from_records,
    random_text,
    to_records,
)
from voucher_gateway_pretix.simulator.ledger import (
    StoredCard,
    StoredTransaction,
    make_ledger_voucher,
    show_card,
    show_transaction,
)
from voucher_gateway_pretix.simulator.seeding import CODE_ALPHABET, make_cards

PAGE_SIZE: Final = 50
ORGANIZER: Final = "bigevents"
ISSUER: Final = "sister"

_PREFIX: Final = "/api/v1/organizers/{organizer}/giftcards"
_TRUTH: Final = {"true": True, "false": False}
_CODE: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]+")
_CURRENCIES: Final = frozenset({"CHF", "EUR", "GBP", "JPY", "KWD", "USD"})

Handler = Callable[[Request], Reply]


@frozen(kw_only=True)
class PretixOptions(SimulatorOptions):
    """The options of all simulators."""


class PretixSimulator(Simulator):
    """The gift-card API of pretix 2026.8. Tokens do not expire and nothing is reserved."""

    name: ClassVar[str] = "pretix"
    options_type: ClassVar[type[SimulatorOptions]] = PretixOptions
    faults_without_meaning: ClassVar[frozenset[str]] = frozenset({"expire-token", "replace-reservation"})

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self._token = secrets.token_hex(32)
        self._cards: VoucherStore[StoredCard] = VoucherStore()

    def routes(self) -> Sequence[Route]:
        """Return the calls of gift cards. All paths end with a slash; others are not found."""
        guard = self._with_token
        return [
            Route("GET", f"{_PREFIX}/", guard(self._list), look_up=True),
            Route("POST", f"{_PREFIX}/", guard(self._create)),
            Route("GET", f"{_PREFIX}/{{id}}/", guard(self._get)),
            Route("PATCH", f"{_PREFIX}/{{id}}/", guard(self._patch)),
            Route("POST", f"{_PREFIX}/{{id}}/transact/", guard(self._transact)),
            Route("GET", f"{_PREFIX}/{{id}}/transactions/", guard(self._transactions), look_up=True),
        ]

    def error_reply(self, status: int, message: str) -> Reply:
        """Return the vendor's general error."""
        return Reply(status, {"detail": message})

    def not_found(self, request: Request) -> Reply:  # noqa: ARG002 - all unknown paths have the same page
        """Return the page that the program has for a path that it does not know: HTML, not JSON."""
        return Reply(404, b"<html><h1>Not found</h1></html>", (("Content-Type", "text/html; charset=utf-8"),))

    def announcement(self, base: str) -> dict[str, str]:
        """Return the address with its version, the organizer and the token of a team."""
        return {"base_url": f"{base}/api/v1", "organizer": ORGANIZER, "token": self._token}

    def seed(self, count: int) -> None:
        """Add that many varied cards. Their codes are new."""
        for card in make_cards(self.random, self.clock.now(), count, len(self._cards), ORGANIZER):
            taken = self._cards.with_code(card.code)
            self._cards.put(attrs.evolve(card, code=self._free_code()) if taken else card)

    def insert_voucher(self) -> None:
        """Add a card of 25.00 EUR that is issued now."""
        self._issue(code=self._free_code(), cents=2500, currency="EUR")

    def ledger(self) -> list[dict[str, object]]:
        """Return every card with its true value."""
        now = self.clock.now()
        return [make_ledger_voucher(card, now) for card in self._cards]

    def dump(self) -> dict[str, object]:
        """Return the cards and the token."""
        return {"token": self._token, "cards": to_records(list(self._cards))}

    def load(self, state: dict[str, object]) -> None:
        """Restore cards and token."""
        self._token = str(state["token"])
        self._cards = VoucherStore(from_records(list[StoredCard], state["cards"]))

    def distort(self, reply: Reply) -> Reply:
        """Return the reply with a value that is one hundredth higher."""
        if not isinstance(reply.body, dict) or not isinstance(reply.body.get("value"), str):
            return reply
        return attrs.evolve(reply, body={**reply.body, "value": str(Decimal(reply.body["value"]) + Decimal("0.01"))})

    # --- reading ---

    def _list(self, request: Request) -> Reply:
        query = request.query
        cards = [card for card in self._cards if self._belongs(card, request)]
        if query.get("secret"):
            cards = [card for card in cards if card.code.lower() == query["secret"].lower()]
        if (testmode := _TRUTH.get(query.get("testmode", ""))) is not None:
            cards = [card for card in cards if card.testmode is testmode]
        if (expired := _TRUTH.get(query.get("expired", ""))) is not None:
            now = self.clock.now()
            cards = [card for card in cards if card.is_expired(now) is expired]
        cards.sort(key=lambda card: card.issuance)
        return self._page(request, [show_card(card) for card in cards])

    def _get(self, request: Request) -> Reply:
        return Reply(200, show_card(self._card(request)))

    def _transactions(self, request: Request) -> Reply:
        transactions = sorted(self._card(request).transactions, key=lambda transaction: transaction.at)
        return self._page(request, [show_transaction(transaction) for transaction in transactions])

    def _page(self, request: Request, entries: list[dict[str, Any]]) -> Reply:
        query = request.query
        size = query.get("page_size", "")
        step = min(int(size), PAGE_SIZE) if size.isdecimal() and int(size) else PAGE_SIZE
        text = query.get("page", "1")
        last = max(-(-len(entries) // step), 1)
        number = int(text) if text.isdecimal() else 0
        if not 1 <= number <= last:
            raise Refused(self.error_reply(404, "Invalid page."))

        def address(page: int) -> str | None:
            if not 1 <= page <= last:
                return None
            fields = {**query.to_dict(), "page": str(page)}
            return f"http://{request.headers.get('Host', '')}{request.raw_path}?{urlencode(fields)}"

        results = entries[(number - 1) * step : number * step]
        return Reply(
            200,
            {"count": len(entries), "next": address(number + 1), "previous": address(number - 1), "results": results},
        )

    # --- changing ---

    def _create(self, request: Request) -> Reply:
        fields = self._fields(request)
        problems: dict[str, list[str]] = {}
        code, currency = fields.get("secret"), fields.get("currency")
        if not isinstance(code, str) or not _CODE.fullmatch(code) or len(code) > 190:
            problems["secret"] = ["This is not a code."]
        elif self._cards.with_code(code):
            problems["secret"] = ["This code is taken."]
        cents = _read_cents(fields.get("value"))
        if cents is None or cents < 0:
            problems["value"] = ["This is not an amount."]
        if currency not in _CURRENCIES:
            problems["currency"] = ["This is not a currency."]
        expires = self._read_expiry(fields, problems)
        if problems:
            return Reply(400, problems)
        assert isinstance(code, str)
        assert isinstance(currency, str)
        assert cents is not None
        card = self._issue(
            code=code,
            cents=cents,
            currency=currency,
            expires=expires,
            testmode=fields.get("testmode") is True,
            conditions=fields.get("conditions"),
        )
        return Reply(201, show_card(card))

    def _patch(self, request: Request) -> Reply:
        card, fields = self._card(request), self._fields(request)
        problems: dict[str, list[str]] = {}
        changes: dict[str, Any] = {}
        if "expires" in fields:
            changes["expires"] = self._read_expiry(fields, problems)
        if "conditions" in fields:
            changes["conditions"] = fields["conditions"]
        if problems:
            return Reply(400, problems)
        card = attrs.evolve(card, **changes)
        self._cards.put(card)
        return Reply(200, show_card(card))

    def _transact(self, request: Request) -> Reply:
        card, fields = self._card(request), self._fields(request)
        cents = _read_cents(fields.get("value"))
        if cents is None:
            return Reply(400, ["A valid number is required."])
        if card.cents + cents < 0:
            return Reply(409, {"value": ["The gift card does not have sufficient credit for this operation."]})
        transaction = StoredTransaction(
            id=self._next_transaction_id(),
            at=self.clock.now(),
            cents=cents,
            text=fields.get("text", ""),
            info=fields.get("info", {}),
            acceptor=request.parts["organizer"],
        )
        card = attrs.evolve(card, transactions=(*card.transactions, transaction))
        self._cards.put(card)
        return Reply(200, show_card(card))

    # --- parts ---

    def _with_token(self, handler: Handler) -> Handler:
        def check_token(request: Request) -> Reply:
            header = request.headers.get("Authorization", "")
            if not header:
                return self.error_reply(401, "Authentication credentials were not provided.")
            if not secrets.compare_digest(header.encode(), f"Token {self._token}".encode()):
                return self.error_reply(401, "Invalid token.")
            if request.parts["organizer"] != ORGANIZER:
                return self.error_reply(403, "You do not have permission to perform this action.")
            return handler(request)

        return check_token

    def _belongs(self, card: StoredCard, request: Request) -> bool:
        return card.issuer == ORGANIZER or request.query.get("include_accepted") == "true"

    def _card(self, request: Request) -> StoredCard:
        card = self._cards.get(request.parts["id"])
        if card is None or not self._belongs(card, request):
            raise Refused(self.error_reply(404, "No GiftCard matches the given query."))
        return card

    def _fields(self, request: Request) -> Mapping[str, Any]:
        try:
            fields = request.json()
        except InvalidJson:
            raise Refused(self.error_reply(400, "JSON parse error")) from None
        if not isinstance(fields, dict):
            raise Refused(Reply(400, {"non_field_errors": ["Invalid data. Expected a dictionary."]}))
        return fields

    def _read_expiry(self, fields: Mapping[str, Any], problems: dict[str, list[str]]) -> datetime | None:
        text = fields.get("expires")
        if text is None:
            return None
        try:
            return datetime.fromisoformat(text).astimezone()
        except (TypeError, ValueError):
            problems["expires"] = ["Datetime has wrong format."]
            return None

    def _issue(
        self,
        *,
        code: str,
        cents: int,
        currency: str,
        expires: datetime | None = None,
        testmode: bool = False,
        conditions: str | None = None,
    ) -> StoredCard:
        now = self.clock.now()
        card = StoredCard(
            id=str(len(self._cards) + 1),
            code=code,
            issuer=ORGANIZER,
            currency=currency,
            testmode=testmode,
            issuance=now,
            expires=expires,
            conditions=conditions,
            transactions=(StoredTransaction(id=self._next_transaction_id(), at=now, cents=cents, acceptor=ORGANIZER),),
        )
        self._cards.put(card)
        return card

    def _next_transaction_id(self) -> int:
        return 1 + max((transaction.id for card in self._cards for transaction in card.transactions), default=0)

    def _free_code(self) -> str:
        code = random_text(self.random, 16, CODE_ALPHABET)
        while self._cards.with_code(code):
            code = random_text(self.random, 16, CODE_ALPHABET)
        return code


def _read_cents(value: object) -> int | None:
    """Return an amount in hundredths; None if the vendor would refuse it."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    if not number.is_finite() or number.copy_abs() >= Decimal(10) ** 11 or number * 100 != int(number * 100):
        return None
    return int(number * 100)
