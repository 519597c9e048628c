"""The journal's keys, and what must never be in the database."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway import Gateway
from voucher_gateway.errors import ReferenceConflict, VoucherHeld
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.keys.keys import ALPHABET, JournalKeys
from voucher_gateway.provider_api import (
    Code,
    CodeRules,
    ConfigurationError,
    Money,
    NewVoucher,
    OutcomeUnknown,
    Secret,
    SecretSource,
    VoucherGatewayError,
)

if TYPE_CHECKING:
    from tests.support.shop import Shop

KEYS = JournalKeys.of({"1": Secret("the-first-key-of-all"), "2": Secret("the-second-key-of-all")})
TEN = Money("10.00", "EUR")
ANY = CodeRules(choosable=True, readable=True)


def derive(tag: str, rules: CodeRules, key_id: str | None = None) -> str:
    code = KEYS.derive_code(tag, rules, key_id=key_id)
    assert code is not None
    return code.reveal()


def test_a_fingerprint_is_the_same_for_the_same_code_at_the_same_vendor() -> None:
    one = KEYS.fingerprint(Code("JTL-1"), provider="jtl", host="a.example")
    assert one == KEYS.fingerprint(Code("JTL-1"), provider="jtl", host="a.example")
    assert len(one) == 64


@pytest.mark.parametrize("code", ["JTL-1", "", "J:1", "JTL-\U0001f381", "\ud800", "1" * 300])
def test_a_maker_of_fingerprints_makes_the_same_ones(code: str) -> None:
    for key_id in (None, "1"):
        make_fingerprint = KEYS.fingerprint_maker(provider="jtl", host="a.example", key_id=key_id)
        for text in (code, "JTL-2", code):
            expected = KEYS.fingerprint(Code(text), provider="jtl", host="a.example", key_id=key_id)
            assert make_fingerprint(Code(text)) == expected


def test_a_maker_of_fingerprints_needs_its_key() -> None:
    with pytest.raises(ConfigurationError, match="not configured any more"):
        KEYS.fingerprint_maker(provider="jtl", host="a.example", key_id="9")


@pytest.mark.parametrize(
    "other",
    [
        lambda keys: keys.fingerprint(Code("JTL-2"), provider="jtl", host="a.example"),
        lambda keys: keys.fingerprint(Code("JTL-1"), provider="jtlb", host="a.example"),
        lambda keys: keys.fingerprint(Code("JTL-1"), provider="jtl", host="b.example"),
        lambda keys: keys.fingerprint(Code("JTL-1"), provider="jtl", host="a.example", key_id="1"),
        lambda keys: keys.fingerprint(Code("a.exampleJTL-1"), provider="jtl", host=""),
    ],
)
def test_a_fingerprint_differs_by_code_provider_host_and_key(other: Callable[[JournalKeys], str]) -> None:
    assert other(KEYS) != KEYS.fingerprint(Code("JTL-1"), provider="jtl", host="a.example")


@given(st.text(min_size=1))
def test_every_code_has_a_fingerprint_that_does_not_show_it(code: str) -> None:
    assert len(KEYS.fingerprint(Code(code), provider="jtl", host="h")) == 64


@given(st.from_regex(r"[0-9a-f]{14}", fullmatch=True))
def test_a_chosen_code_is_always_the_same_and_easy_to_read(mark: str) -> None:
    code = derive(mark, ANY)
    assert code == derive(mark, ANY)
    assert len(code) == 16
    assert set(code) <= set(ALPHABET)
    assert code != derive(mark, ANY, key_id="1")


@given(st.from_regex(r"[0-9a-f]{14}", fullmatch=True))
def test_a_chosen_code_keeps_the_rules_of_the_vendor(mark: str) -> None:
    rules = CodeRules(choosable=True, readable=True, min_length=18, max_length=20, alphabet=string.digits)
    assert re.fullmatch("[0-9]{20}", derive(mark, rules))
    rules = CodeRules(choosable=True, readable=True, alphabet=string.ascii_uppercase)
    assert re.fullmatch("[A-HJ-NP-Z]{18}", derive(mark, rules))


@pytest.mark.parametrize(
    "rules",
    [
        CodeRules(choosable=True, readable=True, max_length=8),  # 40 bits could be guessed
        CodeRules(choosable=True, readable=True, pattern="77[0-9]{14}", example="7712345678901234"),
    ],
)
def test_no_code_is_chosen_that_could_be_guessed_or_does_not_fit(rules: CodeRules) -> None:
    assert KEYS.derive_code("0123456789abcd", rules) is None


def test_the_last_key_is_the_one_in_use() -> None:
    assert KEYS.newest == "2"


def test_a_key_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least 16"):
        JournalKeys.of({"1": Secret("short")})


def test_keys_do_not_show_in_their_repr() -> None:
    assert "the-first-key" not in repr(KEYS)


# --- the key file ---


def test_the_key_beside_sqlite_is_made_once_for_its_owner_alone(tmp_path: Path, sqlite_url: str) -> None:
    open_journal(sqlite_url).close()
    path = tmp_path / "journal.db.key"
    first = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    open_journal(sqlite_url).close()
    assert path.read_text() == first
    assert [one.name for one in tmp_path.glob("journal.db.key*")] == ["journal.db.key"]


def test_eight_processes_that_make_the_key_at_once_agree(
    tmp_path: Path, at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    said = at_once(lambda: JournalKeys.from_key_file(tmp_path / "journal.db").tag("a", "b", "c"), 8)
    assert len(set(said)) == 1
    assert len(said[0]) == 14
    assert [path.name for path in tmp_path.iterdir()] == ["journal.db.key"]


def test_a_key_that_others_can_read_is_refused(tmp_path: Path, sqlite_url: str) -> None:
    open_journal(sqlite_url).close()
    (tmp_path / "journal.db.key").chmod(0o640)
    with pytest.raises(ConfigurationError, match="0600"):
        open_journal(sqlite_url)


@pytest.mark.parametrize("content", [b"", b"cut", b"\xff\xfe" * 40])
def test_a_damaged_key_is_refused_and_never_replaced(tmp_path: Path, sqlite_url: str, content: bytes) -> None:
    open_journal(sqlite_url).close()
    path = tmp_path / "journal.db.key"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"damaged|cannot be read"):
        open_journal(sqlite_url)
    assert path.read_bytes() == content


def test_postgres_needs_a_key_that_all_machines_share(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOUCHER_GATEWAY_JOURNAL_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="VOUCHER_GATEWAY_JOURNAL_KEY"):
        open_journal(postgres_url)
    monkeypatch.setenv("VOUCHER_GATEWAY_JOURNAL_KEY", "a-key-from-the-environment")
    open_journal(postgres_url).close()


# --- rotation ---


def test_after_a_rotation_old_operations_are_still_recognised(shop: Shop) -> None:
    _, code = shop.voucher()
    _, other_code = shop.voucher()
    shop.redeem(code)
    rotated = shop.another_gateway(journal_keys={"1": "a-key-for-the-tests-of-journals", "2": "a-newer-key-of-it"})
    assert rotated.redeem("shop", code, TEN, reference="1001-a").replayed
    with pytest.raises(ReferenceConflict, match="another code"):
        rotated.redeem("shop", other_code, TEN, reference="1001-a")
    rotated.redeem("shop", other_code, TEN, reference="1001-b")
    entry = rotated.operation("shop", "redeem", "1001-b")
    assert entry is not None
    assert entry.target.key_id == "2"


def test_after_a_rotation_holds_made_under_the_old_key_still_count(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.gateway.reserve("shop", code, TEN, reference="1001-a", order="1001")
    rotated = shop.another_gateway(journal_keys={"1": "a-key-for-the-tests-of-journals", "2": "a-newer-key-of-it"})
    with pytest.raises(VoucherHeld):
        rotated.reserve("shop", code, TEN, reference="1002-a", order="1002")


def test_an_operation_whose_key_came_after_this_process_started_says_so(shop: Shop) -> None:
    _, code = shop.voucher()
    rotated = shop.another_gateway(journal_keys={"1": "a-key-for-the-tests-of-journals", "2": "a-newer-key-of-it"})
    rotated.redeem("shop", code, TEN, reference="1001-a")
    before = shop.changes()
    with pytest.raises(ConfigurationError, match="key '2'"):
        shop.redeem(code)
    assert shop.changes() == before


# --- what is not in the database ---


def test_no_code_pin_or_key_is_in_the_files(make_shop: Callable[..., Shop], tmp_path: Path) -> None:
    """After a session with successes, refusals and doubts, the bytes of the database hold none of the secrets."""
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    shop = make_shop(url)
    secrets = ["PLANTED-CODE-4711-A", "PLANTED-CODE-4711-B", "98765432101", "PLANTED-CODE-4711-C"]
    voucher_id, code = shop.voucher(code=secrets[0], pin=secrets[2])
    gateway: Gateway = shop.gateway
    reservation = gateway.reserve("shop", code, TEN, secrets[2], reference="1-a", order="1")
    redemption = gateway.capture("shop", reservation, reference="1-a", order="1")
    gateway.refund("shop", redemption, reference="1-b", order="1")
    gateway.issue("shop", NewVoucher(initial=TEN, code=Code(secrets[1])), reference="2")
    voucher = gateway.issue("shop", NewVoucher(initial=TEN), reference="3")
    assert voucher.code is not None
    shop.running.inject("drop-before", "POST /v1/reservations/*/charge")
    with pytest.raises(OutcomeUnknown):
        gateway.redeem("shop", code, TEN, secrets[2], reference="4")
    shop.running.inject("commit-then-drop", "POST /v1/vouchers")
    with pytest.raises(OutcomeUnknown):
        gateway.issue("shop", NewVoucher(initial=TEN, code=Code(secrets[3])), reference="5")
    for wrong in ("0000", secrets[2]):
        with pytest.raises(VoucherGatewayError):
            gateway.redeem("shop", code, Money("900.00", "EUR"), wrong, reference=f"6-{wrong[:1]}")
    gateway.recover(everything=True)
    gateway.close()
    held = b"".join(path.read_bytes() for path in tmp_path.glob("journal.db*"))
    assert voucher_id.encode() in held
    for secret in [
        *secrets,
        voucher.code.reveal(),
        "a-key-for-the-tests-of-journals",
        shop.running.announcement["client_secret"],
    ]:
        assert secret.encode() not in held


def test_a_key_from_the_configuration_leaves_no_file(tmp_path: Path, sqlite_url: str) -> None:
    open_journal(sqlite_url, {"1": SecretSource.of("a-key-of-the-configuration")}).close()
    assert not (tmp_path / "journal.db.key").exists()
    assert os.listdir(tmp_path)
