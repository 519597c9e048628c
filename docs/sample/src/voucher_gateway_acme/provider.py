"""The provider: maps the vendor's calls to the interface of voucher-gateway."""

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
    Response,
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
    """The settings of an account, in addition to the base URL and time-outs of every HTTP provider."""

    api_key: SecretSource = attrs.field(converter=secret_source)


class AcmeProvider(HttpProvider):
    """Acme Gift Cards. Operations that are not declared raise `UnsupportedOperation`."""

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
        """Return the voucher with exactly this code. The vendor's vouchers have no PIN, so it is ignored."""
        code = Code.of(code)  # the same name: otherwise an error tracker could send the plain code of a local variable
        with self.calls.voucher_not_found_on_404():
            voucher = self._voucher(Operation.FIND, Path.of("/lookup"), ("code", code))
        if voucher.code != code:
            raise VoucherNotFound("the vendor has no such voucher", account=self.account, operation="find")
        return voucher

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        """Return the voucher with this id. The vendor always shows its code."""
        with self.calls.voucher_not_found_on_404():
            return self._voucher(Operation.GET, Path.of("/vouchers/{id}", id=id))

    def _voucher(self, operation: Operation, path: Path, *query: tuple[str, str | Code]) -> Voucher:
        request = Request(method="GET", path=path, query=query)
        return self.calls.send_read(operation, request, self._read_voucher)

    def _read_voucher(self, reply: Response) -> Voucher:
        return self._map_voucher(*wire.read_voucher(reply))

    def _map_voucher(self, voucher: wire.AcmeVoucher, raw: RawObject) -> Voucher:
        return Voucher(
            account=self.account,
            id=voucher.id,
            code=voucher.code,
            initial=money_from(wire.AMOUNT, voucher.initial, voucher.currency, "initial"),
            remaining=money_from(wire.AMOUNT, voucher.balance, voucher.currency, "balance"),
            status=_STATUSES.get(voucher.status, Status.UNKNOWN),
            valid_until=voucher.valid_until,
            raw=raw,
        )
