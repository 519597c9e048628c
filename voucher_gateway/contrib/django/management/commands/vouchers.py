"""`manage.py vouchers ...`: every command of `voucher-gateway`, with the configuration of the settings.

`manage.py vouchers events` sends the signals; with ``--once`` it ends when all are sent.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from voucher_gateway.cli.app import run
from voucher_gateway.contrib.django.gateway import read_config
from voucher_gateway.errors import VoucherGatewayError


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
        if tuple(arguments) in (("events",), ("events", "--once")):
            return self._send_signals(follow="--once" not in arguments)
        return run(arguments, read_config=read_config)

    def _send_signals(self, *, follow: bool) -> int:
        from voucher_gateway.contrib.django.signals import send_signals

        try:
            count = send_signals(follow=follow)
        except VoucherGatewayError as error:
            raise CommandError(error.message) from None
        except KeyboardInterrupt:
            return 0
        self.stdout.write(f"{count} event{'' if count == 1 else 's'} sent")
        return 0
