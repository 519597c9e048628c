"""A simulated vendor for tests: vouchers to spend, faults by name, a clock to move, and the true ledger."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway import registry
from voucher_gateway.capabilities import Operation
from voucher_gateway.masking import Code
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.voucher import Status, Voucher
from voucher_gateway.money import Money
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.rules.codes import CodeRules
from voucher_gateway.simulator import RunningSimulator, Simulator, load
from voucher_gateway.testing.harness.fault_injection import UNDOCUMENTED
from voucher_gateway.testing.harness.reply_changes import Change, make_tamperable
from voucher_gateway.testing.harness.vendor import ACCOUNT, FAST, account_table, select_settings, settings_for

PATIENCE: Final = {"connect_timeout_s": 2.0, "read_timeout_s": 2.0, "total_timeout_s": 6.0, "batch_timeout_s": 6.0}
"""How long an account of a shop's test waits for its simulator, in seconds, so that a test with a hang ends soon."""

_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

_BY_NAME_ONLY: Final = frozenset({"deliver-late", "wrong-reading"})
"""Faults that take effect only after a call. Single promises inject them; the fault matrix does not."""

_SHORT_FAULTS: Final[Mapping[str, Mapping[str, float]]] = {
    "rate-limit": {"retry_after_s": 0},
    "slow": {"delay_s": 0.02},
    "slow-before": {"delay_s": 0.02},
    "drip": {"interval_s": 0.05},
    "drip-headers": {"interval_s": 0.05},
    "huge": {"bytes": 3_000_000},
    "huge-reply": {"bytes": 8_000_000},
    "interim": {"delay_s": 0.05},
    "no-content-with-body": {"delay_s": 0.02},
}
"""Options by which `SimulatedVendor.inject_fault` keeps a run short."""

_STATUS: Final = re.compile("status-([0-9]{3})-after-commit")
"""The names of faults that are `error-after-commit` with one status; the group is the status."""


class SimulatedVendor(RunningSimulator):
    """One running simulator with its provider. It is also a `VendorUnderTest` of the contract.

    Args:
        provider: the provider class.
        simulator: the simulator, by name or class; None for the installed one of the provider's name.
        settings: more settings of the accounts that `provider` makes.
        options: options of the simulator, such as ``vouchers=10``; the seed is 1 unless they say otherwise.

    Attributes:
        name: the provider's name.
        provider_class: the provider class.

    Raises:
        ValueError: if no such simulator is installed, or an option has a wrong value.
        TypeError: for an unknown option.
    """

    def __init__(
        self,
        provider: type[VoucherProvider],
        simulator: type[Simulator] | str | None = None,
        settings: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        name = provider.name if simulator is None else simulator
        kind = make_tamperable(load(name) if isinstance(name, str) else name)
        super().__init__(kind(kind.options_type(**{"seed": 1, **options})))
        self.name = provider.name
        self.provider_class = provider
        self._settings = {**select_settings(provider, FAST), **(settings or {})}
        self._providers: list[VoucherProvider] = []
        self._issuer: VoucherProvider | None = None
        self._issued = 0
        self._given: set[str] = set()

    @property
    def request_lines(self) -> list[str]:
        """The requests that arrived so far, in order, as ``METHOD /path``; a path may hold a code."""
        return [f"{request.method} {request.path}" for request in self.requests]

    def advance(self, seconds: float) -> None:
        """Move the vendor's clock forward, as ``clock.advance`` does."""
        self.clock.advance(seconds)

    def remaining(self, code: str | Code) -> Money:
        """Return the true remaining value of a voucher, from the vendor's ledger.

        Raises:
            LookupError: if the vendor has no such voucher.
        """
        plain_code = Code.of(code).reveal()
        for entry in self.ledger():
            if entry["code"] == plain_code:
                return Money(entry["remaining"], entry["currency"])
        raise LookupError(f"the simulated {self.name} has no voucher with this code")

    def voucher(self, amount: str | int = "50.00", currency: str = "EUR", **fields: Any) -> Voucher:
        """Return a new voucher that can be spent, issued as by another channel of the shop.

        If the provider cannot issue, it is an unused voucher of the simulator's seed: active, in this currency, and
        worth this much or more.

        Args:
            amount: its value, in major units.
            currency: its ISO 4217 currency.
            fields: more fields of `NewVoucher`, such as ``pin``.

        Raises:
            LookupError: if the provider cannot issue, and the simulator began with no such voucher, or more fields are
                asked for.
            TypeError: for a field that `NewVoucher` does not have.
        """
        money, provider = Money(amount, currency), self._issuing_provider()
        declared = provider.capabilities
        if not declared.of(Operation.ISSUE).available:
            template = NewVoucher(initial=money, **fields)
            extra_fields = [name for name in fields if getattr(template, name) is not None]
            return self._one_of_the_ledger(
                provider, money, [name for name in extra_fields if name != "active" or not template.active]
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
        names = {field.alias for field in attrs.fields(self.provider_class.settings_type)}
        patience = {name: seconds for name, seconds in PATIENCE.items() if name in names}
        table = account_table(self.provider_class, self.announcement, **{**patience, **settings})
        pattern = {} if code_pattern is None else {"code_pattern": code_pattern}
        return {"provider": self.name, "accept_risks": list(accept_risks), **pattern, **table}

    def provider(self, **settings: Any) -> VoucherProvider:
        """Return a new provider with short time-outs and small pages; `settings` replace those of the vendor."""
        table = {**self._settings, **settings}
        provider_ = self.provider_class(ACCOUNT, settings_for(self.provider_class, self.announcement, **table))
        self._providers.append(provider_)
        return provider_

    @property
    def faults(self) -> Mapping[str, bool | None]:
        """The faults that the fault matrix injects here, and whether the vendor then carries the request out."""
        kinds = self.simulator.fault_kinds()
        faults = {name: kind.commits for name, kind in kinds.items() if name not in _BY_NAME_ONLY}
        return faults | dict.fromkeys(UNDOCUMENTED if "error-after-commit" in faults else (), True)

    def inject_fault(self, fault: str, at: int) -> None:
        """Inject a fault once, at the `at`-th request from now on, with options that keep a run short."""
        options: dict[str, Any] = dict(_SHORT_FAULTS.get(fault, {}))
        if (status := _STATUS.fullmatch(fault)) is not None:
            fault, options = "error-after-commit", {"status": int(status[1])}
        self.inject(fault, after=at, **options)

    def lift_fault(self, fault: str) -> None:
        """Remove the injected faults of one name; the others stay."""
        self.remove_fault("error-after-commit" if _STATUS.fullmatch(fault) else fault)

    def clear_faults(self) -> None:
        """Remove the injected faults, and stop rewriting replies."""
        super().clear_faults()
        self.tamper(None)
        self.simulator.refusal = None  # type: ignore[attr-defined]  # of the class that `make_tamperable` made

    def refuse(self, status: int, after: int) -> None:
        """Refuse every request in the vendor's own words after this number of further answers; log-ins do not count."""
        self.simulator.refusal = (status, after)  # type: ignore[attr-defined]  # as above

    @property
    def refuses(self) -> bool:
        """Whether the refusals of `refuse` began."""
        refusal: tuple[int, int] | None = self.simulator.refusal  # type: ignore[attr-defined]  # as above
        return refusal is not None and refusal[1] == 0

    def restock(self) -> None:
        """Add as many vouchers to the vendor as it had at its start."""
        with self.simulator.lock:
            for _ in range(self.simulator.options.vouchers):
                self.simulator.insert_voucher()

    def tamper(self, change: Change | None) -> None:
        """Rewrite the JSON document of every answer from now on; None stops it.

        Refusals and documents that hold an access token are not rewritten.
        """
        self.simulator.change = change  # type: ignore[attr-defined]  # of the class that `make_tamperable` made

    def secrets(self) -> set[str]:
        """Return the secrets of the simulator's announcement, and the tokens that arrived so far."""
        secrets = {
            text
            for key, text in self.announcement.items()
            if any(word in key for word in ("secret", "token", "key", "pin"))
        }
        for request in self.requests:
            scheme, _, token = (request.header("Authorization") or "").partition(" ")
            secrets.add(token or scheme)
        return {text for text in secrets if text and "://" not in text}

    def close(self) -> None:
        """Close the providers and stop the simulator.

        Raises:
            RuntimeError: if the simulator made a mistake, so that the test proves nothing.
        """
        for provider in self._providers:
            provider.close()
        super().close()
        if self.crashes:
            raise RuntimeError(
                f"the simulator of {self.name} made a mistake, so this test proves nothing:\n{self.crashes[0]}"
            )

    def _issuing_provider(self) -> VoucherProvider:
        if self._issuer is None:
            self._issuer = self.provider()
        return self._issuer

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
    return rules.make_code(secrets.choice, _ALPHABET)


def start_vendor(name: str, /, **options: Any) -> SimulatedVendor:
    """Start an installed simulator in this process.

    Args:
        name: of the simulator, and of the provider that goes with it.
        options: of the simulator, such as ``vouchers=10``.

    Raises:
        ValueError: if no such simulator is installed, or an option has a wrong value.
        TypeError: for an unknown option.
        ConfigurationError: if the provider cannot be loaded.
    """
    provider = registry.load(name)  # before anything listens
    return SimulatedVendor(provider, name, **{"seed": None, **options})
