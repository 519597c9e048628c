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
    return "the provider declares nothing that changes anything"


def _redeems(declared: Capabilities) -> str | None:
    if with_emulations(declared, frozenset(RISKS)).of(Operation.REDEEM).available:
        return None
    return "value cannot be taken off a voucher, not even by an emulation"


def _refunds(declared: Capabilities) -> str | None:
    if with_emulations(declared, frozenset(RISKS)).of(Operation.REFUND).available:
        return _redeems(declared)
    return "nothing can be given back on a voucher, not even by an emulation"


def _crash(number: str, says: str, advice: str, applies: Applies = _changes) -> Promise:
    return Promise(number, Level.CRASH_SAFE, says, advice, applies)


_SAY_UNKNOWN: Final = (
    "Announce every changing request, send each one once, and let `resolve` prove by the reference that was announced."
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
            "A reservation whose answer was lost is made again at once under the same reference, and captured once.",
            "Declare `superseded_by_next` only where a second reservation replaces the first; keep nothing of an"
            " earlier call on the instance.",
            _REPLACES,
        ),
        fault="commit-then-drop",
    ),
    _crash(
        "C1",
        "A process dies at any point of any verb, and another repeats the call: money moved once or not at all, and the"
        " journal agrees or says unknown.",
        _SAY_UNKNOWN,
    ),
    _crash(
        "C2",
        "A process dies at any point of any verb, and `recover` only reads: what happened is found where `resolvable`"
        " names the verb, and nothing is made up.",
        "Let `resolve` send reads only, and find what the announced intent names; leave out of `resolvable` what it"
        " cannot find.",
    ),
    _crash(
        "C3",
        "What the gateway says of a call under a fault is true, emulations included, and a repeat under the same"
        " reference moves money once in all.",
        _SAY_UNKNOWN,
    ),
    _crash(
        "C4",
        "A process that is frozen in a call keeps it: no other process makes it, and it continues when it resumes.",
        "Announce right before sending, in the thread that sends, and send nothing afterwards by itself.",
    ),
    _crash(
        "C5",
        "A repeat of what succeeded replays the result without a changing request, and another amount under its"
        " reference is a `ReferenceConflict`.",
        "Return results that can be written down and read again: the model's own classes with plain values.",
    ),
    _crash(
        "C6",
        "Sixteen threads on one voucher take what is reported to them, and together no more than it holds.",
        "Share nothing between calls but the HTTP client; keep what belongs to one call in local variables.",
        _redeems,
    ),
    _crash(
        "C7",
        "After a fork both processes go on with the same gateway, and each call happens once.",
        "Keep connections in `HttpClient` or `Database`, which reconnect in a forked process.",
    ),
    Promise(
        "V8",
        Level.CRASH_SAFE,
        "An update that was lost and arrives late undoes nothing: while its request may still arrive, the gateway lets"
        " nothing else change the voucher's value, after a repeat that succeeded, too.",
        "Let `resolve` prove an update by a reading that shows it, and never call one that is not seen `not_executed`.",
        requires_all(requires(Operation.UPDATE), requires_all(WRITES_VALUE, _redeems)),
        fault="deliver-late",
    ),
    Promise(
        "S24",
        Level.CRASH_SAFE,
        "Through the gateway all refunds of a redemption, in parts, of the rest and in doubt, give no more back than it"
        " took.",
        "Give back exactly the amount that `refund` is given, or write exactly the value that `write_value` is given.",
        _refunds,
    ),
    _crash(
        "C8",
        "The journal and the vendor's own history tell the same.",
        "Let `history` show every movement with its amount, kind and reference.",
        requires_all(_changes, requires(Operation.HISTORY)),
    ),
    _crash(
        "C9",
        "A child that was forked without Python's fork hooks, as uWSGI does it, keeps nothing of its parent's, and each"
        " call of both happens once.",
        "Keep connections in `HttpClient` or `Database`. For anything else that belongs to one process, call"
        " `fork_safety.register`, and `fork_safety.renew_if_forked` at each use; `os.register_at_fork` is not enough.",
    ),
)
