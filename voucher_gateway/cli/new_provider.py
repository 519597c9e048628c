"""The command that begins a new provider."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from voucher_gateway.cli.context import cli_context_of
from voucher_gateway.cli.output import Output
from voucher_gateway.errors import ConfigurationError


def new_provider(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What configs call it, such as gift-house.", show_default=False)
    ],
    into: Annotated[Path, typer.Option("--into", metavar="DIR", help="Where its folder is made.")] = Path(),
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="The vendor's name for people.", show_default=False)
    ] = None,
) -> None:
    """Create a project for a provider of another vendor.

    The project is a distribution of its own: it can be installed, is found, and passes its tests. It speaks a made-up
    API to the simulator beside it and can read vouchers. Its README says what to change. Its tests, the contract of
    every provider, say what is still missing. No file is overwritten.

    Examples:
        voucher-gateway new-provider gift-house --title "Gift House"
    """
    require_templates()
    from voucher_gateway.scaffold.names import Naming
    from voucher_gateway.scaffold.write import write_project

    try:
        naming = Naming.of(name, title)
        target, *files = write_project(naming, into)
    except ConfigurationError as error:
        problem = error.message
    else:
        _print_project(cli_context_of(context).output, naming.name, naming.distribution, target, files)
        return
    raise typer.BadParameter(problem)


def _print_project(output: Output, name: str, distribution: str, target: Path, files: list[Path]) -> None:
    if output.as_json:
        output.object({"provider": name, "distribution": distribution, "folder": str(target)})
        return
    for file in files:
        output.text(str(file))
    output.note(
        f"Next, in {target}: pip install --editable '.[test]', then pytest. It passes as it is; its README says "
        "how to make it yours."
    )


def require_templates() -> None:
    """Make sure that templates can be rendered.

    Raises:
        ConfigurationError: saying what to install.
    """
    if importlib.util.find_spec("jinja2") is None:
        raise ConfigurationError("new-provider needs Jinja2: pip install 'voucher-gateway[cli]'")
