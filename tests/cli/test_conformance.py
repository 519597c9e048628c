"""`voucher-gateway providers` shows how far each provider keeps the contract, and no file can break it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from voucher_gateway.conformance import Conformance, Level, conformance_of, conformance_path
from voucher_gateway.testing import PROMISES
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_ticketing import TicketingProvider

WHY_NOT = {number: promise.applies(TicketingProvider.declared) for number, promise in PROMISES.items()}
KEPT = Conformance(
    provider="acme",
    distribution="acme-vouchers",
    level=Level.CRASH_SAFE,
    kept=tuple(number for number, why in WHY_NOT.items() if why is None and number != "E5"),
    not_applicable={number: why for number, why in WHY_NOT.items() if why is not None},
    not_tried={"E5": "no outcome was unknown"},
)
PROVIDER = """
from voucher_gateway_ticketing import TicketingProvider

class AcmeProvider(TicketingProvider):
    name = "acme"
    title = "Acme"
"""


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed provider; gives where its conformance.json belongs."""
    info = tmp_path / "acme_vouchers-1.2.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: acme-vouchers\nVersion: 1.2\n")
    package = f"acme_conformance_{tmp_path.name}"
    entry = f"[voucher_gateway.providers]\nacme = {package}:AcmeProvider\n"
    info.joinpath("entry_points.txt").write_text(entry)
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text(PROVIDER)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / package / "conformance.json"


def _told(run: Any) -> Any:
    return {one["provider"]: one for one in run("--json", "providers").done().objects}["acme"]["conformance"]


def test_a_provider_shows_its_level_and_figures(run: Any, acme: Path) -> None:
    acme.write_text(KEPT.to_json(), "utf-8")
    assert _told(run) == {
        "suite": KEPT.suite,
        "level": "crash-safe",
        "kept": list(KEPT.kept),
        "not_applicable": dict(KEPT.not_applicable),
        "not_tried": {"E5": "no outcome was unknown"},
        "error": None,
    }
    assert KEPT.summary in run("providers").done().out


def test_a_provider_without_a_contract_run_says_so(run: Any, acme: Path) -> None:
    assert _told(run) is None
    assert "no contract run" in run("providers").done().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "conformance.json is not a file that a contract run"),
        ("[" * 100_000, "conformance.json is not a file that a contract run"),
        ("{}", "conformance.json is not a file that a contract run"),
        (
            json.dumps({"suite": 1, "interface": 1, "kept": None}),
            "conformance.json is not a file that a contract run",
        ),
        (
            KEPT.to_json().replace("crash-safe", "perfect"),
            "conformance.json is not a file that a contract run",
        ),
        ("\x00\udcff", "conformance.json cannot be read"),
    ],
    ids=["broken", "deep", "empty", "short", "a level", "no text"],
)
def test_an_unreadable_file_is_reported_and_breaks_nothing(run: Any, acme: Path, text: str, said: str) -> None:
    acme.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert said in _told(run)["error"]
    shown = run("providers").done()
    assert "unreadable" in shown.out
    assert said in " ".join(shown.err.split())
    assert "emulated (redeem-by-capture)" in shown.out


def test_the_file_of_a_provider_lies_in_the_package_of_its_class() -> None:
    where = conformance_path(JtlProvider)
    assert where is not None
    assert (where.parent.name, where.name) == ("voucher_gateway_jtl", "conformance.json")


def test_a_class_of_no_package_has_no_file() -> None:
    lone = type("Lone", (JtlProvider,), {"__module__": "no_such_module"})
    assert conformance_path(lone) is None
    assert conformance_of(lone) is None
