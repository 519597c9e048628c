"""The adapter: the vendor's calls, mapped to the one interface of voucher-gateway."""

from __future__ import annotations

import attrs
from voucher_gateway.provider_api import (
    BearerKey,
    Capabilities,
    Code,
    CodeRules,
    Expiry,
    HttpClient,
    HttpProvider,
    HttpSettings,
    ListingRules,
    Operation,
    Path,
    Pin,
    RawObject,
    Request,
    SecretSource,
    Status,
    Voucher,
    VoucherNotFound,
    money_from,
    native,
    secret_source,
)

from voucher_gateway_acme import wire

_STATUSES = {"active": Status.ACTIVE, "inactive": Status.INACTIVE}


@attrs.frozen(kw_only=True)
class AcmeSettings(HttpSettings):
    """What an account is told in the config, beside the address and time-outs of every vendor that speaks HTTP."""

    api_key: SecretSource = attrs.field(converter=secret_source)


class AcmeProvider(HttpProvider):
    """Acme Gift Cards. What is not declared raises `UnsupportedOperation` by itself."""

    name = "acme"
    title = "Acme Gift Cards"
    interface_version = 1
    settings_type = AcmeSettings
    declared = Capabilities(
        operations={Operation.FIND: native(), Operation.GET: native(), Operation.BALANCE: native()},
        codes=CodeRules(choosable=False, readable=True),
        expiry=Expiry.ABSOLUTE,
        listing=ListingRules(page_size=100),
    )

    def __init__(self, account: str, settings: AcmeSettings) -> None:
        super().__init__(account, settings, HttpClient(account, settings, explain=wire.explain))
        self.http.auth = BearerKey(settings.api_key)

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        """Return the voucher with exactly this code. Vouchers have no PIN here, so one is not looked at."""
        code = Code.of(code)  # over the same name: an error tracker would send the plain text in a local variable
        found = self.calls.of_voucher(lambda: self._voucher(Operation.FIND, Path.of("/lookup"), ("code", code)))
        if found.code != code:
            raise VoucherNotFound("the vendor knows no such voucher", account=self.account, operation="find")
        return found

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        """Return the voucher with this id. The vendor shows its code in any case."""
        return self.calls.of_voucher(lambda: self._voucher(Operation.GET, Path.of("/vouchers/{id}", id=id)))

    def _voucher(self, operation: Operation, path: Path, *query: tuple[str, str | Code]) -> Voucher:
        request = Request(method="GET", path=path, query=query)
        return self.calls.send_read(operation, request, lambda reply: self._made(*wire.read_voucher(reply)))

    def _made(self, one: wire.AcmeVoucher, raw: RawObject) -> Voucher:
        return Voucher(
            account=self.account,
            id=one.id,
            code=one.code,
            initial=money_from(wire.AMOUNT, one.initial, one.currency, "initial"),
            remaining=money_from(wire.AMOUNT, one.balance, one.currency, "balance"),
            status=_STATUSES.get(one.status, Status.UNKNOWN),
            valid_until=one.valid_until,
            raw=raw,
        )
