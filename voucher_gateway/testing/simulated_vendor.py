"""A simulated vendor in a shop's test: vouchers to spend, faults by name, a clock to move, and the truth."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway import registry
from voucher_gateway.capabilities import CodeRules, Operation
from voucher_gateway.masking import Code
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.voucher import Status, Voucher
from voucher_gateway.money import Money
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.simulator import RunningSimulator, VirtualClock, start
from voucher_gateway.testing.harness.vendor import account_table, settings_for

PATIENCE: Final = {"connect_timeout_s": 2.0, "read_timeout_s": 2.0, "total_timeout_s": 6.0}
"""How long an account waits for its simulator, in seconds, so that a test with a vendor who hangs ends soon."""

_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class SimulatedVendor:
    """One running simulator, and the provider that goes with it.

    Attributes:
        running: the simulator itself, for tests that need more than this.
        name: the vendor's, which its simulator and its provider share.
        provider_class: the provider.
    """

    def __init__(self, running: RunningSimulator) -> None:
        self.running = running
        self.name = running.simulator.name
        self.provider_class: type[VoucherProvider] = registry.load(self.name)
        self._till: VoucherProvider | None = None
        self._issued = 0
        self._given: set[str] = set()

    @property
    def clock(self) -> VirtualClock:
        """The vendor's clock: `advance(1800)` lets half an hour pass there, and its Date header says so."""
        return self.running.clock

    @property
    def requests(self) -> list[str]:
        """What arrived so far, in order, as ``METHOD /path``; a path may hold a code."""
        return [f"{request.method} {request.path}" for request in self.running.requests]

    def fault(self, name: str, match: str = "* *", times: int | None = 1, **options: Any) -> None:
        """Let something go wrong at the next matching request.

        Args:
            name: of the fault, such as ``commit-then-drop``; `voucher_gateway.simulator.FAULTS` has them all.
            match: ``METHOD /path``, with ``*`` for anything.
            times: how often; None for always.
            options: of the fault, such as ``delay_s``.

        Raises:
            ValueError: for an unknown fault or option, or one without meaning at this vendor.
        """
        self.running.inject(name, match, times, **options)

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self.running.clear_faults()

    def ledger(self) -> list[dict[str, Any]]:
        """Return every voucher as it truly is, movements included. Codes are plain, amounts are text."""
        return self.running.ledger()

    def remaining(self, code: str | Code) -> Money:
        """Return what is truly left on a voucher, whatever anybody was told.

        Raises:
            LookupError: if the vendor has no such voucher.
        """
        wanted = Code.of(code).reveal()
        for entry in self.ledger():
            if entry["code"] == wanted:
                return Money(entry["remaining"], entry["currency"])
        raise LookupError(f"the simulated {self.name} has no voucher with this code")

    def voucher(self, amount: str | int = "50.00", currency: str = "EUR", **fields: Any) -> Voucher:
        """Return a new voucher that can be spent, made as another channel of the shop would make it.

        Where the provider cannot issue, it is one that the simulator began with and that was not given yet: active, in
        this currency, and worth this much or more.

        Args:
            amount: its value, in major units.
            currency: its ISO 4217 currency.
            fields: more fields of `NewVoucher`, such as ``pin``.

        Raises:
            LookupError: if the provider cannot issue, and the simulator began with no such voucher, or more fields are
                asked for.
            TypeError: for a field that `NewVoucher` does not have.
        """
        money, provider = Money(amount, currency), self._provider()
        declared = provider.capabilities
        if not declared.of(Operation.ISSUE).available:
            wanted = NewVoucher(initial=money, **fields)
            beyond = [name for name in fields if getattr(wanted, name) is not None]
            return self._one_of_the_ledger(
                provider, money, [name for name in beyond if name != "active" or not wanted.active]
            )
        if declared.of(Operation.ACTIVATE).available:
            fields.setdefault("active", True)
        if declared.codes.choosable:
            fields.setdefault("code", _make_code(declared.codes))
        self._issued += 1
        new = NewVoucher(initial=money, **fields)
        voucher = provider.issue(new, reference=f"test-{self._issued}")
        # A vendor need not repeat the code that we chose.
        return voucher if voucher.code else attrs.evolve(voucher, code=new.code)

    def account(
        self, *, accept_risks: Sequence[str] = (), code_pattern: str | None = None, **settings: Any
    ) -> dict[str, Any]:
        """Return the account at this vendor as a table of a configuration; its secrets are made up.

        Args:
            accept_risks: the risky emulations that the shop accepts.
            code_pattern: of the codes that are this account's.
            settings: of the provider, such as ``workers``.

        Raises:
            TypeError: if the risks are one text, which would be taken for a list of letters.
        """
        if isinstance(accept_risks, str):
            raise TypeError(f"accept_risks is a list, such as [{accept_risks!r}]")
        announcement = self.running.announcement
        table = account_table(self.provider_class, announcement, **{**self._patience(), **settings})
        pattern = {} if code_pattern is None else {"code_pattern": code_pattern}
        return {"provider": self.name, "accept_risks": list(accept_risks), **pattern, **table}

    def close(self) -> None:
        """Stop the simulator.

        Raises:
            RuntimeError: if it made a mistake of its own, so that what the test saw cannot be trusted.
        """
        if self._till is not None:
            self._till.close()
        self.running.close()
        if self.running.crashes:
            raise RuntimeError(f"the simulator of {self.name} made a mistake:\n{self.running.crashes[0]}")

    def _provider(self) -> VoucherProvider:
        if self._till is None:
            announcement = self.running.announcement
            self._till = self.provider_class(
                "till", settings_for(self.provider_class, announcement, **self._patience())
            )
        return self._till

    def _patience(self) -> dict[str, float]:
        names = {field.alias for field in attrs.fields(self.provider_class.settings_type)}
        return {name: seconds for name, seconds in PATIENCE.items() if name in names}

    def _one_of_the_ledger(self, provider: VoucherProvider, money: Money, beyond: list[str]) -> Voucher:
        if beyond:
            raise LookupError(
                f"{provider.title} cannot issue, and gives the vouchers that its simulator began with: "
                f"{' and '.join(beyond)} cannot be asked for"
            )
        for entry in self.ledger():
            if (
                entry["id"] in self._given
                or entry["currency"] != money.currency
                or Decimal(entry["remaining"]) < money.amount
            ):
                continue
            voucher = provider.find(entry["code"])
            over = voucher.valid_until is not None and voucher.valid_until <= self.clock.now()
            if voucher.status in (Status.ACTIVE, None) and not over:
                self._given.add(entry["id"])
                return attrs.evolve(voucher, code=Code(entry["code"]))
        raise LookupError(
            f"{provider.title} cannot issue, and its simulator has no active voucher of {money} or more left: "
            "start it with vouchers=100"
        )


def _make_code(rules: CodeRules) -> str:
    length = max(rules.min_length, min(16, rules.max_length or 16))
    alphabet = [character for character in _ALPHABET if character not in rules.forbidden]
    return "".join(secrets.choice(alphabet) for _ in range(length))


def start_vendor(name: str, /, **options: Any) -> SimulatedVendor:
    """Start an installed simulator in this process.

    Args:
        name: of the simulator, and of the provider that goes with it.
        options: of the simulator, such as ``vouchers=10``.

    Raises:
        ValueError: if there is no such simulator, or an option cannot be.
        TypeError: for an unknown option.
        ConfigurationError: if the provider cannot be loaded.
    """
    registry.load(name)  # before anything listens
    return SimulatedVendor(start(name, **options))
