"""The gateway's verbs about a voucher as such."""

from __future__ import annotations

from voucher_gateway.capabilities import Operation
from voucher_gateway.emulation.by_capture import issue
from voucher_gateway.emulation.by_update import top_up_by_update
from voucher_gateway.execution.call import Call
from voucher_gateway.execution.content import request_digest
from voucher_gateway.gateway.accounts import Accounts
from voucher_gateway.models.requests import NewVoucher, VoucherChanges
from voucher_gateway.models.results import Deletion, TopUp
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money, positive
from voucher_gateway.nfc import with_names_in_nfc


class Issuing(Accounts):
    """Verbs that bring vouchers into being, change them and remove them."""

    @with_names_in_nfc
    def issue(
        self, account: str, new: NewVoucher, *, reference: str, order: str | None = None, wait: float = 0.0
    ) -> Voucher:
        """Bring a voucher into being (vendors: create)."""
        return self._run_steps(
            Call(
                account,
                Operation.ISSUE,
                reference,
                order,
                wait_s=wait,
                id=new.id,
                code=new.code,
                money=new.initial,
                content=request_digest(new),
            ),
            {None: lambda steps, provider: issue(steps, provider, new, order)},
        )

    @with_names_in_nfc
    def activate(
        self, account: str, id: str, *, reference: str, order: str | None = None, wait: float = 0.0
    ) -> Voucher:
        """Make a voucher spendable."""
        return self._run(
            Call(account, Operation.ACTIVATE, reference, order, wait_s=wait, id=id),
            lambda provider, ref: provider.activate(id, reference=ref, order=order),
        )

    @with_names_in_nfc
    def deactivate(
        self, account: str, id: str, *, reference: str, order: str | None = None, wait: float = 0.0
    ) -> Voucher:
        """Stop a voucher from being spent."""
        return self._run(
            Call(account, Operation.DEACTIVATE, reference, order, wait_s=wait, id=id),
            lambda provider, ref: provider.deactivate(id, reference=ref, order=order),
        )

    @with_names_in_nfc
    def update(
        self,
        account: str,
        id: str,
        changes: VoucherChanges,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
    ) -> Voucher:
        """Change a voucher's data, never its value."""
        return self._run(
            Call(account, Operation.UPDATE, reference, order, wait_s=wait, id=id, content=request_digest(changes)),
            lambda provider, ref: provider.update(id, changes, reference=ref, order=order),
        )

    @with_names_in_nfc
    def top_up(
        self, account: str, id: str, money: Money, *, reference: str, order: str | None = None, wait: float = 0.0
    ) -> TopUp:
        """Add value (JTL: recharge)."""
        return self._run(
            Call(account, Operation.TOP_UP, reference, order, wait_s=wait, id=id, money=positive(money)),
            lambda provider, ref: provider.top_up(id, money, reference=ref, order=order),
            {"top-up-by-update": lambda steps, provider: top_up_by_update(steps, provider, id, money, order)},
        )

    @with_names_in_nfc
    def delete(
        self, account: str, id: str, reason: str, *, reference: str, order: str | None = None, wait: float = 0.0
    ) -> Deletion:
        """Remove a voucher for good, for a reason that the vendor may keep."""
        return self._run(
            Call(account, Operation.DELETE, reference, order, wait_s=wait, id=id),
            lambda provider, ref: provider.delete(id, reason, reference=ref, order=order),
        )
