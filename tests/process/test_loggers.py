"""What a program logs with cannot stand for the outcome of a call."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import voucher_gateway
from tests.support.shop import Shop
from voucher_gateway import (
    InsufficientValue,
    Money,
    NewVoucher,
    OperationKey,
    OutcomeUnknown,
    PaymentState,
    ProviderUnavailable,
    SaleState,
)
from voucher_gateway.capabilities import Operation
from voucher_gateway.process.loggers import get_logger

TEN = Money("10.00", "EUR")
ROOM = "voucher_gateway"


class BrokenHandler(logging.Handler):
    """A handler whose program has made a mistake."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        raise self.error


@contextmanager
def broken_handler(name: str = ROOM, error: BaseException | None = None) -> Iterator[BrokenHandler]:
    """Add a handler that raises at every line of a logger."""
    logger, handler = logging.getLogger(name), BrokenHandler(error or RuntimeError("4711 broken"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_every_outcome_is_told_although_each_line_of_the_log_raises(either_shop: Shop) -> None:
    voucher_id, code = either_shop.voucher()
    with broken_handler() as handler:
        gateway = either_shop.another_gateway(tries=1)
        assert gateway.redeem("shop", code, TEN, reference="r-1").money == TEN
        assert gateway.redeem("shop", code, TEN, reference="r-1").replayed
        with pytest.raises(InsufficientValue):
            gateway.redeem("shop", code, Money("900.00", "EUR"), reference="r-2")
        either_shop.running.inject("commit-then-drop", "POST */charge", times=1)
        with pytest.raises(OutcomeUnknown):
            gateway.redeem("shop", code, TEN, reference="r-3")
        assert gateway.resolve(OperationKey("shop", Operation.REDEEM, "r-3")).state == "succeeded"
        either_shop.running.inject("error-before", "* *", times=1)
        with pytest.raises(ProviderUnavailable):
            gateway.balance("shop", code)
        payment = gateway.payment("1001", total=TEN)
        payment.add(code, account="shop")
        payment.authorize()
        payment.capture()
        assert payment.refund(TEN, reference="return-1").vouchers == TEN
        assert gateway.sale("s-1", "shop", NewVoucher(initial=TEN)).fulfil().state is SaleState.FULFILLED
        assert gateway.recover() == []
    assert payment.refresh().state is PaymentState.CAPTURED
    assert either_shop.remaining(voucher_id) == "30.00"
    rooms = {record.name.removeprefix(f"{ROOM}.") for record in handler.records}
    assert {"calls", "execution", "journal", "recovery", "payments"} <= rooms


def test_a_line_that_was_lost_is_told_on_the_standard_error(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    _, code = shop.voucher()
    with broken_handler(f"{ROOM}.execution"):
        shop.redeem(code)
    assert set(capsys.readouterr().err.splitlines()) == {
        "voucher_gateway.execution: a handler of the log raised RuntimeError"
    }


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_what_ends_the_program_passes(error: BaseException) -> None:
    with broken_handler(f"{ROOM}.example", error), pytest.raises(type(error)):
        get_logger(f"{ROOM}.example").warning("a line")


def test_a_filter_and_a_record_factory_that_raise_change_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Any:
        raise RuntimeError("broken")

    _, code = shop.voucher()
    logger = logging.getLogger(f"{ROOM}.calls")
    monkeypatch.setattr(logger, "filters", [fail])
    monkeypatch.setattr(logger, "level", logging.DEBUG)
    assert shop.redeem(code, reference="r-1").money == TEN
    monkeypatch.setattr(logger, "filters", [])
    factory = logging.getLogRecordFactory()
    logging.setLogRecordFactory(fail)
    try:
        assert shop.redeem(code, reference="r-2").money == TEN
    finally:
        logging.setLogRecordFactory(factory)


def test_a_line_names_the_place_that_wrote_it(caplog: pytest.LogCaptureFixture) -> None:
    logger = get_logger(f"{ROOM}.example")
    assert get_logger(f"{ROOM}.example") is logger is logging.getLogger(f"{ROOM}.example")
    write: Callable[..., None]
    for write in (logger.warning, logger.error, logger.exception):
        write("a line")
    logger.log(logging.ERROR, "a line")
    assert {record.funcName for record in caplog.records} == {"test_a_line_names_the_place_that_wrote_it"}
    assert len(caplog.records) == 4


def test_each_logger_of_the_library_is_such_a_logger() -> None:
    for module in pkgutil.walk_packages(voucher_gateway.__path__, f"{ROOM}."):
        if not module.name.startswith((f"{ROOM}.testing", f"{ROOM}.contrib", f"{ROOM}.journal.migrations")):
            names = vars(importlib.import_module(module.name)) if ".versions" not in module.name else {}
            log = names.get("log")
            if isinstance(log, logging.Logger):
                with broken_handler(log.name):
                    log.warning("a line")
