"""`manage.py vouchers ...`: every command of `voucher-gateway`, with the configuration of the settings."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand

from voucher_gateway.cli.app import run
from voucher_gateway.contrib.django.gateway import read_config


class Command(BaseCommand):
    """Run a command of voucher-gateway, such as `manage.py vouchers recover`."""

    help = (
        "Run a command of voucher-gateway with the configuration of the settings, such as: manage.py vouchers recover"
    )
    requires_system_checks = ()

    def run_from_argv(self, argv: Sequence[str]) -> None:
        """Give all arguments to voucher-gateway, and end with its exit code."""
        sys.exit(self.run_arguments(argv[2:]))

    def handle(self, *args: str, **_: Any) -> str | None:
        """Run the command when Django's `call_command` calls it."""
        code = self.run_arguments(args)
        if code:
            sys.exit(code)
        return None

    def run_arguments(self, arguments: Sequence[str]) -> int:
        """Run a command and return its exit code."""
        return run(arguments, read_config=read_config)
