"""The command that runs a vendor's simulator."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import attrs
import typer

from voucher_gateway.cli.options import complete_provider
from voucher_gateway.errors import ConfigurationError, InvalidRequest


def simulate(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="The vendor, such as jtl.", show_default=False, autocompletion=complete_provider
        ),
    ],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Where to listen; 0 picks a free one.")] = 0,
    host: Annotated[str, typer.Option("--host", help="The interface to listen on.")] = "127.0.0.1",
    vouchers: Annotated[int, typer.Option("--vouchers", min=0, help="How many there are at the start.")] = 0,
    seed: Annotated[int | None, typer.Option("--seed", help="The same seed makes the same vouchers.")] = None,
    latency_ms: Annotated[float, typer.Option("--latency-ms", min=0, help="Milliseconds before each answer.")] = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse fields that the vendor does not know.")] = False,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", metavar="FILE", help="A file that keeps vouchers and logins between runs. It holds codes."
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="NAME[:MATCH[:TIMES[:AFTER]]]",
            help="A fault to inject, such as 'commit-then-drop:POST /v1/reservations/*/charge:1'; TIMES 0 is"
            " always; AFTER lets so many matching requests pass first. May be repeated.",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar="NAME=VALUE",
            help="One of the vendor's own options, such as seller_currency=CHF of ticketing. May be repeated.",
        ),
    ] = None,
    write_config: Annotated[
        Path | None,
        typer.Option("--write-config", metavar="FILE", help="Write a configuration with this login into a new file."),
    ] = None,
    account: Annotated[
        str, typer.Option("--account", metavar="NAME", help="The account's name in that configuration.")
    ] = "shop",
) -> None:
    """Run a simulator of a vendor's API on this machine until interrupted.

    Ctrl-C or SIGTERM ends it. The first line is JSON: base_url, credentials, a ready token, and control_url. Through
    the control_url tests move the clock, inject faults, and read what arrived and what each voucher is truly worth.
    All its data is made up.

    Examples:
        voucher-gateway simulate jtl --vouchers 100
        voucher-gateway simulate ticketing --port 8102 --latency-ms 30
        voucher-gateway simulate jtl --write-config voucher-gateway.toml
    """
    require_simulators()
    from voucher_gateway.config.writer import require_account_name, write_new_config
    from voucher_gateway.simulator import SimulatorOptions, serve

    require_account_name(account)

    def write_account(announcement: Mapping[str, str]) -> None:
        if write_config is not None:
            write_new_config(write_config, simulator_config(name, account, announcement))

    try:
        options = SimulatorOptions(
            host=host, port=port, vouchers=vouchers, seed=seed, latency_ms=latency_ms, strict=strict, state=state
        )
        serve(name, options, fault or [], sys.stdout, option or [], on_start=write_account)
    except (ValueError, OSError) as error:
        problem = str(error)
    else:
        return
    raise InvalidRequest(problem, field="simulate", rule="a simulator, options and faults that there are")


def simulator_config(name: str, account: str, announcement: Mapping[str, str]) -> str:
    """Return a configuration, in TOML, with one account at a simulator that runs.

    Args:
        name: the name of the provider and of its simulator.
        account: the account's name.
        announcement: the simulator's address and credentials.
    """
    from voucher_gateway import registry

    settings = {field.alias for field in attrs.fields(registry.load(name).settings_type)}
    lines = ['journal = "sqlite:///voucher-gateway.db"', "", f"[accounts.{account}]", f"provider = {json.dumps(name)}"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in announcement.items() if key in settings]
    lines.append('code_pattern = ".*"  # any code may belong to this account')
    return "\n".join(lines) + "\n"


def require_simulators() -> None:
    """Make sure that the simulators can be imported.

    Raises:
        ConfigurationError: saying what to install.
    """
    if importlib.util.find_spec("flask") is None:
        raise ConfigurationError("simulators need Flask: pip install 'voucher-gateway[simulator]'")
