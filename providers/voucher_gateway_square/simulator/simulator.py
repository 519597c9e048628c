"""The simulated Square: its options, its calls, and what happens outside of its API."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final

import attrs
from attrs import field, frozen

from voucher_gateway.simulator import (
    AccessGuard,
    AccessTokens,
    IdempotencyKeys,
    Reply,
    Request,
    Route,
    Simulator,
    SimulatorOptions,
    decimals_of,
    fault,
    keeps_settled,
    minor_units,
)
from voucher_gateway_square.simulator.activities import TYPES, NewActivity, read_activity
from voucher_gateway_square.simulator.ledger import (
    MAIN_LOCATION,
    OTHER_LOCATIONS,
    CardLedger,
    StoredCard,
    is_code,
    looks_like_a_payment_card,
)
from voucher_gateway_square.simulator.lists import KINDS, LedgerViews
from voucher_gateway_square.simulator.responses import (
    error_body,
    error_for_status,
    error_reply,
    forbidden,
    is_success,
    key_is_busy,
    key_is_reused,
    money,
    refusal,
    show_activity,
    show_location,
    unauthorized,
)
from voucher_gateway_square.simulator.seed_data import add_card_with_history, add_cards
from voucher_gateway_square.simulator.till import Till
from voucher_gateway_square.simulator.validation import (
    MAX_KEY_LENGTH,
    read_body,
    read_object,
    read_text,
    require_choice,
    require_text,
)

READ: Final = "GIFTCARDS_READ"
WRITE: Final = "GIFTCARDS_WRITE"
PROFILE: Final = "MERCHANT_PROFILE_READ"

_VERSION: Final = re.compile(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]")

_DAY: Final = timedelta(days=1)

Handler = Callable[[Request], Reply]


def _require_currency(_owner: object, _attribute: object, currency: str) -> None:
    decimals_of(currency)


@frozen(kw_only=True)
class SquareOptions(SimulatorOptions):
    """The common options, those of the seller, and one for each point that the vendor's documents leave open.

    Attributes:
        seller_currency: the ISO 4217 code of the currency of the main location.
        payment_limit: the most minor units that one activity may move; None for no limit.
        buyer_daily_maximum: the most minor units that one payment instrument may put on cards in 24 hours; None for no
            limit. The real ones depend on the country.
        key_lifetime_s: how many virtual seconds a key is known; not documented.
        keeps_refusals: whether a refusal is repeated under its key; not documented.
        pending_lowers_balance: whether `balance_money` is lower while a redemption of a till is pending; not
            documented.
    """

    seller_currency: str = field(default="EUR", validator=_require_currency)
    payment_limit: int | None = None
    buyer_daily_maximum: int | None = None
    key_lifetime_s: float = 86400
    keeps_refusals: bool = True
    pending_lowers_balance: bool = False


def _own_fault(name: str, status: int, code: str, detail: str, **more: Any) -> Any:
    return fault(name, status, error_body(code, detail), **more)


class SquareSimulator(Simulator):
    """The Gift Cards API and the Gift Card Activities API of one seller, of Square-Version 2026-09-16.

    Its tokens do not end and nothing is reserved, so the faults `expire-token` and `replace-reservation` have no
    meaning. `till` is for what happens outside of the API.
    """

    name: ClassVar[str] = "square"
    options_type: ClassVar[type[SimulatorOptions]] = SquareOptions
    faults_without_meaning: ClassVar[frozenset[str]] = frozenset({"expire-token", "replace-reservation"})
    reference_member: ClassVar[str | None] = "reference_id"
    own_faults = (
        _own_fault("temporary-error", 400, "TEMPORARY_ERROR", "Try again with the same key."),
        _own_fault("late-temporary-error", 400, "TEMPORARY_ERROR", "Try again with the same key.", commits=True),
        _own_fault("conflict", 409, "CONFLICT", "Another request changes the gift card."),
        _own_fault("late-server-error", 500, "INTERNAL_SERVER_ERROR", "An error occurred.", commits=True),
        _own_fault("rate-limited", 429, "RATE_LIMITED", "Too many requests.", headers=[("Retry-After", "0")]),
    )

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        assert isinstance(options, SquareOptions), "the kit makes the options from options_type"
        self.settings = options
        self.locations = {MAIN_LOCATION: options.seller_currency, **OTHER_LOCATIONS}
        self._tokens = AccessTokens(self.clock.now)
        self._set_login(f"EAAA{secrets.token_hex(30)}", f"EAAA{secrets.token_hex(30)}")
        self._book = CardLedger(self.random, self.clock)
        self._views = LedgerViews(self._book, self.clock, pending_lowers_balance=options.pending_lowers_balance)
        self.till = Till(self._book, self.lock)
        self._keys = IdempotencyKeys(
            self.clock.now,
            running=key_is_busy,
            reused=key_is_reused,
            keeps=keeps_settled if options.keeps_refusals else is_success,
            lifetime_s=options.key_lifetime_s,
        )

    def routes(self) -> Sequence[Route]:
        """Return every call of gift cards and of their activities."""
        guard = AccessGuard(self._tokens.of, unauthorized, forbidden)

        def reading(handler: Handler) -> Handler:
            return guard.wrap(self._with_version(handler), READ)

        def writing(handler: Handler) -> Handler:
            return guard.wrap(self._with_version(handler), WRITE)

        profile = guard.wrap(self._with_version(self._get_location), PROFILE)
        return [
            Route("GET", "/v2/gift-cards", reading(self._views.list_cards), look_up=True),
            Route("POST", "/v2/gift-cards", writing(self._with_key(self._create_card))),
            Route("GET", "/v2/gift-cards/activities", reading(self._views.list_activities), look_up=True),
            Route("POST", "/v2/gift-cards/activities", writing(self._with_key(self._create_activity))),
            Route("POST", "/v2/gift-cards/from-gan", reading(self._find_by_code), look_up=True),
            Route("POST", "/v2/gift-cards/from-nonce", reading(self._find_by_nonce)),
            Route("POST", "/v2/gift-cards/{id}/link-customer", writing(self._link_customer)),
            Route("POST", "/v2/gift-cards/{id}/unlink-customer", writing(self._unlink_customer)),
            Route("GET", "/v2/gift-cards/{id}", reading(self._get_card)),
            Route("GET", "/v2/locations/{id}", profile),
        ]

    def error_reply(self, status: int, message: str) -> Reply:
        """Return the vendor's error of any status."""
        return error_for_status(status, message)

    def announcement(self, base: str) -> dict[str, str]:
        """Return the host without /v2, a token with all rights, one that only reads cards, and the main location."""
        return {
            "base_url": base,
            "access_token": self._token,
            "token": self._token,
            "read_only_token": self._read_only_token,
            "location_id": MAIN_LOCATION,
        }

    def seed(self, count: int) -> None:
        """Add that many varied cards, in every state and of every location."""
        add_cards(self._book, self.random, self.options.start or self.clock.now(), count, self.locations)

    def seed_history(self, count: int) -> None:
        """Add a card of three years ago with that many activities after its activation."""
        add_card_with_history(self._book, self.random, self.clock.now(), count, self.settings.seller_currency)

    def insert_voucher(self) -> None:
        """Add an active card of 25 units of the main location's currency, which is created now."""
        card = self._book.add_card(currency=self.settings.seller_currency)
        amount = minor_units("25", card.currency)
        shown = {"amount_money": money(amount, card.currency)}
        activity = self._book.new_activity(card, "ACTIVATE", amount, shown=shown, location_id=MAIN_LOCATION)
        self._book.book(card, activity, state="ACTIVE")

    def ledger(self) -> list[dict[str, object]]:
        """Return every card with its true value and everything that happened to it."""
        return self._book.to_common_form()

    def dump(self) -> dict[str, object]:
        """Return cards, activities, keys and tokens, so that a client's configuration is still valid."""
        return {
            "currency": self.settings.seller_currency,
            "token": self._token,
            "read_only_token": self._read_only_token,
            "keys": self._keys.dump(),
            **self._book.dump(),
        }

    def load(self, state: dict[str, object]) -> None:
        """Restore what `dump` returned; raise ValueError if the seller had another currency."""
        if state["currency"] != self.settings.seller_currency:
            raise ValueError(
                f"the saved ledger is in {state['currency']}, not in {self.settings.seller_currency}:"
                " set seller_currency"
            )
        self._set_login(str(state["token"]), str(state["read_only_token"]))
        self._keys.load(state["keys"])
        self._book.load(state)

    def distort(self, reply: Reply) -> Reply:
        """Return the reply with amounts that are one minor unit higher."""
        return attrs.evolve(reply, body=_distort_amounts(reply.body)) if isinstance(reply.body, dict) else reply

    # --- reading ---

    def _get_card(self, request: Request) -> Reply:
        return self._show_one(self._card_of_path(request))

    def _get_location(self, request: Request) -> Reply:
        location, main = request.parts["id"], request.parts["id"] == "main"
        currency = self.locations.get(MAIN_LOCATION if main else location)
        if currency is None:
            raise refusal("NOT_FOUND", "There is no such location.", "location_id", status=404)
        return Reply(200, {"location": show_location(MAIN_LOCATION if main else location, currency)})

    def _find_by_code(self, request: Request) -> Reply:
        card = self._book.with_code(require_text(read_body(request), "gan"))
        if card is None:
            raise refusal("NOT_FOUND", "There is no such gift card.", "gan", status=404)
        return self._show_one(card)

    def _find_by_nonce(self, request: Request) -> Reply:
        nonce = require_text(read_body(request), "nonce")
        card_id = self._book.use_nonce(nonce)
        if card_id is None:
            raise refusal("NOT_FOUND", "There is no such payment token.", "nonce", status=404)
        if not card_id:
            raise refusal("CARD_TOKEN_USED", "The payment token was used.", "nonce")
        card = self._book.cards.get(card_id)
        assert card is not None, "cards are never removed"
        return self._show_one(card)

    # --- changing ---

    def _create_card(self, request: Request) -> Reply:
        body = read_body(request)
        currency = self.locations[self._read_location(body)]
        fields = read_object(body, "gift_card")
        kind = require_choice(fields, "type", KINDS, "gift_card.")
        source = "SQUARE"
        if fields.get("gan_source") is not None:
            source = require_choice(fields, "gan_source", ("SQUARE", "OTHER"), "gift_card.")
        code = read_text(fields, "gan", "gift_card.")
        if source == "OTHER":
            code = require_text(fields, "gan", "gift_card.")
            if not is_code(code) or looks_like_a_payment_card(code):
                raise refusal("VALUE_REGEX_MISMATCH", "The code is not allowed.", "gift_card.gan")
        elif code is not None and kind == "DIGITAL":
            raise refusal("INVALID_VALUE", "A code of your own needs gan_source OTHER.", "gift_card.gan")
        if code is not None and self._book.with_code(code) is not None:
            raise refusal("BAD_REQUEST", "The code is in use.", "gift_card.gan")
        return self._show_one(self._book.add_card(code=code, type=kind, gan_source=source, currency=currency))

    def _create_activity(self, request: Request) -> Reply:
        body = read_object(read_body(request), "gift_card_activity")
        kind = require_choice(body, "type", TYPES, "gift_card_activity.")
        location = self._read_location(body, "gift_card_activity.")
        card = self._card_of_body(body)
        new = read_activity(self._book, card, kind, body)
        self._require_limits(kind, new)
        activity = self._book.new_activity(
            card,
            kind,
            new.amount,
            shown=new.shown,
            location_id=location,
            reference=new.reference,
            linked_id=new.linked_id,
        )
        activity = self._book.book(card, activity, new.state)
        return Reply(200, {"gift_card_activity": show_activity(card, activity)})

    def _link_customer(self, request: Request) -> Reply:
        card, customer = self._card_of_path(request), require_text(read_body(request), "customer_id")
        return self._set_customers(card, tuple(dict.fromkeys([*card.customer_ids, customer])))

    def _unlink_customer(self, request: Request) -> Reply:
        card, customer = self._card_of_path(request), require_text(read_body(request), "customer_id")
        if customer not in card.customer_ids:
            raise refusal("NOT_FOUND", "The customer is not linked to the gift card.", "customer_id", status=404)
        return self._set_customers(card, tuple(other for other in card.customer_ids if other != customer))

    def _set_customers(self, card: StoredCard, customer_ids: tuple[str, ...]) -> Reply:
        card = attrs.evolve(card, customer_ids=customer_ids)
        self._book.cards.put(card)
        return self._show_one(card)

    def _require_limits(self, kind: str, new: NewActivity) -> None:
        limit, maximum = self.settings.payment_limit, self.settings.buyer_daily_maximum
        if limit is not None and abs(new.amount) > limit:
            raise refusal("PAYMENT_LIMIT_EXCEEDED", "The amount is above the limit.")
        instruments = set(new.shown.get("buyer_payment_instrument_ids", ()))
        if maximum is None or not instruments:
            return
        since = self.clock.now() - _DAY
        bought = sum(
            activity.amount
            for activity in self._book.activities
            if activity.at > since
            and instruments & set(activity.details["shown"].get("buyer_payment_instrument_ids", ()))
        )
        if bought + new.amount > maximum:
            # The vendor has no code for it, and says it in words (forum).
            word = "Load" if kind == "LOAD" else "Activation"
            raise refusal("BAD_REQUEST", f"{word} amount exceeds maximum buyer daily amount.")

    # --- parts ---

    def _with_version(self, handler: Handler) -> Handler:
        def check_version(request: Request) -> Reply:
            version = request.headers.get("Square-Version")
            if version is not None and not _VERSION.fullmatch(version):
                return error_reply(400, "INVALID_SQUARE_VERSION_FORMAT", "Square-Version is not a date.")
            return handler(request)

        return check_version

    def _with_key(self, handler: Handler) -> Handler:
        def answer_once(request: Request) -> Reply:
            key = require_text(read_body(request), "idempotency_key", most=MAX_KEY_LENGTH)
            return self._keys.answer(request, handler, key=key, scope=request.raw_path)

        return answer_once

    def _set_login(self, token: str, read_only_token: str) -> None:
        self._token, self._read_only_token = token, read_only_token
        self._tokens.expire()
        self._tokens.add(token, "seller", scopes=[READ, WRITE, PROFILE])
        self._tokens.add(read_only_token, "seller", scopes=[READ])

    def _read_location(self, body: Any, at: str = "") -> str:
        location = require_text(body, "location_id", at)
        if location not in self.locations:
            raise refusal("NOT_FOUND", "There is no such location.", f"{at}location_id", status=404)
        return location

    def _card_of_path(self, request: Request) -> StoredCard:
        card = self._book.cards.get(request.parts["id"])
        if card is None:
            raise refusal("NOT_FOUND", "There is no such gift card.", status=404)
        return card

    def _card_of_body(self, body: Any) -> StoredCard:
        card_id = read_text(body, "gift_card_id", "gift_card_activity.")
        code = read_text(body, "gift_card_gan", "gift_card_activity.")
        if card_id is None and code is None:
            raise refusal("MISSING_REQUIRED_PARAMETER", "A gift card is missing.", "gift_card_activity.gift_card_id")
        card = self._book.with_code(code or "") if card_id is None else self._book.cards.get(card_id)
        field = f"gift_card_activity.{'gift_card_gan' if card_id is None else 'gift_card_id'}"
        if card is None:
            raise refusal("NOT_FOUND", "There is no such gift card.", field, status=404)
        if code not in (None, card.code):
            raise refusal("CONFLICTING_PARAMETERS", "The id and the code belong to two gift cards.", field)
        return card

    def _show_one(self, card: StoredCard) -> Reply:
        return Reply(200, {"gift_card": self._views.show_card(card)})


def _distort_amounts(value: Any) -> Any:
    if isinstance(value, list):
        return [_distort_amounts(element) for element in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"amount", "currency"}:
        return {**value, "amount": value["amount"] + 1}
    return {name: _distort_amounts(member) for name, member in value.items()}
