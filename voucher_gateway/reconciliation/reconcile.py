"""Compares the journal with the vendor's own records, in both directions.

For every voucher that the journal touched, the vendor's history is read and each money operation is looked for in it,
by the reference it was sent under or by the id of its result. Only reads at the vendor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import ConfigurationError, InvalidRequest, VoucherGatewayError, VoucherNotFound
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.instants import format_instant
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.leftovers import iterate_leftovers
from voucher_gateway.journal.records import UNRESOLVED, OperationRecord, OperationState
from voucher_gateway.journal.search import OperationFilter, iterate_operations, operation_ids_sent_since
from voucher_gateway.limits.work_class import WorkClass, use_work_class
from voucher_gateway.listing.unreadable import UnreadableEntry
from voucher_gateway.models.results import History
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.reconciliation.compare import (
    OperationWithNames,
    compare_voucher,
    foreign_movement,
    foreign_movements,
    money_verb,
)
from voucher_gateway.reconciliation.findings import Finding, FindingKind, Reconciliation

OnProgress = Callable[[int, int], None]
"""Is called with the number of vouchers that were looked at, and with the number of all."""


@use_work_class(WorkClass.RECONCILE)
def reconcile(
    gateway: Gateway,
    account: str,
    *,
    everything: bool = False,
    since: datetime | None = None,
    on_progress: OnProgress | None = None,
) -> Reconciliation:
    """Compare one account.

    Args:
        gateway: a gateway with a journal.
        account: the account's name.
        everything: whether to look at every voucher of the account, not only at those that the journal touched.
        since: look only at the vouchers for which a request was sent since this moment, and at those of operations
            whose outcome is not known; None for all that the journal has ever touched.
        on_progress: is called after each voucher with the number of vouchers until then, and of all.

    Raises:
        ConfigurationError: if the gateway has no journal.
        InvalidRequest: if both `everything` and `since` are given.
    """
    journal, provider = gateway.journal, gateway.provider(account)
    if journal is None:
        raise ConfigurationError("a reconciliation needs a journal: name one in the configuration")
    if everything and since is not None:
        raise InvalidRequest("everything and since exclude each other", field="since", rule="without everything")
    journal.names.admit(account, provider)  # its operations may be recorded under a former name
    unnamed: dict[str, list[OperationWithNames]] = defaultdict(list)
    touched = _ids_of_money_operations(journal, provider, since, unnamed)
    findings = [*_orphan_holds(journal, provider), *_leftovers(journal, provider)]
    operations = pruned = 0
    unchecked: list[tuple[str, str]] = []
    ids = _all_ids(provider, touched, unchecked) if everything else list(touched)
    for looked_at, voucher_id in enumerate(ids, 1):
        known = [*_operations_of(journal, provider, voucher_id), *unnamed.get(voucher_id, ())]
        operations += len(known)
        try:
            history = provider.history(voucher_id)
        except VoucherNotFound:
            history = History(voucher_id=voucher_id, movements=(), complete=True)
        except VoucherGatewayError as error:
            unchecked.append((voucher_id, error.message))
            history = None
        if history is not None and not history.complete:
            unchecked.append((voucher_id, "its history could not be read to a consistent end"))
        elif history is not None:
            others = foreign_movements(history, known)
            removed = [movement for movement in others if journal.pruned.has_movement(provider.host, movement)]
            pruned += len(removed)
            findings += compare_voucher(provider, history, known)
            findings += [
                foreign_movement(provider.account, voucher_id, movement)
                for movement in others
                if movement not in removed
            ]
        if on_progress is not None:
            on_progress(looked_at, len(ids))
    return Reconciliation(
        account=provider.account,
        vouchers=len(ids),
        operations=operations,
        findings=tuple(findings),
        unchecked=tuple(unchecked),
        pruned=pruned,
        pruned_before=_unseen_before(journal, since),
    )


def _unseen_before(journal: Journal, since: datetime | None) -> datetime | None:
    """Return the moment before which operations that were asked for may have been removed; None if none was."""
    before = journal.pruned.before()
    return None if before is None or (since is not None and since >= before) else before


def _ids_of_money_operations(
    journal: Journal,
    provider: VoucherProvider,
    since: datetime | None,
    unnamed: dict[str, list[OperationWithNames]],
) -> dict[str, None]:
    """Return the ids of the vouchers that money operations touched at this very vendor, in the order of the journal.

    An operation whose row does not name its voucher yet, because no answer came, is put into `unnamed`.
    """
    ids: dict[str, None] = {}
    for entry in _entries(journal, provider.account, since):
        if not _is_of_vendor(entry, provider):
            continue
        if entry.voucher_id is not None:
            ids[entry.voucher_id] = None
            continue
        known = _with_names(journal, provider, entry)
        if known.voucher_id is not None:
            ids[known.voucher_id] = None
            unnamed[known.voucher_id].append(known)
    return ids


def _entries(journal: Journal, account: str, since: datetime | None) -> Iterator[OperationRecord]:
    """Yield the operations of an account that have sent a request since a moment, and those in doubt; each once."""
    if since is None:
        yield from iterate_operations(journal.database, OperationFilter(account=account), newest_first=False)
        return
    sent = operation_ids_sent_since(journal.database, since)
    in_doubt = OperationFilter(account=account, states=UNRESOLVED)
    for entry in iterate_operations(journal.database, in_doubt, newest_first=False):
        sent.discard(entry.id)
        yield entry
    for operation_id in sorted(sent):
        record = journal.get(operation_id)
        if record is not None and record.key.account == account:
            yield record


def _operations_of(journal: Journal, provider: VoucherProvider, voucher_id: str) -> Iterator[OperationWithNames]:
    """Yield the money operations on a voucher that were sent to this very vendor, the oldest first."""
    wanted = OperationFilter(account=provider.account, voucher_id=voucher_id)
    for entry in iterate_operations(journal.database, wanted, newest_first=False):
        if _is_of_vendor(entry, provider):
            yield _with_names(journal, provider, entry)


def _is_of_vendor(entry: OperationRecord, provider: VoucherProvider) -> bool:
    return money_verb(provider, entry.key.verb) is not None and entry.target.host == provider.host


def _with_names(journal: Journal, provider: VoucherProvider, entry: OperationRecord) -> OperationWithNames:
    sent = [request for request in journal.requests_of(entry.id) if request.decisive]
    names = frozenset(request.intent.reference for request in sent if request.intent.reference)
    ids = [request.intent.voucher_id for request in sent if request.intent.voucher_id]
    verb = money_verb(provider, entry.key.verb)
    return OperationWithNames(
        entry=entry,
        references=names,
        voucher_id=entry.voucher_id or (ids[-1] if ids else None),
        sent=sent[-1].intent.money if sent else None,
        made_of=None if verb is entry.key.verb else verb,
    )


def _all_ids(provider: VoucherProvider, touched: Iterable[str], unchecked: list[tuple[str, str]]) -> list[str]:
    """Return the ids of all vouchers, and add those whose id cannot be read to `unchecked`, by their places."""
    ids = dict.fromkeys(touched)
    with provider.vouchers() as vouchers:
        for entry in vouchers.entries():
            if entry.id is not None:  # the history may be readable, though the voucher is not
                ids[entry.id] = None
            elif isinstance(entry, UnreadableEntry):
                unchecked.append((entry.name, entry.reason))
    return list(ids)


def _leftovers(journal: Journal, provider: VoucherProvider) -> Iterator[Finding]:
    """Yield what calls of several requests left behind at this very vendor."""
    for entry, leftover in iterate_leftovers(journal.database, provider.account):
        if entry.target.host == provider.host:
            yield Finding(
                kind=FindingKind.LEFT_BEHIND,
                account=entry.key.account,
                voucher_id=leftover.voucher_id,
                verb=entry.key.verb.value,
                reference=entry.key.reference,
                explanation=str(leftover),
            )


def _orphan_holds(journal: Journal, provider: VoucherProvider) -> Iterator[Finding]:
    """Yield reservations that still stand although their operation ended without giving one to the caller."""
    for hold, entry in journal.active_holds(account=provider.account, at=provider.vendor_now()):
        if entry.key.verb is Operation.RESERVE and entry.state is OperationState.SUCCEEDED:
            continue  # the caller has it, and may capture or release it
        if entry.key.verb is Operation.RESERVE and entry.state is OperationState.PENDING:
            continue  # the vendor may still make it
        if entry.state is OperationState.OPEN and journal.is_owner_alive(entry):
            continue  # a worker is about to capture it, or to hand it over
        if entry.key.verb is Operation.REDEEM and entry.state in (OperationState.UNKNOWN, OperationState.PENDING):
            continue  # its capture is in doubt: whether the hold still stands is found out with that
        yield Finding(
            kind=FindingKind.ORPHAN_HOLD,
            account=entry.key.account,
            voucher_id=entry.voucher_id,
            verb=entry.key.verb.value,
            reference=entry.key.reference,
            money=hold.money,
            explanation=f"it holds value until {_moment(hold.expires_at)}",
        )


def _moment(at: datetime | None) -> str:
    return "it is captured or released" if at is None else format_instant(at)
