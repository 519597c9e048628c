"""`reconcile`: hold the journal against the vendor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cli.redemption_in_doubt import CODE, REDEEM
from voucher_gateway.simulator import RunningSimulator


def test_reconcile_is_0_when_both_agree_5_when_not_and_3_when_it_could_not_look(
    run: Any, taken: RunningSimulator
) -> None:
    differs = run("--json", "reconcile")
    (finding,) = differs.object["findings"]
    assert (differs.code, finding["kind"], finding["reference"]) == (5, "unresolved", "a")
    assert "recover writes that down" in run("reconcile", "shop").out
    run("recover").done()
    agrees = run("--json", "reconcile", "--all").done().object
    assert (agrees["account"], agrees["vouchers"], agrees["findings"]) == ("shop", 1, [])
    taken.inject("html", "GET /v1/vouchers/gift/*", 0)
    blind = run("reconcile")
    assert blind.code == 3
    assert "Not checked: gift: " in blind.err
    assert run("reconcile", CODE).code == 2


def test_movements_of_other_channels_are_listed_and_are_no_difference(
    run: Any, kept: RunningSimulator, tmp_path: Path
) -> None:
    config = (tmp_path / "voucher-gateway.toml").read_text()
    (tmp_path / "till.toml").write_text(config.replace("voucher-gateway.db", "till.db"))
    run(*REDEEM, "a").done()
    run("--config", "till.toml", *REDEEM, "a").done()
    found = run("--json", "reconcile").done().object["findings"]
    assert [(one["kind"], one["money"]["amount"]) for one in found] == [("foreign", "10.53")]
