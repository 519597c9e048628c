"""Vouchers that were moved to another account, and refunds that have to follow them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.emulation.by_top_up import refund_by_top_up
from voucher_gateway.emulation.by_update import top_up_by_update
from voucher_gateway.emulation.registry import unsupported_error
from voucher_gateway.emulation.steps import StepRunner
from voucher_gateway.errors import ConfigurationError, UnsupportedOperation
from voucher_gateway.execution.call import LONGEST_REFERENCE, Call
from voucher_gateway.gateway.refunds import Refunds
from voucher_gateway.models.results import Redemption, Refund
from voucher_gateway.money import Money
from voucher_gateway.provider import VoucherProvider

if TYPE_CHECKING:
    # With the journal comes SQLAlchemy, see `voucher_gateway.gateway.accounts`.
    from voucher_gateway.journal.moves import VoucherMove


class Moving(Refunds):
    """Where vouchers went."""

    def find_moved(self, account: str, voucher_id: str) -> VoucherMove | None:
        """Return where a voucher of an account was moved by a migration, or that it is being moved just now.

        Args:
            account: the account where it was.
            voucher_id: its id there.

        Returns:
            where it is now, after its last move; None if it was never moved, or there is no journal.
        """
        moves = self._moves(account, voucher_id)
        return attrs.evolve(moves[-1], account=account, voucher_id=voucher_id) if moves else None

    def _moves(self, account: str, voucher_id: str) -> list[VoucherMove]:
        if self.journal is None:
            return []
        from voucher_gateway.journal.moves import move_chain

        with self.journal.database.read() as connection:
            return move_chain(connection, account, voucher_id)

    def _pending_move(self, account: str, redemption: Redemption, reference: str) -> VoucherMove | None:
        """Return the move that a refund has to follow, if any.

        A refund that was begun under the same reference before the last move is settled where it was begun. While a
        voucher is under way there is none: the journal then refuses the refund when it is announced.
        """
        if redemption.voucher_id is None:
            return None
        moves = self._moves(account, redemption.voucher_id)
        if not moves or moves[-1].in_progress or self._has_open_refund(account, reference):
            return None
        names = self._names(account, reference)
        for move in moves:
            if move.to_account and any(self._has_open_refund(move.to_account, name) for name in names):
                return move
        return moves[-1]

    def _names(self, account: str, reference: str) -> list[str]:
        """Return the references that a refund may have at the account that has the voucher now, the newest first."""
        assert self.journal is not None
        return [_name(name, reference) for name in (account, *self.journal.names.former_names(account))]

    def _has_open_refund(self, account: str, reference: str) -> bool:
        assert self.journal is not None
        from voucher_gateway.journal.records import OperationKey, OperationState

        entry = self.journal.find(OperationKey(account, Operation.REFUND, reference))
        return entry is not None and entry.state in (
            OperationState.SUCCEEDED,
            OperationState.UNKNOWN,
            OperationState.OPEN,
        )

    def _refund_there(
        self,
        account: str,
        move: VoucherMove,
        redemption: Redemption,
        money: Money | None,
        *,
        reference: str,
        order: str | None,
        wait: float,
    ) -> Refund:
        """Top a moved voucher up by what is to be given back."""
        assert move.to_account is not None
        assert move.to_voucher_id is not None
        new_account, id = move.to_account, move.to_voucher_id
        emulation = self._way_to_top_up(move)
        names = self._names(account, reference)
        name = next((name for name in names if self._has_open_refund(new_account, name)), names[0])
        limit = self._refund_limit(account, redemption)
        back, content = self._amount_to_refund(new_account, name, redemption, money, limit)
        call = Call(
            new_account,
            Operation.REFUND,
            name,
            order,
            wait_s=wait,
            id=redemption.id,
            money=back,
            content=content,
            refund_limit=limit,
        )

        def perform(steps: StepRunner, provider: VoucherProvider) -> Refund:
            return refund_by_top_up(
                provider,
                redemption,
                back,
                order,
                top_up=lambda: (
                    top_up_by_update(steps, provider, id, back, order)
                    if emulation
                    else steps.run(
                        Operation.TOP_UP.value, lambda ref: provider.top_up(id, back, reference=ref, order=order)
                    )
                ),
            )

        provider = self.provider(new_account)
        top_up = self._execution.run(call, provider, lambda steps: perform(steps, provider))
        return attrs.evolve(top_up, reference=reference)

    def _way_to_top_up(self, move: VoucherMove) -> str | None:
        """Return the emulation by which the voucher can be topped up where it is; None where that is native.

        Raises:
            UnsupportedOperation: if it cannot, saying where the voucher is.
            ConfigurationError: if its account is not configured.
        """
        where = f"the voucher was moved to the account {move.to_account}, where its id is {move.to_voucher_id}"
        assert move.to_account is not None
        if move.to_account not in self._accounts:
            raise ConfigurationError(f"{where}; this account is not configured", account=move.account)
        target = self.account(move.to_account)
        support = target.capabilities.of(Operation.TOP_UP)
        if not support.available:
            why = unsupported_error(target.provider, Operation.TOP_UP, support).message
            raise UnsupportedOperation(
                f"{where}; a refund would have to add value there, and {why}",
                emulation=support.emulation,
                account=move.account,
                operation="refund",
            )
        return support.emulation if support.support.value == "emulated" else None


def _name(account: str, reference: str) -> str:
    """Return the reference of a refund at the account that has the voucher now, unlike any of that account's own."""
    name = f"{account}/{reference}"
    if len(name) <= LONGEST_REFERENCE:
        return name
    return f"{account[:64]}/{hashlib.sha256(reference.encode('utf-8', 'surrogatepass')).hexdigest()}"
