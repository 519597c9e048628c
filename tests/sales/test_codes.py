"""The codes of sales: derived so that the customer's code is found, or the vendor's own and sealed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.sales.shops import NEW, VENDORS
from tests.support.two_steps import TwoStepProvider, TwoStepSimulator
from voucher_gateway import Gateway, InvalidRequest, SaleConflict, SaleState
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.rules.codes import CodeNormalization
from voucher_gateway.testing import SimulatedVendor
from voucher_gateway.testing.harness.child_process import KEYS
from voucher_gateway.testing.harness.vendor import ACCOUNT


@contextmanager
def _shop(
    vendor: str, url: str, pattern: str | None, normalize: tuple[CodeNormalization, ...] = ()
) -> Iterator[Gateway]:
    running = VENDORS[vendor]()
    account = Account(
        name=ACCOUNT,
        provider=running.provider(),
        code_pattern=None if pattern is None else re.compile(pattern),
        normalize_codes=normalize,
    )
    with Gateway([account], journal=open_journal(url, KEYS)) as gateway:
        yield gateway
    running.close()


@pytest.mark.parametrize(
    ("vendor", "pattern", "beginning"),
    [
        ("jtl", "^JTL-", "JTL-"),
        ("jtl", "^[A-Z0-9]{16}$", ""),
        ("pretix", "^GALA", "GALA"),
        ("square", "^77", "77"),
        ("ticketing", "^EVENT-[A-Z0-9]+$", "EVENT-"),
    ],
)
def test_a_derived_code_is_found_again_by_the_pattern_of_its_account(
    vendor: str, pattern: str, beginning: str, sqlite_url: str
) -> None:
    with _shop(vendor, sqlite_url, pattern) as gateway:
        sale = gateway.sale("1002-1", ACCOUNT, NEW).fulfil()
        assert sale.code.reveal().startswith(beginning)
        found = gateway.find(sale.code).voucher
        assert found is not None
        assert found.id == sale.voucher_id


def test_the_vendor_makes_the_code_where_none_that_matches_can_be_derived(sqlite_url: str) -> None:
    with _shop("jtl", sqlite_url, "^([A-Z0-9]{4}-){3}") as gateway:
        sale = gateway.sale("1002-1", ACCOUNT, NEW).fulfil()
        assert gateway.get(ACCOUNT, sale.voucher_id or "", secrets=True).code == sale.code
        sale.delivered()
        sale.revoke("chargeback")
        assert sale.state is SaleState.REVOKED


def test_a_code_that_could_not_be_found_is_refused_before_anything_is_sent(sqlite_url: str) -> None:
    with _shop("ticketing", sqlite_url, "^(A|B)[0-9]$") as gateway, pytest.raises(InvalidRequest, match="code_pattern"):
        gateway.sale("1002-1", ACCOUNT, NEW)


def test_a_derived_code_has_the_form_in_which_codes_are_looked_up(sqlite_url: str) -> None:
    with _shop("ticketing", sqlite_url, None, (CodeNormalization.LOWER_CASE,)) as gateway:
        sale = gateway.sale("1002-1", ACCOUNT, NEW).fulfil()
        assert sale.code.reveal() == sale.code.reveal().lower()
        assert gateway.balance(ACCOUNT, sale.code).voucher_id == sale.voucher_id


def test_a_code_that_the_vendor_made_is_sealed_until_it_is_delivered(sqlite_url: str) -> None:
    vendor = SimulatedVendor(TwoStepProvider, TwoStepSimulator, settings={"token": "made-up"})
    with Gateway({ACCOUNT: vendor.provider()}, journal=open_journal(sqlite_url, KEYS)) as gateway:
        code = gateway.sale("1002-1", ACCOUNT, NEW).fulfil().code
        with Gateway({ACCOUNT: vendor.provider()}, journal=open_journal(sqlite_url, KEYS)) as other:
            sale = other.find_sale("1002-1")
            assert sale is not None
            assert (sale.code, code.reveal()) == (code, "CODE-c1")
            sale.delivered()
        with pytest.raises(SaleConflict, match="was delivered"):
            _ = gateway.sale("1002-1", ACCOUNT, NEW).code
    vendor.close()
