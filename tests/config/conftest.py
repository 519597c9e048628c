"""A provider for the tests of configurations, installed as a stranger's distribution."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest

from voucher_gateway import registry
from voucher_gateway.capabilities import Capabilities, Expiry, ListingRules, Operation, native
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.rules.codes import CodeRules
from voucher_gateway.setting_types import SecretSource, parse_base_url

DECLARED = Capabilities(
    operations={Operation.FIND: native(), Operation.GET: native()},
    codes=CodeRules(choosable=False, readable=True),
    expiry=Expiry.NONE,
    listing=ListingRules(page_size=10),
)


@attrs.frozen(kw_only=True)
class AcmeSettings:
    base_url: str = attrs.field(converter=parse_base_url)
    client_id: str
    client_secret: SecretSource
    timeout: float = 10.0


class Acme(VoucherProvider):
    name = "acme"
    title = "Acme vouchers"
    interface_version = 1
    settings_type = AcmeSettings
    declared = DECLARED

    @property
    def host(self) -> str:
        return "acme.example"

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        raise AssertionError

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        raise AssertionError


@pytest.fixture(scope="module", autouse=True)
def _providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Install a distribution with the provider of this file as acme, and one that is broken."""
    site = tmp_path_factory.mktemp("site")
    info = site / "acme_vouchers-1.2.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: acme-vouchers\nVersion: 1.2\n")
    info.joinpath("entry_points.txt").write_text(
        f"[{registry.GROUP}]\nacme = {__name__}:Acme\nbroken = acme_no_such_module:Broken\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        yield
