"""How a provider is wired to a simulator: what the simulator announces, under the names that the settings have.

A simulator announces where it listens and how to log in (`Simulator.announcement`); a provider's settings class names
what it needs to be told. Whatever both call by one name is carried over, so that a stranger's pair needs no more than
equal names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from voucher_gateway.config.provider_settings import Problems, read_settings
from voucher_gateway.provider import VoucherProvider


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
