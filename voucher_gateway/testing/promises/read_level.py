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
    return None if declared.codes.readable else "codes cannot be read back from this vendor"


def _own_currency(declared: Capabilities) -> str | None:
    return None if declared.currency_from == "voucher" else "all vouchers of an account have the account's currency"


def _filters(declared: Capabilities) -> str | None:
    return requires(Operation.VOUCHERS)(declared) or (
        None if declared.listing.filters else "no common filter is declared"
    )


def _native_filters(declared: Capabilities) -> str | None:
    lists = requires(Operation.VOUCHERS)(declared)
    return lists or (None if declared.listing.native_filters else "no filter of the vendor's own is declared")


def _sortable(declared: Capabilities) -> str | None:
    return requires(Operation.VOUCHERS)(declared) or (
        None if declared.listing.sortable else "the order of the list cannot be asked for"
    )


def _most_a_page(declared: Capabilities) -> str | None:
    return requires(Operation.VOUCHERS)(declared) or (
        None if declared.listing.max_page_size is not None else "no largest page is declared"
    )


def _lacks_something(declared: Capabilities) -> str | None:
    lacking = [operation for operation in Operation if declared.of(operation).support is not Support.NATIVE]
    return None if lacking or not declared.can_overwrite_value else "everything is declared native"


READ_LEVEL: Final = (
    _read(
        "R1",
        "`find` gives the voucher that has the code.",
        "Return the vendor's own id, the account's name, and the code if the vendor shows it.",
    ),
    _read(
        "R2",
        "A code finds only the voucher that has exactly this code: no prefix, no other case, no blanks, no wildcard.",
        "Compare the code of what the vendor sends with the code asked for, character by character, before you return "
        "it; where the vendor hides codes, use a call that looks up exactly.",
    ),
    _read(
        "R3",
        "Codes and ids may hold any character, and reach the vendor as they are.",
        "Build paths with `Path.of` and queries with `Request(query=...)`, which percent-encode each part; refuse what "
        "cannot be sent with InvalidRequest.",
    ),
    _read(
        "R4",
        "`get` returns the voucher with the id, with the same content as `find`.",
        "Map the replies of both calls with one function.",
    ),
    _read(
        "R5",
        "An unknown code or id is VoucherNotFound, with the account and the operation.",
        'Turn the vendor\'s way of saying "none" (a 404 in its own shape, an empty list) into VoucherNotFound; '
        "`ApiCalls.voucher_not_found_on_404` does so for a 404.",
    ),
    _read(
        "R6",
        "Codes and PINs can be read back where the provider says so.",
        "Return code and PIN from `get(id, secrets=True)`, or declare CodeRules(readable=False).",
        _readable,
    ),
    _read(
        "R7",
        "The status is the vendor's.",
        "Map active and inactive to Status.ACTIVE and Status.INACTIVE; None is for a vendor that has no such thing.",
    ),
    _read(
        "R8",
        "A word that the vendor adds one day becomes `unknown`, and stays readable in `raw`.",
        "Read the vendor's enumerations with a table that falls back to the UNKNOWN member; never raise on a new word.",
        wire=True,
    ),
    _read(
        "R9",
        "Nothing that the vendor sends is lost: new members do no harm and stay in `raw`, whose numbers are exact.",
        "Keep the vendor's own object in `raw`, as `decode` gives it, and let your wire class ignore what it does not "
        "know.",
        wire=True,
    ),
    _read(
        "R10",
        "A reply that breaks the vendor's contract is MalformedResponse, or does not matter; it never becomes a wrong "
        "voucher or an error of another kind.",
        "Read replies with a strict converter (`strict_converter`, `structure`): no member is taken for granted, none "
        "is coerced.",
        wire=True,
    ),
    _read(
        "R11",
        "`history` returns every movement of a voucher: amounts, directions, references and sums are the vendor's.",
        "Read every page, map each kind to its MovementKind, keep amounts positive and references as they are.",
        requires(Operation.HISTORY),
    ),
    _read(
        "R12",
        "`history` says whether it is whole, and when by the vendor's clock it was.",
        "Set complete only after every page was read and fitted; take as_of from the reply's own Date header "
        "(`Response.date`), never from this machine's clock.",
        requires(Operation.HISTORY),
    ),
    _read(
        "R13",
        'Whatever goes wrong while reading, the answer is right or an honest error: never "not found", never an empty '
        "list, never another value.",
        "Let errors of `HttpClient.read` pass; do not catch what you cannot answer for. Only the vendor's own word "
        "that there is no voucher is VoucherNotFound.",
    ),
    _read(
        "R22",
        'A 404 of something in front of the vendor is not read as "no such voucher".',
        "Accept a 404 only in the shape and with the codes that the vendor documents: let `explain` return None for any"
        " other body.",
        fault="foreign-404",
    ),
    _read(
        "R14",
        "A vendor that cannot answer is asked a few times at most, and then that is said.",
        "Leave repeats to `HttpClient.read`, which counts them and raises ProviderUnavailable, RateLimited or "
        "MalformedResponse in the end.",
        fault="error-before",
    ),
    _read(
        "R15",
        "A login that the vendor refuses is AccessDenied.",
        "Let 401 and 403 become AuthenticationFailed and MissingScope or AccessDenied; `HttpClient` does so.",
        fault="unauthorized",
    ),
    _read(
        "R16",
        "One instance serves many threads, and mixes nothing up.",
        "Keep nothing about a call on the instance: pass it through arguments and results.",
    ),
    _read(
        "R17",
        "After a fork both processes go on, and neither disturbs the other.",
        "Open no connection of your own outside `HttpClient` or `Database`, which reconnect in a child; what else is "
        "open, as to an SQLite file, must be closed before the fork (`os.register_at_fork(before=...)`).",
    ),
    _read(
        "R18",
        "Codes, PINs, secrets and tokens show nowhere: not in logs at DEBUG, errors, reprs, pickled errors, tracebacks "
        "or the local variables of their frames.",
        "Wrap them over the same name as soon as they come in (`code = Code.of(code)`), keep them out of messages, and "
        "raise errors outside of the `except` block whose exception could hold one.",
    ),
    _read(
        "R19",
        "`close` closes: no connection and no thread is left, and closing twice does no harm.",
        "Close your `HttpClient` (or engine) in `close`; keep all connections in it.",
    ),
    _read(
        "R20",
        "No reply, interim reply (1xx) or rest of a reply becomes the answer to another read.",
        "Send through `HttpClient`, or use a connection again only after a reply that was read to its proper end.",
        fault="interim",
    ),
    _read(
        "R21",
        "A reply that is small on the wire and has millions of values is refused soon, and costs little memory.",
        "Send through `HttpClient` and read with `Response.json`: both refuse more bytes and values than the settings "
        "allow. Say `returns_page=True` for lists only.",
        fault="huge-reply",
    ),
    _read(
        "R24",
        "What the vendor says beside the value is the same by code, by id and in the list: tax, order, login, origin "
        "and links. `presentation` shows the voucher that has the code.",
        "Fill these fields of `Voucher` where you map every reply; compare code and id of a presentation.",
    ),
    _read(
        "R23",
        "A voucher's amount that is negative on the wire is MalformedResponse, and never its value.",
        "Make amounts with `money_from`, which refuses negative ones.",
        wire=True,
    ),
    _read(
        "M1",
        "Every amount is the vendor's, to the last digit and in the right currency.",
        "Read amounts with an AmountFormat and `money_from`, and the currency from where the vendor says it.",
    ),
    _read(
        "M2",
        "`balance` is what is left on the voucher, now.",
        "Give `remaining` from the reply that has it; if the reply of `find` does not have it, override `balance`.",
        requires(Operation.BALANCE),
    ),
    _read(
        "M3",
        "No amount ever passes through a binary float.",
        "Decode JSON with `Response.json` or `decode`, which give Decimal; never call float() on an amount.",
        wire=True,
    ),
    _read(
        "M4",
        "An amount with more decimals than its currency has is MalformedResponse; nothing is rounded.",
        "Make money with `money_from` or Money, which refuse such amounts; never quantize or round.",
        wire=True,
    ),
    _read(
        "M5",
        "An amount computed in floats (29.990000000000002) is the cent that it means, or MalformedResponse.",
        "Declare the dialect JsonNumber for amounts that come as JSON numbers: it takes what is closer than 1e-9.",
        wire=True,
    ),
    _read(
        "M6",
        "A currency that does not exist is MalformedResponse.",
        "Read the currency with the wire type Currency, or with `money_from`.",
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
        "The end of validity is the vendor's, to the last digit that it shows; none is None.",
        "Map the vendor's expiry to valid_until in every reply that has it, without cutting it to a day.",
    ),
    _read(
        "T3",
        "A timestamp without an offset is MalformedResponse: it is not known which moment it means.",
        "Read timestamps with `parse_instant`, never with `datetime.fromisoformat` alone.",
        wire=True,
    ),
    _read(
        "T4",
        "A second 60 is read only where RFC 3339 allows a leap second: at 23:59:60 UTC on the last day of June or "
        "December. Anywhere else it is MalformedResponse.",
        "Read timestamps with `parse_instant`, which takes the offset into account.",
        wire=True,
    ),
    _read(
        "P1",
        "A listing gives every voucher once, across the borders of pages, and its report says so.",
        "Count pages as the vendor does (from 0 or 1, by number or offset), and give Page the vendor's total.",
        requires(Operation.VOUCHERS),
    ),
    _read(
        "P2",
        "A listing is lazy: making one sends nothing, and a limit asks for no more pages than it needs.",
        "Return a `Listing` whose fetch makes the request; pass `limit=query.limit`.",
        requires(Operation.VOUCHERS),
    ),
    _read(
        "P3",
        "A limit is kept.",
        "Pass `limit=query.limit` to the Listing.",
        requires(Operation.VOUCHERS),
    ),
    _read(
        "P4",
        "A listing that was left goes on where it stopped, and only for the query that it was.",
        "Pass `resume=query.resume` to the Listing, and `scope=query.fingerprint(...)` with account, host and page "
        "size.",
        requires(Operation.VOUCHERS),
    ),
    _read(
        "P5",
        "Vouchers that appear while a list is read hide none of the others, and come once at most.",
        "Ask for oldest first where the vendor can sort; use one worker where new vouchers come first; let "
        "Listing drop what comes twice.",
        requires(Operation.VOUCHERS),
        fault="insert-while-paging",
    ),
    _read(
        "P6",
        "Every filter that is declared filters: what fits is given, and nothing else; a fraction of a second counts.",
        "Send the filter under the vendor's name and in its format, or take it out of ListingRules.filters. If the "
        "vendor knows whole seconds only, round a lower bound up.",
        _filters,
    ),
    _read(
        "P7",
        "A filter or an order that the vendor lacks is refused before anything is sent.",
        "Compare `query.common()`, `query.native` and `query.newest_first` with what you declare, and raise "
        "UnsupportedOperation or InvalidRequest.",
        requires(Operation.VOUCHERS),
    ),
    _read(
        "P8",
        "The order that is asked for is the order that is given.",
        "Send the vendor's parameter for the order, or declare sortable=False.",
        _sortable,
    ),
    _read(
        "P9",
        "A page that cannot be read is an error in its place, never the end of the list.",
        "Let the error of a page pass through the fetch of the Listing; do not return an empty page instead.",
        requires(Operation.VOUCHERS),
        fault="error-before",
    ),
    _read(
        "P10",
        "A page is never asked for larger than the vendor's limit.",
        "Hold page_size of the settings against ListingRules.max_page_size in its validator.",
        _most_a_page,
    ),
    _read(
        "P13",
        "A native filter whose value cannot be one (empty, no text) is refused before anything is sent.",
        "Check the type and the form of each value in `query.native`, and raise InvalidRequest.",
        _native_filters,
    ),
    _read(
        "D1",
        "The declaration is complete and agrees with itself.",
        "Mend the fields of Capabilities that are named, and say in the class itself for which `interface` it was "
        "built.",
    ),
    _read(
        "D2",
        "Settings are strict: an unknown, missing or wrongly typed key is refused, and a secret does not show.",
        "Make settings_type a frozen attrs class with types for all attributes, and for secrets SecretSource with "
        "converter=secret_source.",
    ),
    _read(
        "D3",
        "Making a provider, looking at its capabilities or its host sends nothing.",
        "Move the request into the first call that needs it.",
    ),
    _read(
        "D4",
        "What is known at run time only narrows what was declared.",
        "Derive `capabilities` from `declared` with `with_support`, taking away, never adding.",
    ),
    _read(
        "D5",
        "`check` asks the vendor, or says that it did not; it never says that all is well where it is not.",
        "Make one cheap read in `check` and let its errors pass; set asked=False where none is to be had.",
    ),
    _read(
        "D6",
        "What is not declared raises UnsupportedOperation, and nothing is sent.",
        "Do not override what the vendor lacks; where a scope is missing, raise before the request.",
        _lacks_something,
    ),
)
"""Every promise of the read level."""
