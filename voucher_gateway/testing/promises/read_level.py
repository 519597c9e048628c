"""The promises of the read level about single vouchers: R reading, M money, T time."""

from __future__ import annotations

from typing import Final

from voucher_gateway.capabilities import Capabilities, Operation
from voucher_gateway.conformance import Level
from voucher_gateway.testing.promises.promise import (
    Applies,
    Promise,
    always,
    requires,
    requires_all,
    requires_that,
)


def read_promise(
    number: str,
    says: str,
    advice: str,
    applies: Applies = always,
    *,
    wire: bool = False,
    fault: str | None = None,
    may_stay_untried: bool = False,
) -> Promise:
    """Return a promise of the read level; the arguments are those of `Promise`."""
    return Promise(number, Level.READ, says, advice, applies, wire, fault, may_stay_untried)


def _readable(declared: Capabilities) -> str | None:
    return None if declared.codes.readable else "the vendor does not return codes"


def _own_currency(declared: Capabilities) -> str | None:
    return None if declared.currency_from == "voucher" else "every voucher has the currency of its account"


READ_LEVEL: Final = (
    read_promise(
        "R1",
        "`find` returns the voucher that has the code.",
        "Return the vendor's id of the voucher, the account's name, and the code if the vendor shows it.",
    ),
    read_promise(
        "R2",
        "`find` returns only a voucher with exactly this code. A prefix, another case, added blanks or a wildcard "
        "find nothing.",
        "Compare the code in the vendor's reply with the requested code, character by character, before you return "
        "the voucher. If the vendor hides codes, use a call that looks up the exact code.",
    ),
    read_promise(
        "R3",
        "Codes and ids may contain any character. They reach the vendor unchanged.",
        "Build paths with `Path.of` and queries with `Request(query=...)`, which percent-encode each part. Raise "
        "`InvalidRequest` for a code or id that cannot be sent.",
    ),
    read_promise(
        "R4",
        "`get` returns the voucher with the id, and with the same content as `find`.",
        "Map the replies of both calls with the same function.",
    ),
    read_promise(
        "R5",
        "An unknown code or id raises `VoucherNotFound`, which names the account and the operation.",
        "Raise `VoucherNotFound` for the reply by which the vendor says that no such voucher exists, such as a 404 "
        "in the vendor's documented shape or an empty list. `ApiCalls.voucher_not_found_on_404` does this for a 404.",
    ),
    read_promise(
        "R6",
        "Codes and PINs can be read back if the provider declares so.",
        "Return code and PIN from `get(id, secrets=True)`, or declare `CodeRules(readable=False)`.",
        _readable,
    ),
    read_promise(
        "R7",
        "The status is the vendor's.",
        "Map each word of the vendor to one `Status`. Use None only for a vendor that has no status. If a word means "
        "something else at this vendor, set `statuses` of the contract class.",
    ),
    read_promise(
        "R8",
        "A value that the vendor adds to an enumeration later becomes `unknown`. It stays readable in `raw`.",
        "Read the vendor's enumerations with a table that falls back to the UNKNOWN member. Do not raise an error for "
        "a new value.",
        wire=True,
    ),
    read_promise(
        "R9",
        "Everything that the vendor sends is kept. New members cause no error and stay in `raw`. The numbers in `raw` "
        "are exact.",
        "Keep the vendor's object in `raw`, as `decode` returns it. Let your wire class ignore members that it does "
        "not know.",
        wire=True,
    ),
    read_promise(
        "R10",
        "A reply that breaks the vendor's contract raises `MalformedResponse`, or the broken part does not matter. It "
        "never becomes a wrong voucher or an error of another class.",
        "Read replies with a strict converter (`strict_converter`, `structure`). Do not assume that a member exists, "
        "and do not coerce a value.",
        wire=True,
    ),
    read_promise(
        "R11",
        "`history` returns every movement of a voucher. Amounts, directions, states, times, references and sums are "
        "the vendor's.",
        "Read every page. Map each kind of movement to its `MovementKind`, and its state to its `MovementState`. "
        "Keep amounts positive and references "
        "unchanged.",
        requires(Operation.HISTORY),
    ),
    read_promise(
        "R12",
        "`history` reports whether it is complete, and its time by the vendor's clock.",
        "Set `complete` only after every page was read and was consistent. Take `as_of` from the Date header of the "
        "reply (`Response.date`), never from the clock of this machine.",
        requires(Operation.HISTORY),
    ),
    read_promise(
        "R13",
        "Under every fault, a read returns the right answer or raises an error that tells the truth. It never returns "
        '"not found", an empty list or another value instead.',
        "Let errors of `HttpClient.read` through. Do not catch an error after which you cannot give the right answer. "
        "Raise `VoucherNotFound` only if the vendor itself says that no such voucher exists.",
    ),
    read_promise(
        "R22",
        'A 404 from a server in front of the vendor, such as a proxy, is not read as "no such voucher".',
        "Accept a 404 only in the shape and with the codes that the vendor documents. Let `explain` return None for "
        "any other body.",
        fault="foreign-404",
    ),
    read_promise(
        "R14",
        "If the vendor cannot answer, a read is repeated a few times at most. Then an error says so.",
        "Leave repeats to `HttpClient.read`. It counts them, and then raises `ProviderUnavailable`, `RateLimited` or "
        "`MalformedResponse`.",
        fault="error-before",
    ),
    read_promise(
        "R15",
        "If the vendor refuses the login, the error is an `AccessDenied`.",
        "Map 401 to `AuthenticationFailed`, and 403 to `MissingScope` or `AccessDenied`. `HttpClient` does this.",
        fault="unauthorized",
    ),
    read_promise(
        "R25",
        "Accounts with different logins can be used side by side. Neither uses the login or the session of the other.",
        "Keep tokens, sessions and logins on the instance, in its `HttpClient`. Keep none in a class or a module.",
        fault="unauthorized",
    ),
    read_promise(
        "R16",
        "One instance serves many threads at once, and does not mix up their calls.",
        "Keep no data of a call on the instance. Pass it through arguments and results.",
    ),
    read_promise(
        "R17",
        "After a fork, both processes can use the provider. Neither disturbs the other.",
        "Open connections only through `HttpClient` or `Database`, which reconnect in a child process. Close any "
        "other open resource, such as an SQLite file, before the fork (`os.register_at_fork(before=...)`).",
    ),
    read_promise(
        "R18",
        "Codes, PINs, secrets and tokens appear nowhere: not in logs at DEBUG, errors, reprs, pickled errors, "
        "tracebacks or the local variables of their frames.",
        "Wrap each of them under the same name as soon as it comes in (`code = Code.of(code)`). Keep them out of "
        "messages. Raise errors outside of an `except` block whose exception could hold one.",
    ),
    read_promise(
        "R19",
        "After `close`, no connection and no thread is left. A second `close` does no harm.",
        "Close your `HttpClient` (or engine) in `close`. Keep all connections in it.",
    ),
    read_promise(
        "R20",
        "A reply, an interim reply (1xx) or the rest of a reply never becomes the answer to another read.",
        "Send through `HttpClient`. Otherwise, use a connection again only after a reply that was read to its proper "
        "end.",
        fault="interim",
    ),
    read_promise(
        "R21",
        "A reply that is small on the wire and has millions of values is refused soon. It costs little memory.",
        "Send through `HttpClient` and read with `Response.json`. Both refuse more bytes and values than the settings "
        "allow. Pass `returns_page=True` only for lists.",
        fault="huge-reply",
    ),
    read_promise(
        "R24",
        "The tax, order, login, origin and links of a voucher are the same by code, by id and in the list. "
        "`presentation` shows the voucher that has the code.",
        "Fill these fields of `Voucher` wherever you map a reply. Compare the code and the id of a presentation.",
    ),
    read_promise(
        "R23",
        "A negative amount of a voucher on the wire raises `MalformedResponse`. It never becomes the voucher's value.",
        "Make amounts with `money_from`, which refuses negative amounts.",
        wire=True,
    ),
    read_promise(
        "M1",
        "Every amount is the vendor's, to the last digit and in the right currency.",
        "Read amounts with an `AmountFormat` and `money_from`. Read the currency from the place where the vendor "
        "sends it. If no call of the vendor shows the initial value, declare `shows_initial=False`.",
    ),
    read_promise(
        "M2",
        "`balance` returns the value that is left on the voucher now.",
        "Return `remaining` from the reply that has it. If the reply of `find` does not have it, override `balance`.",
        requires(Operation.BALANCE),
    ),
    read_promise(
        "M3",
        "No amount passes through a binary float.",
        "Decode JSON with `Response.json` or `decode`, which return `Decimal`. Never call `float()` on an amount.",
        wire=True,
    ),
    read_promise(
        "M4",
        "An amount with more decimals than its currency has raises `MalformedResponse`. Nothing is rounded.",
        "Make money with `money_from` or `Money`, which refuse such amounts. Never quantize or round.",
        wire=True,
    ),
    read_promise(
        "M5",
        "An amount that the vendor computed in floats (29.990000000000002) is read as the intended cent, or raises "
        "`MalformedResponse`.",
        "Declare the dialect `JsonNumber` for amounts that come as JSON numbers. It accepts a difference below 1e-9.",
        wire=True,
    ),
    read_promise(
        "M6",
        "A currency that does not exist raises `MalformedResponse`.",
        "Read the currency with the wire type `Currency`, or with `money_from`.",
        _own_currency,
        wire=True,
    ),
    read_promise(
        "M7",
        "An amount of a currency with 0 or 3 decimals, such as JPY or KWD, has the decimals of its currency.",
        "Make money with `money_from`, or from minor units with `Money.from_minor`. Never divide or multiply by 100. "
        "If the vendor writes two decimals in every currency, declare `AmountRules(decimals=2)`.",
        requires_all(
            _own_currency,
            requires_that(
                lambda declared: declared.amounts.decimals is None,
                "the vendor writes the same decimals in all currencies",
            ),
        ),
        wire=True,
        may_stay_untried=True,
    ),
    read_promise(
        "T1",
        "Every instant is an aware datetime in UTC.",
        "Read timestamps with `parse_instant`.",
    ),
    read_promise(
        "T2",
        "The end of validity is the vendor's, to the last digit that the vendor shows. A voucher without an end has "
        "None.",
        "Map the vendor's expiry to `valid_until` in every reply that has it. Do not cut it to a day.",
    ),
    read_promise(
        "T3",
        "A timestamp without an offset raises `MalformedResponse`, because its moment is not known.",
        "Read timestamps with `parse_instant`, never with `datetime.fromisoformat` alone.",
        wire=True,
    ),
    read_promise(
        "T4",
        "A second 60 is read only where RFC 3339 allows a leap second: at 23:59:60 UTC on the last day of June or "
        "December. Anywhere else it raises `MalformedResponse`.",
        "Read timestamps with `parse_instant`, which takes the offset into account.",
        wire=True,
    ),
    read_promise(
        "T5",
        "An instant is the same moment in every offset that the vendor writes it with.",
        "Read timestamps with `parse_instant`, which converts them to UTC. Never cut or replace the offset.",
        wire=True,
    ),
)
"""The promises of the read level about single vouchers."""
