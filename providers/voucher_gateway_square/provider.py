"""The Square provider: gift cards of one seller, with the vendor's idempotency key on every change.

A new card is worth nothing: the value comes with its activation, the second request of `issue`. A card has no face
value and no end. The history is read from its beginning, because the vendor shows one year of it by default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from operator import attrgetter
from typing import Any, Final, TypeVar

import attrs

from voucher_gateway.provider_api import (
    AccountCheck,
    AlreadyRefunded,
    BearerKey,
    Code,
    ConfigurationError,
    CursorListing,
    CursorPage,
    Declined,
    DuplicateCode,
    History,
    HttpClient,
    HttpProvider,
    IntegrityMismatch,
    Intent,
    InvalidRequest,
    Listing,
    MalformedResponse,
    Medium,
    MissingScope,
    Money,
    Movement,
    MovementKind,
    MovementState,
    NewVoucher,
    Operation,
    Outcome,
    Path,
    Pin,
    RawObject,
    Redemption,
    Refund,
    Rejected,
    Request,
    Response,
    Status,
    TopUp,
    UnreadableEntry,
    Voucher,
    VoucherGatewayError,
    VoucherInactive,
    VoucherNotFound,
    VoucherQuery,
    hide_arguments,
    map_entries,
    positive,
)
from voucher_gateway_square import mapping, resolution, wire
from voucher_gateway_square.capabilities import DECLARED, KEYS
from voucher_gateway_square.errors import as_refusal, names_field, other_code_error, parse_refusal
from voucher_gateway_square.filters import filters
from voucher_gateway_square.history import BEGIN, read_activities
from voucher_gateway_square.settings import SquareSettings

T = TypeVar("T")
R = TypeVar("R", Redemption, Refund, TopUp)

VERSION: Final = "2026-09-16"
"""The version of the API for which this was written."""

_CARDS: Final = "/v2/gift-cards"
_ACTIVITIES: Final = "/v2/gift-cards/activities"
_PATHS: Final = frozenset({"activities", "from-gan", "from-nonce"})
"""The vendor's other paths at the place of an id."""

_CURRENCY_NOT_KNOWN: Final = (
    "The currency of the location is not known, so nothing can be moved to this account: give the access token the"
    " right MERCHANT_PROFILE_READ, or set currency."
)

_REASON: Final = "SUSPICIOUS_ACTIVITY"
"""The only reason of a deactivation that a client may give (schema)."""


class SquareProvider(HttpProvider):
    """Square: amounts in minor units, keys in every changing body, no reservations, linked refunds of parts."""

    name = "square"
    title = "Square"
    interface_version = 1
    settings_type = SquareSettings
    settings: SquareSettings
    declared = DECLARED

    def __init__(self, account: str, settings: SquareSettings) -> None:
        """Make the provider; nothing is sent yet."""
        headers = {"Square-Version": VERSION}
        http = HttpClient(account, settings, explain=parse_refusal, headers=headers, keys=KEYS)
        http.auth = BearerKey(settings.access_token)
        super().__init__(account, settings, http)
        self._currency = settings.currency

    def check(self) -> AccountCheck:
        """List one card, and read the currency of the location.

        A token needs a further right for the second read (MERCHANT_PROFILE_READ). Without it, the settings tell the
        currency.

        Raises:
            ConfigurationError: if the location is not the seller's, or the settings have another currency.
        """
        checked, configured = super().check(), self.settings.currency
        try:
            currency = self._read_currency()
        except MissingScope:
            warnings = () if configured else (_CURRENCY_NOT_KNOWN,)
            return attrs.evolve(checked, currency=configured, warnings=warnings)
        if configured not in (None, currency):
            raise ConfigurationError(
                f"the location's currency is {currency}, but currency is set to {configured}", account=self.account
            )
        self._currency = currency
        return attrs.evolve(checked, currency=currency)

    def _read_currency(self) -> str:
        location_id = self.settings.location_id
        request = Request(method="GET", path=Path.of("/v2/locations/{id}", id=location_id))
        try:
            location = self.calls.send_read("location", request, wire.read_location)
        except Declined as error:
            refused = error
        else:
            return location.currency
        raise ConfigurationError(
            f"the vendor shows no location with this location_id ({refused.message})", account=self.account
        )

    # --- reading ---

    @hide_arguments
    def find(
        self,
        code: str | Code,
        pin: str | Pin | None = None,  # noqa: ARG002 - gift cards have none
    ) -> Voucher:
        """Return the card with exactly this code. Gift cards have no PIN, so `pin` is ignored."""
        return self._find(Operation.FIND, Code.of(code))

    def get(
        self,
        id: str,
        *,
        secrets: bool = False,  # noqa: ARG002 - the vendor shows the code in any case
    ) -> Voucher:
        """Return the card with this id. The vendor shows its code in any case."""
        return self._get(Operation.GET, id)

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        """List the cards, oldest first.

        `VoucherQuery.native` takes ``type`` and ``state``, each with the vendor's words.
        """
        query = query or VoucherQuery()
        params = filters(query)
        size = min(self.settings.page_size, query.limit or self.settings.page_size)
        make = partial(mapping.voucher_of, self.account)

        def fetch(cursor: str | None) -> CursorPage[Voucher | UnreadableEntry]:
            if params is None:
                return CursorPage(items=[], next_cursor=None)
            position = [] if cursor is None else [("cursor", cursor)]
            page_query = [("limit", str(size)), *params, *position]
            request = Request(method="GET", path=Path.of(_CARDS), query=page_query, returns_page=True)
            cards, raws, following = self.calls.send_read(Operation.VOUCHERS, request, wire.read_cards)
            with self.calls.error_context(Operation.VOUCHERS):
                items = map_entries(make, cards, raws)
            return CursorPage(items=items, next_cursor=following)

        return CursorListing(
            fetch,
            key=attrgetter("id"),
            size=size,
            limit=query.limit,
            resume=query.resume,
            scope=query.fingerprint(self.account, self.host),
        )

    def history(self, id: str) -> History:
        """Return all activities of a card, oldest first.

        The vendor does not show how much a `CLEAR_BALANCE` took. It is what the activities before it left.
        """
        self._get(Operation.HISTORY, id)  # the vendor shows an empty history of a card that does not exist
        return self.activities(Operation.HISTORY, id)

    def activities(self, operation: str, id: str, begin: str = BEGIN) -> History:
        """Return the activities of a card from an instant on, for an operation that looks for one of them."""
        return read_activities(self.calls, self.account, operation, id, begin)

    # --- issuing ---

    @hide_arguments
    def issue(self, new: NewVoucher, *, reference: str, order: str | None = None) -> Voucher:
        """Create a card, and activate it with its value: two requests, each under its own key.

        If the second one is not sent, a card without value is left. A repeat takes it up again, under the key of the
        first request, or by its code, which must not belong to a card that was ever active.
        """
        new.refuse_all_but("code", "medium")
        DECLARED.amounts.check(positive(new.initial))
        code = new.code
        if code is not None:
            DECLARED.codes.check(code)
        intent = partial(self.intent, Operation.ISSUE, reference=reference, order=order, money=new.initial)
        creation = intent(part="create", leaves="a gift card without value")
        self._require_currency(new.initial, creation)
        card = self._create(creation, new.medium, code)
        activation = intent(part="activate", voucher_id=card.id, subject=card.id)
        details = {**wire.amount_details(new.initial, activation.reference), **self._instruments(activation)}

        def read(reply: Response) -> Voucher:
            activity, movement, raw = self._read_movement(reply, activation, MovementKind.ACTIVATION, card.code)
            return attrs.evolve(
                card,
                id=activity.gift_card_id,
                initial=movement.money,
                remaining=activity.gift_card_balance_money,
                status=Status.ACTIVE,
                raw=raw,
            )

        return self._act("ACTIVATE", activation, details, read, card.code)

    def top_up(self, id: str, money: Money, *, reference: str, order: str | None = None) -> TopUp:
        """Add value to an active card (Square: LOAD)."""
        intent = self._intent_of(Operation.TOP_UP, id, positive(money), reference, order)
        details = {**wire.amount_details(money, intent.reference), **self._instruments(intent)}
        return self._move("LOAD", intent, details, MovementKind.TOP_UP, TopUp)

    def deactivate(self, id: str, *, reference: str, order: str | None = None) -> Voucher:
        """Deactivate a card for ever. What is left on it cannot be spent any more."""
        before = self._get(Operation.DEACTIVATE, id)
        intent = self._intent_of(Operation.DEACTIVATE, id, None, reference, order)

        def read(reply: Response) -> Voucher:
            activity, raw = wire.read_activity(reply)
            if activity.type != "DEACTIVATE":
                raise IntegrityMismatch("the reply is about another kind of activity")
            remaining = activity.gift_card_balance_money or before.remaining
            return attrs.evolve(
                before, id=activity.gift_card_id, status=Status.DEACTIVATED, remaining=remaining, raw=raw
            )

        return self._act("DEACTIVATE", intent, {"reason": _REASON}, read)

    # --- spending ---

    @hide_arguments
    def redeem(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,  # noqa: ARG002 - gift cards have none
        *,
        reference: str,
        order: str | None = None,
    ) -> Redemption:
        """Take value from the card with this code. It is found first, so that a look-up by its id needs no code."""
        code, money = Code.of(code), positive(money)
        id = self._find(Operation.REDEEM, code).id
        intent = self._intent_of(Operation.REDEEM, id, money, reference, order)
        return self._move(
            "REDEEM", intent, wire.amount_details(money, intent.reference), MovementKind.REDEMPTION, Redemption, code
        )

    def refund(
        self, redemption: Redemption, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Refund:
        """Give back a redemption or a part of it. The vendor counts what was given back before."""
        money = redemption.money if money is None else positive(money)
        if redemption.voucher_id is None:
            raise InvalidRequest("the redemption names no voucher", field="redemption", rule="with its voucher_id")
        intent = self._intent_of(Operation.REFUND, redemption.voucher_id, money, reference, order)
        intent = attrs.evolve(intent, subject=redemption.id)
        details = {"redeem_activity_id": redemption.id, **wire.amount_details(money, intent.reference)}
        return self._move("REFUND", intent, details, MovementKind.REFUND, Refund, redemption_id=redemption.id)

    # --- unknown outcomes ---

    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        """Return the outcome of a call, found by reads only; see `voucher_gateway_square.resolution`."""
        return resolution.resolve(self, intent, code)

    # --- parts of calls ---

    @hide_arguments
    def _find(self, operation: Operation, code: Code) -> Voucher:
        if not code.reveal():
            raise InvalidRequest("code must not be empty", field="code", rule="not empty")
        request = Request(method="POST", path=Path.of(f"{_CARDS}/from-gan"), json={"gan": code})
        with self.calls.voucher_not_found_on_404():
            card, raw = self.calls.send_read(operation, request, wire.read_card)
        with self.calls.error_context(operation):
            if card.gan != code:
                raise other_code_error(card.gan, code)
            return mapping.voucher_of(self.account, card, raw)

    def _get(self, operation: Operation, id: str) -> Voucher:
        if id in _PATHS:
            raise VoucherNotFound("the vendor knows no such voucher", account=self.account, operation=operation.value)
        request = Request(method="GET", path=Path.of(f"{_CARDS}/{{id}}", id=id))
        with self.calls.voucher_not_found_on_404():
            card, raw = self.calls.send_read(operation, request, wire.read_card)
        with self.calls.error_context(operation):
            if card.id != id:
                raise MalformedResponse("the reply is about another gift card")
            return mapping.voucher_of(self.account, card, raw)

    def _intent_of(
        self, operation: Operation, id: str, money: Money | None, reference: str, order: str | None
    ) -> Intent:
        return self.intent(operation, reference=reference, order=order, voucher_id=id, subject=id, money=money)

    def _require_currency(self, money: Money, intent: Intent) -> None:
        """Check the currency of a new card, if that of the location is known: the vendor would refuse the activation.

        Raises:
            InvalidRequest: if it has another one. Nothing was sent.
        """
        if self._currency not in (None, money.currency) and self._location(intent) == self.settings.location_id:
            raise InvalidRequest(
                f"new cards of this location are in {self._currency}, not in {money.currency}",
                field="currency",
                rule=f"{self._currency}, the currency of the location",
            )

    def _create(self, intent: Intent, medium: Medium | None, code: Code | None) -> Voucher:
        """Create a card without value, or return the one that an earlier attempt left behind."""
        key = self.make_key(intent)
        own_code = {} if code is None else {"gan_source": "OTHER", "gan": code}
        kind = "PHYSICAL" if medium is Medium.PRINT else "DIGITAL"
        card_fields = {"type": kind, **own_code}
        body = {"idempotency_key": key, "location_id": self._location(intent), "gift_card": card_fields}

        def read(reply: Response) -> Voucher:
            card, raw = wire.read_card(reply)
            if card.gan is None or code not in (None, card.gan) or card.balance_money.amount:
                raise IntegrityMismatch("the reply is not about a card without value that has the requested code")
            return mapping.voucher_of(self.account, card, raw)

        request = Request(method="POST", path=Path.of(_CARDS), json=body)
        try:
            return self.http.change(request, intent, read, key=key)
        except Rejected as error:
            refused = error
        card = None
        if code is not None and not names_field(refused, "location_id"):
            with suppress(VoucherGatewayError):
                card = self._find(Operation.ISSUE, code)
        if card is None:
            raise refused
        if card.status is Status.PENDING and card.origin == "OTHER":
            return card
        raise as_refusal(DuplicateCode, "the code is in use by another gift card", refused)

    @hide_arguments
    def _act(
        self,
        kind: str,
        intent: Intent,
        details: dict[str, Any],
        read: Callable[[Response], T],
        code: Code | None = None,
    ) -> T:
        """Create an activity of the card that has the code, or else of the one that the intent names.

        The code is the caller's. The id may be from a reply about another card.
        """
        key = self.make_key(intent)
        activity = {
            "type": kind,
            "location_id": self._location(intent),
            **({"gift_card_id": intent.voucher_id} if code is None else {"gift_card_gan": code}),
            f"{kind.lower()}_activity_details": details,
        }
        body = {"idempotency_key": key, "gift_card_activity": activity}
        request = Request(method="POST", path=Path.of(_ACTIVITIES), json=body)
        try:
            return self.http.change(request, intent, read, key=key)
        except Rejected as error:
            refused = error
        raise self._explain_refusal(refused, intent)

    def _move(
        self,
        kind: str,
        intent: Intent,
        details: dict[str, Any],
        moved: MovementKind,
        result: type[R],
        code: Code | None = None,
        **fields: Any,
    ) -> R:
        """Create an activity that moves value, and return the result that the vendor's reply proves."""

        def read(reply: Response) -> R:
            activity, movement, _ = self._read_movement(reply, intent, moved, code)
            remaining = activity.gift_card_balance_money
            return result.from_movement(movement, order=intent.order, remaining=remaining, **fields)

        return self._act(kind, intent, details, read, code)

    def _read_movement(
        self, reply: Response, intent: Intent, kind: MovementKind, code: Code | None
    ) -> tuple[wire.SquareActivity, Movement, RawObject]:
        """Read an activity that must have moved the amount of the intent, for good."""
        activity, raw = wire.read_activity(reply)
        movement = mapping.movement_of(self.account, activity, raw)
        if (movement.kind, movement.money, movement.state) != (kind, intent.money, MovementState.COMPLETED):
            raise IntegrityMismatch("the vendor says that it moved another amount, or did something else")
        if code is not None and activity.gift_card_gan not in (None, code):
            raise IntegrityMismatch("the reply is about a card with another code")
        return activity, movement, raw

    def _location(self, intent: Intent) -> Any:
        return intent.options.get("location", self.settings.location_id)

    def _instruments(self, intent: Intent) -> dict[str, Any]:
        """Return how the buyer pays. The vendor requires it, and any name of our own will do."""
        name = self.settings.payment_instrument or intent.order or intent.reference
        return {"buyer_payment_instrument_ids": intent.options.get("payment_instruments", (name,))}

    def _explain_refusal(self, refused: Rejected, intent: Intent) -> VoucherGatewayError:
        """Return why a change was refused, by a look at the card: the vendor documents no code for its state."""
        if names_field(refused, "location_id", "redeem_activity_id"):
            return refused
        history: Iterable[Movement] = ()
        try:
            card = self._get(Operation.GET, intent.voucher_id or "")
            if refused.vendor_code == "REFUND_AMOUNT_INVALID":
                history = self.activities(Operation.HISTORY, card.id)
        except VoucherNotFound:
            return as_refusal(VoucherNotFound, "the vendor knows no such voucher", refused)
        except VoucherGatewayError:
            return refused
        if intent.verb == Operation.ISSUE:
            taken = as_refusal(DuplicateCode, "the code is in use by a card that others activated", refused)
            return refused if card.status is Status.PENDING else taken
        if card.status is not Status.ACTIVE:
            return as_refusal(VoucherInactive, f"the gift card is {card.status}", refused)
        if mapping.is_refunded(intent.subject, history):
            return as_refusal(AlreadyRefunded, "the redemption was given back as a whole", refused)
        return refused
