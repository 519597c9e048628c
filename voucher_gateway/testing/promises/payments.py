"""The promises of the spend level about payments: S reservations, redemptions and refunds."""

from __future__ import annotations

from typing import Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.conformance import Level
from voucher_gateway.testing.promises.promise import (
    Applies,
    Promise,
    requires,
    requires_all,
    requires_any,
    requires_spending,
    requires_that,
)

_RESERVES: Final = requires_all(
    requires(Operation.RESERVE),
    requires_that(lambda declared: declared.reservations is not None, "no reservation rules are declared"),
)
_CAPTURES: Final = requires_all(_RESERVES, requires(Operation.CAPTURE))
_SPENDS: Final = requires_any(Operation.RESERVE, Operation.REDEEM)
_REFUNDS: Final = requires_all(requires(Operation.REFUND), requires_spending)
_STATUSES: Final = requires_any(Operation.ACTIVATE, Operation.DEACTIVATE)
_AMOUNTS: Final = requires_any(
    Operation.ISSUE, Operation.RESERVE, Operation.CAPTURE, Operation.REDEEM, Operation.REFUND, Operation.TOP_UP
)


def _spend(number: str, says: str, advice: str, applies: Applies) -> Promise:
    return Promise(number, Level.SPEND, says, advice, applies)


PAYMENTS: Final = (
    _spend(
        "S1",
        "`reserve` sets exactly the amount aside, takes nothing, and returns its end as declared. The reserved value "
        "still remains on the voucher.",
        "Make the result from the vendor's reply. Declare `time_to_live` as the vendor has it. Return as `remaining` "
        "the value that was not taken yet, not the value that is free.",
        _RESERVES,
    ),
    _spend(
        "S2",
        "`capture` takes exactly the reserved amount. It returns the amount that the vendor took, with the tax of the "
        "reservation.",
        "Write amounts from the `Decimal` itself. Make the result from the reply. If the reply lacks `taxable` and "
        "`tax_rate`, carry them over from the reservation in the notes of the intent.",
        _CAPTURES,
    ),
    _spend(
        "S3",
        "A part of a reservation can be captured if `partial` is declared. Otherwise it is refused before any request.",
        "Declare `partial` of the capture and `partial_capture` of the reservations as the vendor has them. Both must "
        "be the same.",
        _CAPTURES,
    ),
    _spend(
        "S4",
        "A capture cannot take more than was reserved.",
        "If the vendor does not compare the amount with the reservation's, compare it before you send the request.",
        _CAPTURES,
    ),
    _spend(
        "S5",
        "A second capture of one reservation is declined. It takes nothing.",
        "Map the vendor's refusal to `AlreadyCaptured`, or to `Rejected` if it is undocumented. Never map it to a "
        "success.",
        _CAPTURES,
    ),
    _spend(
        "S6",
        "A reservation lasts as long as `time_to_live` says. It cannot be captured afterwards.",
        "Declare `time_to_live` as the vendor has it. None means that a reservation has no end.",
        _CAPTURES,
    ),
    _spend(
        "S7",
        "A second reservation of a voucher affects the first one as `exclusive` and `superseded_by_next` declare.",
        "Declare the rules as the vendor has them. Map the vendor's refusal of a second reservation to `VoucherHeld` "
        "or `ReservationSuperseded`.",
        _CAPTURES,
    ),
    _spend(
        "S8",
        "`release` frees the reserved value at once. The reservation cannot be captured any more. A captured value is "
        "not reported as freed.",
        "If the vendor has no call for it, do not declare `release`: the gateway emulates one that waits for the end. "
        "Return as `freed` what the vendor reports, and let its refusals through.",
        requires_all(_CAPTURES, requires(Operation.RELEASE)),
    ),
    _spend(
        "S9",
        "`redeem` takes exactly the amount. It returns the amount that the vendor took, and no tax other than the "
        "voucher's.",
        "Write amounts from the `Decimal` itself. Make the result from the reply.",
        requires(Operation.REDEEM),
    ),
    _spend(
        "S10",
        "A payment of more than is left on a voucher is declined as `InsufficientValue`, or as `Rejected` if no code "
        "for it is documented. Nothing moves.",
        "Map the documented code. After an undocumented refusal, look at the voucher. Never take the value that is "
        "left instead.",
        _SPENDS,
    ),
    _spend(
        "S11",
        "Spending with a code that no voucher has raises `VoucherNotFound`.",
        "Map the vendor's documented error for an unknown code to `VoucherNotFound`.",
        _SPENDS,
    ),
    _spend(
        "S12",
        "Spending in a currency other than the voucher's is declined. Nothing moves.",
        "Send the currency in the request. If the vendor takes no currency, compare it with the voucher's before the "
        "request.",
        _SPENDS,
    ),
    _spend(
        "S13",
        "An inactive voucher cannot be spent. The error is `VoucherInactive`, or `Rejected` if no code for it is "
        "documented.",
        "Map the documented code. After an undocumented refusal, look at the voucher. Do not guess another reason.",
        requires_all(_SPENDS, _STATUSES),
    ),
    _spend(
        "S14",
        "An expired voucher cannot be spent. The error is `VoucherExpired`, or `Rejected` if no code for it is "
        "documented.",
        "Map the documented code. After an undocumented refusal, look at the voucher, and use the vendor's clock.",
        requires_all(
            _SPENDS,
            requires_that(
                lambda declared: declared.expiry.takes_instants or declared.expiry.takes_lengths,
                "the end of validity cannot be set",
            ),
        ),
    ),
    _spend(
        "S15",
        "A voucher with a PIN cannot be spent with a wrong PIN. It can be spent with its PIN.",
        "Send the PIN in the request. Map the vendor's refusal to `WrongPin`, or to `Rejected` if it is undocumented.",
        requires_all(_SPENDS, requires_that(lambda declared: "pin" in declared.stored_fields, "vouchers have no PIN")),
    ),
    _spend(
        "S16",
        "An operation that moves an amount refuses zero and less with `InvalidRequest`, before any request.",
        "Call `positive(money)` first.",
        requires_any(Operation.RESERVE, Operation.REDEEM, Operation.TOP_UP, Operation.REFUND),
    ),
    _spend(
        "S17",
        "`refund` gives back exactly the redemption. It returns the amount that the vendor gave.",
        "Write amounts from the `Decimal` itself. Make the result from the reply.",
        _REFUNDS,
    ),
    _spend(
        "S18",
        "A part can be refunded if `partial` is declared, several times up to the whole. Otherwise it is refused.",
        "Declare `partial` of the refund as the vendor has it. If the vendor has no partial refund, refuse a part "
        "before any request.",
        _REFUNDS,
    ),
    _spend(
        "S19",
        "Refunds give back no more than the redemption, and nothing twice.",
        "Compare the amount with the redemption's. If the vendor does not count refunds, do not declare `refund`.",
        _REFUNDS,
    ),
    _spend(
        "S20",
        "`read_value` returns the value and the remaining value unchanged. `write_value` moves both by the difference "
        "and nothing else. It announces the given intent.",
        "Send everything else back as it was read. Pass the given intent to `HttpClient.change`.",
        requires_that(lambda declared: declared.can_overwrite_value, "the vendor's values cannot be overwritten"),
    ),
    _spend(
        "S21",
        "No amount passes through a binary float on its way to the vendor.",
        "Write amounts with an `AmountFormat`, or from the digits of the `Decimal`.",
        _AMOUNTS,
    ),
    _spend(
        "S23",
        "The capture of an expired reservation raises `ReservationExpired`. This holds even if the instance did not "
        "see the vendor's clock before, because the refusal shows it.",
        "Map the vendor's documented error to `ReservationExpired`. If it is undocumented, compare the end of the "
        "reservation with the Date header of the refusal (`vendor_now` right after it).",
        requires_all(
            _CAPTURES,
            requires_that(
                lambda declared: declared.reservations is not None and declared.reservations.time_to_live is not None,
                "reservations have no declared end",
            ),
        ),
    ),
)
