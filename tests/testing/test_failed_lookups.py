"""Look-ups are struck in every way in which a vendor can fail to show what happened."""

from __future__ import annotations

from contextlib import closing

import pytest

from voucher_gateway.provider_api import (
    AccessDenied,
    Code,
    Effect,
    Intent,
    MalformedResponse,
    Operation,
    Outcome,
    ProviderUnavailable,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway.testing.harness.failed_lookups import with_failing_lookups
from voucher_gateway.testing.harness.vendor import IMPATIENT, select_settings
from voucher_gateway.testing.simulated_vendor import SimulatedVendor
from voucher_gateway_ticketing import TicketingProvider


class TakesOneErrorForAbsence(TicketingProvider):
    kind: type[VoucherGatewayError]

    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        try:
            self.get(intent.voucher_id or "")
        except self.kind:
            return Outcome(effect=Effect.NOT_EXECUTED, reason="the vendor shows nothing")
        return Outcome(effect=Effect.UNKNOWN, reason="the vendor shows something")


@pytest.mark.parametrize(
    ("kind", "met"),
    [
        (ProviderUnavailable, "the fault error-before"),
        (AccessDenied, "the fault unauthorized"),
        (MalformedResponse, "the fault not-json"),
        (VoucherNotFound, "the status 404"),
        (AccessDenied, "the status 403"),
    ],
)
def test_an_error_that_is_taken_for_absence_comes_to_light(kind: type[VoucherGatewayError], met: str) -> None:
    broken = type("Broken", (TakesOneErrorForAbsence,), {"kind": kind})
    with closing(SimulatedVendor(broken, vouchers=3)) as vendor:
        provider = vendor.provider(**select_settings(broken, IMPATIENT))
        id = str(vendor.ledger()[0]["id"])
        intent = provider.intent(Operation.UPDATE, reference="r-1", voucher_id=id)
        found = {lookup.met: lookup.result for lookup in with_failing_lookups(vendor, provider, intent, None, None)}
        said = found[f"{met} from its request 0 on"]
        assert isinstance(said, Outcome)
        assert said.effect is Effect.NOT_EXECUTED
        again = provider.resolve(intent)
        assert again.effect is Effect.UNKNOWN  # nothing of it stays
