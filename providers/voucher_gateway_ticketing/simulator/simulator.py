"""The ticketing simulator: its options, its routes, and the checkout that is not part of the voucher API."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import ClassVar, Final, Literal

import attrs
from attrs import field, frozen, validators

from voucher_gateway.simulator import (
    AccessGuard,
    AccessTokens,
    Refused,
    Reply,
    Request,
    Route,
    Simulator,
    SimulatorOptions,
    VoucherStore,
    from_records,
    to_records,
)
from voucher_gateway_ticketing.simulator.ledger import CheckoutRedemption, StoredVoucher, make_ledger_voucher
from voucher_gateway_ticketing.simulator.responses import (
    Document,
    DocumentWriter,
    RefusalBodies,
    bad_request,
    http_error,
    with_refusal_body,
)
from voucher_gateway_ticketing.simulator.scalars import SellerCurrency
from voucher_gateway_ticketing.simulator.seed_data import (
    make_voucher_with_history,
    make_vouchers,
    random_code,
    random_id,
)
from voucher_gateway_ticketing.simulator.validation import (
    read_amount,
    read_code,
    read_fields,
    read_list_query,
    read_parameter,
    read_valid_until,
)

CodeFilter = Literal["exact", "prefix", "case-insensitive"]
ListOrder = Literal["oldest-first", "newest-first"]


def _require_currency(_owner: object, _attribute: object, code: str) -> None:
    SellerCurrency.of(code)


@frozen(kw_only=True)
class TicketingOptions(SimulatorOptions):
    """The common options, and one for each point that the vendor's documents leave open.

    Attributes:
        seller_currency: the ISO 4217 code of the seller's currency, which every voucher has.
        show_id: whether vouchers have an `_id`, which no document shows. Otherwise only the look-up by code shows it.
        float_noise: whether balances are computed in binary floating point, such as 29.999999999999996.
        allow_duplicate_codes: whether a code can be created twice; not documented.
        code_filter: how the list compares codes; not documented.
        list_order: the order of the list; not documented.
        negative_redemptions: whether transactions show negative amounts; their sign is not documented.
        refusal_bodies: the body of a 400 or 404, which is not documented for the voucher calls: the shape that is
            described elsewhere, another JSON object, a text, or nothing.
        unknown_code_is_invalid: whether the look-up answers an unknown code with 200 and `invalid` instead of 404.
    """

    seller_currency: str = field(default="EUR", validator=_require_currency)
    show_id: bool = True
    float_noise: bool = False
    allow_duplicate_codes: bool = False
    code_filter: CodeFilter = field(default="exact", validator=validators.in_(("exact", "prefix", "case-insensitive")))
    list_order: ListOrder = field(default="oldest-first", validator=validators.in_(("oldest-first", "newest-first")))
    negative_redemptions: bool = False
    refusal_bodies: RefusalBodies = field(
        default="described", validator=validators.in_(("described", "message", "text", "empty"))
    )
    unknown_code_is_invalid: bool = False


_NEW_FIELDS: Final = ("amount", "code", "validUntil")
_UPDATE_FIELDS: Final = ("amount", "validUntil")

Handler = Callable[[Request], Reply]


class CheckoutRefused(ValueError):
    """A checkout cannot take that value from the voucher."""


def _random_message() -> str:
    """Return a message that a client cannot know: the vendor does not document its messages."""
    return "".join(secrets.choice(string.ascii_letters) for _ in range(16))


def _to_milliseconds(moment: datetime) -> datetime:
    """Return the instant in UTC, cut to milliseconds, as the vendor shows it."""
    return moment.astimezone(UTC) - timedelta(microseconds=moment.microsecond % 1000)


class TicketingSimulator(Simulator):
    """The voucher API of one seller at the ticketing vendor.

    The API creates, changes and shows vouchers. They are spent in ticket checkouts only, which `redeem_at_checkout`
    simulates. Keys do not expire and nothing is reserved, so the faults `expire-token` and `replace-reservation` have
    no meaning here.
    """

    name: ClassVar[str] = "ticketing"
    options_type: ClassVar[type[SimulatorOptions]] = TicketingOptions
    faults_without_meaning: ClassVar[frozenset[str]] = frozenset({"expire-token", "replace-reservation"})

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        assert isinstance(options, TicketingOptions), "the kit makes the options from options_type"
        self.settings = options
        self.currency = SellerCurrency.of(self.settings.seller_currency)
        self._keys = AccessTokens(self.clock.now)
        self._set_login("key_" + secrets.token_hex(24), random_id(self.random))
        self._vouchers: VoucherStore[StoredVoucher] = VoucherStore()
        self._code_taken, self._below_redeemed = _random_message(), _random_message()

    def routes(self) -> Sequence[Route]:
        """Return the routes: every voucher call, and the three that look up a key, a seller or a code."""
        with_key = AccessGuard(self._keys.of, partial(http_error, 401, "A valid API key is required.")).wrap
        routes = [
            Route("GET", "/api/vouchers", with_key(self._list), look_up=True),
            Route("POST", "/api/vouchers", with_key(self._create)),
            Route("GET", "/api/vouchers/rich", with_key(self._list), look_up=True),
            Route("GET", "/api/vouchers/{id}", with_key(self._get)),
            Route("PUT", "/api/vouchers/{id}", with_key(self._update)),
            Route("GET", "/api/vouchers/{id}/transactions", with_key(self._transactions), look_up=True),
            Route("GET", "/api/vouchers/{id}/{code}/info", self._show),
            Route("GET", "/api/coupon/{code}/info", self._look_up_code, look_up=True),
            Route("GET", "/api/keys/info", with_key(self._describe_key)),
            Route("GET", "/api/sellers/info/{id}", self._describe_seller),
        ]
        return [attrs.evolve(route, handler=self._with_refusal_bodies(route.handler)) for route in routes]

    def error_reply(self, status: int, message: str) -> Reply:
        """Return the vendor's `HttpError` of any status."""
        return http_error(status, message)

    def announcement(self, base: str) -> dict[str, str]:
        """Return the host without /api, the seller's key (also as `token`), the seller and the currency."""
        return {
            "base_url": base,
            "api_key": self._api_key,
            "token": self._api_key,
            "seller_id": self._writer.seller_id,
            "currency": self.currency.code,
        }

    def seed(self, count: int) -> None:
        """Add that many varied vouchers. Their codes are new."""
        now = self._now() if self.settings.start is None else _to_milliseconds(self.settings.start)
        for voucher in make_vouchers(self.random, self.currency, now, count, len(self._vouchers)):
            taken = self._vouchers.with_code(voucher.code)
            self._vouchers.put(attrs.evolve(voucher, code=self._free_code()) if taken else voucher)

    def seed_history(self, count: int) -> None:
        """Add a voucher of three years ago with that many redemptions."""
        self._vouchers.put(make_voucher_with_history(self.random, self.currency, self._now(), self._free_code(), count))

    def insert_voucher(self) -> None:
        """Add a voucher that is created now. It is the last of the list, or the first with `newest-first`."""
        self._vouchers.put(self._new_voucher(self.currency.minor_units(Decimal(25)), None, None))

    def ledger(self) -> list[dict[str, object]]:
        """Return every voucher with its true value. Its redemptions are its movements."""
        now = self._now()
        return [make_ledger_voucher(voucher, self.currency, now) for voucher in self._vouchers]

    def dump(self) -> dict[str, object]:
        """Return the vouchers and the login, so that a client's configuration is still valid after a restart."""
        return {
            "api_key": self._api_key,
            "seller_id": self._writer.seller_id,
            "currency": self.currency.code,
            "vouchers": to_records(list(self._vouchers)),
        }

    def load(self, state: dict[str, object]) -> None:
        """Restore vouchers and login; raise ValueError if the seller had another currency."""
        if state["currency"] != self.currency.code:
            raise ValueError(
                f"the saved ledger is in {state['currency']}, not in {self.currency.code}: set seller_currency"
            )
        self._set_login(str(state["api_key"]), str(state["seller_id"]))
        self._vouchers = VoucherStore(from_records(list[StoredVoucher], state["vouchers"]))

    def distort(self, reply: Reply) -> Reply:
        """Return the reply with an amount and a balance that are one minor unit higher."""
        if not isinstance(reply.body, dict) or "amount" not in reply.body:
            return reply
        higher = {
            name: Decimal(reply.body[name]) + self.currency.decimal(1)
            for name in ("amount", "balance")
            if name in reply.body
        }
        return attrs.evolve(reply, body={**reply.body, **higher})

    def redeem_at_checkout(self, code: str, amount: Decimal | str) -> str:
        """Spend value of a voucher in a ticket checkout, outside of this API, and return the transaction's id.

        Raises:
            CheckoutRefused: if the code is unknown or expired, or the amount is zero or more than the balance.
            NotAnAmount: if the currency cannot express the amount.
        """
        with self.lock:
            now = self._now()
            minor = self.currency.minor_units(Decimal(amount))
            voucher = next(iter(self._vouchers.with_code(code)), None)
            if voucher is None or voucher.message(now) == "expired" or not 0 < minor <= voucher.balance:
                raise CheckoutRefused("the voucher is unknown or expired, or the amount is zero or above its balance")
            redemption = CheckoutRedemption(random_id(self.random), minor, now)
            redemptions = (*voucher.redemptions, redemption)
            self._vouchers.put(attrs.evolve(voucher, redemptions=redemptions, updated_at=now))
            return redemption.transaction_id

    def _set_login(self, api_key: str, seller_id: str) -> None:
        self._api_key = api_key
        self._keys.expire()
        self._keys.add(api_key)
        self._writer = DocumentWriter(
            seller_id=seller_id,
            seller_name="Example Events",
            currency=self.currency,
            show_id=self.settings.show_id,
            float_noise=self.settings.float_noise,
            negative_redemptions=self.settings.negative_redemptions,
        )

    def _now(self) -> datetime:
        return _to_milliseconds(self.clock.now())

    def _with_refusal_bodies(self, handler: Handler) -> Handler:
        def handle(request: Request) -> Reply:
            try:
                reply = handler(request)
            except Refused as refused:
                reply = refused.reply
            return with_refusal_body(reply, self.settings.refusal_bodies)

        return handle

    def _list(self, request: Request) -> Reply:
        query = read_list_query(request, strict=self.settings.strict)
        vouchers = self._matching(query.code, query.transaction_id)
        if self.settings.list_order == "newest-first":
            vouchers.reverse()
        docs = [self._writer.voucher_in_list(voucher) for voucher in vouchers[query.skip : query.skip + query.top]]
        return Reply(200, {"docs": docs, "total": len(vouchers)})

    def _matching(self, code: str | None, transaction_id: str | None) -> list[StoredVoucher]:
        if code is None:
            vouchers = list(self._vouchers)
        elif self.settings.code_filter == "exact":
            vouchers = self._vouchers.with_code(code)
        elif self.settings.code_filter == "prefix":
            vouchers = [voucher for voucher in self._vouchers if voucher.code.startswith(code)]
        else:
            folded = code.casefold()
            vouchers = [voucher for voucher in self._vouchers if voucher.code.casefold() == folded]
        if transaction_id is None:
            return vouchers
        return [voucher for voucher in vouchers if voucher.transaction_id == transaction_id]

    def _create(self, request: Request) -> Reply:
        fields = read_fields(request, _NEW_FIELDS, strict=self.settings.strict)
        amount, code = read_amount(fields, self.currency), read_code(fields)
        valid_until = read_valid_until(fields)
        if code is not None and self._vouchers.with_code(code) and not self.settings.allow_duplicate_codes:
            raise bad_request(self._code_taken)
        voucher = self._new_voucher(amount, code, valid_until)
        self._vouchers.put(voucher)
        return Reply(201, self._writer.voucher(voucher))

    def _update(self, request: Request) -> Reply:
        voucher = self._voucher(request)
        fields = read_fields(request, _UPDATE_FIELDS, strict=self.settings.strict)
        amount, valid_until = read_amount(fields, self.currency), read_valid_until(fields)
        if amount < voucher.redeemed:
            raise bad_request(self._below_redeemed)
        voucher = attrs.evolve(voucher, amount=amount, valid_until=valid_until, updated_at=self._now())
        self._vouchers.put(voucher)
        return Reply(200, self._writer.voucher(voucher))

    def _get(self, request: Request) -> Reply:
        return Reply(200, self._writer.voucher(self._voucher(request)))

    def _transactions(self, request: Request) -> Reply:
        return Reply(200, self._writer.transactions(self._voucher(request)))

    def _show(self, request: Request) -> Reply:
        voucher = self._voucher(request)
        if voucher.code != request.parts["code"]:
            return http_error(404, "There is no such voucher.")
        return Reply(200, self._writer.voucher_info(voucher))

    def _look_up_code(self, request: Request) -> Reply:
        seller_id = read_parameter(request, "sellerId")
        if seller_id is None:
            raise bad_request("sellerId is required.")
        voucher = next(iter(self._vouchers.with_code(request.parts["code"])), None)
        if voucher is not None and seller_id == self._writer.seller_id:
            return Reply(200, self._writer.code_info(voucher, self._now()))
        if self.settings.unknown_code_is_invalid:
            return Reply(200, {"message": "invalid"})
        return http_error(404, "There is no such code.")

    def _describe_key(self, _request: Request) -> Reply:
        seller_id = self._writer.seller_id
        document: Document = {"_id": seller_id[::-1], "active": True, "name": "Simulated key"}
        return Reply(200, {**document, "sellerId": seller_id, "key": self._api_key})

    def _describe_seller(self, request: Request) -> Reply:
        if request.parts["id"] != self._writer.seller_id:
            return http_error(404, "There is no such seller.")
        return Reply(200, self._writer.seller())

    def _voucher(self, request: Request) -> StoredVoucher:
        voucher = self._vouchers.get(request.parts["id"])
        if voucher is None:
            raise Refused(http_error(404, "There is no such voucher."))
        return voucher

    def _new_voucher(self, amount: int, code: str | None, valid_until: datetime | None) -> StoredVoucher:
        now = self._now()
        return StoredVoucher(
            id=random_id(self.random),
            code=self._free_code() if code is None else code,
            amount=amount,
            created_at=now,
            updated_at=now,
            valid_until=valid_until,
        )

    def _free_code(self) -> str:
        code = random_code(self.random)
        while self._vouchers.with_code(code):
            code = random_code(self.random)
        return code
