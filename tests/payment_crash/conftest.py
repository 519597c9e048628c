"""What the tests of this folder share: one card processor, and worlds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from tests.payment_crash.world import PaymentWorld
from tests.support.card import RunningProcessor, card_processor
from voucher_gateway.http import retry


@pytest.fixture(scope="session")
def processor() -> Iterator[RunningProcessor]:
    """One card processor for all tests: each order has keys of its own there."""
    with card_processor() as running:
        yield running


@pytest.fixture
def make_world(processor: RunningProcessor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], PaymentWorld]]:
    """Make vendors with a journal at a URL. Waits between repeats are short: they are another test's subject."""
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.001)
    with ExitStack() as stack:

        def make(url: str) -> PaymentWorld:
            return stack.enter_context(closing(PaymentWorld(processor, url)))

        yield make
        processor.clear_faults()
