"""A code and a PIN never show: in logs, messages, reprs, frames, pickles and the database. A caller is never stored."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.checks.shelf import Shelf
from tests.support.simulators import JOURNAL_KEYS, make_journal_keys
from voucher_gateway import (
    Account,
    CheckLimits,
    Gateway,
    Money,
    ProviderUnavailable,
    Status,
    TooManyChecks,
    Voucher,
    VoucherGatewayError,
    WrongPin,
)
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.testing.harness.canary import Canary

CALLER = "203.0.113.77"


@pytest.fixture
def shelf() -> Shelf:
    return Shelf("shop", {})


@pytest.fixture
def gateway(shelf: Shelf, either_url: str) -> Iterator[Gateway]:
    journal = open_journal(either_url, make_journal_keys(JOURNAL_KEYS))
    account = Account(name="shop", provider=shelf, code_pattern=re.compile("^(SHOP|ODD)-"))
    with Gateway([account], journal=journal, check_limits=CheckLimits(caller_guesses=4, unusable_time_s=0)) as gateway:
        yield gateway


def look_into_the_database(gateway: Gateway, canary: Canary) -> None:
    assert gateway.journal is not None
    database = gateway.journal.database
    with database.read() as connection:
        for table in sa.inspect(connection).get_table_names():
            rows = connection.execute(sa.text(f"SELECT * FROM {table}")).all()
            canary.note(f"the table {table}", repr(rows))
    if database.path is not None:
        for file in database.path.parent.glob(f"{database.path.name}*"):
            canary.note(f"the file {file.name}", file.read_bytes().decode("latin-1"))


def test_nothing_that_was_typed_shows_anywhere(gateway: Gateway, shelf: Shelf, canary: Canary, tmp_path: Path) -> None:
    good, bad, unpinned = (canary.plant(f"SHOP-{word}-c4n4ry-{word}") for word in ("GOOD", "BAD", "PIN"))
    odd = canary.plant("ODD-c4n4ry-code-of-no-form")
    pin = canary.plant("pin-c4n4ry-481516")
    shelf.answers[good] = Voucher(account="shop", id="v1", status=Status.ACTIVE, remaining=Money("10.00", "EUR"))
    shelf.answers[unpinned] = WrongPin("the PIN is wrong")
    for code in (good, bad, unpinned, odd):
        answer = gateway.check(code, pin, caller=CALLER)
        canary.note("an answer", f"{answer!r} {pickle.dumps(answer)!r} {vars(type(answer))!r}")
    shelf.default = ProviderUnavailable("down")
    errors: list[VoucherGatewayError] = []
    for caller in ("203.0.113.78", CALLER, f"{CALLER}, 10.0.0.1"):
        for code in (bad, good):
            try:
                answer = gateway.check(code, pin, caller=caller)
                gateway.check(bad, pin, caller=caller)
            except VoucherGatewayError as error:
                errors.append(error)
    assert {type(failure).__name__ for failure in errors} == {"ProviderUnavailable", "TooManyChecks", "InvalidRequest"}
    for failure in errors:
        canary.saw(failure)
        canary.note("a pickle", repr(pickle.dumps(failure)))
    look_into_the_database(gateway, canary)


def test_a_refused_check_has_no_frame_with_the_code(gateway: Gateway, canary: Canary) -> None:
    code, pin = canary.plant("SHOP-c4n4ry-refused"), canary.plant("pin-c4n4ry-2342")
    for _ in range(4):
        gateway.check(code, caller=CALLER)
    with pytest.raises(TooManyChecks) as refused:
        gateway.check(code, pin, caller=CALLER)
    canary.saw(refused.value)


def test_a_caller_shows_in_no_log_line_and_in_no_table(gateway: Gateway, canary: Canary) -> None:
    gateway.check("SHOP-1", caller=canary.plant(CALLER))
    look_into_the_database(gateway, canary)


def test_the_look_into_the_database_finds_what_is_there(gateway: Gateway) -> None:
    gateway.check("SHOP-1", caller=CALLER)
    assert gateway.journal is not None
    digest = gateway.journal.keys.caller_digest(CALLER)
    canary = Canary()
    canary.plant(digest)
    look_into_the_database(gateway, canary)
    assert "voucher_gateway_checks" in str(canary.find_leak())
