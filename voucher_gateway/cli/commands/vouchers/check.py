"""The command that checks a code as a shop front does."""

from __future__ import annotations

from typing import Annotated

import typer

from voucher_gateway.cli import options as given
from voucher_gateway.cli.arguments import parse_pin, require_code
from voucher_gateway.cli.context import DECLINED, cli_context_of
from voucher_gateway.cli.tables import details, fields_of, text_of


def check(
    context: typer.Context,
    code: given.CodeText,
    code_file: given.CodeFile = None,
    pin: given.PinText = None,
    pin_file: given.PinFile = None,
    account: given.AccountOption = None,
    timeout: given.ReadTimeout = None,
    caller: Annotated[
        str,
        typer.Option(
            "--caller",
            metavar="CALLER",
            help="Who tries the code, such as a client's IP address. A keyed digest of it is stored for a while.",
        ),
    ] = "command line",
) -> None:
    """Check a code that a customer typed, with limits against guessing.

    All codes that cannot be used get the same answer: unknown, expired, empty, not active, or with a wrong PIN. Exit
    code 0 if the code can be used, 1 if it cannot, 3 if too many codes were tried or a vendor could not be asked. The
    limits are in the table checks of the configuration. It needs a journal. `find` and `show` tell more, and count
    nothing.

    Examples:
        voucher-gateway check - --caller 203.0.113.7 < code.txt
        voucher-gateway check - --account shop --json < code.txt
    """
    session = cli_context_of(context)
    voucher_code, voucher_pin = require_code(code, code_file), parse_pin(pin, pin_file)
    with session.gateway(account) as gateway:
        answer = gateway.check(voucher_code, voucher_pin, caller=caller, account=account, timeout=timeout)
    if session.output.as_json:
        session.output.object(answer)
    elif answer.usable:
        fields = fields_of(answer, without=("usable", "message", "remaining"))
        session.output.show(f"{text_of(answer.remaining)} can be used".strip(), details(fields))
    else:
        session.output.note(answer.message, "red")
    if not answer.usable:
        raise typer.Exit(DECLINED)
