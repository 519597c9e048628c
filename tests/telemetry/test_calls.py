"""One line in the log for each call: how it ended, how long it took, and what was sent."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.provider_api import Money, NewVoucher, OutcomeUnknown, VoucherGatewayError

if TYPE_CHECKING:
    from tests.support.shop import Shop

TEN = Money("10.00", "EUR")


@pytest.fixture
def code(shop: Shop, caplog: pytest.LogCaptureFixture) -> str:
    code = shop.voucher()[1]
    shop.gateway.balance("shop", code)  # it gets an access token
    caplog.set_level(logging.INFO, "voucher_gateway")
    caplog.clear()
    return code


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    records = [record for record in caplog.records if record.levelno >= logging.INFO]
    return [re.sub(r"\d+ ms", "N ms", record.getMessage()) for record in records]


def last_fields(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    names = ("account", "verb", "reference", "order", "outcome", "error", "requests", "tries", "replayed")
    return {name: getattr(caplog.records[-1], name) for name in names}


def test_a_call_has_one_line_at_info(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    shop.redeem(code, reference="1001-a", order="1001")
    assert lines(caplog) == ["shop: redeem 1001-a of order 1001: succeeded, N ms, 2 requests, 2 tries"]
    assert last_fields(caplog) == {
        "account": "shop",
        "verb": "redeem",
        "reference": "1001-a",
        "order": "1001",
        "outcome": "succeeded",
        "error": None,
        "requests": 2,
        "tries": 2,
        "replayed": False,
    }
    assert 0 < vars(caplog.records[-1])["duration_ms"] < 60_000


def test_a_replay_sends_nothing(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    shop.redeem(code, reference="1001-a")
    caplog.clear()
    shop.redeem(code, reference="1001-a")
    assert lines(caplog) == ["shop: redeem 1001-a: replayed, N ms, 0 requests, 0 tries"]
    assert last_fields(caplog)["replayed"] is True


def test_a_refusal_is_named(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    with suppress(VoucherGatewayError):
        shop.redeem(code, "60.00", reference="1001-a")
    assert lines(caplog) == ["shop: redeem 1001-a: declined (InsufficientValue), N ms, 2 requests, 2 tries"]


def test_an_unknown_outcome_warns_besides(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    shop.running.inject("error-before", "GET *", times=0)
    with pytest.raises(OutcomeUnknown):
        shop.redeem(code, reference="1001-a")
    assert lines(caplog)[-1].startswith("shop: redeem 1001-a: unknown (OutcomeUnknown), N ms, ")
    assert [record.levelname for record in caplog.records if record.levelno > logging.INFO] == ["WARNING"]


def test_a_repeated_request_counts_as_another_try(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    shop.running.inject("error-before", "GET *", times=1)
    with shop.another_gateway(tries=2) as gateway:
        gateway.find(code, broadcast=True)
    assert lines(caplog) == ["shop: find: succeeded, N ms, 2 requests, 3 tries"]


def test_a_read_has_a_line_without_a_reference(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    shop.gateway.balance("shop", code)
    assert lines(caplog) == ["shop: balance: succeeded, N ms, 1 request, 1 try"]


def test_wrong_arguments_have_a_line_too(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    with suppress(VoucherGatewayError):
        shop.gateway.issue("shop", NewVoucher(initial=TEN, code="x" * 99_999), reference="1001-a")
    assert last_fields(caplog)["error"] == "InvalidRequest"
    assert last_fields(caplog)["tries"] == 0


def test_a_call_without_a_journal_has_the_same_line(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    with Gateway({"shop": shop.provider()}) as gateway:
        gateway.balance("shop", code)
        caplog.clear()
        gateway.redeem("shop", code, TEN, reference="1001-a")
    assert lines(caplog) == ["shop: redeem 1001-a: succeeded, N ms, 2 requests, 2 tries"]


def test_a_reference_that_holds_a_short_code_is_masked(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    short = shop.voucher(code="QX-7Z")[1]
    shop.redeem(short, reference=f"1001-{short}", order=short)
    assert lines(caplog) == ["shop: redeem •••• of order ••••: succeeded, N ms, 2 requests, 2 tries"]
    assert short not in str(vars(caplog.records[-1]))


def test_the_look_up_of_a_payment_at_a_named_account_has_its_line(
    shop: Shop, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    shop.gateway.payment("1001", total=TEN).add(code, account="shop")
    assert [line for line in lines(caplog) if line.startswith("shop: find: succeeded")]


class BrokenHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError("4711 broken")


def test_a_handler_that_raises_does_not_hide_how_a_call_ended(
    shop: Shop, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = BrokenHandler()
    calls = logging.getLogger("voucher_gateway.calls")
    calls.addHandler(handler)
    try:
        assert not shop.redeem(code, reference="1001-a").replayed
        with pytest.raises(VoucherGatewayError, match="no such voucher"):
            shop.gateway.balance("shop", "JTL-NO-SUCH-CODE")
    finally:
        calls.removeHandler(handler)
    lines_of_stderr = capsys.readouterr().err.splitlines()
    assert set(lines_of_stderr) == {"voucher_gateway.calls: a handler of the log raised RuntimeError"}
