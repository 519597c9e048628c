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
    return "the provider declares nothing that changes anything"


_RESOLVES: Final = requires_all(
    _changes,
    requires_that(lambda declared: bool(declared.resolvable), "no operation is declared that can be looked up"),
)


def _spend(
    number: str,
    says: str,
    advice: str,
    applies: Applies = _changes,
    *,
    fault: str | None = None,
    wire: bool = False,
) -> Promise:
    return Promise(number, Level.SPEND, says, advice, applies, fault=fault, wire=wire)


EFFECTS: Final = (
    _spend(
        "N1",
        "A reference of up to `max_reference_length` characters reaches the vendor whole, is in its history, and"
        " stands in the result together with the order.",
        "Send the reference as it is in the field by which you look it up; declare `max_reference_length` as the vendor"
        " has it.",
        _MONEY,
    ),
    _spend(
        "N2",
        "A reference that is too long is refused, and never cut: a cut one could be another call's.",
        "Check the length, and raise `InvalidRequest`.",
        _MONEY,
    ),
    _spend(
        "N3",
        "What `repeat` declares of each call is so: a vendor's key replays and conflicts, a natural key refuses, and"
        " what is safe by a look-up is among `resolvable`.",
        "Declare for every changing operation what the vendor really does with a repeat; none is `RepeatSafety.NONE`.",
        _changes,
    ),
    _spend(
        "E1",
        "Under every fault a call succeeds only if it happened, is declined or not executed only if it did not, and is"
        " otherwise unknown.",
        "Send through `HttpClient.change`, or raise `OutcomeUnknown` for everything after the first byte that is not"
        " a documented refusal. Swallow no error.",
        _changes,
    ),
    _spend(
        "E2",
        "A changing request that may have been carried out is not sent again, unless a repeat is declared safe.",
        "Repeat nothing but what surely was not executed; `HttpClient.change` repeats just that.",
        _changes,
    ),
    _spend(
        "E3",
        "Every changing request is announced once, right before it is sent, so that a journal can write it down first.",
        "Send through `HttpClient.change`, or call `notify_before_send(intent)` right before each sending.",
        _changes,
    ),
    _spend(
        "E4",
        "What its announcement refuses is not sent: no row in the journal, no request.",
        "Let whatever `notify_before_send` raises through.",
        _changes,
    ),
    _spend(
        "E5",
        "The ticket of an unknown outcome names the call completely, survives JSON, and holds neither code nor PIN.",
        "Make the intent with `self.intent(...)` with voucher_id, subject, money and order, and the ticket with"
        " `intent.ticket(reason)`.",
        _changes,
    ),
    _spend(
        "E6",
        "A reply with another amount than was asked for is not a success, but an unknown outcome.",
        "Compare what the reply says with the intent, and raise `IntegrityMismatch` while you read it.",
        _changes,
    ),
    _spend(
        "E7",
        "No error, log line, traceback or local variable of its frames shows a code, a PIN or a secret, be a changing "
        "call declined or failed.",
        "Begin with `code = Code.of(code)`, build paths with `Path.of`, and quote nothing of a reply but names and "
        "codes of errors.",
        _changes,
    ),
    _spend(
        "E8",
        "No reply, interim reply (1xx) or rest of a reply becomes the answer to another changing call.",
        "Send through `HttpClient`, or use a connection again only after a reply that was read to its proper end.",
        _changes,
        fault="interim",
    ),
    _spend(
        "E10",
        "A reply that names another voucher than the one that the call is about is not a success, but an unknown"
        " outcome;"
        " where only the code is known, the result names the voucher that the reply names.",
        "Put `voucher_id` into the intent, and give the result the voucher that the reply names: `HttpClient.change`"
        " compares the two. Never take `voucher_id` from the request or an earlier look-up.",
        _changes,
        wire=True,
    ),
    _spend(
        "E11",
        "A 404 of something in front of the vendor is not the vendor's refusal: the outcome of a change is unknown.",
        "Accept a 404 only in the shape and with the codes that the vendor documents: let `explain` return None for any"
        " other body, and raise nothing else instead of `OutcomeUnknown`.",
        _changes,
        fault="foreign-404",
    ),
    _spend(
        "U1",
        "What happened is found: for every operation in `resolvable`, `resolve` says succeeded when the vendor did it.",
        "Look for the reference, id or code that was sent; leave out of `resolvable` what cannot be found.",
        _RESOLVES,
    ),
    _spend(
        "U2",
        "`resolve` says succeeded only of what happened, and not executed only of what did not.",
        "Where the vendor's records prove neither, say unknown.",
        _RESOLVES,
    ),
    _spend(
        "U3",
        "That a look-up does not show a call proves nothing while the look-up may lag behind, or fails.",
        "Say not executed only where nothing can happen any more, by the vendor's own clock; otherwise unknown. Let the"
        " errors of a look-up through.",
        _RESOLVES,
    ),
    _spend(
        "U4",
        "A call that was never sent is not found, whatever else happened to the voucher.",
        "Match the reference exactly, or ids that were not there before; an equal amount does not prove anything.",
        _RESOLVES,
    ),
    _spend(
        "U5",
        "A reservation in doubt counts as standing until it must be over, and not for ever.",
        "Compare `intent.sent_at` plus the reservation's life with the vendor's clock.",
        requires_all(
            requires(Operation.RESERVE),
            requires_that(
                lambda declared: (
                    Operation.RESERVE in declared.resolvable
                    and declared.reservations is not None
                    and declared.reservations.time_to_live is not None
                ),
                "reservations are not looked up, or have no end",
            ),
        ),
    ),
    _spend(
        "U6",
        "A vendor that keeps another reference than it was sent never leads to a second taking: what happened is"
        " not said to be not executed.",
        "Absence of a reference proves nothing while a movement of the same login and amount could be the call:"
        " return such movements as `candidates` of an unknown `Outcome`; the journal knows which of them belong to"
        " other operations. Let the result's `reference` be the one that the vendor's reply shows.",
        requires_all(
            _MONEY,
            requires_that(
                lambda declared: not declared.resolvable.isdisjoint(_MOVES),
                "no operation that moves money is looked up",
            ),
        ),
        fault="rewrite-reference",
    ),
)
