"""The promises of the read level: R reading, M money, T time, P paging, D declaration."""

from __future__ import annotations

from typing import Final

from voucher_gateway.capabilities import Capabilities, Operation, Support
from voucher_gateway.conformance import Level
from voucher_gateway.testing.promises.promise import Applies, Promise, always, requires


def _read(
    number: str,
    says: str,
    advice: str,
    applies: Applies = always,
    *,
    wire: bool = False,
    fault: str | None = None,
) -> Promise:
    return Promise(number, Level.READ, says, advice, applies, wire, fault)


def _readable(declared: Capabilities) -> str | None:
    return None if declared.codes.readable else "the vendor does not return codes"


def _own_currency(declared: Capabilities) -> str | None:
    return None if declared.currency_from == "voucher" else "every voucher has the currency of its account"


def _filters(declared: Capabilities) -> str | None:
    return requires(Operation.VOUCHERS)(declared) or (
        None if declared.listing.filters else "no common filter is declared"
    )


def _native_filters(declared: Capabilities) -> str | None:
    lists = requires(Operation.VOUCHERS)(declared)
    return lists or (None if declared.listing.native_filters else "no native filter is declared")


def _sortable(declared: Capabilities) -> str | None:
    return requires(Operation.VOUCHERS)(declared) or (
        None if declared.listing.sortable else "the listing cannot be sorted"
    )


def _most_a_page(declared: Capabilities) -> str | None:
    return requires(Operation.VOUCHERS)(declared) or (
        None if declared.listing.max_page_size is not None else "no maximum page size is declared"
    )


def _lacks_something(declared: Capabilities) -> str | None:
    lacking = [operation for operation in Operation if declared.of(operation).support is not Support.NATIVE]
    return None if lacking or not declared.can_overwrite_value else "everything is declared native"


READ_LEVEL: Final = (
    _read(
        "R1",
        "`find` returns the voucher that has the code.",
        "Return the vendor's id of the voucher, the account's name, and the code if the vendor shows it.",
    ),
    _read(
        "R2",
        "`find` returns only a voucher with exactly this code. A prefix, another case, added blanks or a wildcard "
        "find nothing.",
        "Compare the code in the vendor's reply with the requested code, character by character, before you return "
        "the voucher. If the vendor hides codes, use a call that looks up the exact code.",
    ),
    _read(
        "R3",
        "Codes and ids may contain any character. They reach the vendor unchanged.",
        "Build paths with `Path.of` and queries with `Request(query=...)`, which percent-encode each part. Raise "
        "`InvalidRequest` for a code or id that cannot be sent.",
    ),
    _read(
        "R4",
        "`get` returns the voucher with the id, and with the same content as `find`.",
        "Map the replies of both calls with the same function.",
    ),
    _read(
        "R5",
        "An unknown code or id raises `VoucherNotFound`, which names the account and the operation.",
        "Raise `VoucherNotFound` for the reply by which the vendor says that there is no such voucher, such as a 404 "
        "in the vendor's documented shape or an empty list. `ApiCalls.voucher_not_found_on_404` does this for a 404.",
    ),
    _read(
        "R6",
        "Codes and PINs can be read back if the provider declares so.",
        "Return code and PIN from `get(id, secrets=True)`, or declare `CodeRules(readable=False)`.",
        _readable,
    ),
    _read(
        "R7",
        "The status is the vendor's.",
        "Map each word of the vendor to one `Status`. Use None only for a vendor that has no status. If a word means "
        "something else at this vendor, set `statuses` of the contract class.",
    ),
    _read(
        "R8",
        "A value that the vendor adds to an enumeration later becomes `unknown`. It stays readable in `raw`.",
        "Read the vendor's enumerations with a table that falls back to the UNKNOWN member. Do not raise an error for "
        "a new value.",
        wire=True,
    ),
    _read(
        "R9",
        "Everything that the vendor sends is kept. New members cause no error and stay in `raw`. The numbers in `raw` "
        "are exact.",
        "Keep the vendor's object in `raw`, as `decode` returns it. Let your wire class ignore members that it does "
        "not know.",
        wire=True,
    ),
    _read(
        "R10",
        "A reply that breaks the vendor's contract raises `MalformedResponse`, or the broken part does not matter. It "
        "never becomes a wrong voucher or an error of another class.",
        "Read replies with a strict converter (`strict_converter`, `structure`). Do not assume that a member exists, "
        "and do not coerce a value.",
        wire=True,
    ),
    _read(
        "R11",
        "`history` returns every movement of a voucher. Amounts, directions, states, times, references and sums are "
        "the vendor's.",
        "Read every page. Map each kind of movement to its `MovementKind`, and its state to its `MovementState`. "
        "Keep amounts positive and references "
        "unchanged.",
        requires(Operation.HISTORY),
    ),
    _read(
        "R12",
        "`history` reports whether it is complete, and its time by the vendor's clock.",
        "Set `complete` only after every page was read and was consistent. Take `as_of` from the Date header of the "
        "reply (`Response.date`), never from the clock of this machine.",
        requires(Operation.HISTORY),
    ),
    _read(
        "R13",
        "Under every fault, a read returns the right answer or raises an error that tells the truth. It never returns "
        '"not found", an empty list or another value instead.',
        "Let errors of `HttpClient.read` through. Do not catch an error after which you cannot give the right answer. "
        "Raise `VoucherNotFound` only if the vendor itself says that there is no such voucher.",
    ),
    _read(
        "R22",
        'A 404 from a server in front of the vendor, such as a proxy, is not read as "no such voucher".',
        "Accept a 404 only in the shape and with the codes that the vendor documents. Let `explain` return None for "
        "any other body.",
        fault="foreign-404",
    ),
    _read(
        "R14",
        "If the vendor cannot answer, a read is repeated a few times at most. Then an error says so.",
        "Leave repeats to `HttpClient.read`. It counts them, and then raises `ProviderUnavailable`, `RateLimited` or "
        "`MalformedResponse`.",
        fault="error-before",
    ),
    _read(
        "R15",
        "If the vendor refuses the login, the error is an `AccessDenied`.",
        "Map 401 to `AuthenticationFailed`, and 403 to `MissingScope` or `AccessDenied`. `HttpClient` does this.",
        fault="unauthorized",
    ),
    _read(
        "R16",
        "One instance serves many threads at once, and does not mix up their calls.",
        "Keep no data of a call on the instance. Pass it through arguments and results.",
    ),
    _read(
        "R17",
        "After a fork, both processes can use the provider. Neither disturbs the other.",
        "Open connections only through `HttpClient` or `Database`, which reconnect in a child process. Close any "
        "other open resource, such as an SQLite file, before the fork (`os.register_at_fork(before=...)`).",
    ),
    _read(
        "R18",
        "Codes, PINs, secrets and tokens appear nowhere: not in logs at DEBUG, errors, reprs, pickled errors, "
        "tracebacks or the local variables of their frames.",
        "Wrap each of them under the same name as soon as it comes in (`code = Code.of(code)`). Keep them out of "
        "messages. Raise errors outside of an `except` block whose exception could hold one.",
    ),
    _read(
        "R19",
        "After `close`, no connection and no thread is left. A second `close` does no harm.",
        "Close your `HttpClient` (or engine) in `close`. Keep all connections in it.",
    ),
    _read(
        "R20",
        "A reply, an interim reply (1xx) or the rest of a reply never becomes the answer to another read.",
        "Send through `HttpClient`. Otherwise, use a connection again only after a reply that was read to its proper "
        "end.",
        fault="interim",
    ),
    _read(
        "R21",
        "A reply that is small on the wire and has millions of values is refused soon. It costs little memory.",
        "Send through `HttpClient` and read with `Response.json`. Both refuse more bytes and values than the settings "
        "allow. Pass `returns_page=True` only for lists.",
        fault="huge-reply",
    ),
    _read(
        "R24",
        "The tax, order, login, origin and links of a voucher are the same by code, by id and in the list. "
        "`presentation` shows the voucher that has the code.",
        "Fill these fields of `Voucher` wherever you map a reply. Compare the code and the id of a presentation.",
    ),
    _read(
        "R23",
        "A negative amount of a voucher on the wire raises `MalformedResponse`. It never becomes the voucher's value.",
        "Make amounts with `money_from`, which refuses negative amounts.",
        wire=True,
    ),
    _read(
        "M1",
        "Every amount is the vendor's, to the last digit and in the right currency.",
        "Read amounts with an `AmountFormat` and `money_from`. Read the currency from the place where the vendor "
        "sends it. If no call of the vendor shows the initial value, declare `shows_initial=False`.",
    ),
    _read(
        "M2",
        "`balance` returns the value that is left on the voucher now.",
        "Return `remaining` from the reply that has it. If the reply of `find` does not have it, override `balance`.",
        requires(Operation.BALANCE),
    ),
    _read(
        "M3",
        "No amount passes through a binary float.",
        "Decode JSON with `Response.json` or `decode`, which return `Decimal`. Never call `float()` on an amount.",
        wire=True,
    ),
    _read(
        "M4",
        "An amount with more decimals than its currency has raises `MalformedResponse`. Nothing is rounded.",
        "Make money with `money_from` or `Money`, which refuse such amounts. Never quantize or round.",
        wire=True,
    ),
    _read(
        "M5",
        "An amount that the vendor computed in floats (29.990000000000002) is read as the intended cent, or raises "
        "`MalformedResponse`.",
        "Declare the dialect `JsonNumber` for amounts that come as JSON numbers. It accepts a difference below 1e-9.",
        wire=True,
    ),
    _read(
        "M6",
        "A currency that does not exist raises `MalformedResponse`.",
        "Read the currency with the wire type `Currency`, or with `money_from`.",
        _own_currency,
        wire=True,
    ),
    _read(
        "T1",
        "Every instant is an aware datetime in UTC.",
        "Read timestamps with `parse_instant`.",
    ),
    _read(
        "T2",
        "The end of validity is the vendor's, to the last digit that the vendor shows. A voucher without an end has "
        "None.",
        "Map the vendor's expiry to `valid_until` in every reply that has it. Do not cut it to a day.",
    ),
    _read(
        "T3",
        "A timestamp without an offset raises `MalformedResponse`, because its moment is not known.",
        "Read timestamps with `parse_instant`, never with `datetime.fromisoformat` alone.",
        wire=True,
    ),
    _read(
        "T4",
        "A second 60 is read only where RFC 3339 allows a leap second: at 23:59:60 UTC on the last day of June or "
        "December. Anywhere else it raises `MalformedResponse`.",
        "Read timestamps with `parse_instant`, which takes the offset into account.",
        wire=True,
    ),
    _read(
        "P1",
        "A listing returns every voucher once, across the borders of pages. Its report says so.",
        "Count pages as the vendor does (from 0 or 1, by number or offset). Pass the vendor's total to `Page`.",
        requires(Operation.VOUCHERS),
    ),
    _read(
        "P2",
        "A listing is lazy. Creating a listing sends nothing, and a limit requests no more pages than it needs.",
        "Return a `Listing` whose fetch function makes the request. Pass `limit=query.limit`.",
        requires(Operation.VOUCHERS),
    ),
    _read(
        "P3",
        "A listing keeps its limit.",
        "Pass `limit=query.limit` to the `Listing`.",
        requires(Operation.VOUCHERS),
    ),
    _read(
        "P4",
        "An interrupted listing continues where it stopped, and only for the same query.",
        "Pass `resume=query.resume` to the `Listing`, and `scope=query.fingerprint(...)` with account, host and page "
        "size.",
        requires(Operation.VOUCHERS),
    ),
    _read(
        "P5",
        "Vouchers that appear while a list is read hide no other voucher. They are returned at most once.",
        "Request the oldest first if the vendor can sort. Use one worker if new vouchers come first. Let `Listing` "
        "drop vouchers that come twice.",
        requires(Operation.VOUCHERS),
        fault="insert-while-paging",
    ),
    _read(
        "P6",
        "Every declared filter works: a listing returns all vouchers that match, and no others. A fraction of a "
        "second counts.",
        "Send the filter under the vendor's name and in the vendor's format, or remove it from "
        "`ListingRules.filters`. If the vendor accepts whole seconds only, round a lower bound up.",
        _filters,
    ),
    _read(
        "P7",
        "A filter or an order that the vendor does not have is refused before any request.",
        "Compare `query.common()`, `query.native` and `query.newest_first` with your declaration. Raise "
        "`UnsupportedOperation` or `InvalidRequest`.",
        requires(Operation.VOUCHERS),
    ),
    _read(
        "P8",
        "A listing returns the vouchers in the requested order.",
        "Send the vendor's parameter for the order, or declare `sortable=False`.",
        _sortable,
    ),
    _read(
        "P9",
        "A page that cannot be read raises an error in its place. It is never the end of the list.",
        "Let the error of a page pass through the fetch function of the `Listing`. Do not return an empty page "
        "instead.",
        requires(Operation.VOUCHERS),
        fault="error-before",
    ),
    _read(
        "P10",
        "No request asks for a page above the vendor's limit.",
        "Compare `page_size` of the settings with `ListingRules.max_page_size` in its validator.",
        _most_a_page,
    ),
    _read(
        "P13",
        "A native filter with an impossible value (empty, or not a text) is refused before any request.",
        "Check the type and the form of each value in `query.native`, and raise `InvalidRequest`.",
        _native_filters,
    ),
    _read(
        "D1",
        "The declaration is complete and agrees with itself.",
        "Correct the fields of `Capabilities` that are named. State in the class itself for which `interface` it was "
        "built.",
    ),
    _read(
        "D2",
        "Settings are strict. An unknown, missing or wrongly typed key is refused, and a secret is not shown.",
        "Make `settings_type` a frozen attrs class with a type for every attribute. For secrets, use `SecretSource` "
        "with `converter=secret_source`.",
    ),
    _read(
        "D3",
        "Creating a provider sends nothing. Reading its capabilities or its host sends nothing.",
        "Move the request into the first call that needs it.",
    ),
    _read(
        "D4",
        "The capabilities at run time only narrow the declaration.",
        "Derive `capabilities` from `declared` with `with_support`. Remove support, and never add any.",
    ),
    _read(
        "D5",
        "`check` asks the vendor, or reports that it did not. It never reports that all is well if something is wrong.",
        "Make one cheap read in `check` and let its errors through. Set `asked=False` if the vendor has no such read.",
    ),
    _read(
        "D6",
        "An operation that is not declared raises `UnsupportedOperation`. Nothing is sent.",
        "Do not override the method of an operation that the vendor lacks. If a scope is missing, raise the error "
        "before the request.",
        _lacks_something,
    ),
)
"""Every promise of the read level."""
