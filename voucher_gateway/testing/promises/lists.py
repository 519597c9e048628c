"""The promises of the read level about lists and declarations: P paging, D declaration."""

from __future__ import annotations

from typing import Final

from voucher_gateway.capabilities import Capabilities, Operation, Support
from voucher_gateway.testing.promises.promise import requires
from voucher_gateway.testing.promises.read_level import read_promise


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


LISTS: Final = (
    read_promise(
        "P1",
        "A listing returns every voucher once, across the borders of pages. Its report says so.",
        "Count pages as the vendor does (from 0 or 1, by number or offset). Pass the vendor's total to `Page`.",
        requires(Operation.VOUCHERS),
    ),
    read_promise(
        "P2",
        "A listing is lazy. Creating a listing sends nothing, and a limit requests no more pages than it needs.",
        "Return a `Listing` whose fetch function makes the request. Pass `limit=query.limit`.",
        requires(Operation.VOUCHERS),
    ),
    read_promise(
        "P3",
        "A listing keeps its limit.",
        "Pass `limit=query.limit` to the `Listing`.",
        requires(Operation.VOUCHERS),
    ),
    read_promise(
        "P4",
        "An interrupted listing continues where it stopped, and only for the same query.",
        "Pass `resume=query.resume` to the `Listing`, and `scope=query.fingerprint(...)` with account, host and page "
        "size.",
        requires(Operation.VOUCHERS),
    ),
    read_promise(
        "P5",
        "Vouchers that appear while a list is read hide no other voucher. They are returned at most once.",
        "Request the oldest first if the vendor can sort. Use one worker if new vouchers come first. Let `Listing` "
        "drop vouchers that come twice.",
        requires(Operation.VOUCHERS),
        fault="insert-while-paging",
    ),
    read_promise(
        "P6",
        "Every declared filter works: a listing returns all vouchers that match, and no others. A fraction of a "
        "second counts.",
        "Send the filter under the vendor's name and in the vendor's format, or remove it from "
        "`ListingRules.filters`. If the vendor accepts whole seconds only, round a lower bound up.",
        _filters,
    ),
    read_promise(
        "P7",
        "A filter or an order that the vendor does not have is refused before any request.",
        "Compare `query.common()`, `query.native` and `query.newest_first` with your declaration. Raise "
        "`UnsupportedOperation` or `InvalidRequest`.",
        requires(Operation.VOUCHERS),
    ),
    read_promise(
        "P8",
        "A listing returns the vouchers in the requested order.",
        "Send the vendor's parameter for the order, or declare `sortable=False`.",
        _sortable,
    ),
    read_promise(
        "P9",
        "A page that cannot be read raises an error in its place. It is never the end of the list.",
        "Let the error of a page pass through the fetch function of the `Listing`. Do not return an empty page "
        "instead.",
        requires(Operation.VOUCHERS),
        fault="error-before",
    ),
    read_promise(
        "P10",
        "No request asks for a page above the vendor's limit.",
        "Compare `page_size` of the settings with `ListingRules.max_page_size` in its validator.",
        _most_a_page,
    ),
    read_promise(
        "P13",
        "A native filter with an impossible value (empty, or not a text) is refused before any request.",
        "Check the type and the form of each value in `query.native`, and raise `InvalidRequest`.",
        _native_filters,
    ),
    read_promise(
        "P14",
        "A voucher that cannot be read does not end a listing. The others come, and the listing names it by its id, or "
        "by its place if the id cannot be read.",
        "Read a page with `structure_page`, and map its vouchers with `map_entries`. Without them, put an "
        "`UnreadableEntry` in the place of a voucher that breaks the vendor's contract.",
        requires(Operation.VOUCHERS),
        wire=True,
    ),
    read_promise(
        "D1",
        "The declaration is complete and agrees with itself.",
        "Correct the fields of `Capabilities` that are named. State in the class itself for which `interface` it was "
        "built.",
    ),
    read_promise(
        "D2",
        "Settings are strict. An unknown, missing or wrongly typed key is refused, and a secret is not shown.",
        "Make `settings_type` a frozen attrs class with a type for every attribute. For secrets, use `SecretSource` "
        "with `converter=secret_source`.",
    ),
    read_promise(
        "D3",
        "Creating a provider sends nothing. Reading its capabilities or its host sends nothing.",
        "Move the request into the first call that needs it.",
    ),
    read_promise(
        "D4",
        "The capabilities at run time only narrow the declaration.",
        "Derive `capabilities` from `declared` with `with_support`. Remove support, and never add any.",
    ),
    read_promise(
        "D5",
        "`check` asks the vendor, or reports that it did not. It never reports that all is well if something is wrong.",
        "Make one cheap read in `check` and let its errors through. Set `asked=False` if the vendor has no such read.",
    ),
    read_promise(
        "D6",
        "An operation that is not declared raises `UnsupportedOperation`. Nothing is sent.",
        "Do not override the method of an operation that the vendor lacks. If a scope is missing, raise the error "
        "before the request.",
        _lacks_something,
    ),
)
"""The promises of the read level about lists and declarations."""
