"""Whether a voucher is still what was planned, and nothing of ours is under way on it."""

from __future__ import annotations

from typing import Final

from voucher_gateway.masking import Code
from voucher_gateway.migration.plan.model import PlannedVoucher
from voucher_gateway.migration.run.context import MigrationContext, VoucherReading
from voucher_gateway.models.voucher import Status, Voucher

MOVE: Final = "move"
"""In place of provider and host in fingerprints by which a code is compared between vendors."""


class SourceChanged(Exception):
    """The voucher is no longer as it was planned; the text says how, for people."""


class SourceCheck:
    """Compares vouchers of the source with their plan."""

    def __init__(self, context: MigrationContext) -> None:
        self._context = context
        self._provider = context.gateway.provider(context.source)
        self._holds = context.source_can.reservations is not None

    def require_as_planned(self, seen: VoucherReading, planned: PlannedVoucher, *, frozen: bool) -> None:
        """Make sure that a voucher is what was planned.

        Args:
            seen: what was just read.
            planned: what the plan says.
            frozen: whether it was stopped by us before it was read.

        Raises:
            SourceChanged: if it is not.
        """
        for difference in self._differences(seen, planned, frozen=frozen):
            raise SourceChanged(difference)
        if not self._context.leaves_source:
            self._check_journal(seen, planned)

    def require_no_open_operations(self, planned: PlannedVoucher) -> None:
        """Make sure, before a voucher is read, that nothing of ours may still land on it.

        From the claim on nothing new is announced that would bring value. So what is settled by now is in what is read,
        and what is not would stay behind.

        Raises:
            SourceChanged: if something may.
        """
        if self._context.leaves_source:
            return
        self._check_unsettled(planned)

    def _check_unsettled(self, planned: PlannedVoucher) -> None:
        key = self._context.journal.unresolved_operation(
            provider=self._provider.name, host=self._provider.host, voucher_id=planned.source_id
        )
        if key is not None:
            raise SourceChanged(f"its {key.verb} {key.reference!r} is not settled: resolve that first")

    def require_unchanged_status(self, voucher: Voucher, planned: PlannedVoucher) -> None:
        """Make sure, before a voucher is frozen, that its status and its end are what was planned.

        Raises:
            SourceChanged: if they are not. Frozen, it would not show that any more.
        """
        if voucher.status is not planned.status:
            raise SourceChanged(f"it is {_status_text(voucher.status)}, not {_status_text(planned.status)}")
        if voucher.valid_until != planned.valid_until:
            raise SourceChanged("it ends at another moment than was planned")

    def _differences(self, seen: VoucherReading, planned: PlannedVoucher, *, frozen: bool) -> list[str]:
        voucher, differences = seen.voucher, []
        if seen.remaining != planned.remaining:
            differences.append(f"it has {seen.remaining} left, not {planned.remaining}")
        if frozen and voucher.status is not Status.INACTIVE:
            differences.append("it was frozen, and somebody has thawed it")
        elif not frozen and voucher.status is not planned.status:
            differences.append(f"it is {_status_text(voucher.status)}, not {_status_text(planned.status)}")
        # A vendor whose validities are relative may show no end for what is inactive (JTL).
        unknown = voucher.valid_until is None and voucher.status is Status.INACTIVE
        if voucher.valid_until != planned.valid_until and not unknown:
            differences.append("it ends at another moment than was planned")
        if planned.fingerprint is not None and not self.same_code(voucher.code, planned):
            differences.append("it has another code")
        if self._has_expired_since_plan(planned):
            differences.append("it has expired since it was planned")
        return differences

    def _has_expired_since_plan(self, planned: PlannedVoucher) -> bool:
        """Whether it would come to life again at a target that counts its validity anew."""
        until = planned.valid_until
        return until is not None and self._context.header.made_at < until <= self._provider.vendor_now()

    def same_code(self, code: Code | None, planned: PlannedVoucher, *, hidden: bool = False) -> bool:
        """Whether a code is the planned one; what of a code that cannot be read, `hidden` says."""
        if code is None or planned.fingerprint is None:
            return hidden or planned.fingerprint is None
        keys = self._context.journal.keys
        return keys.fingerprint(code, provider=MOVE, host=MOVE, key_id=planned.key_id) == planned.fingerprint

    def _check_journal(self, seen: VoucherReading, planned: PlannedVoucher) -> None:
        self._check_unsettled(planned)
        code, provider = seen.voucher.code, self._provider
        if not self._holds or code is None:
            return
        if self._context.journal.is_reserved(
            code, provider=provider.name, host=provider.host, at=provider.vendor_now()
        ):
            raise SourceChanged("a reservation of ours stands on it")


def _status_text(status: Status | None) -> str:
    return "without a status" if status is None else status.value
