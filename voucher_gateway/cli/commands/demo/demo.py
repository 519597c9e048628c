"""The command that shows the guarantees of this library with two simulated vendors."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import typer

from voucher_gateway.cli.commands.demo import script
from voucher_gateway.cli.commands.demo.runner import Demo
from voucher_gateway.cli.commands.demo.simulate import require_simulators
from voucher_gateway.cli.context import DIFFERENT, DONE, cli_context_of

if TYPE_CHECKING:
    from voucher_gateway.simulator import RunningSimulator


def demo(context: typer.Context) -> None:
    """Show the guarantees of this library with two simulated vendors, in a few seconds.

    Nothing leaves this machine and nothing is stored. Amounts are in major units of their currency. Exit code 0 if
    all sums agree to the cent, 5 if not.

    Examples:
        voucher-gateway demo
    """
    require_simulators()
    from voucher_gateway.simulator import start

    with TemporaryDirectory(prefix="voucher-gateway-") as folder, start("jtl") as jtl, start("ticketing") as ticketing:
        demo = Demo(cli_context_of(context).output, {"shop": jtl, "events": ticketing})
        names = {**vars(script), "demo": demo, "config": _config(folder, jtl, ticketing)}
        try:
            for step in script.STEPS:
                demo.run(step, names)
            if find_spec("cryptography") is None:
                demo.say("With voucher-gateway[payments], the demo also pays an order with two vouchers and a card.")
            else:
                for payment_step in script.PAYMENT_STEPS:
                    demo.run(payment_step, names)
        finally:
            if "gateway" in names:
                names["gateway"].close()
        agrees = demo.compare()
    demo.say_what_next()
    raise typer.Exit(DONE if agrees else DIFFERENT)


def _config(folder: str, jtl: RunningSimulator, ticketing: RunningSimulator) -> Mapping[str, Any]:
    shop, events = jtl.announcement, ticketing.announcement
    return {
        "journal": f"sqlite:///{folder}/journal.db",
        "accounts": {
            "shop": {
                "provider": "jtl",
                "base_url": shop["base_url"],
                "client_id": shop["client_id"],
                "client_secret": shop["client_secret"],
                "code_pattern": "^SHOP-",
            },
            "events": {
                "provider": "ticketing",
                "base_url": events["base_url"],
                "api_key": events["api_key"],
                "code_pattern": "^EVENT-",
                "accept_risks": ["redeem-by-update", "refund-by-update"],
            },
        },
    }
