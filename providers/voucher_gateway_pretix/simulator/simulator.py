"""The simulated pretix: an organizer, and another one whose cards it accepts."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, Final

import attrs

from voucher_gateway.simulator import (
    AccessGuard,
    AccessTokens,
    IdempotencyKeys,
    Refused,
    Reply,
    Request,
    Route,
    Simulator,
    SimulatorOptions,
    VoucherStore,
    fault,
    from_records,
    past_instants,
    random_text,
    to_records,
)
from voucher_gateway_pretix.simulator import replies
from voucher_gateway_pretix.simulator.fields import (
    HTML,
    NotValid,
    read_body,
    read_card_fields,
    read_cents,
    read_object,
    read_text,
)
from voucher_gateway_pretix.simulator.ledger import (
    StoredCard,
    StoredTransaction,
    make_ledger_voucher,
    show_card,
    show_transaction,
)
from voucher_gateway_pretix.simulator.pages import page_reply, select_cards
from voucher_gateway_pretix.simulator.seed_data import CODE_ALPHABET, make_cards

ORGANIZER: Final = "bigevents"
ISSUER: Final = "sister"
"""Another organizer. `ORGANIZER` accepts its cards."""

ACCEPTED: Final = {ORGANIZER: {ISSUER}, ISSUER: set[str]()}
"""The organizers, each with those whose cards it accepts."""

READ: Final = "organizer.giftcards:read"
WRITE: Final = "organizer.giftcards:write"

_ROOT: Final = "/api/v1/organizers/{organizer}/giftcards"
_DAY_S: Final = 86400
_CARD_PATH: Final = re.compile(r"/api/v1/organizers/[^/]+/giftcards(/[^/]+(/transact|/transactions)?)?")
_DENIED: Final = "You do not have permission to perform this action."
_NO_CARD: Final = "No GiftCard matches the given query."
_TOO_LITTLE: Final = "Too little value is left for that."

Handler = Callable[[Request], Reply]


def _lock_key(vendor: PretixSimulator, request: Request) -> None:
    vendor.lock_key(request)


def _forget_key(vendor: PretixSimulator, request: Request) -> None:
    vendor.forget_key(request)


@attrs.frozen(kw_only=True)
class PretixOptions(SimulatorOptions):
    """The options of all simulators."""


class PretixSimulator(Simulator):
    """The gift-card API of pretix 2026.8. Tokens do not expire and nothing is reserved.

    Attributes:
        tokens: the tokens of teams: the client is the organizer, the scopes are the team's rights.
        keys: the idempotency keys. They are checked before the token is.
    """

    name: ClassVar[str] = "pretix"
    options_type: ClassVar[type[SimulatorOptions]] = PretixOptions
    faults_without_meaning: ClassVar[frozenset[str]] = frozenset({"expire-token", "replace-reservation"})
    reference_member: ClassVar[str | None] = "reference"
    own_faults = (
        fault(
            "busy-key",
            409,
            replies.BUSY,
            headers=replies.RETRY,
            sentence="The key belongs to a request that is still carried out, says the vendor; nothing happened.",
        ),
        fault(
            "worker-died",
            502,
            replies.BAD_GATEWAY,
            commits=True,
            headers=HTML,
            sentence="The process that answers dies after its work: a 502 of the web server, and the key stays locked.",
            then=_lock_key,
        ),
        fault(
            "forgetful-error",
            500,
            replies.INTERNAL_ERROR,
            headers=HTML,
            sentence="A 500 in HTML, with which the key is forgotten; nothing happened.",
            then=_forget_key,
        ),
        fault(
            "forgetful-error-after-commit",
            500,
            replies.INTERNAL_ERROR,
            commits=True,
            headers=HTML,
            sentence="The vendor does it and answers with a 500 in HTML, with which the key is forgotten.",
            then=_forget_key,
        ),
    )

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self.tokens = AccessTokens(self.clock.now, scheme="Token")
        self._token = self.add_token()
        self.keys = IdempotencyKeys(
            self.clock.now,
            running=replies.key_is_busy,
            keeps=replies.is_repeated,
            lifetime_s=_DAY_S,
            running_s=_DAY_S,
            cleaned_every_s=_DAY_S / 2,
        )
        self.cards: VoucherStore[StoredCard] = VoucherStore()

    def add_token(self, organizer: str = ORGANIZER, rights: Sequence[str] = (READ, WRITE)) -> str:
        """Return a new token of a team of an organizer."""
        return self.tokens.add(secrets.token_hex(32), organizer, rights)

    def routes(self) -> Sequence[Route]:
        """Return the calls of gift cards. All paths end with a slash; others are not found."""
        read, write = self._behind_guard(READ), self._behind_guard(WRITE)
        return [
            Route("GET", "/api/v1/idempotency_query", self._tell_key),
            Route("GET", f"{_ROOT}/", read(self._list), look_up=True),
            Route("POST", f"{_ROOT}/", self._under_key(write(self._create))),
            Route("GET", f"{_ROOT}/{{id}}/", read(self._get)),
            Route("PATCH", f"{_ROOT}/{{id}}/", self._under_key(write(self._patch))),
            Route("DELETE", f"{_ROOT}/{{id}}/", self._under_key(write(self._delete))),
            Route("POST", f"{_ROOT}/{{id}}/transact/", self._under_key(write(self._transact))),
            Route("GET", f"{_ROOT}/{{id}}/transactions/", read(self._transactions), look_up=True),
        ]

    def error_reply(self, status: int, message: str) -> Reply:
        """Return the vendor's general error; those of the server are pages."""
        return replies.server_error(status) if status >= 500 else Reply(status, {"detail": message})

    def not_found(self, request: Request) -> Reply:
        """Return the redirect of a read whose path lacks its last slash, and else a page."""
        if request.method == "GET" and _CARD_PATH.fullmatch(request.raw_path):
            query = f"?{request.raw_query}" if request.raw_query else ""
            return Reply(301, b"", (("Location", f"{request.raw_path}/{query}"), *HTML))
        return self._under_key(partial(replies.give, replies.page_not_found()))(request)

    def method_not_allowed(self, request: Request, allowed: Sequence[str]) -> Reply:  # noqa: ARG002 - not in the body
        """Return the vendor's refusal of a method."""
        reply = self.error_reply(405, f'Method "{request.method}" not allowed.')
        return self._under_key(partial(replies.give, reply))(request)

    def announcement(self, base: str) -> dict[str, str]:
        """Return the address with its version, the organizer and the token of a team."""
        return {"base_url": f"{base}/api/v1", "organizer": ORGANIZER, "token": self._token}

    def seed(self, count: int) -> None:
        """Add that many varied cards. Their codes are new."""
        for card in make_cards(self.random, self.clock.now(), count, len(self.cards), ORGANIZER):
            self.cards.put(attrs.evolve(card, code=self._free_code()) if self.cards.with_code(card.code) else card)

    def seed_history(self, count: int) -> None:
        """Add a card that is three years old, with that many transactions of the till."""
        issued, *moments = past_instants(self.random, self.clock.now(), count + 1)
        card = self._issue(
            ORGANIZER, {"secret": self._free_code(), "currency": "EUR", "value": 100 * (count + 1)}, issued
        )
        for number, at in enumerate(moments):
            transaction = self._transaction(ORGANIZER, -100, "", {"reference": f"till-{number}"})
            card = card.with_transaction(attrs.evolve(transaction, at=at, id=transaction.id + number))
        self.cards.put(card)

    def insert_voucher(self) -> None:
        """Add a card of 25.00 EUR that is issued now."""
        self._issue(ORGANIZER, {"secret": self._free_code(), "value": 2500, "currency": "EUR"})

    def ledger(self) -> list[dict[str, object]]:
        """Return every card with its true value."""
        now = self.clock.now()
        return [make_ledger_voucher(card, now) for card in self.cards]

    def dump(self) -> dict[str, object]:
        """Return the cards, the tokens and the keys."""
        return {
            "token": self._token,
            "tokens": self.tokens.dump(),
            "keys": self.keys.dump(),
            "cards": to_records(list(self.cards)),
        }

    def load(self, state: dict[str, object]) -> None:
        """Restore cards, tokens and keys."""
        self._token = str(state["token"])
        self.tokens.load(state["tokens"])
        self.keys.load(state["keys"])
        self.cards = VoucherStore(from_records(list[StoredCard], state["cards"]))

    def distort(self, reply: Reply) -> Reply:
        """Return the reply with a value that is one hundredth higher."""
        if not isinstance(reply.body, dict) or not isinstance(reply.body.get("value"), str):
            return reply
        return attrs.evolve(reply, body={**reply.body, "value": str(Decimal(reply.body["value"]) + Decimal("0.01"))})

    # --- keys ---

    def lock_key(self, request: Request) -> None:
        """Leave the key of a request locked, as after the death of the process that carried it out."""
        if key := _key_of(request):
            self.keys.mark_running(key, _scope_of(request))

    def forget_key(self, request: Request) -> None:
        """Forget the key of a request."""
        self.keys.forget(_key_of(request) or "", _scope_of(request))

    def _tell_key(self, request: Request) -> Reply:
        key, scope = request.query.get("key", ""), _scope_of(request)
        if not self.keys.knows(key, scope):
            return self.error_reply(404, "Idempotency key not seen before.")
        return self.keys.answer(request, self.not_found, key=key, scope=scope)

    def _under_key(self, handler: Handler) -> Handler:
        def answer(request: Request) -> Reply:
            if request.method in ("GET", "HEAD", "OPTIONS"):
                return handler(request)
            return self.keys.answer(request, handler, key=_key_of(request), scope=_scope_of(request))

        return answer

    # --- reading ---

    def _list(self, request: Request) -> Reply:
        cards = select_cards((card for card in self.cards if self._belongs(card, request)), request, self.clock.now())
        self.random.shuffle(cards)  # cards of the same moment come in any order
        cards.sort(key=lambda card: card.issuance)
        return page_reply(request, [show_card(card) for card in cards])

    def _get(self, request: Request) -> Reply:
        return Reply(200, show_card(self._card(request)))

    def _transactions(self, request: Request) -> Reply:
        transactions = list(self._card(request).transactions)
        self.random.shuffle(transactions)
        transactions.sort(key=lambda transaction: transaction.at)
        return page_reply(request, [show_transaction(transaction) for transaction in transactions])

    # --- changing ---

    def _create(self, request: Request) -> Reply:
        organizer = request.parts["organizer"]
        values, problems = read_card_fields(read_object(request), required=("secret", "value", "currency"))
        if not problems and self._is_taken(values["secret"], organizer):
            problems["secret"] = [replies.taken_message(request)]
        if problems:
            return Reply(400, problems)
        return Reply(201, show_card(self._issue(organizer, values)))

    def _patch(self, request: Request) -> Reply:
        card = self._card(request)
        values, problems = read_card_fields(read_object(request))
        if "secret" in values and not problems and self._is_taken(values["secret"], card.issuer, except_id=card.id):
            problems["secret"] = [replies.taken_message(request)]
        if problems:
            return Reply(400, problems)
        if "include_accepted" in request.query:
            return self.error_reply(403, "Accepted gift cards cannot be updated, use transact instead.")
        changed = attrs.evolve(card, **{name: values[name] for name in ("expires", "conditions") if name in values})
        reply = Reply(200, show_card(changed))  # the value is still the one before
        if "value" in values:
            difference = values["value"] - card.cents
            changed = changed.with_transaction(self._transaction(request.parts["organizer"], difference, None, None))
        self.cards.put(changed)
        return reply

    def _delete(self, request: Request) -> Reply:
        self._card(request)
        return self.error_reply(405, 'Method "Gift cards cannot be deleted." not allowed.')

    def _transact(self, request: Request) -> Reply:
        card = self._card(request)
        fields = read_body(request)
        if not isinstance(fields, Mapping):
            return Reply(500, replies.INTERNAL_ERROR, HTML)
        try:
            cents, text = read_cents(fields.get("value")), read_text(fields.get("text", ""))
        except NotValid as refusal:
            return Reply(400, [str(refusal)])
        if card.cents + cents < 0:
            return Reply(409, {"value": [_TOO_LITTLE]})
        # Neither the end of validity nor the test mode is looked at.
        transaction = self._transaction(request.parts["organizer"], cents, text, fields.get("info", {}))
        self.cards.put(card.with_transaction(transaction))
        return Reply(200, show_card(card.with_transaction(transaction)))

    # --- parts ---

    def _behind_guard(self, right: str) -> Callable[[Handler], Handler]:
        def wrap(handler: Handler) -> Handler:
            def check(request: Request) -> Reply:
                has_header = bool(request.headers.get("Authorization"))
                reason = "Invalid token." if has_header else "Authentication credentials were not provided."
                guard = AccessGuard(
                    self.tokens.of,
                    unauthorized=partial(self.error_reply, 401, reason),
                    forbidden=self._deny,
                )
                if guard.token(request, right).client_id != request.parts["organizer"]:
                    return self._deny(right)
                return handler(request)

            return check

        return wrap

    def _deny(self, right: str) -> Reply:  # noqa: ARG002 - the vendor does not name the right
        return self.error_reply(403, _DENIED)

    def _belongs(self, card: StoredCard, request: Request) -> bool:
        organizer = request.parts["organizer"]
        accepted = ACCEPTED[organizer] if request.query.get("include_accepted") == "true" else set()
        return card.issuer in {organizer, *accepted}

    def _card(self, request: Request) -> StoredCard:
        id = request.parts["id"].strip()
        if "/" in id:  # the program takes %2F for a border of the path
            raise Refused(replies.page_not_found())
        if not re.fullmatch("-?[0-9]+", id):
            raise Refused(self.error_reply(404, "Not found."))
        card = self.cards.get(str(int(id)) if len(id) < 30 else id)
        if card is None or not self._belongs(card, request):
            raise Refused(self.error_reply(404, _NO_CARD))
        return card

    def _is_taken(self, code: str, organizer: str, except_id: str = "") -> bool:
        issuers = {organizer, *ACCEPTED[organizer]}
        return any(card.issuer in issuers and card.id != except_id for card in self.cards.with_code(code))

    def _issue(self, organizer: str, values: Mapping[str, Any], at: Any = None) -> StoredCard:
        first = self._transaction(organizer, values["value"], None, None)
        at = at or first.at
        card = StoredCard(
            id=str(len(self.cards) + 1),
            code=values["secret"],
            issuer=organizer,
            currency=values["currency"],
            testmode=values.get("testmode", False),
            issuance=at,
            expires=values.get("expires"),
            conditions=values.get("conditions"),
            transactions=(attrs.evolve(first, at=at),),
        )
        self.cards.put(card)
        return card

    def _transaction(self, acceptor: str, cents: int, text: str | None, info: Any) -> StoredTransaction:
        last = max((transaction.id for card in self.cards for transaction in card.transactions), default=0)
        return StoredTransaction(id=last + 1, at=self.clock.now(), cents=cents, text=text, info=info, acceptor=acceptor)

    def _free_code(self) -> str:
        code = random_text(self.random, 16, CODE_ALPHABET)
        while self.cards.with_code(code):
            code = random_text(self.random, 16, CODE_ALPHABET)
        return code


def _key_of(request: Request) -> str | None:
    return request.headers.get("X-Idempotency-Key")


def _scope_of(request: Request) -> str:
    return request.headers.get("Authorization", "")
