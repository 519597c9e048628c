"""The gateway of a Django project."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from voucher_gateway.config.loader import Config, load_config
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.gateway.gateway import Gateway

_SETTINGS = ("VOUCHER_GATEWAY", "VOUCHER_GATEWAY_STAGE", "VOUCHER_GATEWAY_ACCOUNTS")
_lock = threading.Lock()
_gateway: Gateway | None = None


def get_gateway() -> Gateway:
    """Return the gateway of this process. The first call makes it from the setting ``VOUCHER_GATEWAY``.

    All threads share it. A forked worker goes on with the one that it inherited. Its journal has its own connection, so
    ``ATOMIC_REQUESTS`` and ``atomic()`` do not roll it back.

    Raises:
        ConfigurationError: with everything that is wrong with the configuration.
    """
    global _gateway
    if _gateway is None:
        with _lock:
            if _gateway is None:
                _gateway = Gateway.from_config(read_config())
    return _gateway


def close_gateway() -> None:
    """Close the gateway of this process. The next call of `get_gateway` makes another one."""
    global _gateway
    with _lock:
        gateway, _gateway = _gateway, None
    if gateway is not None:
        gateway.close()


def read_config() -> Config:
    """Return the configuration of the settings.

    ``VOUCHER_GATEWAY`` is the path of a configuration file, or a dict with the same content.
    ``VOUCHER_GATEWAY_STAGE`` names its stage. ``VOUCHER_GATEWAY_ACCOUNTS`` is what finds the accounts that do not
    stand in it, such as those of tenants in a table, or its dotted path: an `AccountSource`, a class that makes one, or
    a function that finds an account.

    Raises:
        ConfigurationError: if the setting is missing, or with everything that is wrong with the configuration.
    """
    stage = getattr(settings, "VOUCHER_GATEWAY_STAGE", None)
    return load_config(config_source(), stage=stage, accounts=_account_source())


def config_source() -> str | os.PathLike[str] | Mapping[str, Any]:
    """Return the setting ``VOUCHER_GATEWAY``.

    Raises:
        ConfigurationError: if it is missing or has another type.
    """
    source: Any = getattr(settings, "VOUCHER_GATEWAY", None)
    if not isinstance(source, str | os.PathLike | Mapping):
        raise ConfigurationError(
            "the setting VOUCHER_GATEWAY must be the path of a configuration file, or a dict with the same content"
        )
    return source


def _account_source() -> Any:
    source: Any = getattr(settings, "VOUCHER_GATEWAY_ACCOUNTS", None)
    if not isinstance(source, str):
        return source
    try:
        return import_string(source)  # `load_config` makes an object of a class
    except ImportError:
        raise ConfigurationError(
            "the setting VOUCHER_GATEWAY_ACCOUNTS cannot be imported: it must be a dotted path, such as"
            " shop.tenants.find_account"
        ) from None


def _on_setting_changed(*, setting: str, **_: object) -> None:
    if setting in _SETTINGS:  # a test that overrides it
        close_gateway()


setting_changed.connect(_on_setting_changed)
