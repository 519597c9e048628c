"""What a person looks for in the vendor's screens, as the commands about operations in doubt print it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voucher_gateway.cli.output import Output
from voucher_gateway.cli.tables import details, text_of

if TYPE_CHECKING:
    from voucher_gateway.execution.lookup_hints import LookupHint


def print_hints(output: Output, hints: Sequence[LookupHint]) -> None:
    """Print what each request would have left at the vendor."""
    for number, hint in enumerate(hints, 1):
        which = "" if len(hints) == 1 else f" (request {number} of {len(hints)})"
        output.show(f"Look at {hint.account} ({hint.host}) for this{which}:", details(_hint_texts(hint)))


def _hint_texts(hint: LookupHint) -> dict[str, str]:
    latest = "no end: it may still arrive" if hint.latest is None else text_of(hint.latest)
    return {
        "what": " of ".join(filter(None, (hint.step.replace("_", " "), text_of(hint.money)))),
        "from": text_of(hint.earliest),
        "to": latest,
        "login": hint.login or "",
        "voucher": hint.voucher_id or "",
        "of": hint.subject or "",
        "order mark": hint.reference or "",
        "order": hint.order or "",
        "left before": text_of(hint.before),
        "left after": "" if hint.after is None else f"{text_of(hint.after)}, if it happened and nothing else did",
    }
