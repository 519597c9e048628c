"""The promises of the spend level about vouchers themselves: L the level, I issue, V changes."""

from __future__ import annotations

from typing import Final

from voucher_gateway.capabilities import Capabilities, Operation
from voucher_gateway.conformance import Level
from voucher_gateway.testing.promises.promise import (
    Applies,
    Promise,
    requires,
    requires_all,
    requires_any,
    requires_that,
)

_CHOOSES: Final = requires_all(
    requires(Operation.ISSUE), requires_that(lambda declared: declared.codes.choosable, "codes cannot be chosen")
)


WRITES_VALUE: Final = requires_that(
    lambda declared: declared.can_overwrite_value, "the vendor's values cannot be overwritten"
)


def has_end_of_validity(declared: Capabilities) -> bool:
    """Return whether a new voucher can have an end of validity."""
    return declared.expiry.takes_instants or declared.expiry.takes_lengths


def _spend(number: str, says: str, advice: str, applies: Applies) -> Promise:
    return Promise(number, Level.SPEND, says, advice, applies)


VOUCHERS: Final = (
    Promise(
        "L1",
        Level.SPEND,
        "A provider of the spend level changes something. It declares at least one changing operation as native.",
        "Declare an operation that the vendor has, such as `Operation.ISSUE` or `Operation.REDEEM`, with "
        "`native(...)`, and override the method of that name. Start with one: its promises then say what else it "
        "needs. If the vendor can only be read, stay at `Level.READ`.",
    ),
    _spend(
        "I1",
        "`issue` creates one voucher with exactly the requested value and currency. It returns the voucher as the "
        "vendor has it.",
        "Send the amount in the vendor's format, once. Make the result from the vendor's reply, not from the request.",
        requires(Operation.ISSUE),
    ),
    _spend(
        "I2",
        "A chosen code is kept character by character. If codes cannot be chosen, a chosen code is refused.",
        "Send the code unchanged, in a JSON body or percent-encoded. Declare `choosable` as the vendor has it.",
        requires(Operation.ISSUE),
    ),
    _spend(
        "I3",
        "A code outside the declared rules raises `InvalidRequest`, which names the field `code` and the rule. "
        "Nothing is sent.",
        "Call `self.declared.codes.check(new.code)` before the first request.",
        _CHOOSES,
    ),
    _spend(
        "I4",
        "A code or id that already exists raises `DuplicateCode`. The voucher that has it stays unchanged.",
        "Map the vendor's error for it to `DuplicateCode`. If the vendor documents no such error, look the code up "
        "after a refusal.",
        _CHOOSES,
    ),
    _spend(
        "I5",
        "A field of a new voucher that `stored_fields` names is kept and can be read back. Every other field is "
        "refused before any request.",
        "For each field of `NewVoucher`: send it, map it back in `get` and name it in `stored_fields`, or refuse it.",
        requires(Operation.ISSUE),
    ),
    _spend(
        "I6",
        "The provider itself refuses an amount outside the declared rules. The error names the field `amount` and the "
        "rule.",
        "Check amounts before the first request. `AmountFormat.write` and `AmountRules.check` do this.",
        requires(Operation.ISSUE),
    ),
    _spend(
        "I7",
        "The smallest and the largest declared amount can be issued.",
        "Declare `amounts` as the vendor has them.",
        requires(Operation.ISSUE),
    ),
    _spend(
        "I8",
        "The end of validity can be set exactly, in the way that `expiry` declares, and in no other way.",
        "Map `valid_until` or `validity` to the vendor's fields, and refuse the other one. Declare `expiry` "
        "accordingly.",
        requires(Operation.ISSUE),
    ),
    _spend(
        "I9",
        "Texts of a new voucher are kept up to the length that `max_text_lengths` declares. Longer texts are refused "
        "before any request.",
        "Declare the vendor's limits, and compare the texts with them before the first request.",
        requires_all(
            requires(Operation.ISSUE),
            requires_that(lambda declared: bool(declared.max_text_lengths), "no maximum text length is declared"),
        ),
    ),
    _spend(
        "V1",
        "`activate` and `deactivate` change the status of the one voucher, and nothing else.",
        "Send one request that changes only the status. Make the result from the reply.",
        requires_any(Operation.ACTIVATE, Operation.DEACTIVATE),
    ),
    _spend(
        "V2",
        "`update` changes the given fields. It changes neither the value nor anything else.",
        "If the vendor overwrites a whole object, read it first and send the rest back unchanged.",
        requires(Operation.UPDATE),
    ),
    _spend(
        "V3",
        "The provider refuses a change that the vendor cannot make. It never drops such a change.",
        "Go through `changes.changed()`, and refuse every name and value that the vendor cannot store.",
        requires(Operation.UPDATE),
    ),
    _spend(
        "V4",
        "`top_up` adds exactly the amount. It returns the amount that the vendor added.",
        "Write amounts from the `Decimal` itself, never through a float. Make the result from the reply.",
        requires(Operation.TOP_UP),
    ),
    _spend(
        "V5",
        "A top-up in a currency other than the voucher's is declined.",
        "Send the currency in the request. If the vendor takes no currency, compare it with the voucher's before the "
        "request.",
        requires(Operation.TOP_UP),
    ),
    _spend(
        "V6",
        "`delete` removes the one voucher permanently.",
        "Send the vendor's call for it, and map its 404 to `VoucherNotFound`.",
        requires(Operation.DELETE),
    ),
    _spend(
        "V7",
        "A change of a voucher that the vendor does not know raises `VoucherNotFound`.",
        "Map the vendor's documented error for an unknown voucher to `VoucherNotFound`.",
        requires_any(Operation.ACTIVATE, Operation.DEACTIVATE, Operation.UPDATE, Operation.TOP_UP, Operation.DELETE),
    ),
    Promise(
        "V9",
        Level.SPEND,
        "One wrong reading is never written back. Before a value is overwritten, two independent readings must agree.",
        "Read the value in two ways before you write it, such as by id and from the list. Raise `MalformedResponse` "
        "if they differ. Let `read_value(id=...)` do the same.",
        WRITES_VALUE,
        fault="wrong-reading",
    ),
    _spend(
        "V10",
        "`restarts_validity` says whether the validity of a voucher that was deactivated begins again with its next "
        "activation. The vendor does what is declared.",
        "Declare `restarts_validity=True` if the vendor counts the validity from each activation, and leave it out if "
        "the end of validity stays. A migration counts by it which vouchers a rollback would prolong.",
        requires_all(
            requires(Operation.ISSUE, Operation.DEACTIVATE, Operation.ACTIVATE),
            requires_that(has_end_of_validity, "no end of validity can be set"),
        ),
    ),
)
