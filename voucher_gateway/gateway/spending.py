"""The gateway's verbs that take value, set it aside or give it back."""

from __future__ import annotations

from voucher_gateway.capabilities import Operation
from voucher_gateway.emulation.by_capture import (
    capture_already_redeemed,
    redeem_by_capture,
    release_already_redeemed,
    release_by_expiry,
    reserve_by_redeem,
)
from voucher_gateway.emulation.by_update import redeem_by_update, refund_by_update
from voucher_gateway.emulation.steps import StepRunner
from voucher_gateway.execution.call import Call
from voucher_gateway.gateway.moved_refunds import Moving
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.results import Redemption, Refund, Release, Reservation
from voucher_gateway.money import Money, positive
from voucher_gateway.nfc import with_names_in_nfc
from voucher_gateway.provider import VoucherProvider


class Spending(Moving):
    """Verbs that spend."""

    @with_names_in_nfc
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
        if_held: str = "replace-own",
    ) -> Reservation:
        """Set value aside, to be captured or released.

        Args:
            account: the account's name.
            code: the voucher's code.
            money: how much.
            pin: the PIN, if there is one.
            reference: the caller's name for this one operation.
            order: the shop's number.
            wait: how long to wait for another worker on this very call, in seconds.
            if_held: what to do about reservations of ours that this one would end at the vendor: ``refuse``,
                ``replace-own`` (those of the same order) or ``replace``. Needs a journal.
        """
        code, pin = Code.of(code), Pin.of_given(pin)
        return self._run(
            Call(
                account,
                Operation.RESERVE,
                reference,
                order,
                wait_s=wait,
                if_held=if_held,
                code=code,
                money=positive(money),
            ),
            lambda provider, ref: provider.reserve(code, money, pin, reference=ref, order=order),
            {"reserve-by-redeem": lambda steps, provider: reserve_by_redeem(steps, provider, code, money, pin, order)},
        )

    @with_names_in_nfc
    def capture(
        self,
        account: str,
        reservation: Reservation,
        money: Money | None = None,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
    ) -> Redemption:
        """Take what was set aside, all of it unless `money` says less."""
        taken = reservation.money if money is None else positive(money, field="money")
        return self._run(
            Call(account, Operation.CAPTURE, reference, order, wait_s=wait, id=reservation.id, money=taken),
            lambda provider, ref: provider.capture(reservation, money, reference=ref, order=order),
            {
                "reserve-by-redeem": lambda steps, provider: capture_already_redeemed(
                    steps, provider, reservation, money, order
                )
            },
        )

    @with_names_in_nfc
    def release(
        self, account: str, reservation: Reservation, *, reference: str, order: str | None = None, wait: float = 0.0
    ) -> Release:
        """Give a reservation up. Where the vendor has no call for that, the result says when the value is free."""
        return self._run(
            Call(account, Operation.RELEASE, reference, order, wait_s=wait, id=reservation.id),
            lambda provider, ref: provider.release(reservation, reference=ref, order=order),
            {
                "release-by-expiry": lambda _, provider: release_by_expiry(provider, reservation),
                "reserve-by-redeem": lambda steps, provider: release_already_redeemed(
                    steps, provider, reservation, order
                ),
            },
        )

    @with_names_in_nfc
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
        if_held: str = "replace-own",
    ) -> Redemption:
        """Take value in one step."""
        code, pin = Code.of(code), Pin.of_given(pin)
        return self._run(
            Call(
                account,
                Operation.REDEEM,
                reference,
                order,
                wait_s=wait,
                if_held=if_held,
                code=code,
                money=positive(money),
            ),
            lambda provider, ref: provider.redeem(code, money, pin, reference=ref, order=order),
            {
                "redeem-by-capture": lambda steps, provider: redeem_by_capture(
                    steps, provider, code, money, pin, order
                ),
                "redeem-by-update": lambda steps, provider: redeem_by_update(steps, provider, code, money, pin, order),
            },
        )

    @with_names_in_nfc
    def refund(
        self,
        account: str,
        redemption: Redemption,
        money: Money | None = None,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
    ) -> Refund:
        """Give a redemption back: what is left of it to give back, unless `money` says how much.

        With a journal all refunds of a redemption together, those in doubt included, give no more back than it took;
        more is `AlreadyRefunded`, and `refundable` tells what is left. Without a journal nothing is summed.

        Where the voucher was moved to another account since, the value is added to it there (refund-by-top-up), and
        the result names that account; see `moved`.
        """
        money = None if money is None else positive(money, field="money")
        if (move := self._pending_move(account, redemption, reference)) is not None:
            return self._refund_there(account, move, redemption, money, reference=reference, order=order, wait=wait)
        limit = self._refund_limit(account, redemption)
        back, content = self._amount_to_refund(account, reference, redemption, money, limit)
        part = None if back == redemption.money else back  # every vendor can give the whole back

        def one_step(steps: StepRunner, provider: VoucherProvider) -> Refund:
            # What the vendor shows before a refund is noted with it, so no other refund of ours may come in between.
            with steps.lock(provider.host, redemption.voucher_id or redemption.id):
                return steps.run("refund", lambda ref: provider.refund(redemption, part, reference=ref, order=order))

        call = Call(
            account,
            Operation.REFUND,
            reference,
            order,
            wait_s=wait,
            id=redemption.id,
            money=back,
            content=content,
            refund_limit=limit,
        )
        return self._run_steps(
            call,
            {
                None: one_step,
                "refund-by-update": lambda steps, provider: refund_by_update(steps, provider, redemption, back, order),
            },
        )
