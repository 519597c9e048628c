"""The command that tries the accounts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.keys.keys import KEY_VARIABLE
from voucher_gateway.simulator import RunningSimulator

CODE = "JTL-7K2M-9QXD-4HTP"


def test_healthy_accounts_are_0_and_told_what_they_can_do(run: Any, both: dict[str, RunningSimulator]) -> None:
    shop, events = run("--json", "doctor").done().objects
    assert (shop["ok"], shop["asked"], shop["error"], shop["warnings"]) == (True, True, None, [])
    assert abs(shop["clock_skew_s"]) <= 2
    assert shop["operations"]["redeem"]["support"] == "emulated"
    assert (events["ok"], events["currency"]) == (True, "EUR")
    assert events["operations"]["redeem"]["support"] == "emulated"
    shown = run("doctor").done().out
    assert "and accepts the credentials" in shown
    assert "emulates  release (release-by-expiry), redeem (redeem-by-capture)" in shown


def test_one_account_is_tried_alone_and_nothing_is_changed(run: Any, both: dict[str, RunningSimulator]) -> None:
    assert run("--json", "doctor", "shop").done().object["account"] == "shop"
    assert both["events"].requests == []
    assert {one.path for one in both["shop"].requests} == {"/oauth/token", "/v1/vouchers"}
    assert run("doctor", "nobody").code == 2


def test_missing_rights_are_named_with_what_they_deny(run: Any, jtl: RunningSimulator, configure: Any) -> None:
    configure({"shop": jtl}, shop='scopes = ["read", "read-lists", "use"]')
    told = run("--json", "doctor").done().object
    assert told["scopes"] == ["read", "read-lists", "use"]
    assert told["missing_scopes"] == ["manage", "read-secrets", "recharge", "update"]
    assert told["operations"]["top_up"]["support"] == "denied"
    shown = run("doctor").done().out
    assert "top-up (this login lacks the scope recharge)" in shown


def test_a_login_that_may_not_list_is_a_login_all_the_same(run: Any, jtl: RunningSimulator, configure: Any) -> None:
    configure({"till": jtl}, till='scopes = ["use"]')
    told = run("--json", "doctor").done().object
    assert (told["ok"], told["asked"], told["scopes"]) == (True, True, ["use"])
    assert [one.path for one in jtl.requests] == ["/oauth/token"]


def test_a_clock_that_is_off_is_a_warning(run: Any, shop: RunningSimulator) -> None:
    shop.inject("clock-skew", "* *", 0, seconds=90)
    ran = run("doctor").done()
    assert "shop: the vendor's clock is" in ran.err
    assert "seconds ahead of this machine's" in ran.err
    told = run("--json", "doctor").done().object
    assert 88 <= told["clock_skew_s"] <= 91
    assert told["warnings"]


def test_the_config_must_not_contradict_the_sellers_currency(
    run: Any, ticketing: RunningSimulator, configure: Any
) -> None:
    configure({"events": ticketing}, events='currency = "CHF"')
    ran = run("--json", "doctor")
    assert (ran.code, ran.object["ok"]) == (2, False)
    assert ran.object["error"]["error"] == "ConfigurationError"
    assert "EUR" in ran.object["error"]["message"]


def test_the_exit_code_is_that_of_the_worst_problem(
    run: Any, both: dict[str, RunningSimulator], tmp_path: Path
) -> None:
    config = tmp_path / "voucher-gateway.toml"
    config.write_text(config.read_text().replace(both["shop"].announcement["client_secret"], "0" * 40))
    both["events"].close()
    ran = run("--json", "doctor")
    shop, events = ran.objects
    assert (shop["error"]["error"], shop["exit_code"]) == ("AuthenticationFailed", 2)
    assert (events["error"]["error"], events["exit_code"]) == ("ProviderUnavailable", 3)
    assert ran.code == 2
    shown = run("doctor")
    assert "problem" in shown.out
    assert "(AuthenticationFailed)" in shown.out


def test_a_vendor_that_cannot_be_reached_is_3_and_one_that_cannot_be_understood_6(
    run: Any, jtl: RunningSimulator, configure: Any
) -> None:
    configure({"shop": jtl}, shop="tries = 1")
    jtl.inject("error-before", "GET /v1/vouchers")
    assert run("doctor").code == 3
    jtl.inject("html", "GET /v1/vouchers")
    assert run("doctor").code == 6


def test_what_can_be_looked_up_when_it_is_unknown_is_told_apart_from_what_a_person_must_decide(
    run: Any, both: dict[str, RunningSimulator]
) -> None:
    shop, events = run("--json", "doctor").done().objects
    assert {"issue", "capture", "redeem", "refund", "top_up"} <= set(shop["resolves"])
    assert (shop["decided_by_hand"], shop["warnings"]) == ([], [])
    assert events["resolves"] == ["issue", "update", "redeem"]
    assert "  resolves  issue, update, redeem\n" in run("doctor").done().out


def test_a_login_that_may_not_read_lists_is_warned_that_captures_stay_unknown(
    run: Any, jtl: RunningSimulator, configure: Any
) -> None:
    configure({"till": jtl}, till='scopes = ["use", "read"]')
    told = run("--json", "doctor").done().object
    assert {"capture", "redeem", "refund", "reserve"} <= set(told["decided_by_hand"])
    assert told["resolves"] == ["activate", "deactivate"]
    ran = run("doctor").done()
    assert "by hand" in ran.out
    assert "till: this login cannot look up the unknown outcome of a capture or redeem or refund" in ran.err


def test_a_missing_journal_is_said_to_be_missing(run: Any, shop: RunningSimulator) -> None:
    assert run("--json", "doctor").done().object["journal"] is None
    assert "journal\n  none  a repeated command is executed again" in run("doctor").done().out


def test_a_journal_that_works_is_told_with_what_is_in_doubt(run: Any, kept: RunningSimulator) -> None:
    calm = run("doctor").done().out
    assert "  opens     yes, and can be written\n  in doubt  nothing\n" in calm
    kept.inject("drop-before", "POST /v1/reservations/*/charge")
    assert run("redeem", "shop", CODE, "1.00", "EUR", "--reference", "a").code == 4
    told = run("--json", "doctor").done().object["journal"]
    assert told == {"ok": True, "restored": False, "in_doubt": 1, "error": None, "warnings": []}
    assert "1 open, unknown or pending; `voucher-gateway recover` resolves them" in run("doctor").done().out


def test_a_journal_that_others_may_read_is_a_warning(run: Any, kept: RunningSimulator, tmp_path: Path) -> None:
    (tmp_path / "voucher-gateway.db").chmod(0o644)
    ran = run("doctor").done()
    assert "voucher-gateway.db has the mode 0644, so other users of this machine can read it: `chmod 600`" in ran.err
    (warning,) = run("--json", "doctor").done().object["journal"]["warnings"]
    assert "has the mode 0644" in warning


def test_a_journal_that_does_not_open_is_a_problem_and_the_accounts_are_tried_all_the_same(
    run: Any, kept: RunningSimulator, tmp_path: Path
) -> None:
    (tmp_path / "voucher-gateway.db").write_text("no database")
    ran = run("doctor")
    assert ran.code == 3
    assert "and accepts the credentials" in ran.out
    assert "journal\n  problem  " in ran.out
    told = run("--json", "doctor").object
    assert (told["ok"], told["journal"]["ok"]) == (True, False)
    assert told["journal"]["error"]["error"] == "DatabaseUnavailable"


def test_a_journal_that_another_program_locks_is_said_to_be_locked_and_can_be_read(
    run: Any, kept: RunningSimulator, tmp_path: Path
) -> None:
    run("redeem", "shop", CODE, "1.00", "EUR", "--reference", "a").done()
    other_program = sqlite3.connect(tmp_path / "voucher-gateway.db", isolation_level=None)
    other_program.execute("BEGIN IMMEDIATE")
    with closing(other_program):
        assert "redeem    a " in run("operations", "list").done().out
        ran = run("doctor")
        assert ran.code == 3
        assert "Another program has locked the database. Wait until it ends" in ran.out
        ran = run("redeem", "shop", CODE, "1.00", "EUR", "--reference", "b", "--timeout", "0.5")
        assert ran.code == 3
        assert "The database's answer: SQLITE_BUSY" in ran.err
        assert "Another program has locked the database. Wait until it ends" in ran.err


@pytest.mark.parametrize("key", [None, "short", "another-key-for-the-journal"], ids=["missing", "too short", "another"])
def test_a_journal_whose_key_is_wrong_is_told_in_a_sentence(
    run: Any,
    shop: RunningSimulator,
    tmp_path: Path,
    postgres_url: str,
    key: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "the-key-of-this-journal")
    open_journal(postgres_url).close()
    config = tmp_path / "voucher-gateway.toml"
    config.write_text(f'journal = "{postgres_url}"\n{config.read_text()}')
    monkeypatch.delenv(KEY_VARIABLE)
    if key is not None:
        monkeypatch.setenv(KEY_VARIABLE, key)
    ran = run("doctor")
    assert ran.code == 2
    assert "journal\n  problem  " in ran.out
    assert ("journal_keys" if key is None else "journal key '1'") in ran.out
    told = run("--json", "doctor").object["journal"]
    assert (told["ok"], told["error"]["error"]) == (False, "ConfigurationError")


def test_an_account_whose_key_is_gone_is_told_in_a_sentence(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "voucher-gateway.toml"
    config.write_text('[accounts.own]\nprovider = "local"\nurl = "sqlite:///vouchers.db"\ncurrency = "EUR"\n')
    run("doctor").done()
    (tmp_path / "vouchers.db.key").unlink()
    ran = run("doctor")
    assert ran.code == 2
    assert "vouchers.db.key is gone" in ran.out


def test_a_vendor_that_changes_references_is_a_warning(run: Any, kept: RunningSimulator) -> None:
    assert run("--json", "doctor").done().object["warnings"] == []
    kept.inject("rewrite-reference", "POST /v1/reservations/*/charge")
    run("redeem", "shop", CODE, "1.00", "EUR", "--reference", "a", "--order", "1001").done()
    (warning,) = run("--json", "doctor").done().object["warnings"]
    assert "stores other references" in warning
    assert "stores other references" in run("doctor").done().err
