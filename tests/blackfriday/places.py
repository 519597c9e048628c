"""The four vendors and the card of a Black Friday, each a process or a database, as an outsider reaches them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from decimal import Decimal
from typing import Any, Final

import attrs
import psycopg
import requests
import sqlalchemy as sa

from tests.blackfriday.plan import VENDORS, Disturbance, VoucherPlan
from tests.support.card import RunningProcessor, card_processor
from voucher_gateway import Gateway, Money, NewVoucher
from voucher_gateway.emulation.registry import RISKS
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.setting_types import DatabaseUrl, SecretSource
from voucher_gateway.testing.harness.vendor import select_settings, settings_for
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_local import LocalProvider
from voucher_gateway_local.settings import LocalSettings
from voucher_gateway_square import SquareProvider
from voucher_gateway_ticketing import TicketingProvider

CURRENCY: Final = "EUR"
OWN: Final = "own"

LAPSE_S: Final = 32 * 60
"""Longer than a reservation at JTL and the margin after it, in seconds."""

PROVIDERS: Final[Mapping[str, type[VoucherProvider]]] = {
    "shop": JtlProvider,
    "events": TicketingProvider,
    "cafe": SquareProvider,
}
KEYS: Final = {"1": SecretSource.of("a key that only Black Friday has")}

_PATIENCE: Final[Mapping[str, Any]] = {
    "connect_timeout_s": 2.0,
    "read_timeout_s": 2.0,
    "total_timeout_s": 4.0,
    "tries": 2,
    "workers": 4,
}


@attrs.frozen
class IssuedVoucher:
    """A voucher of the plan, as it was issued.

    Attributes:
        account: its account.
        id: the vendor's id.
        code: its code.
        amount: its value at the beginning.
    """

    account: str
    id: str
    code: str = attrs.field(repr=False)
    amount: Decimal


@attrs.frozen(kw_only=True)
class Places:
    """Where everything is.

    Attributes:
        announcements: what the simulators announce, by account.
        processor: the card processor.
        journal: the URL of the journal.
        own: the URL of the database of our own vouchers.
    """

    announcements: Mapping[str, Mapping[str, str]]
    processor: RunningProcessor
    journal: str
    own: str

    def provider(self, account: str) -> VoucherProvider:
        """Return a new provider of an account."""
        if account == OWN:
            settings = LocalSettings(url=DatabaseUrl.of(self.own), key=SecretSource.of("a key of our own vouchers"))
            return LocalProvider(OWN, settings)
        kind = PROVIDERS[account]
        return kind(account, settings_for(kind, self.announcements[account], **select_settings(kind, _PATIENCE)))

    def gateway(self) -> Gateway:
        """Return a new gateway with all accounts, as another process would make it."""
        accounts = [
            Account(
                name=name,
                provider=self.provider(name),
                code_pattern=re.compile(f"^{name.upper()}"),
                accept_risks=frozenset(RISKS),
            )
            for name in (*VENDORS, OWN)
        ]
        return Gateway(accounts, journal=open_journal(self.journal, KEYS))

    def issue(self, plans: tuple[VoucherPlan, ...]) -> list[IssuedVoucher]:
        """Issue the vouchers of a plan, as another channel does."""
        issued = []
        with ExitStack() as stack:
            providers = {name: stack.enter_context(closing(self.provider(name))) for name in (*VENDORS, OWN)}
            for number, plan in enumerate(plans, 1):
                active = True if plan.account in ("shop", OWN) else None
                code = f"{plan.account.upper()}{number:06}"
                new = NewVoucher(initial=Money(plan.amount, CURRENCY), active=active, code=code)
                voucher = providers[plan.account].issue(new, reference=f"issued-{number}")
                issued.append(IssuedVoucher(plan.account, voucher.id, code, plan.amount))
        return issued

    # --- what disturbs ---

    def disturb(self, disturbance: Disturbance) -> None:
        """Let something go wrong."""
        if disturbance.kind == "card-fault":
            self.processor.arm(disturbance.name, disturbance.operation, times=disturbance.times)
        elif disturbance.kind == "clock":
            self._control(disturbance.account, "POST", "clock", {"advance_s": disturbance.seconds})
        elif disturbance.kind == "repaired":
            self._control(disturbance.account, "DELETE", "faults")
        else:
            status = {"status": 503} if disturbance.kind == "outage" else {}
            body = {"name": disturbance.name, "times": disturbance.times, **status}
            self._control(disturbance.account, "POST", "faults", body)

    def repair(self) -> None:
        """End all faults, and let what is late arrive."""
        for account in VENDORS:
            self._control(account, "DELETE", "faults")
        self.processor.clear_faults()
        self.processor.deliver()

    def lapse(self) -> None:
        """Move the clock of the vendor with reservations until every one is over."""
        self._control("shop", "POST", "clock", {"advance_s": LAPSE_S})

    # --- what an outsider sees ---

    def ledger(self) -> list[dict[str, str]]:
        """Return all vouchers of all vendors, from their ledgers: account, id, remaining and reserved."""
        entries = [
            {"account": account, **{name: str(entry[name]) for name in ("id", "remaining", "reserved")}}
            for account in VENDORS
            for entry in self._control(account, "GET", "ledger")
        ]
        return entries + list(_own_ledger(self.own))

    def _control(self, account: str, method: str, path: str, body: Any = None) -> Any:
        base = self.announcements[account]["control_url"]
        reply = requests.request(method, f"{base}/{path}", json=body, timeout=60)
        reply.raise_for_status()
        return reply.json()


def _own_ledger(url: str) -> Iterator[dict[str, str]]:
    """Read the last entry of each of our own vouchers, in the tables themselves."""
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    query = sa.text(
        "SELECT v.id, e.after, e.held FROM local_vouchers v JOIN local_entries e ON e.voucher = v.number"
        " WHERE e.seq = (SELECT max(seq) FROM local_entries WHERE voucher = v.number)"
    )
    with engine.connect() as connection:
        for id, after, held in connection.execute(query):
            cents = Decimal(100)
            yield {"account": OWN, "id": id, "remaining": f"{after / cents:.2f}", "reserved": f"{held / cents:.2f}"}
    engine.dispose()


@contextmanager
def open_places(journal: str, own: str) -> Iterator[Places]:
    """Start the simulators and the card processor, each as a separate process."""
    with ExitStack() as stack:
        started = {name: stack.enter_context(_simulator(kind.name)) for name, kind in PROVIDERS.items()}
        processor = stack.enter_context(card_processor())
        announcements = {name: json.loads(process.stdout.readline()) for name, process in started.items()}
        yield Places(announcements=announcements, processor=processor, journal=journal, own=own)


@contextmanager
def _simulator(name: str) -> Iterator[Any]:
    command = [sys.executable, "-m", "voucher_gateway.simulator", name, "--seed", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()


def make_databases(server: str, seed: int) -> tuple[str, str]:
    """Return the URLs of two empty databases of a PostgreSQL server: for the journal, and for our own vouchers."""
    names = (f"journal_{seed}", f"own_{seed}")
    with psycopg.connect(server, autocommit=True) as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name}")
    journal, own = (sa.make_url(server).set(database=name).render_as_string(hide_password=False) for name in names)
    return journal, own
