"""A small provider that keeps the whole read level; the broken ones are made of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from urllib.parse import urlsplit

import attrs

from voucher_gateway.provider_api import (
    ApiCalls,
    BearerKey,
    Capabilities,
    Code,
    CodeRules,
    ConfigurationError,
    Expiry,
    History,
    HttpClient,
    HttpSettings,
    IntegrityMismatch,
    InvalidRequest,
    Listing,
    ListingRules,
    MalformedResponse,
    Money,
    Movement,
    MovementKind,
    MovementState,
    Operation,
    Page,
    Path,
    Pin,
    Presentation,
    Rejected,
    Request,
    Response,
    SecretSource,
    Seller,
    Status,
    UnreadableEntry,
    UnsupportedOperation,
    Voucher,
    VoucherGatewayError,
    VoucherNotFound,
    VoucherProvider,
    VoucherQuery,
    native,
    now,
    parse_instant,
    secret_source,
)

LARGEST_PAGE = 50
_STATUSES = {"active": Status.ACTIVE, "inactive": Status.INACTIVE}

_STATES = {state.value: state for state in MovementState}


def _page_size(_: object, __: object, size: int) -> None:
    if not 1 <= size <= LARGEST_PAGE:
        raise ConfigurationError(f"must be from 1 to {LARGEST_PAGE}")


@attrs.frozen(kw_only=True)
class CornerSettings(HttpSettings):
    api_key: SecretSource = attrs.field(converter=secret_source)
    page_size: int = attrs.field(default=10, validator=_page_size)


DECLARED = Capabilities(
    operations=dict.fromkeys(
        (
            Operation.FIND,
            Operation.GET,
            Operation.BALANCE,
            Operation.VOUCHERS,
            Operation.HISTORY,
            Operation.PRESENTATION,
        ),
        native(),
    ),
    codes=CodeRules(choosable=False, readable=True),
    expiry=Expiry.NONE,
    listing=ListingRules(page_size=10, max_page_size=LARGEST_PAGE, filters=frozenset({"code", "status"})),
)


def explain(reply: Response) -> VoucherGatewayError | None:
    try:
        body = reply.json()
    except MalformedResponse:
        return None
    if not (isinstance(body, dict) and "error" in body):
        return None
    return Rejected("the vendor refused", http_status=reply.status)


class CornerBase(VoucherProvider):
    """All of it but a word on the interface."""

    name = "corner"
    title = "Corner shop"
    settings_type = CornerSettings
    settings: CornerSettings
    declared = DECLARED

    def __init__(self, account: str, settings: CornerSettings) -> None:
        super().__init__(account, settings)
        self.http = HttpClient(account, settings, explain=explain)
        self.http.auth = BearerKey(settings.api_key)
        self.calls = ApiCalls(account, self.http)

    @property
    def host(self) -> str:
        return urlsplit(self.settings.base_url).netloc

    def vendor_now(self) -> datetime:
        return now() + (self.http.clock_skew or timedelta())

    def close(self) -> None:
        self.http.close()

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        code = self.checked(code)
        page = self.page("find", 1, [("code", code)])
        found = [one for one in page.items if one.code == code]
        if not found:
            raise VoucherNotFound("there is no such voucher", account=self.account, operation="find")
        return found[0]

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        request = Request(method="GET", path=Path.of("/vouchers/{id}", id=id))

        def read(reply: Response) -> Voucher:
            return self.voucher(self.body(reply))

        with self.calls.voucher_not_found_on_404():
            return self.calls.send_read("get", request, read)

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        query = query or VoucherQuery()
        params = self.filters(query)
        return Listing(
            lambda index: self.page("vouchers", index + 1, params),
            key=lambda voucher: voucher.id,
            workers=self.settings.workers,
            limit=query.limit,
            resume=query.resume,
            scope=query.fingerprint(self.account, self.host, str(self.settings.page_size)),
        )

    def history(self, id: str) -> History:
        currency = self.get(id).remaining
        assert currency is not None
        movements: list[Movement] = []
        cursor: str | None = None
        while True:
            shown, cursor, at = self.movements_page(id, currency.currency, cursor)
            movements += shown
            if cursor is None:
                return History(voucher_id=id, movements=tuple(movements), complete=True, as_of=at)

    def movements_page(
        self, id: str, currency: str, cursor: str | None
    ) -> tuple[list[Movement], str | None, datetime | None]:
        query = [] if cursor is None else [("cursor", cursor)]
        request = Request(method="GET", path=Path.of("/vouchers/{id}/movements", id=id), query=query, returns_page=True)

        def read(reply: Response) -> tuple[list[Movement], str | None, datetime | None]:
            body = _object(reply)
            movements = [self.movement(id, currency, _member(entry)) for entry in _list(body, "movements")]
            following = None if body.get("next") is None else _text(body, "next")
            if following is not None and not following.isprintable():
                raise MalformedResponse("a cursor is wrong", problems=("next: a cursor is due",))
            return movements, following, reply.date

        with self.calls.voucher_not_found_on_404():
            return self.calls.send_read("history", request, read)

    def presentation(self, code: str | Code, *, id: str | None = None) -> Presentation:
        code = self.checked(code)
        named: list[tuple[str, Any]] = [("code", code), *([] if id is None else [("id", id)])]
        request = Request(method="GET", path=Path.of("/presentations"), query=named)
        with self.calls.voucher_not_found_on_404():
            shown = self.calls.send_read("presentation", request, self.presented)
        if shown.voucher.code != code or id not in (None, shown.voucher.id):
            raise IntegrityMismatch("another voucher is shown", account=self.account, operation="presentation")
        return shown

    # --- what the broken ones replace ---

    def presented(self, reply: Response) -> Presentation:
        body = _object(reply)
        voucher, seller = self.voucher(_member(body.get("voucher"))), Seller(name=_text(body, "seller"))
        return Presentation(account=self.account, voucher=voucher, seller=seller, raw=body)

    def body(self, reply: Response) -> dict[str, Any]:
        return _object(reply)

    def asked(self, operation: str, request: Request) -> Voucher:
        return self.calls.send_read(operation, request, lambda reply: self.voucher(_object(reply)))

    def checked(self, code: str | Code) -> Code:
        code = Code.of(code)
        if not code.reveal():
            raise InvalidRequest("code must not be empty", field="code", rule="not empty")
        return code

    def filters(self, query: VoucherQuery) -> list[tuple[str, Any]]:
        if query.native or query.newest_first is not None or query.common().keys() - self.declared.listing.filters:
            raise UnsupportedOperation("the corner shop filters by code and status only", operation="vouchers")
        if query.status is Status.UNKNOWN:
            raise InvalidRequest("there is no such status", field="status", rule="active or inactive")
        named = {"code": query.code, "status": None if query.status is None else query.status.value}
        return [(name, value) for name, value in named.items() if value is not None]

    def page(self, operation: str, number: int, params: list[tuple[str, Any]]) -> Page[Voucher]:
        size = self.settings.page_size
        query = [("page", str(number)), ("size", str(size)), *params]
        request = Request(method="GET", path=Path.of("/vouchers"), query=query, returns_page=True)

        def read(reply: Response) -> Page[Voucher]:
            body = self.body(reply)
            total = body.get("total")
            if type(total) is not int:
                raise MalformedResponse("the list has no total", problems=("total: expected an integer",))
            read_one = self.entry if operation == "vouchers" else self.strict_entry
            return Page(items=[read_one(one) for one in _list(body, "vouchers")], total=total, size=size)

        return self.calls.send_read(operation, request, read)

    def strict_entry(self, raw: object) -> Voucher:
        return self.voucher(_member(raw))

    def entry(self, raw: object) -> Voucher:
        try:
            return self.strict_entry(raw)
        except MalformedResponse as error:
            unreadable: Any = UnreadableEntry.of(raw, error.problems or (error.message,))
            return cast(Voucher, unreadable)  # so that the broken ones need no other type of a page

    def voucher(self, raw: Mapping[str, Any]) -> Voucher:
        currency = _text(raw, "currency")
        return Voucher(
            account=self.account,
            id=_text(raw, "id"),
            code=Code(_text(raw, "code")),
            initial=self.money(raw.get("amount"), currency),
            remaining=self.money(raw.get("balance"), currency),
            status=_STATUSES.get(_text(raw, "status"), Status.UNKNOWN),
            links={"customer_id": _text(raw, "customer")},
            valid_until=self.instant(raw, "validUntil"),
            created_at=self.instant(raw, "createdAt"),
            raw=raw,
        )

    def movement(self, id: str, currency: str, raw: Mapping[str, Any]) -> Movement:
        return Movement(
            account=self.account,
            id=_text(raw, "id"),
            voucher_id=id,
            kind=MovementKind.REDEMPTION,
            money=self.money(raw.get("amount"), currency),
            state=self.state(raw.get("state", "completed")),
            reference=_text(raw, "reference"),
            created_at=self.instant(raw, "at"),
            raw=raw,
        )

    def state(self, word: object) -> MovementState:
        if not isinstance(word, str) or word not in _STATES:
            raise MalformedResponse("a state is wrong", problems=("state: a known state is due",))
        return _STATES[word]

    def money(self, number: object, currency: str) -> Money:
        if type(number) not in (int, Decimal):
            raise MalformedResponse("an amount is wrong", problems=("amount: expected a number",))
        assert isinstance(number, int | Decimal)
        if number < 0:
            raise MalformedResponse("an amount is wrong", problems=("amount: must not be negative",))
        try:
            return Money(number, currency)
        except InvalidRequest:
            problem = "amount: an amount of the currency is due"
        raise MalformedResponse("an amount is wrong", problems=(problem,))

    def instant(self, raw: Mapping[str, Any], name: str) -> datetime | None:
        if raw.get(name) is None:
            return None
        try:
            return parse_instant(_text(raw, name))
        except ValueError:
            problem = f"{name}: a timestamp is due"
        raise MalformedResponse("a timestamp is wrong", problems=(problem,))


class CornerProvider(CornerBase):
    interface_version = 1


def _object(reply: Response) -> dict[str, Any]:
    return _member(reply.json())


def _member(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedResponse("an object is due", problems=("an object is due",))
    return value


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name)
    if not isinstance(value, list):
        raise MalformedResponse("a list is due", problems=(f"{name}: a list is due",))
    return value


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str):
        raise MalformedResponse("a text is due", problems=(f"{name}: a text is due",))
    return value
