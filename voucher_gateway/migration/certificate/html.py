"""A certificate as a page to print and sign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from voucher_gateway.html.document import (
    Column,
    HtmlPage,
    Section,
    Signatures,
    Table,
    Text,
    display_instant,
    set_gaps_in_sentence,
)
from voucher_gateway.migration.certificate.model import Certificate, Verdict
from voucher_gateway.migration.certificate.sentences import (
    PART_NAMES,
    SHIFT_NAMES,
    shift_text,
    state_text,
    verdict_sentences,
    verdict_title,
)
from voucher_gateway.migration.plan.losses import LOSSES
from voucher_gateway.migration.plan.model import End
from voucher_gateway.migration.plan.text import join_amounts
from voucher_gateway.migration.plan.totals import Tally
from voucher_gateway.migration.run.record_text import runs_table
from voucher_gateway.migration.verify.parts import PartTotal
from voucher_gateway.money import Money

_DIFFERENCES = "differences"
_PARTS = "parts"
_OTHER_PLANS = "other-plans"
_OPEN_OPERATIONS = "open-operations"


def certificate_page(certificate: Certificate, content_sha256: str) -> HtmlPage:
    """Return the page of a certificate.

    Args:
        certificate: the certificate.
        content_sha256: the SHA-256 of its content, by which the page and the JSON file are recognised as one.
    """
    plan = certificate.plan
    return HtmlPage(
        title="Certificate of a copy" if plan.copy else "Certificate of a migration",
        subtitle=f"{_end_title(plan.source)} to {_end_title(plan.target)}",
        facts=(
            ("Vouchers of the source", str(plan.vouchers)),
            ("Both accounts read until", display_instant(certificate.made_at)),
            ("Made by", f"{certificate.made_by} on {certificate.host}"),
            ("Plan (SHA-256)", plan.id),
            ("State of the plan", state_text(certificate.state)),
            ("Certificate (SHA-256)", content_sha256),
        ),
        sections=tuple(_sections(certificate)),
        made_at=certificate.made_at,
    )


def _end_title(end: End) -> str:
    return f"{end.account} ({end.provider} at {end.host})" if end.host else f"{end.account} ({end.provider})"


def _sections(certificate: Certificate) -> Iterable[Section]:
    yield _verdict(certificate)
    yield _currencies(certificate)
    yield _parts(certificate)
    yield _target(certificate)
    if certificate.other_plans:
        yield _other_plans(certificate)
    if certificate.shifted_ends:
        yield _expiry_table(certificate)
    yield from _loss_tables(certificate)
    if certificate.differences:
        yield _differences(certificate)
    if certificate.unreadable:
        yield _unreadable(certificate)
    if certificate.open_operations:
        yield _open_operations(certificate)
    yield runs_table(certificate.runs)
    if certificate.decisions:
        yield _decisions(certificate)
    yield _sources(certificate)
    yield Signatures(
        "Signatures",
        f"We have read this certificate of the plan {certificate.plan.id[:12]}. The amounts in it are those that both"
        " accounts had when they were read.",
        ("Carried out by", "Checked by"),
    )


def _verdict(certificate: Certificate) -> Text:
    links = [("What became of every voucher", _PARTS)]
    if certificate.differences:
        links.append(("Differences", _DIFFERENCES))
    if certificate.other_plans:
        links.append(("Vouchers that another plan moves or has moved", _OTHER_PLANS))
    if certificate.open_operations:
        links.append(("Operations whose outcome is not known", _OPEN_OPERATIONS))
    amounts = {summary.currency: summary.stays for summary in certificate.currencies if summary.stays}
    sentences = verdict_sentences(certificate)
    if amounts:
        sentences.append(f"Value of the source that was not moved: {join_amounts(amounts)}.")
    return Text(
        verdict_title(certificate),
        tuple(sentences),
        warning=certificate.verdict not in (Verdict.COMPLETE, Verdict.ROLLED_BACK),
        links=tuple(links),
    )


def _currencies(certificate: Certificate) -> Table:
    columns = {
        "Source before": "before",
        "Moved": "moved",
        "Issued for it at the target": "at_target",
        "Difference": "difference",
        "Not moved": "stays",
        "Moved by another plan": "moved_by_others",
        "In doubt": "in_doubt",
    }
    if not any(summary.moved_by_others for summary in certificate.currencies):
        del columns["Moved by another plan"]
    rows = tuple(
        (summary.currency, *_amounts(*(getattr(summary, name) for name in columns.values())))
        for summary in certificate.currencies
    )
    return Table(
        "The whole source by currency",
        (Column("Currency"), *(Column(name, numeric=True) for name in columns)),
        rows,
        note=(
            "The value when the plan was made. Source before is the sum of what was moved, was not moved, is in doubt,"
            " or was moved by another plan; difference is moved minus issued. The largest value is first."
        ),
    )


def _parts(certificate: Certificate) -> Table:
    names = (
        "Vouchers",
        "Value by the plan",
        "At the source now",
        "Can be spent there",
        "Issued at the target",
        "Left at the target now",
    )
    rest = (
        ""
        if certificate.plan.copy
        else " A voucher that was moved may keep its value at the source; what counts is that it cannot be spent there."
    )
    rows: list[tuple[str, ...]] = []
    subtotals = set()
    for currency in [summary.currency for summary in certificate.currencies]:
        totals = [total for total in certificate.parts if total.currency == currency]
        rows += [_part_row(total) for total in totals]
        if len(totals) > 1:
            subtotals.add(len(rows))
            rows.append(_sum_row(currency, totals))
    rows += [_part_row(total) for total in certificate.parts if total.currency is None]
    return Table(
        "What became of every voucher",
        (Column("Currency"), Column("Became"), *(Column(name, numeric=True) for name in names)),
        tuple(rows),
        note=f"The amounts of the last four columns were read from the accounts for this certificate.{rest}",
        subtotals=frozenset(subtotals),
        anchor=_PARTS,
    )


def _part_row(total: PartTotal) -> tuple[str, ...]:
    return (
        total.currency or "unknown",
        PART_NAMES[total.part],
        str(total.count),
        *_amounts(total.before, total.at_source, total.spendable, total.at_target, total.left),
    )


def _sum_row(currency: str, totals: Iterable[PartTotal]) -> tuple[str, ...]:
    names = ("before", "at_source", "spendable", "at_target", "left")
    sums = dict.fromkeys(names, Money.zero(currency))
    count = 0
    for total in totals:
        count += total.count
        for name in names:
            sums[name] += getattr(total, name)
    return (currency, "all", str(count), *_amounts(*sums.values()))


def _target(certificate: Certificate) -> Table:
    names = ("Planned", "Issued", "Used since", "Left now", "Still spendable at the source")
    ordered = [summary.currency for summary in certificate.currencies if summary.currency in certificate.totals]
    rows = []
    for currency in ordered:
        total = certificate.totals[currency]
        rows.append((currency, *_amounts(total.before, total.at_target, total.used, total.left, total.at_source)))
    return Table(
        "What the plan carries, and what the target has for it",
        (Column("Currency"), *(Column(name, numeric=True) for name in names)),
        tuple(rows),
        note="Used since is what the target's history, or the journal, explains; it is negative where more was spent.",
    )


def _other_plans(certificate: Certificate) -> Table:
    rows = tuple(
        (plan.plan_id, plan.target or "being moved", str(plan.count), join_amounts(plan.money))
        for plan in certificate.other_plans
    )
    return Table(
        "Vouchers that another plan moves or has moved",
        (Column("Plan (SHA-256)"), Column("To"), Column("Vouchers", numeric=True), Column("Value by this plan")),
        rows,
        note="What the target has for them was issued by those plans, and is not in a sum of this certificate.",
        anchor=_OTHER_PLANS,
    )


def _expiry_table(certificate: Certificate) -> Table:
    rows = tuple(
        (
            ends.account,
            SHIFT_NAMES[ends.shift],
            str(ends.count),
            f"{ends.money.amount:f} {ends.money.currency}",
            shift_text(ends.median_s),
            shift_text(ends.most_s),
        )
        for ends in certificate.shifted_ends
    )
    columns = (
        Column("Account"),
        Column("Validity"),
        Column("Vouchers", numeric=True),
        Column("Value", numeric=True),
        Column("Median shift", numeric=True),
        Column("Longest shift", numeric=True),
    )
    note = "Where a shift is shorter than a day, the accounts store ends in different steps."
    return Table("Ends of validity that are not as before", columns, rows, note=note)


def _loss_tables(certificate: Certificate) -> Iterable[Table]:
    if certificate.new_codes.count:
        yield _tally_table(
            "New codes",
            "What happened",
            {"moved under another code; their owners have to be informed": certificate.new_codes},
            note="The command voucher-gateway migrate codes lists them, for letters to their owners.",
        )
    if certificate.plan.losses:
        explained = {f"{name}: {LOSSES.get(name, '')}": tally for name, tally in certificate.plan.losses.items()}
        yield _tally_table("What vouchers lose or change by the move", "Loss", explained)
    if certificate.plan.reasons:
        yield _tally_table("Why the plan does not carry vouchers", "Reason", certificate.plan.reasons)


def _tally_table(title: str, heading: str, tallies: Mapping[str, Tally], note: str = "") -> Table:
    rows = tuple((name, str(tally.count), join_amounts(tally.money)) for name, tally in tallies.items())
    return Table(title, (Column(heading), Column("Vouchers", numeric=True), Column("Value")), rows, note=note)


def _differences(certificate: Certificate) -> Table:
    rows = tuple(
        (
            "" if difference.number is None else str(difference.number),
            difference.source_id or "",
            difference.code or "",
            difference.kind.value,
            set_gaps_in_sentence(difference.explanation),
        )
        for difference in certificate.differences
    )
    shown, every = len(rows), certificate.difference_count
    return Table(
        "Differences",
        (
            Column("Number", numeric=True),
            Column("Voucher"),
            Column("Code"),
            Column("Difference"),
            Column("Explanation"),
        ),
        rows,
        note="" if shown == every else f"The first {shown} of {every}.",
        anchor=_DIFFERENCES,
    )


def _unreadable(certificate: Certificate) -> Table:
    rows = tuple((entry.account, entry.name, entry.reason) for entry in certificate.unreadable)
    note = "No sum contains them. A voucher of the source that is not in the plan is in this table only."
    return Table(
        "Vouchers that cannot be read",
        tuple(Column(name) for name in ("Account", "Voucher", "Reason")),
        rows,
        note=note,
    )


def _open_operations(certificate: Certificate) -> Table:
    rows = tuple(
        (
            f"{operation.account} {operation.verb} {operation.reference}",
            "this plan" if operation.of_plan else "other work",
            operation.state,
            display_instant(operation.began_at),
        )
        for operation in certificate.open_operations
    )
    shown, every = len(rows), certificate.open_operation_count
    return Table(
        "Operations whose outcome is not known",
        tuple(Column(name) for name in ("Operation", "Of", "State", "Began")),
        rows,
        note="" if shown == every else f"The oldest {shown} of {every}.",
        anchor=_OPEN_OPERATIONS,
    )


def _decisions(certificate: Certificate) -> Table:
    rows = tuple(
        (
            f"{decision.account} {decision.verb} {decision.reference}",
            decision.state.replace("_", " "),
            decision.by,
            decision.reason,
            display_instant(decision.at),
        )
        for decision in certificate.decisions
    )
    names = ("Operation", "Decided as", "By", "Reason", "Last change")
    note = "An operation without a reason was sent again after that decision, so it is not the last word about it."
    again = any(not decision.reason for decision in certificate.decisions)
    return Table("What people decided", tuple(Column(name) for name in names), rows, note=note if again else "")


def _sources(certificate: Certificate) -> Text:
    plan = certificate.plan
    accepted = ", ".join(plan.accepted) or "none"
    compared = (
        f"{certificate.codes_not_compared} codes could not be compared, as the target does not show them; the journal"
        " says which voucher is which."
        if certificate.codes_not_compared
        else "Vouchers at the target were recognised by their codes, or by the journal where they have a new one."
    )
    return Text(
        "Where the numbers come from",
        (
            f"The plan was made at {display_instant(plan.made_at)}. {' '.join(plan.listing)}",
            f"Steps of each voucher: {plan.steps} Risks that the policy accepts: {accepted}.",
            f"Both accounts were read again for this certificate. {compared}",
            f"The list of all {certificate.rows} vouchers (vouchers.csv) has the SHA-256 {certificate.rows_sha256}.",
            f"Made with voucher-gateway {certificate.version}. The file is sealed by the key of the journal.",
            "Check it: voucher-gateway migrate certificate --check FILE finds every later change.",
        ),
    )


def _amounts(*amounts: Money | None) -> tuple[str, ...]:
    return tuple("" if money is None else f"{money.amount:f}" for money in amounts)
