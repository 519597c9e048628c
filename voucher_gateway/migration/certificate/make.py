"""Makes the certificate of a migration: verifies it, and adds what the plan and the journal know."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Final

import attrs

from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.instants import format_micros, now, parse_instant
from voucher_gateway.migration.certificate.model import (
    MOST_DIFFERENCES,
    Certificate,
    CertifiedPlan,
    PersonsDecision,
    Verdict,
)
from voucher_gateway.migration.certificate.open_work import OpenWork, OpenWorkObserver
from voucher_gateway.migration.certificate.voucher_list import write_voucher_list
from voucher_gateway.migration.plan.model import End
from voucher_gateway.migration.plan.plan_file import Plan, PlanSummary, open_plan
from voucher_gateway.migration.plan.text import listing_sentences, steps_sentence
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run_records import current_user, record_run, run_records
from voucher_gateway.migration.schema import Work
from voucher_gateway.migration.verify.checks import Difference, DifferenceKind
from voucher_gateway.migration.verify.parts import summarize
from voucher_gateway.migration.verify.progress import OnVerificationProgress, ProgressReporter
from voucher_gateway.migration.verify.store import VerificationStore
from voucher_gateway.migration.verify.verify import Verification, read_and_compare
from voucher_gateway.version import __version__

_EXPECTED_WITHOUT_MOVE: Final = frozenset({DifferenceKind.NOT_MOVED, DifferenceKind.ANOTHER_PLAN, DifferenceKind.TOTAL})
"""The differences that a voucher causes that was not moved."""
_SUMS: Final = frozenset({DifferenceKind.TOTAL})
"""The differences that a voucher in doubt causes beside its own."""


def make_certificate(
    gateway: Gateway,
    plan: Path | Plan,
    *,
    by: str | None = None,
    voucher_list: BinaryIO | None = None,
    on_progress: OnVerificationProgress | None = None,
) -> Certificate:
    """Read both accounts of a plan again, and return the certificate.

    Args:
        gateway: has a journal and both accounts.
        plan: the plan's file, or the open plan.
        by: the name of the person; by default the user of the operating system.
        voucher_list: where the list of all vouchers is written, as CSV; None if only its hash is needed.
        on_progress: is called repeatedly, on the thread of the caller.

    Raises:
        ConfigurationError: if the plan was changed, or is for other accounts.
        VoucherGatewayError: if an account cannot be read.
        OSError: if the list cannot be written.
    """
    with open_plan(plan) as opened, closing(VerificationStore()) as store:
        context = MigrationContext(gateway, opened.id, opened.header)
        state = MigrationState.of(gateway, opened.summary)
        with record_run(state.database, opened.id, Work.CERTIFICATE, by) as record:
            observer = OpenWorkObserver(context, state)
            verification = read_and_compare(context, state, opened, store, on_progress=on_progress)
            made_at = now()
            source_now = format_micros(gateway.provider(context.source).vendor_now())
            total = sum(part.count for part in verification.parts)
            rows = ProgressReporter(on_progress).count_items(store.rows(source_now), "written to the list", total)
            listed = write_voucher_list(opened, rows, voucher_list)
            open_work = observer.open_work()
            in_doubt = store.numbers_in_doubt(source_now) | open_work.vouchers
            verdict = verdict_of(verification, in_doubt, open_work)
            record.details |= {"verdict": verdict.value, "rows_sha256": listed.sha256}
        return Certificate(
            made_at=made_at,
            made_by=by or current_user(),
            host=socket.gethostname(),
            version=__version__,
            verdict=verdict,
            state=verification.state,
            plan=_describe_plan(opened.summary),
            currencies=summarize(verification.parts),
            parts=verification.parts,
            totals=verification.totals,
            shifted_ends=verification.shifted_ends,
            unreadable=verification.unreadable,
            other_plans=verification.other_plans,
            new_codes=listed.new_codes,
            codes_not_compared=verification.codes_not_compared,
            differences=tuple(_differences(verification, in_doubt)),
            difference_count=len(verification.differences),
            open_operations=open_work.operations,
            open_operation_count=open_work.operation_count,
            unfinished=len(in_doubt),
            run_in_progress=open_work.run_in_progress,
            runs=tuple(run_records(state.database, opened.id)),
            decisions=tuple(_decisions(context)),
            rows=listed.rows,
            rows_sha256=listed.sha256,
        )


def verdict_of(verification: Verification, in_doubt: Collection[int], open_work: OpenWork) -> Verdict:
    """Return what a verification says about the migration as a whole.

    Args:
        verification: the verification.
        in_doubt: the numbers of the vouchers in doubt, and of those whose move or rollback has begun and has not ended.
            They may be stopped at the source and not be at the target yet.
        open_work: what had begun and had not ended while both accounts were read.
    """
    if verification.state is None:
        return Verdict.NOT_KNOWN
    kinds = {difference.kind for difference in verification.differences if difference.number not in in_doubt}
    settled = not (in_doubt or open_work.operation_count or open_work.run_in_progress)
    if verification.rolled_back:
        explained = frozenset[DifferenceKind]() if settled else _SUMS
        agrees = True
    else:
        explained = _EXPECTED_WITHOUT_MOVE
        agrees = all(not summary.difference for summary in summarize(verification.parts))
    if not agrees or kinds - explained:
        return Verdict.DIFFERENT
    if not settled:
        return Verdict.IN_DOUBT
    if verification.rolled_back:
        return Verdict.ROLLED_BACK
    return Verdict.PARTIAL if kinds else Verdict.COMPLETE


def _differences(verification: Verification, in_doubt: Collection[int]) -> Iterator[Difference]:
    """Yield the first differences. Those of a voucher in doubt say so: it may seem to be lost until it is looked up."""
    for difference in verification.differences[:MOST_DIFFERENCES]:
        if difference.number in in_doubt:
            yield attrs.evolve(difference, explanation=f"it is in doubt: {difference.explanation}")
        else:
            yield difference


def _describe_plan(summary: PlanSummary) -> CertifiedPlan:
    header, totals = summary.header, summary.totals
    return CertifiedPlan(
        id=summary.id,
        made_at=header.made_at,
        source=_without_path(header.source),
        target=_without_path(header.target),
        copy=header.copy,
        retire=header.retire,
        steps=steps_sentence(header),
        vouchers=totals.all.count,
        accepted=tuple(sorted(header.accepted)),
        policy=header.policy,
        losses=totals.losses,
        reasons=totals.reasons,
        listing=tuple(listing_sentences(totals.listing)),
    )


def _without_path(end: End) -> End:
    """Return an account of a plan without the folders of this machine in its host, such as ``sqlite:/data/own.db``."""
    scheme, colon, path = end.host.partition(":")
    if not colon or "/" not in path:
        return attrs.evolve(end, settings={})
    return attrs.evolve(end, account=Path(end.account).name, host=f"{scheme}:{Path(path).name}", settings={})


def _decisions(context: MigrationContext) -> Iterator[PersonsDecision]:
    for row in context.journal.operations_decided_in_plan(context.plan_id):
        yield PersonsDecision(
            account=row["account"],
            verb=row["verb"],
            reference=row["reference"],
            state=row["state"],
            by=row["decided_by"],
            reason=row["decision"] or "",
            at=parse_instant(row["updated_at"]),
        )
