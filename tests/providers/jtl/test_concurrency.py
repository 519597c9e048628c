"""One adapter for many threads and processes, and tokens that end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.threads import run_numbered_threads
from voucher_gateway.provider_api import AuthenticationFailed, Money, NewVoucher, SecretSource

if TYPE_CHECKING:
    from voucher_gateway.simulator import RunningSimulator
    from voucher_gateway_jtl import JtlProvider

    StartJtl = Callable[..., RunningSimulator]
    MakeAdapter = Callable[..., JtlProvider]

EUR = Money(1, "EUR")


def _tokens(running: RunningSimulator) -> int:
    return sum(request.path == "/oauth/token" for request in running.requests)


def test_twenty_threads_share_one_token_request(start_jtl: StartJtl, make_adapter: MakeAdapter) -> None:
    jtl = start_jtl(vouchers=20, seed=1, latency_ms=20)
    ids = [str(voucher["id"]) for voucher in jtl.ledger()]
    shop = make_adapter(jtl, workers=20)
    got = run_numbered_threads(20, lambda number: shop.get(ids[number]).id)
    assert got == ids
    assert _tokens(jtl) == 1


def test_threads_that_issue_and_redeem_side_by_side_do_not_mix(jtl: RunningSimulator, adapter: JtlProvider) -> None:
    def redeem(number: int) -> str:
        code, money = f"C-{number}", Money.from_minor(100 + number, "EUR")
        adapter.issue(NewVoucher(initial=money, code=code, active=True), reference=f"i-{number}")
        redemption = adapter.capture(adapter.reserve(code, money, reference=f"r-{number}"), reference=f"c-{number}")
        assert redemption.money == money
        return str(redemption.reference)

    assert run_numbered_threads(16, redeem) == [f"c-{number}" for number in range(16)]
    assert {voucher["remaining"] for voucher in jtl.ledger()} == {"0.00"}


def test_a_token_that_ends_is_replaced_once_and_the_call_succeeds(jtl: RunningSimulator, adapter: JtlProvider) -> None:
    voucher = adapter.issue(NewVoucher(initial=EUR, code="C", active=True), reference="i")
    jtl.inject("expire-token", "GET /v1/vouchers/*")
    assert adapter.get(voucher.id).id == voucher.id
    assert _tokens(jtl) == 2
    reservation = adapter.reserve("C", EUR, reference="r")
    jtl.inject("expire-token", "POST /v1/reservations/*/charge")
    assert adapter.capture(reservation, reference="c").money == EUR
    assert _tokens(jtl) == 3
    assert [movement["reference"] for movement in jtl.ledger()[0]["movements"]] == ["c"]


def test_twenty_threads_replace_a_token_that_ends_once(start_jtl: StartJtl, make_adapter: MakeAdapter) -> None:
    jtl = start_jtl(vouchers=20, seed=1, latency_ms=20)
    ids = [str(voucher["id"]) for voucher in jtl.ledger()]
    shop = make_adapter(jtl, workers=20)
    shop.get(ids[0])
    jtl.simulator.expire_tokens()
    assert run_numbered_threads(20, lambda number: shop.get(ids[number]).id) == ids
    assert _tokens(jtl) == 2


def test_a_token_is_replaced_before_it_ends(start_jtl: StartJtl, make_adapter: MakeAdapter) -> None:
    jtl = start_jtl(token_lifetime_s=1)
    shop = make_adapter(jtl)
    voucher = shop.issue(NewVoucher(initial=EUR), reference="i")
    time.sleep(0.95)
    shop.get(voucher.id)
    assert _tokens(jtl) == 2
    assert 401 not in {request.status for request in jtl.requests}


def test_a_login_that_is_refused_again_and_again_is_told_so(jtl: RunningSimulator, adapter: JtlProvider) -> None:
    jtl.inject("unauthorized", "GET /v1/vouchers/*", times=0)
    with pytest.raises(AuthenticationFailed) as caught:
        adapter.get("V")
    assert (caught.value.http_status, caught.value.outcome) == (401, "not_executed")
    assert [request.path for request in jtl.requests] == ["/oauth/token", "/v1/vouchers/V"] * 2


def test_a_secret_that_was_changed_is_read_again(jtl: RunningSimulator, make_adapter: MakeAdapter) -> None:
    secrets = [jtl.announcement["client_secret"]]
    shop = make_adapter(jtl, client_secret=SecretSource.of(lambda: secrets[-1]))
    voucher = shop.issue(NewVoucher(initial=EUR), reference="i")
    secrets.append("a-new-secret")
    jtl.simulator.clients.by_id[shop.login].secret = "a-new-secret"  # type: ignore[attr-defined]  # the JTL simulator's
    jtl.simulator.expire_tokens()
    assert shop.get(voucher.id).id == voucher.id


FORKS = """
import json, os, sys
from voucher_gateway.provider_api import SecretSource
from voucher_gateway_jtl import JtlProvider, JtlSettings

said = json.load(sys.stdin)
secret = SecretSource.of(said["client_secret"])
shop = JtlProvider("shop", JtlSettings(base_url=said["base_url"], client_id=said["client_id"], client_secret=secret))
assert shop.get(said["id"]).id == said["id"]
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        os._exit(0 if all(shop.get(said["id"]).id == said["id"] for _ in range(10)) else 1)
    children.append(child)
assert all(shop.get(said["id"]).id == said["id"] for _ in range(10))
for child in children:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_forked_children_share_the_adapter_but_not_its_connections(jtl: RunningSimulator, adapter: JtlProvider) -> None:
    voucher = adapter.issue(NewVoucher(initial=EUR), reference="i")
    said = json.dumps({**jtl.announcement, "id": voucher.id})
    done = subprocess.run([sys.executable, "-c", FORKS], input=said, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert sum(request.path.endswith(voucher.id) for request in jtl.requests) == 41
    assert _tokens(jtl) == 2  # one of this process, one that the children inherited
