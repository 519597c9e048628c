"""The verbs of a gateway that make and change vouchers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voucher_gateway.commands.vouchers import (
    ActivateVoucher,
    DeactivateVoucher,
    DeleteVoucher,
    IssueVoucher,
    TopUpVoucher,
    UpdateVoucher,
)
from voucher_gateway.gateway.base import GatewayBase, Options
from voucher_gateway.masking import hide_refused_arguments
from voucher_gateway.models.requests import NewVoucher, VoucherChanges
from voucher_gateway.models.results import (
    Deletion,
    TopUp,
)
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money

if TYPE_CHECKING:
    # A journal needs SQLAlchemy, which takes longer to import than everything else. What needs it is imported late.
    pass


class VoucherChangeVerbs(GatewayBase):
    """The verbs that make vouchers and change them."""

    @hide_refused_arguments
    def issue(
        self,
        account: str,
        new: NewVoucher,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        timeout: float | None = None,
        options: Options | None = None,
    ) -> Voucher:
        """Issue a new voucher (vendors: create).

        Args:
            account: the account's name.
            new: the voucher. What is None is left to the vendor.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            timeout: how long the call may take in all, in seconds; see `Gateway`.
            options: what only this vendor has, by name.

        Raises:
            DuplicateCode: if its code or id is already in use.
            InvalidRequest: if the vendor cannot store a field of it, or if the reference or the order contains the code
                or the PIN. Nothing was sent or stored.

        Example:
            ```python
            voucher = gateway.issue("shop", NewVoucher(initial=Money(50, "EUR")), reference="2001-card-1", order="2001")
            print(voucher.initial)  # 50.00 EUR
            ```
        """
        return self._execute(
            IssueVoucher(account=account, reference=reference, order=order, wait_s=wait, options=options, new=new),
            timeout,
        )

    def activate(
        self,
        account: str,
        id: str,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        timeout: float | None = None,
        options: Options | None = None,
    ) -> Voucher:
        """Make a voucher spendable.

        Args:
            account: the account's name.
            id: the vendor's id of the voucher.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            timeout: how long the call may take in all, in seconds; see `Gateway`.
            options: what only this vendor has, by name.

        Example:
            ```python
            card = gateway.issue("shop", NewVoucher(initial=Money(50, "EUR"), active=False), reference="2001-card-1")
            voucher = gateway.activate("shop", card.id, reference="2001-activate-1")
            print(voucher.status)  # active
            ```
        """
        return self._execute(
            ActivateVoucher(
                account=account, reference=reference, order=order, wait_s=wait, options=options, voucher_id=id
            ),
            timeout,
        )

    def deactivate(
        self,
        account: str,
        id: str,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        timeout: float | None = None,
        options: Options | None = None,
    ) -> Voucher:
        """Stop a voucher from being spent.

        Args:
            account: the account's name.
            id: the vendor's id of the voucher.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            timeout: how long the call may take in all, in seconds; see `Gateway`.
            options: what only this vendor has, by name.

        Example:
            ```python
            card = gateway.find("JTL-SPRING-0042").voucher
            print(gateway.deactivate("shop", card.id, reference="lost-card-17").status)  # inactive
            ```
        """
        return self._execute(
            DeactivateVoucher(
                account=account, reference=reference, order=order, wait_s=wait, options=options, voucher_id=id
            ),
            timeout,
        )

    def update(
        self,
        account: str,
        id: str,
        changes: VoucherChanges,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        timeout: float | None = None,
        options: Options | None = None,
    ) -> Voucher:
        """Change a voucher's data, never its value.

        Args:
            account: the account's name.
            id: the vendor's id of the voucher.
            changes: the fields to change.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            timeout: how long the call may take in all, in seconds; see `Gateway`.
            options: what only this vendor has, by name.

        Example:
            ```python
            card = gateway.find("JTL-SPRING-0042").voucher
            changed = gateway.update("shop", card.id, VoucherChanges(batch="Goodwill"), reference="batch-17")
            print(changed.batch)  # Goodwill
            ```
        """
        return self._execute(
            UpdateVoucher(
                account=account,
                reference=reference,
                order=order,
                wait_s=wait,
                options=options,
                voucher_id=id,
                changes=changes,
            ),
            timeout,
        )

    def top_up(
        self,
        account: str,
        id: str,
        money: Money,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        timeout: float | None = None,
        options: Options | None = None,
    ) -> TopUp:
        """Add value to a voucher (JTL: recharge).

        Args:
            account: the account's name.
            id: the vendor's id of the voucher.
            money: how much; above zero.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            timeout: how long the call may take in all, in seconds; see `Gateway`.
            options: what only this vendor has, by name.

        Example:
            ```python
            card = gateway.find("JTL-SPRING-0042").voucher
            top_up = gateway.top_up("shop", card.id, Money(25, "EUR"), reference="2002-top-up")
            print(top_up.money)  # 25.00 EUR
            ```
        """
        return self._execute(
            TopUpVoucher(
                account=account,
                reference=reference,
                order=order,
                wait_s=wait,
                options=options,
                voucher_id=id,
                money=money,
            ),
            timeout,
        )

    def delete(
        self,
        account: str,
        id: str,
        reason: str,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        timeout: float | None = None,
        options: Options | None = None,
    ) -> Deletion:
        """Remove a voucher for good.

        Args:
            account: the account's name.
            id: the vendor's id of the voucher.
            reason: the reason, which the vendor may store.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            timeout: how long the call may take in all, in seconds; see `Gateway`.
            options: what only this vendor has, by name.

        Example:
            ```python
            card = gateway.issue("shop", NewVoucher(initial=Money(50, "EUR")), reference="2001-card-1")
            gateway.delete("shop", card.id, "sold by mistake", reference="2001-undo")
            ```
        """
        return self._execute(
            DeleteVoucher(
                account=account,
                reference=reference,
                order=order,
                wait_s=wait,
                options=options,
                voucher_id=id,
                reason=reason,
            ),
            timeout,
        )
