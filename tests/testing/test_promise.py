"""How a broken promise is told: number, promise, what was seen, what to change, and no secret."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.testing.corner.provider import CornerProvider, CornerSettings
from voucher_gateway.provider_api import SecretSource, VoucherNotFound
from voucher_gateway.testing import PROMISES, BrokenPromise, for_promise
from voucher_gateway.testing.promises.checks import MissingTestData, fail, not_tried, require

CODE = "SECRET-CODE-4711"
PIN = "secret-pin-99"
KEY = "secret-key-77-abc"


class Books:
    """As much of a vendor as knows secrets."""

    def ledger(self) -> list[Mapping[str, Any]]:
        return [{"code": CODE, "pin": PIN}, {"code": "abc"}]


def _raised(test: Callable[..., None], *arguments: object) -> BrokenPromise:
    with pytest.raises(BrokenPromise) as caught:
        for_promise("R2")(test)(*arguments)
    return caught.value


def test_a_shortage_is_told_as_a_promise_that_could_not_be_tried() -> None:
    def test(snapshot: Books) -> None:
        raise MissingTestData(f"no voucher like {CODE} is left")

    told = str(_raised(test, Books()))
    assert told.splitlines()[0] == "promise R2 (read level) could not be tried."
    assert "Lacking: no voucher like •••• is left" in told
    assert PROMISES["R2"].advice not in told  # nothing is wrong with the provider


def test_a_promise_with_nothing_to_try_is_skipped_with_the_reason_and_no_secret() -> None:
    def test(snapshot: Books) -> None:
        not_tried(f"no call of {CODE} was in doubt")

    with pytest.raises(pytest.skip.Exception) as skipped:
        for_promise("R2")(test)(Books())
    assert str(skipped.value) == "promise R2 was not tried: no call of •••• was in doubt"


def test_a_broken_promise_names_itself_what_was_seen_and_what_to_change() -> None:
    told = str(_raised(lambda: require(False, "two vouchers, and one is right")))
    assert told.splitlines() == [
        "promise R2 (read level) is broken.",
        f"  Promise: {PROMISES['R2'].says}",
        "  Seen: two vouchers, and one is right",
        f"  To change: {PROMISES['R2'].advice}",
        "  More: docs/contract.md, R2",
    ]


def test_an_error_of_the_library_is_told_by_its_kind_and_sentence() -> None:
    def test() -> None:
        raise VoucherNotFound("there is none", account="contract", operation="find")

    assert "Seen: VoucherNotFound was raised: contract find: there is none" in str(_raised(test))


def test_any_other_error_is_told_as_none_of_ours() -> None:
    def test() -> None:
        raise KeyError("amount")

    assert "Seen: KeyError was raised, which is not an error of voucher_gateway: 'amount'" in str(_raised(test))


def test_codes_pins_and_secrets_are_masked_in_all_that_is_shown() -> None:
    settings = CornerSettings(base_url="http://127.0.0.1:1/v1", api_key=SecretSource.of(KEY))

    def test(snapshot: Books, provider: CornerProvider) -> None:
        raise ValueError(" ".join(one["code"] + (one.get("pin") or "") for one in snapshot.ledger()) + KEY)

    with CornerProvider("contract", settings) as provider:
        error = _raised(test, Books(), provider)
    shown = "".join(traceback.format_exception(error))
    assert "••••" in shown
    assert [secret for secret in (CODE, PIN, KEY) if secret in shown] == []
    assert "ValueError" in shown
    assert __file__ in shown  # where it was raised is still to be seen


def test_a_kept_promise_is_silent_and_gives_what_the_test_gives() -> None:
    assert for_promise("R2")(lambda: 7)() == 7
    require(True, "nothing")
    with pytest.raises(AssertionError, match="seen"):
        fail("seen")
