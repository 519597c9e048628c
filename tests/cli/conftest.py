"""Runs of the command line in this process, against simulated vendors over real HTTP."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Protocol

import attrs
import pytest

from tests.cli.redemption_in_doubt import CHARGE, CODE, REDEEM
from tests.cli.voucher_files import code_of, euros
from voucher_gateway import Code, Gateway, Money, NewVoucher
from voucher_gateway.cli.app import run as run_command
from voucher_gateway.simulator import RunningSimulator, start


class Terminal(io.StringIO):
    """Text that calls itself a terminal."""

    def isatty(self) -> bool:
        return True


@attrs.frozen
class Ran:
    """One run of the command line."""

    code: int
    out: str
    err: str

    @property
    def object(self) -> Any:
        """The one JSON object on stdout."""
        (one,) = self.objects
        return one

    @property
    def objects(self) -> list[Any]:
        """The JSON objects on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Any:
        """The last JSON object on stderr."""
        return json.loads(self.err.splitlines()[-1])

    def done(self) -> Ran:
        """This run, which must have ended well."""
        assert self.code == 0, self.err
        return self


class Run(Protocol):
    """Runs the command line with these arguments."""

    def __call__(
        self, *arguments: str, stdin: str = "", terminal: bool = False, progress: bool = False, typing: bool = False
    ) -> Ran: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands; `terminal` makes stdout one, `progress` stderr, `typing` stdin."""

    def run(
        *arguments: str, stdin: str = "", terminal: bool = False, progress: bool = False, typing: bool = False
    ) -> Ran:
        out, err = (Terminal() if terminal else io.StringIO()), (Terminal() if progress else io.StringIO())
        monkeypatch.setattr("sys.stdin", Terminal(stdin) if typing else io.StringIO(stdin))
        with redirect_stdout(out), redirect_stderr(err):
            code = run_command(arguments)
        return Ran(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def simulate() -> Iterator[Callable[..., RunningSimulator]]:
    """Starts simulators, and insists at the end that none of them made a mistake."""
    started = []
    with ExitStack() as stack:

        def begin(name: str, **options: object) -> RunningSimulator:
            started.append(stack.enter_context(start(name, **options)))
            return started[-1]

        yield begin
        assert [crash for running in started for crash in running.crashes] == []


@pytest.fixture
def jtl(simulate: Callable[..., RunningSimulator]) -> RunningSimulator:
    """JTL, without vouchers."""
    return simulate("jtl")


@pytest.fixture
def ticketing(simulate: Callable[..., RunningSimulator]) -> RunningSimulator:
    """The ticketing vendor, without vouchers."""
    return simulate("ticketing")


class Configure(Protocol):
    """Writes the config of the working directory."""

    def __call__(self, accounts: dict[str, RunningSimulator], **more: str) -> Path: ...


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Writes a config with one account for each simulator; lines of TOML may be added by account."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VOUCHER_GATEWAY_CONFIG", raising=False)

    def configure(accounts: dict[str, RunningSimulator], **more: str) -> Path:
        path = tmp_path / "voucher-gateway.toml"
        path.write_text("\n".join(_account(name, one, more.get(name, "")) for name, one in accounts.items()))
        return path

    return configure


def _account(name: str, running: RunningSimulator, more: str) -> str:
    told = running.announcement
    keys = {"jtl": ("client_id", "client_secret"), "ticketing": ("api_key",)}[told["provider"]]
    fields = {"provider": told["provider"], "base_url": told["base_url"], **{key: told[key] for key in keys}}
    return "\n".join([f"[accounts.{name}]", *(f'{key} = "{value}"' for key, value in fields.items()), more, ""])


@pytest.fixture
def shop(jtl: RunningSimulator, configure: Configure) -> RunningSimulator:
    """The account `shop` at JTL, whose codes begin with JTL-."""
    configure({"shop": jtl}, shop='code_pattern = "^JTL-"')
    return jtl


@pytest.fixture
def both(jtl: RunningSimulator, ticketing: RunningSimulator, configure: Configure) -> dict[str, RunningSimulator]:
    """The accounts `shop` at JTL and `events` at the ticketing vendor, which accepts the risk of redeeming."""
    accounts = {"shop": jtl, "events": ticketing}
    configure(accounts, shop='code_pattern = "^JTL-"', events='accept_risks = ["redeem-by-update"]')
    return accounts


def issue_active(id: str, amount: str, currency: str, code: str | None = None) -> None:
    """Issue and activate a voucher at `shop` as the command does, with its id as the reference.

    The library does it in a quarter of the command's time.
    """
    with Gateway.from_config("voucher-gateway.toml") as gateway:
        gateway.issue("shop", NewVoucher(initial=Money(amount, currency), id=id, code=code), reference=id)
        gateway.activate("shop", id, reference=id)


@pytest.fixture
def kept(shop: RunningSimulator, tmp_path: Path) -> RunningSimulator:
    """The account `shop` with a journal, and in it an active voucher `gift` of 50.00 EUR with the code `CODE`."""
    path = tmp_path / "voucher-gateway.toml"
    path.write_text('journal = "sqlite:///voucher-gateway.db"\n' + path.read_text())
    issue_active("gift", "50.00", "EUR", code=CODE)
    return shop


@pytest.fixture
def gift(shop: RunningSimulator) -> str:
    """The id of an active voucher of 50.00 EUR with the code `CODE` at shop."""
    issue_active("gift", "50.00", "EUR", code=CODE)
    return "gift"


@pytest.fixture
def taken(run: Any, kept: RunningSimulator) -> RunningSimulator:
    """A shop where the redemption `a` was carried out, and nobody heard of it."""
    kept.inject("commit-then-drop", CHARGE)
    assert run(*REDEEM, "a").code == 4
    return kept


@pytest.fixture
def lost(run: Any, kept: RunningSimulator) -> RunningSimulator:
    """A shop where the redemption `a` never arrived, and nobody can know yet."""
    kept.inject("drop-before", CHARGE)
    assert run(*REDEEM, "a").code == 4
    return kept


@pytest.fixture
def accounts(both: dict[str, RunningSimulator], tmp_path: Path) -> dict[str, RunningSimulator]:
    """Both vendors and a journal; `shop` has five vouchers: two good ones, one inactive, one empty, one partly used."""
    path = tmp_path / "voucher-gateway.toml"
    path.write_text('journal = "sqlite:///voucher-gateway.db"\n' + path.read_text())
    with Gateway.from_config(path) as gateway:
        for id, amount in {
            "full": "50.00",
            "odd": "0.01",
            "used": "20.00",
            "empty": "5.00",
            "inactive": "7.00",
        }.items():
            new = NewVoucher(initial=euros(amount), id=id, code=Code(code_of(id)), active=id != "inactive")
            gateway.issue("shop", new, reference=id)
        gateway.redeem("shop", code_of("used"), euros("9.47"), reference="r-used")
        gateway.redeem("shop", code_of("empty"), euros("5.00"), reference="r-empty")
    return both
