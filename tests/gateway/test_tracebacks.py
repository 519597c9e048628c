"""No frame of ours on an error's traceback holds a code, a PIN or a secret that a caller gave as plain text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from voucher_gateway import Code, Gateway, Money, NewVoucher, Secret, VoucherGatewayError, VoucherQuery
from voucher_gateway.config.loader import load_config
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.provider_api import SecretSource, parse_base_url
from voucher_gateway.reports import Snapshots
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway.storage.engine import Database
from voucher_gateway.testing.harness.canary import LONG_ENOUGH, Canary
from voucher_gateway_jtl import JtlSettings

FAULTS = ("error-before", "drop-before", "html", "not-json", "truncate", "unauthorized", "commit-then-drop")
PIN, JOURNAL_KEY, CODE = "PIN-47.11/x", "the-key-of-a-journal-4711", "CHOSEN/CODE-0815"
TEN = Money("10.00", "EUR")


@pytest.fixture
def shop(
    start_vendor: Callable[..., RunningSimulator],
    account_at: Callable[..., dict[str, Any]],
    tmp_path: Path,
    canary: Canary,
) -> Iterator[tuple[Gateway, dict[str, RunningSimulator]]]:
    """A gateway with a journal and an account of every kind; all of its secrets are planted."""
    running = {name: start_vendor(name, vouchers=6) for name in ("jtl", "ticketing")}
    accounts = {name: account_at(vendor, tries=1, read_timeout_s=1.0) for name, vendor in running.items()}
    accounts["ticketing"]["accept_risks"] = ["redeem-by-update", "reserve-by-redeem", "top-up-by-update"]
    accounts["local"] = {"provider": "local", "url": f"sqlite:///{tmp_path / 'own.db'}"}
    accounts["file"] = {"provider": "file", "path": str(tmp_path / "book.jsonl"), "reveal": True}
    for vendor in running.values():
        for name in ("client_secret", "api_key", "token"):
            if name in vendor.announcement:
                canary.plant(vendor.announcement[name])
        for entry in vendor.ledger():
            for secret in map(str, (entry["code"], entry.get("pin") or "")):
                if len(secret) >= LONG_ENOUGH:
                    canary.plant(secret)
    for secret in (PIN, JOURNAL_KEY, CODE):
        canary.plant(secret)
    journal = f"sqlite:///{tmp_path / 'journal.db'}"
    with Gateway.from_config({"journal": journal, "journal_keys": {"1": JOURNAL_KEY}, "accounts": accounts}) as gateway:
        yield gateway, running


def calls_of(gateway: Gateway, account: str, id: str, code: str) -> Iterator[Callable[[str], object]]:
    new = NewVoucher(initial=TEN, code=f"{CODE}{account}", pin=PIN if account != "ticketing" else None)
    yield lambda _: gateway.find(code, PIN, broadcast=True)
    yield lambda _: gateway.provider(account).find(code, PIN)
    yield lambda _: gateway.get(account, id, secrets=True)
    yield lambda _: gateway.balance(account, code, PIN)
    yield lambda _: list(gateway.vouchers(account, VoucherQuery(code=code)))
    yield lambda _: gateway.history(account, id)
    yield lambda reference: gateway.issue(account, new, reference=reference)
    yield lambda reference: gateway.redeem(account, code, TEN, PIN, reference=reference)
    yield lambda reference: gateway.reserve(account, code, TEN, PIN, reference=reference)
    yield lambda reference: gateway.top_up(account, id, TEN, reference=reference)


@pytest.mark.parametrize("account", ["jtl", "ticketing"])
def test_the_frames_of_a_failed_call_hold_no_secret(
    account: str, shop: tuple[Gateway, dict[str, RunningSimulator]], canary: Canary
) -> None:
    gateway, running = shop
    id, code = max(
        ((str(entry["id"]), str(entry["code"])) for entry in running[account].ledger()), key=lambda pair: len(pair[1])
    )
    failed = 0
    for fault in FAULTS:
        for after in range(2):
            for number, call in enumerate(calls_of(gateway, account, id, code)):
                running[account].inject(fault, after=after)
                try:
                    call(f"{fault}-{after}-{number}")
                except VoucherGatewayError as error:
                    canary.saw(error)
                    failed += 1
                running[account].clear_faults()
    assert failed > 50


@pytest.mark.parametrize("account", ["local", "file", "jtl", "ticketing"])
def test_the_frames_of_a_refused_call_hold_no_secret(
    account: str, shop: tuple[Gateway, dict[str, RunningSimulator]], canary: Canary
) -> None:
    gateway, _ = shop
    failed = 0
    for code in (CODE, f"{CODE}\x00", f"{CODE}\ud800", CODE * 100):
        for number, call in enumerate(calls_of(gateway, account, "4711", code)):
            for reference in (f"r-{len(code)}-{number}", "", "r" * 300):
                try:
                    call(reference)
                except VoucherGatewayError as error:
                    canary.saw(error)
                    failed += 1
    assert failed > 50


@pytest.mark.parametrize(
    "make",
    [
        lambda: NewVoucher(initial="ten", code=CODE, pin=PIN),  # type: ignore[arg-type]  # on purpose
        lambda: VoucherQuery(code=CODE, limit=-1),
        lambda: VoucherQuery(code=CODE, lim=1),  # type: ignore[call-arg]  # on purpose
        lambda: JtlSettings(base_url="ftp://x", client_id="c", client_secret=SecretSource.of(CODE)),
        lambda: SecretSource.of(f"{CODE}\n{PIN}"),
        lambda: SecretSource.of(lambda: f"{CODE}\n{PIN}").get(),
        lambda: load_config({"accounts": {"shop": {"provider": "jtl", "client_secret": CODE, "client_id": PIN}}}),
        lambda: Gateway.from_config({"accounts": {"shop": {"provider": "ticketing", "api_key": CODE, "tries": "x"}}}),
        lambda: open_journal(f"mysql://user:{CODE}@db.example/x"),
        lambda: parse_base_url(f"https://user:{CODE}@db.example/x"),
    ],
)
def test_what_cannot_be_made_leaves_no_secret_in_a_frame(make: Callable[[], object], canary: Canary) -> None:
    canary.plant(CODE)
    canary.plant(PIN)
    with pytest.raises((VoucherGatewayError, TypeError)) as raised:
        make()
    canary.saw(raised.value)


@pytest.mark.parametrize("url", ["postgresql://u:{}@127.0.0.1:1/x", "postgresql://u@127.0.0.1:1/x?password={}"])
def test_a_database_that_cannot_be_reached_leaves_its_password_in_no_frame(url: str, canary: Canary) -> None:
    secret = url.format(canary.plant("pg-password-4711"))
    config = {"accounts": {"own": {"provider": "local", "url": secret, "key": JOURNAL_KEY * 2}}}
    with Gateway.from_config(config) as gateway, pytest.raises(VoucherGatewayError) as raised:
        gateway.issue("own", NewVoucher(initial=TEN), reference="r")
    canary.saw(raised.value)
    for open_database in (partial(Database, schema=JOURNAL), Snapshots):
        with pytest.raises(VoucherGatewayError) as raised:
            open_database(secret)
        canary.saw(raised.value)


def test_a_damaged_key_file_leaves_no_key_in_a_frame(tmp_path: Path, canary: Canary) -> None:
    key = tmp_path / "journal.db.key"
    for text in ("4711-too-short", "ein-schlüssel-mit-umlaut"):
        canary.plant(text)
        key.write_text(text)
        key.chmod(0o600)
        with pytest.raises(VoucherGatewayError) as raised:
            open_journal(f"sqlite:///{tmp_path / 'journal.db'}")
        canary.saw(raised.value)


def test_a_missing_key_leaves_no_code_in_a_frame(tmp_path: Path, canary: Canary) -> None:
    canary.plant(CODE)
    journal = open_journal(f"sqlite:///{tmp_path / 'journal.db'}", {"1": SecretSource.of(Secret(JOURNAL_KEY))})
    with closing(journal), pytest.raises(VoucherGatewayError) as raised:
        journal.keys.fingerprint(Code(CODE), provider="jtl", host="jtl.example", key_id="2")
    canary.saw(raised.value)
