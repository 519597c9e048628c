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
    requires_that(lambda declared: declared.reservations is not None, "no rules of reservations are declared"),
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
        "`reserve` sets exactly the amount aside, takes nothing, and returns its end as declared; what is set aside"
        " still remains on the voucher.",
        "Make the result of the vendor's reply; declare `time_to_live` as the vendor has it; give as `remaining` what"
        " was not taken yet, and not what is free.",
        _RESERVES,
    ),
    _spend(
        "S2",
        "`capture` takes exactly what was set aside, and returns what the vendor took, with the tax of the"
        " reservation.",
        "Write amounts from the `Decimal` itself; make the result of the reply, and carry `taxable` and `tax_rate` over"
        " from the reservation, in the notes of the intent, where the reply lacks them.",
        _CAPTURES,
    ),
    _spend(
        "S3",
        "The capture of a part works where `partial` is declared, and is otherwise refused before any request.",
        "Declare `partial` of capture and `partial_capture` of the reservations as the vendor has them, both the same.",
        _CAPTURES,
    ),
    _spend(
        "S4",
        "No more can be captured than was set aside.",
        "Compare the amount with the reservation's before you send it, if the vendor does not.",
        _CAPTURES,
    ),
    _spend(
        "S5",
        "A second capture of one reservation is declined, and takes nothing.",
        "Map the vendor's refusal to `AlreadyCaptured`, or to `Rejected` where it is undocumented; never to a success.",
        _CAPTURES,
    ),
    _spend(
        "S6",
        "A reservation stands as long as `time_to_live` says, and cannot be captured afterwards.",
        "Declare `time_to_live` as the vendor has it, None for no end.",
        _CAPTURES,
    ),
    _spend(
        "S7",
        "A second reservation of a voucher does to the first what `exclusive` and `superseded_by_next` declare.",
        "Declare the rules as the vendor has them; map a refusal for it to `VoucherHeld` or `ReservationSuperseded`.",
        _CAPTURES,
    ),
    _spend(
        "S8",
        "`release` frees at once what was set aside, which cannot be captured any more; what was captured is not said"
        " to be freed.",
        "Where the vendor has no call for it, declare no `release`: the gateway makes one that waits for the end. Let"
        " `freed` be what the vendor says, and its refusals through.",
        requires_all(_CAPTURES, requires(Operation.RELEASE)),
    ),
    _spend(
        "S9",
        "`redeem` takes exactly the amount, returns what the vendor took, and no other tax than the voucher's.",
        "Write amounts from the `Decimal` itself; make the result of the reply.",
        requires(Operation.REDEEM),
    ),
    _spend(
        "S10",
        "More than is left on a voucher is declined as `InsufficientValue`, or as `Rejected` where no code for it is"
        " documented; nothing moves.",
        "Map the documented code, or look at the voucher after an undocumented refusal; never take what is left.",
        _SPENDS,
    ),
    _spend(
        "S11",
        "Spending with a code that no voucher has is a `VoucherNotFound`.",
        "Map the vendor's documented error for an unknown code to `VoucherNotFound`.",
        _SPENDS,
    ),
    _spend(
        "S12",
        "Spending in another currency than the voucher's is declined, and nothing moves.",
        "Send the currency along; where the vendor takes none, compare it with the voucher's before.",
        _SPENDS,
    ),
    _spend(
        "S13",
        "An inactive voucher cannot be spent: `VoucherInactive`, or `Rejected` where no code for it is documented.",
        "Map the documented code, or look at the voucher after an undocumented refusal; do not guess another reason.",
        requires_all(_SPENDS, _STATUSES),
    ),
    _spend(
        "S14",
        "An expired voucher cannot be spent: `VoucherExpired`, or `Rejected` where no code for it is documented.",
        "Map the documented code, or look at the voucher after an undocumented refusal, by the vendor's clock.",
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
        "A voucher with a PIN cannot be spent with a wrong one, and can with its own.",
        "Send the PIN along; map the vendor's refusal to `WrongPin`, or to `Rejected` where it is not documented.",
        requires_all(_SPENDS, requires_that(lambda declared: "pin" in declared.stored_fields, "vouchers have no PIN")),
    ),
    _spend(
        "S16",
        "Zero and less are an `InvalidRequest` wherever an amount moves, before any request.",
        "Call `positive(money)` first.",
        requires_any(Operation.RESERVE, Operation.REDEEM, Operation.TOP_UP, Operation.REFUND),
    ),
    _spend(
        "S17",
        "`refund` gives exactly the redemption back, and returns what the vendor gave.",
        "Write amounts from the `Decimal` itself; make the result of the reply.",
        _REFUNDS,
    ),
    _spend(
        "S18",
        "The refund of a part works where `partial` is declared, several times up to the whole, and is else refused.",
        "Declare `partial` of refund as the vendor has it; refuse a part before any request where it has none.",
        _REFUNDS,
    ),
    _spend(
        "S19",
        "Nothing is given back beyond the redemption, and nothing twice.",
        "Compare the amount with the redemption's; where the vendor does not count refunds, declare no refund.",
        _REFUNDS,
    ),
    _spend(
        "S20",
        "`read_value` returns the value and what is left as they are, and `write_value` moves both by the difference"
        " and"
        " nothing else, announced under the intent that it was given.",
        "Send back everything else as it was read; hand the given intent to `HttpClient.change`.",
        requires_that(lambda declared: declared.can_overwrite_value, "the vendor has no value that can be overwritten"),
    ),
    _spend(
        "S21",
        "No amount goes through a binary float on its way to the vendor.",
        "Write amounts with an `AmountFormat`, or from the `Decimal`'s own digits.",
        _AMOUNTS,
    ),
    _spend(
        "S23",
        "The capture of a reservation that is over is `ReservationExpired`, even if the instance did not see the"
        " vendor's clock before: the refusal itself shows it.",
        "Map the vendor's documented error to `ReservationExpired`; where it is undocumented, compare the reservation's"
        " end with the Date of the refusal (`vendor_now` right after it).",
        requires_all(
            _CAPTURES,
            requires_that(
                lambda declared: declared.reservations is not None and declared.reservations.time_to_live is not None,
                "reservations have no declared end",
            ),
        ),
    ),
)
