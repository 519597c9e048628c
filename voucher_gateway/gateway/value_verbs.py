"""The verbs of a gateway that reserve, take and give back value."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import attrs

from voucher_gateway.commands.value import CaptureReservation, IfHeld, RedeemVoucher, ReleaseReservation, ReserveValue
from voucher_gateway.emulation.by_other_operations import refund_by_top_up
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.gateway.base import GatewayBase, Options
from voucher_gateway.gateway.partial import (
    require_partial_approval,
    return_part,
    takes_what_is_left,
)
from voucher_gateway.gateway.refunds import (
    find_move,
    pending_move,
    refund_command,
    refund_command_after_move,
    refundable_amount,
)
from voucher_gateway.limits.call_deadline import use_call_deadline
from voucher_gateway.masking import Code, Pin, hide_refused_arguments
from voucher_gateway.models.requests import nfc
from voucher_gateway.models.results import (
    Redemption,
    Refund,
    Release,
    Reservation,
)
from voucher_gateway.money import Money, positive

if TYPE_CHECKING:
    # A journal needs SQLAlchemy, which takes longer to import than everything else. What needs it is imported late.
    from voucher_gateway.journal.moves import VoucherMove


class ValueVerbs(GatewayBase):
    """The verbs that reserve, take and give back value."""

    @hide_refused_arguments
    def reserve(
        self,
        account: str,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        timeout: float | None = None,
        options: Options | None = None,
        if_held: IfHeld = "replace-own",
    ) -> Reservation:
        """Set value aside, to be captured or released.

        Args:
            account: the account's name.
            code: the voucher's code.
            money: how much; above zero.
            pin: the PIN, if there is one.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            timeout: how long the call may take in all, in seconds; see `Gateway`.
            options: what only this vendor has, by name.
            if_held: what to do about our other reservations that this one would end at the vendor: ``refuse``,
                ``replace-own`` (replace those of the same order) or ``replace``. Needs a journal.

        Raises:
            InsufficientValue: if the voucher holds less.
            InvalidRequest: if the reference or the order contains the code or the PIN. Nothing was sent or stored.
            VoucherHeld: if a reservation that may not be replaced stands on the voucher.

        Example:
            ```python
            due = Money(10, "EUR")
            reservation = gateway.reserve("shop", "JTL-SPRING-0042", due, reference="1001-hold", order="1001")
            print(reservation.money)  # 10.00 EUR
            ```
        """
        code, pin = self.account(account).normalize(Code.of(code)), Pin.of_given(pin)
        return self._execute(
            ReserveValue(
                account=account,
                reference=reference,
                order=order,
                wait_s=wait,
                options=options,
                code=code,
                money=money,
                pin=pin,
                if_held=if_held,
            ),
            timeout,
        )

    def capture(
        self,
        account: str,
        reservation: Reservation,
        money: Money | None = None,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        timeout: float | None = None,
        options: Options | None = None,
    ) -> Redemption:
        """Take the value that was set aside.

        Args:
            account: the account's name.
            reservation: the result of `reserve`, or one from `reservation`.
            money: how much, above zero; None for all of it. Not every vendor can take a part.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            timeout: how long the call may take in all, in seconds; see `Gateway`.
            options: what only this vendor has, by name.

        Raises:
            ReservationExpired, ReservationSuperseded, ReservationReleased: if the reservation has ended.
            AlreadyCaptured: if it was captured before, under another reference.

        Example:
            ```python
            reservation = gateway.reserve("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-hold")
            redemption = gateway.capture("shop", reservation, reference="1001-take")
            print(redemption.money)  # 10.00 EUR
            ```
        """
        money = None if money is None else positive(money, field="money")
        return self._execute(
            CaptureReservation(
                account=account,
                reference=reference,
                order=order,
                wait_s=wait,
                options=options,
                reservation=reservation,
                money=money,
            ),
            timeout,
        )

    def release(
        self,
        account: str,
        reservation: Reservation,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        timeout: float | None = None,
        options: Options | None = None,
    ) -> Release:
        """Give a reservation up. If the vendor has no request for that, the result says when the value is free.

        Args:
            account: the account's name.
            reservation: the result of `reserve`, or one from `reservation`.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            timeout: how long the call may take in all, in seconds; see `Gateway`.
            options: what only this vendor has, by name.

        Example:
            ```python
            reservation = gateway.reserve("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-hold")
            gateway.release("shop", reservation, reference="1001-cancel")
            ```
        """
        return self._execute(
            ReleaseReservation(
                account=account,
                reference=reference,
                order=order,
                wait_s=wait,
                options=options,
                reservation=reservation,
            ),
            timeout,
        )

    @hide_refused_arguments
    def redeem(
        self,
        account: str,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        timeout: float | None = None,
        options: Options | None = None,
        if_held: IfHeld = "replace-own",
        partial: bool = False,
    ) -> Redemption:
        """Take value in one step.

        Some vendors take what is left where that is less than the amount (`Capabilities.partial_approval`). There, the
        balance is read first, and nothing is sent if it is too small. If less was taken nevertheless, it is given back
        by a refund, under a reference made of this one. A repeat of the call goes on with that.

        Args:
            account: the account's name.
            code: the voucher's code.
            money: how much; above zero.
            pin: the PIN, if there is one.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            timeout: how long the call may take in all, in seconds; see `Gateway`.
            options: what only this vendor has, by name.
            if_held: as in `reserve`.
            partial: whether to accept less than the amount, where the vendor takes what is left. The result has the
                amount that was taken. It counts to what a reference stands for.

        Raises:
            InsufficientValue: if the voucher holds less. Nothing moved, or what moved was given back.
            InvalidRequest: if the reference or the order contains the code or the PIN. Nothing was sent or stored.
            PartlyRedeemed: if less was taken, and could not be given back.
            UnsupportedOperation: if `partial` is True and the vendor takes the whole amount or nothing.
            VoucherHeld: if a reservation that may not be replaced stands on the voucher.

        Example:
            ```python
            due = Money("10.53", "EUR")
            redemption = gateway.redeem("shop", "JTL-SPRING-0042", due, reference="1001-card-1", order="1001")
            print(redemption.money, redemption.replayed)  # 10.53 EUR False
            ```
        """
        code, pin = self.account(account).normalize(Code.of(code)), Pin.of_given(pin)
        if partial:
            require_partial_approval(self.account(account))
        command = RedeemVoucher(
            account=account,
            reference=reference,
            order=order,
            wait_s=wait,
            options=options,
            code=code,
            money=money,
            pin=pin,
            if_held=if_held,
            partial=partial,
        )
        with use_call_deadline(timeout):
            redemption = self._execute(command)
            is_enough = redemption.money >= command.money or (partial and redemption.money.amount > 0)
            if is_enough or not takes_what_is_left(self.account(account)):
                return redemption
            give_back = functools.partial(self._give_back, redemption, order=command.order, wait=wait)
            raise return_part(redemption, command, give_back)

    def refund(
        self,
        account: str,
        redemption: Redemption,
        money: Money | None = None,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        timeout: float | None = None,
        options: Options | None = None,
    ) -> Refund:
        """Give a redemption back.

        With a journal, all refunds of a redemption together, including those whose outcome is unknown, give back at
        most what it took. Without a journal nothing is summed.

        If the voucher was moved to another account since, the value is added to it there (refund-by-top-up), and the
        result names that account; see `find_moved`.

        Args:
            account: the name of the account that redeemed.
            redemption: the result of `redeem` or `capture`, or one from `redemption`.
            money: how much, above zero; None for what is left to give back.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            timeout: how long the call may take in all, in seconds; see `Gateway`.
            options: what only this vendor has, by name.

        Raises:
            AlreadyRefunded: if less is left to give back; `refundable` returns how much.
            OperationInProgress: if an earlier refund with an unknown outcome decides whether that much is left.

        Example:
            ```python
            redemption = gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1")
            refund = gateway.refund("shop", redemption, Money(4, "EUR"), reference="1001-return-1")
            print(refund.money)  # 4.00 EUR
            ```
        """
        reference = nfc(reference)
        money = None if money is None else positive(money, field="money")
        move = None if self.journal is None else pending_move(self.journal, account, redemption, reference)
        if self.journal is None or move is None:
            return self._execute(
                refund_command(
                    self.journal,
                    self._accounts,
                    account,
                    redemption,
                    money,
                    reference=reference,
                    order=order,
                    wait=wait,
                    options=options,
                ),
                timeout,
            )
        if options:
            raise InvalidRequest(
                f"the voucher was moved to the account {move.to_account}, which does not have the options of this call",
                field="options",
                rule="none for a voucher that was moved",
                account=account,
                operation="refund",
            )
        command = refund_command_after_move(
            self.journal,
            self._accounts,
            move,
            account,
            redemption,
            money,
            reference=reference,
            order=order,
            wait=wait,
        )
        with use_call_deadline(timeout):
            refund = self._run(command, self.provider(command.account), refund_by_top_up)
        return attrs.evolve(refund, reference=reference)

    def refundable(self, redemption: Redemption) -> Money:
        """Return how much of a redemption is left to give back, as far as the journal knows.

        A refund whose outcome is unknown counts as given back. So does a refund at another account, where the voucher
        was moved.

        Args:
            redemption: the result of `redeem` or `capture`, or one from `redemption`.

        Raises:
            ConfigurationError: without a journal.

        Example:
            ```python
            redemption = gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1")
            print(gateway.refundable(redemption))  # 10.00 EUR
            ```
        """
        return refundable_amount(self.journal, self._accounts, redemption)

    def find_moved(self, account: str, voucher_id: str) -> VoucherMove | None:
        """Return where a migration moved a voucher of an account, or that it is being moved now.

        Args:
            account: the account where it was.
            voucher_id: its id there.

        Returns:
            where it is now, after its last move; None if it was never moved, or without a journal.
        """
        return None if self.journal is None else find_move(self.journal, account, voucher_id)

    def _give_back(self, redemption: Redemption, reference: str, *, order: str | None, wait: float) -> Refund:
        return self.refund(redemption.account, redemption, reference=reference, order=order, wait=wait)
