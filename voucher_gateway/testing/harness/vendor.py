"""The vendor behind a provider, as contract tests use it, and the settings of its account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import attrs

from voucher_gateway.config.provider_settings import ConfigProblems, read_settings
from voucher_gateway.provider.provider import VoucherProvider


def account_table(
    provider: type[VoucherProvider], announcement: Mapping[str, str], /, **options: object
) -> dict[str, Any]:
    """Return the provider's keys of an account at a simulator, as a configuration has them.

    Args:
        provider: the class of the provider.
        announcement: the simulator's announcement; keys that are not settings of the provider are left out.
        options: further settings, which replace those of the announcement.
    """
    names = {field.alias for field in attrs.fields(provider.settings_type) if field.init}
    return {key: value for key, value in announcement.items() if key in names} | options


def settings_for(provider: type[VoucherProvider], announcement: Mapping[str, str], /, **options: object) -> Any:
    """Return the provider's settings for an account at a simulator.

    Raises:
        ConfigurationError: if a setting is missing, unknown or wrong; it has a line for each.
    """
    problems = ConfigProblems(f"settings of {provider.name} for its simulator")
    table = account_table(provider, announcement, **options)
    settings = read_settings(provider.settings_type, table, problems, ("settings",), folder=None, reserved=())
    problems.raise_if_any()
    return settings


ACCOUNT: Final = "contract"
"""The name of the account in every contract run."""

PAGE_SIZE: Final = 7
"""Vouchers a page, if the provider has that setting: small, so that a few vouchers already make several pages."""

FAST: Final[Mapping[str, Any]] = {
    "connect_timeout_s": 5.0,
    "read_timeout_s": 5.0,
    "total_timeout_s": 10.0,
    "batch_timeout_s": 10.0,
    "tries": 2,
    "max_reply_bytes": 1_000_000,
    "max_page_bytes": 1_000_000,
    "page_size": PAGE_SIZE,
}
"""Settings of a contract run; those that the provider lacks are left out."""

IMPATIENT: Final[Mapping[str, Any]] = {
    "read_timeout_s": 0.4,
    "total_timeout_s": 0.7,
    "batch_timeout_s": 0.7,
    "tries": 1,
}
"""Settings with which a provider gives up soon; those that it lacks are left out."""


class VendorUnderTest(Protocol):
    """The vendor for the tests of a provider: it makes providers, shows its true ledger, and can fail on request.

    `SimulatedVendor` is the one for vendors with a simulator. A vendor with the fault ``lagging-lookups`` may also have
    ``lift_fault(fault)``, which removes the injected faults of one name: only then is that fault tried with providers
    that send a request again.
    """

    def provider(self, **settings: Any) -> VoucherProvider:
        """Return a new provider on the same account, `ACCOUNT`. The vendor closes it."""
        ...

    def ledger(self) -> Sequence[Mapping[str, Any]]:
        """Return every voucher with its true value.

        Each has id, code, currency, initial, remaining, reserved, status, valid_until and movements, a list of id,
        kind, amount, reference and at. Amounts are decimal strings, instants RFC 3339; ``pin`` may be there too.
        """
        ...

    @property
    def request_lines(self) -> list[str]:
        """All requests that arrived so far, reads and log-ins included, such as ``POST /v1/reservations``."""
        ...

    def advance(self, seconds: float) -> None:
        """Move the vendor's clock forward."""
        ...

    @property
    def faults(self) -> Mapping[str, bool | None]:
        """The faults that can be injected, and whether the vendor then carries the request out; None: as without."""
        ...

    def inject_fault(self, fault: str, at: int) -> None:
        """Inject a fault once, at the `at`-th request from now on, counted from 0."""
        ...

    def clear_faults(self) -> None:
        """Remove all injected faults."""
        ...

    def close(self) -> None:
        """Close the providers and stop the vendor."""
        ...


def select_settings(provider: type[VoucherProvider], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that the provider has."""
    names = {field.alias for field in attrs.fields(provider.settings_type) if field.init}
    return {name: value for name, value in settings.items() if name in names}
