"""The promises of the crash-safe level, which are kept through the gateway with a journal."""

from __future__ import annotations

from typing import Final

import attrs

from voucher_gateway.capabilities import Capabilities, Operation
from voucher_gateway.conformance import Level
from voucher_gateway.emulation.registry import RISKS, with_emulations
from voucher_gateway.testing.promises.promise import Applies, Promise, requires, requires_all, requires_that
from voucher_gateway.testing.promises.vouchers import WRITES_VALUE


def _changes(declared: Capabilities) -> str | None:
    can = with_emulations(declared, frozenset(RISKS))
    if any(operation.changes and can.of(operation).available for operation in Operation):
        return None
    return "the provider declares no changing operation"


def _redeems(declared: Capabilities) -> str | None:
    if with_emulations(declared, frozenset(RISKS)).of(Operation.REDEEM).available:
        return None
    return "no value can be taken from a voucher, not even by an emulation"


def _refunds(declared: Capabilities) -> str | None:
    if with_emulations(declared, frozenset(RISKS)).of(Operation.REFUND).available:
        return _redeems(declared)
    return "nothing can be refunded, not even by an emulation"


def _crash(number: str, says: str, advice: str, applies: Applies = _changes) -> Promise:
    return Promise(number, Level.CRASH_SAFE, says, advice, applies)


_SAY_UNKNOWN: Final = (
    "Announce every changing request, and send each one once. "
    "Let `resolve` prove the outcome by the announced reference. What a look-up does not show is not proof."
)

_REPLACES: Final = requires_all(
    requires(Operation.RESERVE, Operation.CAPTURE),
    requires_that(
        lambda declared: declared.reservations is not None and declared.reservations.superseded_by_next,
        "a second reservation does not replace the first",
    ),
)

CRASH: Final = (
    attrs.evolve(
        _crash(
            "S22",
            "If the answer to a reservation was lost, the reservation is made again at once under the same reference, "
            "and captured once.",
            "Declare `superseded_by_next` only if a second reservation replaces the first. Keep no data of an earlier "
            "call on the instance.",
            _REPLACES,
        ),
        fault="commit-then-drop",
    ),
    _crash(
        "C1",
        "A process dies at any point of any operation, and another process repeats the call, also while the vendor's "
        "look-ups do not show the call yet. The money moved once or not at all. The journal agrees with the vendor, or "
        "says unknown.",
        _SAY_UNKNOWN,
    ),
    _crash(
        "C2",
        "A process dies at any point of any operation, and `recover` only reads. It finds what happened if "
        "`resolvable` names the operation, and invents nothing.",
        "Let `resolve` send reads only, and find what the announced intent names. Leave an operation out of "
        "`resolvable` if it cannot be found.",
    ),
    _crash(
        "C3",
        "Under a fault, the gateway reports a true outcome, also for emulations. A repeat under the same reference "
        "moves money once in all.",
        _SAY_UNKNOWN,
    ),
    _crash(
        "C4",
        "A process that is frozen in a call keeps the call. No other process makes it. The frozen process continues "
        "it when it resumes.",
        "Announce a request right before you send it, in the thread that sends it. Let nothing send a request later "
        "in the background.",
    ),
    _crash(
        "C5",
        "A repeat of a call that succeeded returns the recorded result, without a changing request. Another amount "
        "under its reference raises `ReferenceConflict`.",
        "Return results that can be stored and read again: the classes of the model with plain values.",
    ),
    _crash(
        "C6",
        "Sixteen threads that spend one voucher take what is reported to them. Together they take no more than the "
        "voucher holds.",
        "Share nothing between calls except the HTTP client. Keep the data of one call in local variables.",
        _redeems,
    ),
    _crash(
        "C7",
        "After a fork, both processes continue with the same gateway. Each call happens once.",
        "Keep connections in `HttpClient` or `Database`, which reconnect in a forked process.",
    ),
    Promise(
        "V8",
        Level.CRASH_SAFE,
        "An update that was lost and arrives late undoes nothing. While its request may still arrive, the gateway "
        "lets nothing else change the voucher's value, also after a repeat that succeeded.",
        "Let `resolve` prove an update by a reading that shows it. Never report `not_executed` for an update that is "
        "not seen.",
        requires_all(requires(Operation.UPDATE), requires_all(WRITES_VALUE, _redeems)),
        fault="deliver-late",
    ),
    Promise(
        "S24",
        Level.CRASH_SAFE,
        "Through the gateway, all refunds of a redemption together give back no more than it took. This includes "
        "refunds of parts, of the rest and in doubt.",
        "Give back exactly the amount that `refund` receives, or write exactly the value that `write_value` receives.",
        _refunds,
    ),
    _crash(
        "C8",
        "The journal and the vendor's history agree.",
        "Let `history` return every movement with its amount, kind and reference.",
        requires_all(_changes, requires(Operation.HISTORY)),
    ),
    _crash(
        "C9",
        "A child process that was forked without Python's fork hooks, as by uWSGI, keeps nothing of its parent. Each "
        "call of both processes happens once.",
        "Keep connections in `HttpClient` or `Database`. For any other resource of one process, call "
        "`fork_safety.register`, and `fork_safety.renew_if_forked` at each use. `os.register_at_fork` is not enough.",
    ),
)
