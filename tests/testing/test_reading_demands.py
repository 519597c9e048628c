"""The promises of the read level demand nothing that a vendor cannot have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import attrs
import pytest

from tests.testing.corner.provider import DECLARED, CornerProvider, CornerSettings, explain
from tests.testing.corner.simulator import CornerSimulator
from voucher_gateway.provider_api import (
    AccessDenied,
    ApiCalls,
    BearerKey,
    History,
    HttpClient,
    Response,
    Status,
    Voucher,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway.simulator import fault
from voucher_gateway.testing import Level, ProviderContract, SimulatedVendor
from voucher_gateway.testing.promises.checks import BrokenPromise


class CornerContract(ProviderContract):
    provider = CornerProvider
    simulator = CornerSimulator
    level = Level.READ
    counts = False


@pytest.fixture
def vendor() -> Iterator[SimulatedVendor]:
    with SimulatedVendor(CornerProvider, CornerSimulator, vouchers=9) as vendor:
        yield vendor


# --- a vendor without initial values ---


class CornerWithoutInitialValues(CornerProvider):
    def voucher(self, raw: Mapping[str, Any]) -> Voucher:
        return attrs.evolve(super().voucher(raw), initial=None)


class CornerThatSaysSo(CornerWithoutInitialValues):
    declared = attrs.evolve(DECLARED, shows_initial=False)


def test_an_initial_value_that_no_call_shows_is_demanded_unless_the_provider_says_so(vendor: SimulatedVendor) -> None:
    def amounts_of(provider: type[CornerProvider]) -> None:
        with SimulatedVendor(provider, CornerSimulator, vouchers=9) as vendor:
            CornerContract().test_every_amount_is_the_vendors(vendor, vendor.provider())

    amounts_of(CornerThatSaysSo)
    with pytest.raises(BrokenPromise, match=r"promise M1 (?s:.*)nothing shows the initial value"):
        amounts_of(CornerWithoutInitialValues)


# --- the vendor's own words ---


class ForeignCorner(CornerSimulator):
    words: ClassVar[Mapping[str, str]] = {"active": "LIVE", "inactive": "SHUT"}

    def ledger(self) -> list[dict[str, object]]:
        return [entry | {"status": self.words[str(entry["status"])]} for entry in super().ledger()]


class ShoutingCorner(ForeignCorner):
    words: ClassVar[Mapping[str, str]] = {"active": "ACTIVE", "inactive": "INACTIVE"}


class CornerWithItsOwnWords(CornerContract):
    statuses: ClassVar[Mapping[str, Status]] = {"LIVE": Status.ACTIVE, "SHUT": Status.INACTIVE}


class CallsEverythingActive(CornerProvider):
    def voucher(self, raw: Mapping[str, Any]) -> Voucher:
        return attrs.evolve(super().voucher(raw), status=Status.ACTIVE)


class TakesOneWordForTwo(CornerProvider):
    def voucher(self, raw: Mapping[str, Any]) -> Voucher:
        voucher = super().voucher(raw)
        return attrs.evolve(voucher, status=Status.INACTIVE) if voucher.id == "v000" else voucher


class KnowsNoWord(CornerProvider):
    def voucher(self, raw: Mapping[str, Any]) -> Voucher:
        return attrs.evolve(super().voucher(raw), status=Status.UNKNOWN)


def _check_statuses(
    contract: type[CornerContract], simulator: type[CornerSimulator], provider: type[CornerProvider]
) -> None:
    with SimulatedVendor(provider, simulator, vouchers=9) as vendor:
        contract().test_the_status_is_the_vendors(vendor, vendor.provider())


@pytest.mark.parametrize(
    ("contract", "simulator"),
    [(CornerContract, ForeignCorner), (CornerContract, ShoutingCorner), (CornerWithItsOwnWords, ForeignCorner)],
)
def test_the_ledger_has_the_vendors_words_for_a_status(
    contract: type[CornerContract], simulator: type[CornerSimulator]
) -> None:
    _check_statuses(contract, simulator, CornerProvider)


@pytest.mark.parametrize(
    ("contract", "simulator", "provider"),
    [
        (CornerContract, ShoutingCorner, CallsEverythingActive),
        (CornerWithItsOwnWords, ForeignCorner, CallsEverythingActive),
        (CornerContract, ForeignCorner, TakesOneWordForTwo),
        (CornerContract, ForeignCorner, KnowsNoWord),
    ],
)
def test_a_word_that_is_read_wrongly_breaks_the_promise(
    contract: type[CornerContract], simulator: type[CornerSimulator], provider: type[CornerProvider]
) -> None:
    with pytest.raises(BrokenPromise, match=r"promise R7 (?s:.*)the vendor's word is"):
        _check_statuses(contract, simulator, provider)


# --- a read in trouble ---


class LosesAMovement(CornerProvider):
    def history(self, id: str) -> History:
        whole = super().history(id)
        return attrs.evolve(whole, movements=whole.movements[:-1])


def test_a_history_that_is_wrong_without_trouble_is_not_the_fault_of_trouble() -> None:
    with SimulatedVendor(LosesAMovement, CornerSimulator, vouchers=9) as vendor:
        contract_of(LosesAMovement).test_the_answer_is_right_or_an_honest_error(vendor)
        with pytest.raises(BrokenPromise, match="promise R11 "):
            contract_of(LosesAMovement).test_the_history_is_the_vendors(vendor, vendor.provider())


def contract_of(provider_class: type[CornerProvider]) -> CornerContract:
    class Contract(CornerContract):
        provider = provider_class

    return Contract()


# --- the 404 of another resource ---


class CornerInAMall(CornerSimulator):
    """Answers 404 in its own words as well if the shop itself is not there."""

    own_faults = (fault("no-such-shop", 404, {"error": "There is no such shop.", "code": "SHOP"}),)


class ReadsTheCode(CornerProvider):
    def __init__(self, account: str, settings: CornerSettings) -> None:
        super().__init__(account, settings)
        self.http = HttpClient(account, settings, explain=self.explain)
        self.http.auth = BearerKey(settings.api_key)
        self.calls = ApiCalls(account, self.http)

    def explain(self, reply: Response) -> VoucherGatewayError | None:
        shop = reply.status == 404 and b'"SHOP"' in reply.body
        return AccessDenied("there is no such shop", http_status=404) if shop else explain(reply)


class MissesTheShop(ReadsTheCode):
    def explain(self, reply: Response) -> VoucherGatewayError | None:
        missing = VoucherNotFound("there is no such voucher", http_status=404)
        return missing if reply.status == 404 and b'"error"' in reply.body else explain(reply)


def test_another_resource_that_is_missing_is_not_a_missing_voucher() -> None:
    with SimulatedVendor(ReadsTheCode, CornerInAMall, vouchers=9) as vendor:
        contract_of(ReadsTheCode).test_the_answer_is_right_or_an_honest_error(vendor)
    with (
        SimulatedVendor(MissesTheShop, CornerInAMall, vouchers=9) as vendor,
        pytest.raises(BrokenPromise, match=r"promise R13 (?s:.*)with no-such-shop was reported as VoucherNotFound"),
    ):
        contract_of(MissesTheShop).test_the_answer_is_right_or_an_honest_error(vendor)
