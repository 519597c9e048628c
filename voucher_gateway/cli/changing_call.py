"""Makes the changing call of a command, and prints its operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rich.text import Text

from voucher_gateway.capabilities import Operation, OptionValue
from voucher_gateway.cli.context import LOOK, CliContext
from voucher_gateway.cli.errors import resolve_command
from voucher_gateway.cli.output import Output, printable
from voucher_gateway.cli.tables import details, fields_of, text_of
from voucher_gateway.limits.call_deadline import use_call_deadline
from voucher_gateway.models.results import Redemption, Refund
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.outcome import Result
from voucher_gateway.provider.call_options import parse_options

if TYPE_CHECKING:
    from voucher_gateway.gateway.gateway import Gateway

R = TypeVar("R", bound=Result)

_FORGOTTEN: Final = (
    "No journal is configured, so nothing remembers this: the same command would be carried out once more."
)


def run_changing_call(
    session: CliContext,
    verb: Operation,
    account: str,
    reference: str,
    order: str | None,
    call: Callable[[Gateway], R],
    *,
    timeout: float | None = None,
    reveal: bool = False,
) -> R:
    """Make a changing call, print its operation and return its result.

    Args:
        session: the run.
        verb: the operation.
        account: the account's name.
        reference: the caller's name for the operation.
        order: the shop's order.
        call: makes the call.
        timeout: how long it may take in all, in seconds; None for no such limit.
        reveal: whether codes and PINs show.
    """
    # The result is printed inside of the block: if printing fails, the caller does not know the result.
    what = f"{_words(verb)} at {account}, reference {reference}"
    with session.gateway(account) as gateway:
        has_journal = gateway.journal is not None
        remedy = f"Find out with: {resolve_command(account, verb.value, reference)}" if has_journal else LOOK
        with session.changing(what, remedy):
            with use_call_deadline(timeout):
                result = call(gateway)
            fields = {
                "account": account,
                "verb": verb,
                "reference": reference,
                "order": order or _order_of(result),
                "outcome": "succeeded",
                "replayed": result.replayed,
                "result": result,
            }
            _print_success(session.output, fields, result, reveal=reveal)
            session.output.flush()
    if not has_journal:
        session.note_once(_FORGOTTEN)
    return result


def _order_of(result: Result) -> str | None:
    """Return the order that a result names: that of the earlier operation, where the command named none."""
    return result.order if isinstance(result, Redemption | Refund) else None


def _print_success(output: Output, fields: Mapping[str, Any], result: Result, *, reveal: bool) -> None:
    """Print an operation that succeeded, and its result."""
    if output.as_json:
        output.object(fields, reveal=reveal)
        return
    texts = fields_of(result, reveal=reveal, without=("account", "reference", "order"))
    if isinstance(result, Voucher):
        texts["order"] = text_of(result.order)
    texts |= {"reference": fields["reference"], "for order": fields["order"] or ""}
    sentence = "had succeeded before; nothing was sent" if result.replayed else "succeeded"
    title = f"{fields['account']}: {_words(fields['verb'])} {sentence}"
    output.show(Text(printable(title), "green"), details(texts))


def _words(verb: Operation) -> str:
    return verb.value.replace("_", "-")


def call_options(
    gateway: Gateway, account: str, texts: list[str] | None, *, unless: Operation | None = None
) -> dict[str, OptionValue]:
    """Return the options of a call that were given with ``--option``.

    Args:
        gateway: the gateway.
        account: the account's name, whose vendor says the types.
        texts: what was given.
        unless: an operation that the same command calls as well: its own options are left out.
    """
    rules = gateway.capabilities(account).options
    options = parse_options(rules, texts or ())
    others = {rule.name for rule in rules if rule.operations == {unless}}
    return {name: value for name, value in options.items() if name not in others}
