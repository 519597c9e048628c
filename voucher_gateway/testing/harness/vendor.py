"""Stages: the vendor behind a contract run, with the truth that a provider's answers are held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from voucher_gateway.config.provider_settings import Problems, read_settings
from voucher_gateway.provider import VoucherProvider

if TYPE_CHECKING:
    from voucher_gateway.simulator import Simulator
    from voucher_gateway.testing.harness.reply_rewriting import Change


def account_table(
    provider: type[VoucherProvider], announcement: Mapping[str, str], /, **options: object
) -> dict[str, Any]:
    """Return the provider's keys of an account at a simulator, as a configuration has them.

    Args:
        provider: the class whose settings are to be made.
        announcement: what the simulator says of itself; what is no setting of the provider is left out.
        options: further settings, which win.
    """
    names = {field.alias for field in attrs.fields(provider.settings_type) if field.init}
    return {key: value for key, value in announcement.items() if key in names} | options


def settings_for(provider: type[VoucherProvider], announcement: Mapping[str, str], /, **options: object) -> Any:
    """Return the provider's settings for an account at a simulator.

    Raises:
        ConfigurationError: if a setting is missing, unknown or wrong; it has a line for each.
    """
    problems = Problems(f"settings of {provider.name} for its simulator")
    table = account_table(provider, announcement, **options)
    settings = read_settings(provider.settings_type, table, problems, ("settings",), folder=None, reserved=())
    problems.raise_if_any()
    return settings


ACCOUNT: Final = "contract"
"""The name of the account in every contract run."""

PAGE_SIZE: Final = 7
"""Vouchers a page, where the provider can be told: small, so that a few vouchers already make several pages."""

FAST: Final[Mapping[str, Any]] = {
    "connect_timeout_s": 5.0,
    "read_timeout_s": 5.0,
    "total_timeout_s": 10.0,
    "tries": 2,
    "max_reply_bytes": 1_000_000,
    "max_page_bytes": 1_000_000,
    "page_size": PAGE_SIZE,
}
"""Settings of a contract run, as far as the provider has them."""

IMPATIENT: Final[Mapping[str, Any]] = {"read_timeout_s": 0.4, "total_timeout_s": 0.7, "tries": 1}
"""Settings with which a provider gives up soon, as far as it has them."""

_BY_NAME_ONLY: Final = frozenset({"deliver-late", "wrong-reading"})
"""Faults that show only in what follows a call. Promises of their own ask for them; a campaign does not draw them."""

_QUICK_FAULTS: Final[Mapping[str, Mapping[str, float]]] = {
    "rate-limit": {"retry_after_s": 0},
    "slow": {"delay_s": 0.02},
    "slow-before": {"delay_s": 0.02},
    "huge": {"bytes": 3_000_000},
    "huge-reply": {"bytes": 8_000_000},
    "interim": {"delay_s": 0.05},
    "no-content-with-body": {"delay_s": 0.02},
}


class VendorUnderTest(Protocol):
    """A vendor to try a provider against: the provider, and the truth behind it."""

    def provider(self, **settings: Any) -> VoucherProvider:
        """Return a new instance on the same account, `ACCOUNT`. It is closed with the stage."""
        ...

    def ledger(self) -> list[Mapping[str, Any]]:
        """Return every voucher as it truly is.

        Each has id, code, currency, initial, remaining, reserved, status, valid_until and movements, a list of id,
        kind, amount, reference and at. Amounts are decimal text, instants RFC 3339; a PIN may stand under ``pin``.
        """
        ...

    def requests(self) -> list[str]:
        """Return what arrived at the vendor so far, changing or not, such as ``POST /v1/reservations``."""
        ...

    def advance(self, seconds: float) -> None:
        """Put the vendor's clock forward."""
        ...

    @property
    def faults(self) -> Mapping[str, bool | None]:
        """What can go wrong, and whether the vendor then does what was asked; None: as it would have."""
        ...

    def inject_fault(self, fault: str, at: int) -> None:
        """Let the `at`-th request from now on, counted from 0, meet a fault, once."""
        ...

    def clear_faults(self) -> None:
        """Let no fault wait any more."""
        ...

    def close(self) -> None:
        """Close the providers and end the vendor."""
        ...


class SimulatorVendor:
    """A simulator in this process, and providers wired to it by what it announces.

    Args:
        provider: the class under test.
        simulator: the simulator, by name or class; None for the installed one of the provider's name.
        settings: more settings of the account.
        options: of the simulator.

    Attributes:
        running: the simulator.
    """

    def __init__(
        self,
        provider: type[VoucherProvider],
        simulator: type[Simulator] | str | None = None,
        settings: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        # Late, as Flask is needed for nothing else here.
        from voucher_gateway.simulator import load, start
        from voucher_gateway.testing.harness.reply_rewriting import tamperable

        name = provider.name if simulator is None else simulator
        self._class = provider
        self._settings = {**select_settings(provider, FAST), **(settings or {})}
        self._made: list[VoucherProvider] = []
        kind = tamperable(load(name) if isinstance(name, str) else name)
        self.running = start(kind, **{"seed": 1, **options})

    def provider(self, **settings: Any) -> VoucherProvider:
        """Return a new instance; `settings` win over those of the stage."""
        table = {**self._settings, **settings}
        provider_ = self._class(ACCOUNT, settings_for(self._class, self.running.announcement, **table))
        self._made.append(provider_)
        return provider_

    def ledger(self) -> list[Mapping[str, Any]]:
        """Return the simulator's own books."""
        return list(self.running.ledger())

    def requests(self) -> list[str]:
        """Return the requests that arrived, token requests included."""
        return [f"{request.method} {request.path}" for request in self.running.requests]

    def advance(self, seconds: float) -> None:
        """Put the virtual clock forward."""
        self.running.clock.advance(seconds)

    @property
    def faults(self) -> Mapping[str, bool | None]:
        """The faults of the simulator kit that have a meaning at this vendor."""
        from voucher_gateway.simulator import FAULTS

        without = self.running.simulator.faults_without_meaning
        return {name: kind.commits for name, kind in FAULTS.items() if name not in without | _BY_NAME_ONLY}

    def inject_fault(self, fault: str, at: int) -> None:
        """Let a fault wait, with options that keep a run short."""
        options: dict[str, Any] = dict(_QUICK_FAULTS.get(fault, {}))
        self.running.inject(fault, after=at, **options)

    def clear_faults(self) -> None:
        """Forget the waiting faults, and leave replies as they are."""
        self.running.clear_faults()
        self.tamper(None)
        self.running.simulator.refusal = None  # type: ignore[attr-defined]  # of the class that `tamperable` made

    def refuse(self, status: int, after: int) -> None:
        """Refuse what would be answered, log-ins aside, once so many answers went out, in the vendor's own words."""
        self.running.simulator.refusal = (status, after)  # type: ignore[attr-defined]  # as above

    @property
    def refuses(self) -> bool:
        """Whether those answers went out."""
        refusal: tuple[int, int] | None = self.running.simulator.refusal  # type: ignore[attr-defined]  # as above
        return refusal is not None and refusal[1] == 0

    def restock(self) -> None:
        """Let the vendor have as many more vouchers as it began with."""
        simulator = self.running.simulator
        with simulator.lock:
            for _ in range(simulator.options.vouchers):
                simulator.insert_voucher()

    def tamper(self, change: Change | None) -> None:
        """Change the JSON document of every answer from now on; None leaves them alone again.

        Refusals and documents that hold an access token stay as they are.
        """
        self.running.simulator.change = change  # type: ignore[attr-defined]  # of the class that `tamperable` made

    def secrets(self) -> set[str]:
        """Return what the simulator announced as secret, and the tokens that arrived so far."""
        announcement = self.running.announcement
        secrets = {
            announcement[key] for key in announcement if any(word in key for word in ("secret", "token", "key", "pin"))
        }
        for request in self.running.requests:
            scheme, _, token = (request.header("Authorization") or "").partition(" ")
            secrets.add(token or scheme)
        return {text for text in secrets if text and "://" not in text}

    def connections(self) -> int:
        """Return how many connections to the simulator are open now."""
        return self.running.connections

    def close(self) -> None:
        """Close all, and make sure that the simulator made no mistake of its own."""
        for provider_ in self._made:
            provider_.close()
        self.running.close()
        crashes = self.running.crashes
        assert not crashes, f"the simulator made a mistake, so this run proves nothing:\n{crashes[0]}"


def select_settings(provider: type[VoucherProvider], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return those settings that the provider has."""
    names = {field.alias for field in attrs.fields(provider.settings_type) if field.init}
    return {name: value for name, value in wanted.items() if name in names}
