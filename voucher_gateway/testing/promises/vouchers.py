"""The promises of the spend level about vouchers themselves: L the level, I issue, V changes."""

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
    requires_that,
)

_CHOOSES: Final = requires_all(
    requires(Operation.ISSUE), requires_that(lambda declared: declared.codes.choosable, "codes cannot be chosen")
)


WRITES_VALUE: Final = requires_that(
    lambda declared: declared.can_overwrite_value, "the vendor has no value that can be overwritten"
)


def _spend(number: str, says: str, advice: str, applies: Applies) -> Promise:
    return Promise(number, Level.SPEND, says, advice, applies)


VOUCHERS: Final = (
    Promise(
        "L1",
        Level.SPEND,
        "A provider of the spend level changes something: at least one changing operation is declared native.",
        "Declare what the vendor can do, such as Operation.ISSUE or Operation.REDEEM with native(...), and override "
        "the method of that name. Start with one; its promises then say what else it needs. A vendor that can only be "
        "read stays at Level.READ.",
    ),
    _spend(
        "I1",
        "`issue` makes one voucher of exactly the value and currency asked for, and returns it as the vendor has it.",
        "Send the amount in the vendor's format, once; make the result of the vendor's reply, not of the request.",
        requires(Operation.ISSUE),
    ),
    _spend(
        "I2",
        "A code that can be chosen is kept character by character; where none can be, asking for one is refused.",
        "Send the code as it is, in a JSON body or percent-encoded; declare `choosable` as the vendor has it.",
        requires(Operation.ISSUE),
    ),
    _spend(
        "I3",
        "A code outside of the declared rules is an `InvalidRequest` that names the field `code` and the rule, and"
        " nothing is sent.",
        "Compare the code with `declared.codes` before the first request.",
        _CHOOSES,
    ),
    _spend(
        "I4",
        "A code or id that is taken is a `DuplicateCode`, and the voucher that has it stays as it is.",
        "Map the vendor's error for it to `DuplicateCode`; where none is documented, look the code up after a refusal.",
        _CHOOSES,
    ),
    _spend(
        "I5",
        "What `stored_fields` names of a new voucher is kept and can be read back, and everything else is refused"
        " before anything is sent.",
        "For each field of `NewVoucher`: send it, map it back in `get` and name it in `stored_fields`, or refuse it.",
        requires(Operation.ISSUE),
    ),
    _spend(
        "I6",
        "An amount outside of the declared rules is refused by the provider itself, with field `amount` and the rule.",
        "Check amounts before the first request: `AmountFormat.write` and `AmountRules.check` do.",
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
        "The end of validity can be set as `expiry` declares, exactly, and in no other way.",
        "Map `valid_until` or `validity` to the vendor's fields, refuse the other, and declare `expiry` accordingly.",
        requires(Operation.ISSUE),
    ),
    _spend(
        "I9",
        "Texts of a new voucher are kept up to the length that `max_text_lengths` declares, and longer ones refused"
        " before anything is sent.",
        "Declare the vendor's limits, and compare before the first request.",
        requires_all(
            requires(Operation.ISSUE),
            requires_that(lambda declared: bool(declared.max_text_lengths), "no text has a declared limit"),
        ),
    ),
    _spend(
        "V1",
        "`activate` and `deactivate` change the status of the one voucher, and nothing else.",
        "Send one request that changes the status alone, and make the result of the reply.",
        requires_any(Operation.ACTIVATE, Operation.DEACTIVATE),
    ),
    _spend(
        "V2",
        "`update` changes what it is given, and neither the value nor anything else.",
        "Where the vendor overwrites a whole object, read it first and send the rest back as it was.",
        requires(Operation.UPDATE),
    ),
    _spend(
        "V3",
        "A change that the vendor cannot make is refused by the provider, and never dropped.",
        "Go through `changes.changed()`, and refuse every name and value that the vendor has no place for.",
        requires(Operation.UPDATE),
    ),
    _spend(
        "V4",
        "`top_up` adds exactly the amount, and returns what the vendor added.",
        "Write amounts from the `Decimal` itself, never through a float; make the result of the reply.",
        requires(Operation.TOP_UP),
    ),
    _spend(
        "V5",
        "A top-up in another currency than the voucher's is declined.",
        "Send the currency along; where the vendor takes none, compare it with the voucher's before.",
        requires(Operation.TOP_UP),
    ),
    _spend(
        "V6",
        "`delete` removes the one voucher for good.",
        "Send the vendor's own call for it, and map its 404 to `VoucherNotFound`.",
        requires(Operation.DELETE),
    ),
    _spend(
        "V7",
        "A change of a voucher that the vendor does not know is a `VoucherNotFound`.",
        "Map the vendor's documented error for an unknown voucher to `VoucherNotFound`.",
        requires_any(Operation.ACTIVATE, Operation.DEACTIVATE, Operation.UPDATE, Operation.TOP_UP, Operation.DELETE),
    ),
    Promise(
        "V9",
        Level.SPEND,
        "One wrong reading is never written back: where a value is overwritten, two independent readings agree before.",
        "Read the value in two ways before it is written, such as by id and from the list, and raise"
        " `MalformedResponse` where they differ; let `read_value(id=...)` do the same.",
        WRITES_VALUE,
        fault="wrong-reading",
    ),
)
