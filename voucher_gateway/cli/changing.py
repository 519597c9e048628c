"""The way of every command that changes something: one call, and its operation printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.cli.exits import resolve_command
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.session import LOOK, CliContext
from voucher_gateway.cli.tables import details, fields_of, text_of
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.models.results import Redemption, Refund
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.outcome import Result

R = TypeVar("R", bound=Result)

_FORGOTTEN: Final = (
    "No journal is configured, so nothing remembers this: the same command would be carried out once more."
)


@attrs.frozen(kw_only=True)
class CallOutput:
    """A changing call that succeeded, as it is printed.

    Attributes:
        account: the account's name.
        verb: the operation.
        reference: the caller's name for it.
        order: the shop's order.
        outcome: always ``succeeded``; everything else is an error.
        replayed: whether the result is that of an earlier call under the same reference.
        result: what it brought about.
    """

    account: str
    verb: Operation
    reference: str
    order: str | None
    outcome: str = "succeeded"
    replayed: bool
    result: Result


def run_changing_call(
    session: CliContext,
    verb: Operation,
    account: str,
    reference: str,
    order: str | None,
    call: Callable[[Gateway], R],
    *,
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
        reveal: whether codes and PINs show.
    """
    # Printing is inside: a result that nobody could read is as open as one that never came.
    what = f"{_words(verb)} at {account}, reference {reference}"
    with session.gateway(account) as gateway:
        kept = gateway.journal is not None
        remedy = f"Find out with: {resolve_command(account, verb.value, reference)}" if kept else LOOK
        with session.changing(what, remedy):
            result = call(gateway)
            done = CallOutput(
                account=account,
                verb=verb,
                reference=reference,
                order=order or _order_of(result),
                replayed=result.replayed,
                result=result,
            )
            print_operation(session.output, done, reveal=reveal)
            session.output.flush()
    if not kept:
        session.note_once(_FORGOTTEN)
    return result


def _order_of(result: Result) -> str | None:
    """Return the order that a result names: that of the earlier operation, where the command named none."""
    return result.order if isinstance(result, Redemption | Refund) else None


def print_operation(output: Output, done: CallOutput, *, reveal: bool) -> None:
    """Print an operation that succeeded."""
    if output.as_json:
        output.object(done, reveal=reveal)
        return
    fields = fields_of(done.result, reveal=reveal, without=("account", "reference", "order"))
    if isinstance(done.result, Voucher):
        fields["order"] = text_of(done.result.order)
    rows = {"reference": done.reference, "for order": done.order or ""}
    when = "had succeeded before; nothing was sent" if done.replayed else "succeeded"
    output.show(f"{done.account}: {_words(done.verb)} {when}", details({**fields, **rows}))


def _words(verb: Operation) -> str:
    return verb.value.replace("_", "-")
