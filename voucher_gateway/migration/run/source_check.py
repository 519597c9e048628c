"""Checks that a source voucher is still as planned, and that no operation of the journal may still change it."""

from __future__ import annotations

from typing import Final

from voucher_gateway.masking import Code
from voucher_gateway.migration.plan.assess import is_stopped
from voucher_gateway.migration.plan.code_index import fingerprint
from voucher_gateway.migration.plan.model import PlannedVoucher
from voucher_gateway.migration.run.context import MigrationContext, VoucherReading
from voucher_gateway.models.voucher import Status, Voucher
from voucher_gateway.money import Money

_EXPIRED: Final = "it has expired since it was planned"


class SourceChanged(Exception):
    """The voucher is not as planned any more. The text says how it differs, for people."""


class SourceCheck:
    """Compares source vouchers with their plan."""

    def __init__(self, context: MigrationContext) -> None:
        self._context = context
        self._provider = context.gateway.provider(context.source)
        self._holds = context.source_can.reservations is not None

    def require_as_planned(self, seen: VoucherReading, planned: PlannedVoucher, *, frozen: bool) -> None:
        """Check that a voucher is as planned.

        Args:
            seen: the voucher as it was just read.
            planned: the planned voucher.
            frozen: whether the move deactivated it before it was read.

        Raises:
            SourceChanged: if it is not.
        """
        for difference in self._differences(seen, planned, frozen=frozen):
            raise SourceChanged(difference)
        if not self._context.leaves_source:
            self._check_journal(seen, planned)

    def require_no_open_operations(self, planned: PlannedVoucher) -> None:
        """Check, before a voucher is read, that no operation of the journal may still change it.

        After the voucher is claimed, the journal rejects new operations that add value to it. Closed operations are
        therefore included in the next read; an open one could still add value after it.

        Raises:
            SourceChanged: if an operation may still change it.
        """
        if self._context.leaves_source:
            return
        self._require_no_unresolved_operation(planned)

    def _require_no_unresolved_operation(self, planned: PlannedVoucher) -> None:
        key = self._context.journal.find_unresolved_operation(
            provider=self._provider.name, host=self._provider.host, voucher_id=planned.source_id
        )
        if key is not None:
            raise SourceChanged(f"its {key.verb} {key.reference!r} has an unknown outcome; resolve it first")

    def require_unchanged(self, voucher: Voucher, planned: PlannedVoucher) -> None:
        """Check, before a voucher is frozen, that its value, its status and its end of validity are as planned.

        A voucher that has changed is not frozen: a vendor may count its validity again when it is activated (JTL).

        Raises:
            SourceChanged: if they are not. A frozen voucher would not show the difference.
        """
        if voucher.remaining is not None and voucher.remaining != planned.remaining:
            raise SourceChanged(_value_text(voucher.remaining, planned))
        if voucher.status is not planned.status:
            raise SourceChanged(f"it is {_status_text(voucher.status)}, not {_status_text(planned.status)}")
        if voucher.valid_until != planned.valid_until:
            raise SourceChanged("its end of validity is not the planned one")
        if self._has_expired_since_plan(planned):
            raise SourceChanged(_EXPIRED)

    def _differences(self, seen: VoucherReading, planned: PlannedVoucher, *, frozen: bool) -> list[str]:
        voucher, differences = seen.voucher, []
        if seen.remaining != planned.remaining:
            differences.append(_value_text(seen.remaining, planned))
        if frozen and not is_stopped(voucher.status):
            differences.append("it was frozen, and was activated by hand after that")
        elif not frozen and voucher.status is not planned.status:
            differences.append(f"it is {_status_text(voucher.status)}, not {_status_text(planned.status)}")
        # A vendor with relative validities may show no end for an inactive voucher (JTL).
        unknown = voucher.valid_until is None and is_stopped(voucher.status)
        if voucher.valid_until != planned.valid_until and not unknown:
            differences.append("its end of validity is not the planned one")
        if planned.fingerprint is not None and not self.same_code(voucher.code, planned):
            differences.append("it has another code")
        if self._has_expired_since_plan(planned):
            differences.append(_EXPIRED)
        return differences

    def _has_expired_since_plan(self, planned: PlannedVoucher) -> bool:
        """Return whether it has expired since the plan. Some targets would make it valid again."""
        until = planned.valid_until
        return until is not None and self._context.header.made_at < until <= self._provider.vendor_now()

    def same_code(self, code: Code | None, planned: PlannedVoucher, *, hidden: bool = False) -> bool:
        """Return whether a code is the planned one; `hidden` is the answer for a code that cannot be read."""
        if code is None or planned.fingerprint is None:
            return hidden or planned.fingerprint is None
        keys = self._context.journal.keys
        return fingerprint(keys, code, planned.key_id) == planned.fingerprint

    def _check_journal(self, seen: VoucherReading, planned: PlannedVoucher) -> None:
        self._require_no_unresolved_operation(planned)
        code, provider = seen.voucher.code, self._provider
        if not self._holds or code is None:
            return
        if self._context.journal.is_reserved(
            code, provider=provider.name, host=provider.host, at=provider.vendor_now()
        ):
            raise SourceChanged("the journal has a reservation on it")


def _value_text(remaining: Money | None, planned: PlannedVoucher) -> str:
    return f"it has {remaining} left, not {planned.remaining}"


def _status_text(status: Status | None) -> str:
    return "without a status" if status is None else status.value
