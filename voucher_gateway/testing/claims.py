"""What the conformance.json of a provider claims, held against the promises and the provider. Knows no pytest."""

from __future__ import annotations

from collections.abc import Iterator

from voucher_gateway.conformance import FILE, SUITE, Conformance, conformance_of, distribution_of
from voucher_gateway.errors.kinds import ConfigurationError
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.testing.promises import PROMISES


def load_conformance(provider: type[VoucherProvider]) -> Conformance | None:
    """Return what the file of a provider says; None if there is none.

    Raises:
        ConfigurationError: if it cannot be read, or if no whole run of this suite with this provider wrote it.
    """
    conformance = conformance_of(provider)
    wrong = None if conformance is None else next(_flaws(conformance, provider), None)
    if wrong is not None:
        raise ConfigurationError(f"{FILE} is not what a contract run writes here: {wrong}. Run the contract again")
    return conformance


def _flaws(conformance: Conformance, provider: type[VoucherProvider]) -> Iterator[str]:
    kept, without = set(conformance.kept), conformance.not_applicable.keys()
    due = {number for number, promise in PROMISES.items() if promise.level <= conformance.level}
    if len(kept) != len(conformance.kept) or kept & without:
        yield "a promise is there twice"
    if strange := sorted((kept | without) - due):
        yield f"suite {SUITE} has no promise {strange[0]!r:.12} up to the {conformance.level.word} level"
    if missing := [number for number in PROMISES if number in due - kept - without]:
        yield f"{', '.join(missing)} of the {conformance.level.word} level are not there"
    # What is declared may have changed since; the rest hangs on the stage of the run, which is not here.
    for number in sorted(due):
        promise = PROMISES[number]
        why = promise.applies(provider.declared)
        if number in kept and why is not None:
            yield f"{number} was kept, and does not apply: {why}"
        if number in without and why is None and not promise.wire and promise.fault is None:
            yield f"{number} applies to what the provider declares"
    installed = distribution_of(provider)
    if None not in (conformance.distribution, installed) and conformance.distribution != installed:
        yield f"it was written for the distribution {conformance.distribution!r:.40}, not {installed}"
