"""Vouchers of one's own keep the whole contract, in either database."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, ClassVar

import psycopg
import pytest
from sqlalchemy import make_url

from tests.providers.local.vendor import LocalVendor
from voucher_gateway.testing import ProviderContract
from voucher_gateway_local import LocalProvider


class TestLocal(ProviderContract):
    provider = LocalProvider
    vendor_faults = frozenset(LocalVendor.faults)

    def make_vendor(self, **options: Any) -> LocalVendor:
        return LocalVendor(options.get("vouchers", 25))


@pytest.mark.slow
class TestLocalOnPostgres(ProviderContract):
    provider = LocalProvider
    vendor_faults = frozenset(LocalVendor.faults)
    counts = False
    server: ClassVar[str]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _the_server(cls, postgres_server: str) -> Iterator[None]:
        cls.server = postgres_server
        yield
        with psycopg.connect(cls.server, autocommit=True) as connection:
            for (name,) in connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'vendor\\_%'"):
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def make_vendor(self, **options: Any) -> LocalVendor:
        name = f"vendor_{secrets.token_hex(8)}"
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = make_url(self.server).set(database=name).render_as_string(hide_password=False)
        return LocalVendor(options.get("vouchers", 25), url)
