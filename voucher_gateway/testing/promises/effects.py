"""The promises of the spend level about what is said of a call: N references, E effects, U unknown outcomes."""

from __future__ import annotations

from typing import Final

from voucher_gateway.capabilities import Capabilities, Operation, Support
from voucher_gateway.conformance import Level
from voucher_gateway.testing.promises.promise import (
    Applies,
    Promise,
    requires,
    requires_all,
    requires_any,
    requires_that,
)

_MOVES: Final = (Operation.CAPTURE, Operation.REDEEM, Operation.REFUND, Operation.TOP_UP)
_MONEY: Final = requires_any(*_MOVES)


def _changes(declared: Capabilities) -> str | None:
    if any(operation.changes and declared.of(operation).support is Support.NATIVE for operation in Operation):
        return None
    return "the provider declares no changing operation"


_RESOLVES: Final = requires_all(
    _changes,
    requires_that(lambda declared: bool(declared.resolvable), "no operation is declared resolvable"),
)


def _spend(
    number: str,
    says: str,
    advice: str,
    applies: Applies = _changes,
    *,
    fault: str | None = None,
    wire: bool = False,
    may_stay_untried: bool = False,
) -> Promise:
    return Promise(
        number, Level.SPEND, says, advice, applies, fault=fault, wire=wire, may_stay_untried=may_stay_untried
    )


EFFECTS: Final = (
    _spend(
        "N1",
        "A reference of up to `max_reference_length` characters reaches the vendor whole. It is in the vendor's "
        "history, and in the result together with the order.",
        "Send the reference unchanged in the field by which you look it up. Declare `max_reference_length` as the "
        "vendor has it.",
        _MONEY,
    ),
    _spend(
        "N2",
        "A reference that is too long is refused, and never cut. A cut reference could be the reference of another "
        "call.",
        "Check the length, and raise `InvalidRequest`.",
        _MONEY,
    ),
    _spend(
        "N3",
        "Every operation repeats as its `repeat` declares. A vendor's key replays and conflicts, and a natural key "
        "refuses. An operation that is safe by a look-up is in `resolvable`.",
        "Declare for every changing operation what the vendor really does with a repeat. If nothing makes a "
        "repeat safe, declare `RepeatSafety.NONE`.",
        _changes,
    ),
    _spend(
        "E1",
        "Under every fault, a call succeeds only if it happened. It is declined or not executed only if it did not "
        "happen. Otherwise its outcome is unknown.",
        "Send through `HttpClient.change`. Otherwise, raise `OutcomeUnknown` for every failure after the first byte "
        "that is not a documented refusal. Do not swallow an error.",
        _changes,
    ),
    _spend(
        "E2",
        "A changing request that may have been carried out is not sent again, unless a repeat is declared safe.",
        "Repeat a request only if it is certain that it was not executed. `HttpClient.change` repeats no other "
        "request.",
        _changes,
    ),
    _spend(
        "E3",
        "Every changing request is announced once, right before it is sent. A journal can then record it first.",
        "Send through `HttpClient.change`, or call `notify_before_send(intent)` right before you send each request.",
        _changes,
    ),
    _spend(
        "E4",
        "If the announcement is refused, the request is not sent. Without a row in the journal, no request is sent.",
        "Let every error of `notify_before_send` through.",
        _changes,
    ),
    _spend(
        "E5",
        "The ticket of an unknown outcome names the call completely, survives JSON, and holds neither code nor PIN.",
        "Make the intent with `self.intent(...)`, with `voucher_id`, `subject`, `money` and `order`. Make the ticket "
        "with `intent.ticket(reason)`.",
        _changes,
        may_stay_untried=True,
    ),
    _spend(
        "E6",
        "A reply with an amount other than the requested one is not a success. The outcome is unknown, unless a repeat "
        "under the vendor's key gets the true reply.",
        "Compare the reply with the intent, and raise `IntegrityMismatch` while you read the reply.",
        _changes,
        fault="wrong-echo",
    ),
    _spend(
        "E7",
        "No error, log line, traceback or local variable of its frames shows a code, a PIN or a secret. This holds "
        "for a changing call that is declined and for one that fails.",
        "Begin with `code = Code.of(code)`. Build paths with `Path.of`. Quote nothing of a reply except names and "
        "codes of errors.",
        _changes,
    ),
    _spend(
        "E8",
        "A reply, an interim reply (1xx) or the rest of a reply never becomes the answer to another changing call.",
        "Send through `HttpClient`. Otherwise, use a connection again only after a reply that was read to its proper "
        "end.",
        _changes,
        fault="interim",
    ),
    _spend(
        "E10",
        "A reply that names a voucher other than the call's is not a success. The outcome is unknown. If only the "
        "code is known, the result names the voucher that the reply names.",
        "Put `voucher_id` into the intent, and give the result the voucher that the reply names. `HttpClient.change` "
        "compares the two. Never take `voucher_id` from the request or from an earlier look-up.",
        _changes,
        wire=True,
    ),
    _spend(
        "E11",
        "A 404 from a server in front of the vendor, such as a proxy, is not a refusal of the vendor, in JSON or in "
        "HTML. The outcome of a change is unknown.",
        "Accept a 404 only in the shape and with the codes that the vendor documents. Let `explain` return None for "
        "any other body, and raise nothing else instead of `OutcomeUnknown`.",
        _changes,
        fault="foreign-404",
    ),
    _spend(
        "E12",
        "A 429, a 500 and a temporary error in the vendor's own words are not refusals. The outcome of a change is "
        "unknown, or the change was not executed.",
        "Let `explain` return an error only for the refusals that the vendor documents, and None for its temporary "
        "errors.",
        _changes,
        may_stay_untried=True,
    ),
    _spend(
        "E13",
        'A read after a change decides nothing: if it fails, the outcome is not "not executed" and not declined. If it '
        "lags behind, the result is still true.",
        "Make the result from the reply to the change. Leave `remaining` None if that reply does not show it.",
        _changes,
    ),
    _spend(
        "U1",
        "`resolve` finds what happened. For every operation in `resolvable`, it returns succeeded if the vendor "
        "carried the operation out.",
        "Look for the reference, id or code that was sent. Leave an operation out of `resolvable` if it cannot be "
        "found.",
        _RESOLVES,
    ),
    _spend(
        "U2",
        "`resolve` returns succeeded only for a call that happened, and not executed only for a call that did not "
        "happen.",
        "If the vendor's records prove neither, return unknown.",
        _RESOLVES,
    ),
    _spend(
        "U3",
        "A look-up that does not show a call proves nothing while the look-up may lag behind, or fails.",
        "Return not executed only if nothing can happen any more, by the vendor's clock. Otherwise return unknown. "
        "Let the errors of a look-up through.",
        _RESOLVES,
    ),
    _spend(
        "U4",
        "A call that was never sent is not found, whatever else happened to the voucher.",
        "Match the reference exactly, or ids that did not exist before. An equal amount does not prove anything.",
        _RESOLVES,
    ),
    _spend(
        "U5",
        "A reservation in doubt counts as active until it must have ended, and not for ever.",
        "Compare `intent.sent_at` plus the lifetime of the reservation with the vendor's clock.",
        requires_all(
            requires(Operation.RESERVE),
            requires_that(
                lambda declared: (
                    Operation.RESERVE in declared.resolvable
                    and declared.reservations is not None
                    and declared.reservations.time_to_live is not None
                ),
                "reservations are not resolvable, or have no end",
            ),
        ),
    ),
    _spend(
        "U6",
        "A vendor that stores a reference other than the sent one never causes a second payment. A call that happened "
        "is not reported as not executed.",
        "A missing reference proves nothing while a movement of the same login and amount could be the call. Return "
        "such movements as `candidates` of an unknown `Outcome`: the journal knows which of them belong to other "
        "operations. Return as `reference` of the result the one that the vendor's reply shows.",
        requires_all(
            _MONEY,
            requires_that(
                lambda declared: not declared.resolvable.isdisjoint(_MOVES),
                "no operation that moves money is declared resolvable",
            ),
        ),
        fault="rewrite-reference",
    ),
    _spend(
        "U7",
        "`resolve` finds the one call in a record of any length, among movements of the same amount and under similar "
        "references. Its result is that movement.",
        "Read every page before you say that a reference is not there. Compare the whole reference. Make the result "
        "from the movement that has it.",
        requires_all(
            _MONEY,
            requires_that(
                lambda declared: not declared.resolvable.isdisjoint(_MOVES),
                "no operation that moves money is declared resolvable",
            ),
        ),
    ),
)
