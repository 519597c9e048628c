"""The fixtures for shops, used as a shop's own tests would use them, by installed vendors and by a stranger's."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from voucher_gateway import (
    Code,
    ConfigurationError,
    Gateway,
    Money,
    OutcomeUnknown,
    ReservationExpired,
    UnsupportedOperation,
    VoucherNotFound,
)
from voucher_gateway.capabilities import Capabilities, Operation, OperationSupport, Support
from voucher_gateway.testing.plugin import MakeGateway
from voucher_gateway.testing.simulated_vendor import SimulatedVendor
from voucher_gateway_jtl import JtlProvider

StartVendor = Callable[..., SimulatedVendor]
CHARGE = "POST /v1/reservations/*/charge"
RISKY = ["redeem-by-update", "refund-by-update"]


@attrs.frozen
class Checkout:
    """A shop's own code, which keeps a payment open when nobody knows what became of it."""

    gateway: Gateway

    def pay(self, code: str | Code | None, amount: str, order: str) -> str:
        assert code is not None
        try:
            self.gateway.redeem("shop", code, Money(amount, "EUR"), reference=f"{order}-a", order=order)
        except OutcomeUnknown:
            return "open"
        return "paid"


def test_a_lost_answer_takes_the_money_once_however_often_the_shop_tries(
    voucher_simulator: StartVendor, voucher_gateway: MakeGateway
) -> None:
    vendor = voucher_simulator("jtl")
    shop, gift = Checkout(voucher_gateway(shop=vendor)), vendor.voucher("50.00")
    vendor.inject("commit-then-drop", CHARGE)
    assert [shop.pay(gift.code, "20.00", order="1001") for _ in range(3)] == ["open", "paid", "paid"]
    assert vendor.remaining(gift.code or "") == Money("30.00", "EUR")


def test_a_second_gateway_of_one_test_is_the_shop_after_a_restart(
    voucher_simulator: StartVendor, voucher_gateway: MakeGateway
) -> None:
    vendor = voucher_simulator("jtl")
    gift = vendor.voucher()
    vendor.inject("commit-then-drop", CHARGE)
    assert Checkout(voucher_gateway(shop=vendor)).pay(gift.code, "20.00", order="1001") == "open"

    assert Checkout(voucher_gateway(shop=vendor)).pay(gift.code, "20.00", order="1001") == "paid"

    assert vendor.remaining(gift.code or "") == Money("30.00", "EUR")


def test_without_a_journal_nothing_is_remembered(
    voucher_simulator: StartVendor, voucher_gateway: MakeGateway, tmp_path: Path
) -> None:
    vendor = voucher_simulator("jtl")
    gift, shop = vendor.voucher("50.00"), Checkout(voucher_gateway(journal=None, shop=vendor))
    assert shop.gateway.journal is None
    assert [shop.pay(gift.code, "20.00", order="1001") for _ in range(2)] == ["paid", "paid"]
    assert vendor.remaining(gift.code or "") == Money("10.00", "EUR")
    assert list(tmp_path.iterdir()) == []


def test_time_passes_at_the_vendor_when_its_clock_is_moved(
    voucher_simulator: StartVendor, voucher_gateway: MakeGateway
) -> None:
    vendor = voucher_simulator("jtl")
    gateway, gift = voucher_gateway(shop=vendor), vendor.voucher()
    reserved = gateway.reserve("shop", gift.code or "", Money("5.00", "EUR"), reference="1002")

    vendor.clock.advance(1860)
    gateway.balance("shop", gift.code or "")

    with pytest.raises(ReservationExpired):
        gateway.capture("shop", reserved, reference="1002")
    assert vendor.remaining(gift.code or "") == Money("50.00", "EUR")


def test_two_vendors_serve_one_shop_and_risks_are_accepted_by_name(
    voucher_simulator: StartVendor, voucher_gateway: MakeGateway
) -> None:
    jtl, events = voucher_simulator("jtl"), voucher_simulator("ticketing")
    with pytest.raises(UnsupportedOperation):
        Checkout(voucher_gateway(shop=events)).pay(events.voucher().code, "1.00", order="1")

    gateway = voucher_gateway(
        shop=events.account(accept_risks=RISKY, code_pattern="^[A-Z2-9]{16}$", workers=2),
        other=jtl.account(code_pattern="^never$"),
    )
    gift = events.voucher("12.34")

    assert Checkout(gateway).pay(gift.code, "2.34", order="1003") == "paid"
    assert events.remaining(gift.code or "") == Money("10.00", "EUR")
    assert [one.account for one in gateway.find(gift.code or "").vouchers] == ["shop"]
    assert gateway.account("shop").accept_risks == frozenset(RISKY)
    assert gateway.provider("shop").settings.workers == 2


def test_every_fault_can_be_told_to_stop(voucher_simulator: StartVendor, voucher_gateway: MakeGateway) -> None:
    vendor = voucher_simulator("jtl")
    gateway, gift = voucher_gateway(shop=vendor.account(tries=1)), vendor.voucher()
    vendor.inject("error-before", "GET *", times=None, status=503)
    with pytest.raises(Exception, match="503"):
        gateway.balance("shop", gift.code or "")
    vendor.clear_faults()
    assert gateway.balance("shop", gift.code or "").remaining == Money("50.00", "EUR")


def test_a_vendor_who_hangs_does_not_hold_a_test_up_for_long(
    voucher_simulator: StartVendor, voucher_gateway: MakeGateway
) -> None:
    settings = voucher_gateway(shop=voucher_simulator("jtl")).provider("shop").settings
    assert settings.total_timeout_s < 10


def test_what_arrived_and_the_ledger_tell_the_truth(
    voucher_simulator: StartVendor, voucher_gateway: MakeGateway
) -> None:
    vendor = voucher_simulator("jtl", vouchers=3, seed=1)
    assert len(vendor.ledger()) == 3
    gift = vendor.voucher("50.00", pin="1234")
    assert gift.code is not None
    (true,) = [one for one in vendor.ledger() if one["code"] == gift.code.reveal()]
    assert (true["initial"], true["status"], true["pin"]) == ("50.00", "active", "1234")
    assert vendor.request_lines[-1].startswith("POST /v1/vouchers")
    with pytest.raises(LookupError, match="no voucher with this code"):
        vendor.remaining("NOBODY-HAS-THIS")


def test_a_code_of_a_vendor_does_not_show(voucher_simulator: StartVendor) -> None:
    gift = voucher_simulator("ticketing").voucher()
    assert gift.code is not None
    assert gift.code.reveal() not in f"{gift!r} {gift.code}"


def test_an_unknown_vendor_is_told_before_anything_listens(voucher_simulator: StartVendor) -> None:
    with pytest.raises(ConfigurationError, match=r"no provider 'jlt' is installed \(did you mean jtl"):
        voucher_simulator("jlt")
    with pytest.raises(TypeError):
        voucher_simulator("jtl", no_such_option=1)


def test_a_mistake_of_the_simulator_itself_fails_the_test() -> None:
    vendor = SimulatedVendor(JtlProvider)
    vendor._application.crashes.append("Traceback: KeyError")
    with pytest.raises(RuntimeError, match="simulator of jtl made a mistake, so this test proves nothing:\nTraceback"):
        vendor.close()


def test_where_nothing_can_be_issued_a_voucher_of_the_beginning_is_given(
    voucher_simulator: StartVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a vendor who can only be read: the one found is spendable and worth enough."""
    vendor = voucher_simulator("ticketing", vouchers=40, seed=2)
    declared = vendor.provider_class.declared
    readable = attrs.evolve(declared, operations={k: v for k, v in declared.operations.items() if k != "issue"})
    monkeypatch.setattr(vendor.provider_class, "declared", readable)

    gift = vendor.voucher("20.00")

    assert gift.code is not None
    assert gift.code.reveal() in {one["code"] for one in vendor.ledger()}
    assert vendor.remaining(gift.code).amount >= 20
    assert gift.valid_until is None or gift.valid_until > vendor.clock.now()
    with pytest.raises(LookupError, match="start it with vouchers=100"):
        vendor.voucher("99999.00")
    with pytest.raises(VoucherNotFound):
        vendor.provider().find("NOT-THERE")


# --- a project that only has it installed ---


def python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


HEAVY = ("attrs", "cattrs", "flask", "werkzeug", "requests", "sqlalchemy", "alembic", "jinja2", "typer", "matplotlib")


def test_pytest_loads_the_plugin_without_anything_heavy(tmp_path: Path) -> None:
    tmp_path.joinpath("test_foreign.py").write_text(
        "import sys\n\ndef test_what_is_loaded(pytestconfig):\n"
        "    assert pytestconfig.pluginmanager.has_plugin('voucher_gateway')\n"
        f"    assert [name for name in {HEAVY!r} if name in sys.modules] == []\n"
        "    loaded = {name for name in sys.modules if name.startswith('voucher_gateway')}\n"
        "    light = ('voucher_gateway', 'voucher_gateway.lazy', 'voucher_gateway.version')\n"
        "    assert all(name in light or name.startswith('voucher_gateway.testing') for name in loaded)\n"
    )
    ran = python("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", folder=tmp_path)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.long
def test_an_empty_project_is_collected_as_if_the_plugin_were_not_there(tmp_path: Path) -> None:
    with_it = python("-m", "pytest", "--co", "-q", "-p", "no:cacheprovider", folder=tmp_path)
    without = python(
        "-m", "pytest", "--co", "-q", "-p", "no:cacheprovider", "-p", "no:voucher_gateway", folder=tmp_path
    )
    shown = [line.rpartition(" in ")[0] for line in (with_it.stdout, without.stdout)]
    assert shown[0] == shown[1]
    assert with_it.returncode == without.returncode == 5
    assert with_it.stderr == without.stderr == ""


@pytest.mark.long
def test_a_shop_without_the_library_in_its_own_tests_keeps_its_own_fixture_of_that_name(tmp_path: Path) -> None:
    tmp_path.joinpath("test_own.py").write_text(
        textwrap.dedent("""
            import pytest

            @pytest.fixture
            def voucher_gateway():
                return "our own"

            def test_ours_wins(voucher_gateway):
                assert voucher_gateway == "our own"
        """)
    )
    assert python("-m", "pytest", "-q", "-p", "no:cacheprovider", folder=tmp_path).returncode == 0


class CannotIssue(JtlProvider):
    """An account that may spend, and not sell."""

    @property
    def capabilities(self) -> Capabilities:
        lacking = OperationSupport(support=Support.UNSUPPORTED)
        return self.declared.with_support({Operation.ISSUE: lacking})


@pytest.fixture
def unselling(voucher_simulator: StartVendor, monkeypatch: pytest.MonkeyPatch) -> SimulatedVendor:
    vendor = voucher_simulator("jtl", vouchers=40)
    monkeypatch.setattr(vendor, "provider_class", CannotIssue)
    return vendor


def test_where_nothing_can_be_issued_each_voucher_is_given_once(unselling: SimulatedVendor) -> None:
    given = [unselling.voucher("1.00", active=True) for _ in range(3)]
    assert len({one.id for one in given}) == 3
    with pytest.raises(LookupError, match=r"has no active voucher of 1\.00 EUR or more left"):
        _ = [unselling.voucher("1.00") for _ in range(40)]


def test_where_nothing_can_be_issued_what_cannot_be_asked_for_is_refused(unselling: SimulatedVendor) -> None:
    with pytest.raises(LookupError, match="pin and sku cannot be asked for"):
        unselling.voucher("1.00", pin="4711", sku="S")
    with pytest.raises(LookupError, match="active cannot be asked for"):
        unselling.voucher("1.00", active=False)
    with pytest.raises(TypeError, match="colour"):
        unselling.voucher("1.00", colour="red")


def test_risks_in_one_text_are_refused_and_not_read_letter_by_letter(voucher_simulator: StartVendor) -> None:
    with pytest.raises(TypeError, match=r"accept_risks is a list, such as \['redeem-by-update'\]"):
        voucher_simulator("ticketing").account(accept_risks="redeem-by-update")
