"""Providers that fail, share, leak or declare wrongly."""

from __future__ import annotations

import http.client
import json
import logging
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, NoReturn

import attrs
import requests

from tests.testing.broken.registry import breaks
from tests.testing.corner.provider import DECLARED, CornerBase, CornerProvider, CornerSettings, explain
from voucher_gateway.provider_api import (
    AccountCheck,
    ApiCalls,
    AuthenticationFailed,
    BearerKey,
    Capabilities,
    Code,
    HttpClient,
    HttpSettings,
    MalformedResponse,
    Operation,
    Page,
    Pin,
    Presentation,
    Rejected,
    Response,
    SecretSource,
    Voucher,
    VoucherGatewayError,
    VoucherNotFound,
    native,
)

LOG = logging.getLogger("corner")


@breaks("R13")
class SwallowsErrors(CornerProvider):
    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        try:
            return super().find(code, pin)
        except VoucherGatewayError:
            missing = VoucherNotFound("there is no such voucher", account=self.account, operation="find")
        raise missing


@breaks("R13")
class ListsNothingInTrouble(CornerProvider):
    def page(self, operation: str, number: int, params: list[tuple[str, Any]]) -> Page[Voucher]:
        try:
            return super().page(operation, number, params)
        except VoucherGatewayError:
            if operation == "vouchers":
                return Page(items=[], total=0, size=self.settings.page_size)
            raise


@breaks("R22")
class TakesAny404ForAMissingVoucher(CornerProvider):
    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        try:
            return super().get(id)
        except MalformedResponse as error:
            if error.http_status != 404:
                raise
            missing = VoucherNotFound("there is no such voucher", account=self.account, operation="get")
        raise missing


class SeesMissingVouchers(CornerProvider):
    """Takes some bodies of a 404 for the vendor's word that there is no such voucher."""

    def __init__(self, account: str, settings: CornerSettings) -> None:
        super().__init__(account, settings)
        self.http = HttpClient(account, settings, explain=self.explain)
        self.http.auth = BearerKey(settings.api_key)
        self.calls = ApiCalls(account, self.http)

    def explain(self, reply: Response) -> VoucherGatewayError | None:
        missing = reply.status == 404 and self.is_missing(reply.body)
        return VoucherNotFound("there is no such voucher", http_status=404) if missing else explain(reply)

    def is_missing(self, body: bytes) -> bool:
        raise NotImplementedError  # each subclass has its own mistake here; this class is never run


@breaks("R22")
class TakesAMessageForAMissingVoucher(SeesMissingVouchers):
    def is_missing(self, body: bytes) -> bool:
        return body.startswith(b'{"message"')


@breaks("R22")
class TakesAPageForAMissingVoucher(SeesMissingVouchers):
    def is_missing(self, body: bytes) -> bool:
        return b"<html" in body


@breaks("R14")
class AsksForEver(CornerProvider):
    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        for _ in range(10):
            try:
                return super().find(code, pin)
            except VoucherNotFound:
                raise
            except VoucherGatewayError:
                continue
        return super().find(code, pin)


@breaks("R15")
class TellsARefusedLoginAsMissing(CornerProvider):
    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        try:
            return super().get(id)
        except AuthenticationFailed:
            missing = VoucherNotFound("there is no such voucher", account=self.account, operation="get")
        raise missing


@breaks("R16")
class RemembersTheCallOnTheInstance(CornerProvider):
    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        self._wanted = self.checked(code)
        found = self.page("find", 1, [("code", self._wanted)]).items
        return super().find(self._wanted) if not found else found[0]

    def voucher(self, raw: Mapping[str, Any]) -> Voucher:
        self._read = super().voucher(raw)
        time.sleep(0)
        return self._read


@breaks("R17")
class SharesASocketWithItsChildren(CornerProvider):
    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        if not hasattr(self, "_line"):
            self._line = http.client.HTTPConnection(self.host, timeout=2)
        key = self.settings.api_key.get().reveal()
        self._line.request("GET", f"/v1/vouchers/{id}", headers={"Authorization": f"Bearer {key}"})
        time.sleep(0.02)
        body = self._line.getresponse().read()
        return self.voucher(json.loads(body, parse_float=Decimal))

    def close(self) -> None:
        super().close()
        if hasattr(self, "_line"):
            self._line.close()


@breaks("R25")
class SharesItsSession(CornerProvider):
    logins: ClassVar[dict[str, BearerKey]] = {}

    def __init__(self, account: str, settings: CornerSettings) -> None:
        super().__init__(account, settings)
        self.http.auth = self.logins.setdefault(settings.base_url, BearerKey(settings.api_key))


@breaks("R18")
class QuotesTheCodeInAnError(CornerProvider):
    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        try:
            return super().find(code, pin)
        except VoucherNotFound:
            text = Code.of(code).reveal()
            missing = VoucherNotFound(f"there is no voucher {text}", account=self.account, operation="find")
        raise missing


@breaks("R18")
class LogsWhatItReads(CornerProvider):
    def voucher(self, raw: Mapping[str, Any]) -> Voucher:
        LOG.debug("read %s", raw)
        return super().voucher(raw)


@breaks("R18")
class KeepsTheCodeInALocalVariable(CornerProvider):
    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        text = Code.of(code).reveal()
        code = Code(text)
        return super().find(code)


@breaks("R18")
class LeavesTheErrorBehindItsOwn(CornerProvider):
    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        code = Code.of(code)
        try:
            _require_known(code)
        except KeyError:
            raise VoucherNotFound("there is no such voucher", account=self.account, operation="find") from None
        raise AssertionError


def _require_known(code: Code) -> None:
    text = code.reveal()
    raise KeyError(len(text))


@breaks("R18")
class ShowsItsKey(CornerProvider):
    def __repr__(self) -> str:
        return f"ShowsItsKey({self.settings.api_key.get().reveal()})"


@breaks("R18")
class ShowsTheCodeOfAPresentation(CornerProvider):
    def presentation(self, code: str | Code, *, id: str | None = None) -> Presentation:
        LOG.debug("present %s", Code.of(code).reveal())
        return super().presentation(code, id=id)


@breaks("R19")
class NeverCloses(CornerProvider):
    def close(self) -> None:
        kept.append(self)


kept: list[CornerProvider] = []


@breaks("R20")
class ReadsThroughPlainRequests(CornerProvider):
    """requests takes an interim reply for the answer, and keeps the connection on which the answer is still to come."""

    def __init__(self, account: str, settings: CornerSettings) -> None:
        super().__init__(account, settings)
        self.http._transport._session.mount("http://", requests.adapters.HTTPAdapter())


@breaks("R21")
class ReadsWhateverComes(CornerProvider):
    def __init__(self, account: str, settings: CornerSettings) -> None:
        most = 10**9
        limits = {"max_reply_bytes": most, "max_reply_values": most, "max_page_bytes": most, "max_page_values": most}
        super().__init__(account, attrs.evolve(settings, **limits))  # type: ignore[arg-type]  # each is a whole number


@breaks("D1")
class DeclaresHalfOfIt(CornerProvider):
    declared = attrs.evolve(
        DECLARED.with_support({Operation.FIND: native(partial=True)}), currency_from="the vendor's mood"
    )


@breaks("D1")
class DoesNotSayItsInterface(CornerBase):
    pass


@attrs.frozen(kw_only=True)
class PlainSettings(HttpSettings):
    api_key: str
    page_size: int = 10


@breaks("D2")
class KeepsItsKeyAsText(CornerProvider):
    settings_type = PlainSettings  # type: ignore[assignment]  # another class is what is wrong here

    def __init__(self, account: str, settings: Any) -> None:
        super().__init__(account, settings)
        self.http.auth = None


@attrs.frozen(kw_only=True)
class UnconvertedSettings(HttpSettings):
    api_key: SecretSource
    page_size: int = 10


@breaks("D2")
class TakesPlainTextFromCode(CornerProvider):
    settings_type = UnconvertedSettings  # type: ignore[assignment]  # another class is what is wrong here


@breaks("D3")
class AsksWhenItIsMade(CornerProvider):
    def __init__(self, account: str, settings: CornerSettings) -> None:
        super().__init__(account, settings)
        self.page("vouchers", 1, [])


@breaks("D4")
class GrowsAtRunTime(CornerProvider):
    @property
    def capabilities(self) -> Capabilities:
        return self.declared.with_support({Operation.REDEEM: native()})


@breaks("D5")
class FindsAllWell(CornerProvider):
    def check(self) -> AccountCheck:
        try:
            return super().check()
        except VoucherGatewayError:
            return AccountCheck()


@breaks("D5")
class SaysThatItAsked(CornerProvider):
    def check(self) -> AccountCheck:
        return AccountCheck(asked=True)


@breaks("D6")
class AsksBeforeItRefuses(CornerProvider):
    def _raise_unsupported(self, operation: Operation) -> NoReturn:
        self.page("vouchers", 1, [])
        super()._raise_unsupported(operation)


@breaks("D6")
class RefusesInItsOwnWords(CornerProvider):
    def _raise_unsupported(self, operation: Operation) -> NoReturn:
        raise Rejected("we do not do that here")
