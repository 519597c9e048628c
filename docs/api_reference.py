"""Write the pages of the API reference: which name is on which page. mkdocstrings puts the docstrings in.

`make docs` runs this. A test compares the pages with what this would write, so that no public name is missing.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Final

PAGES: Final = Path(__file__).parent / "api"

GATEWAY: Final = (
    "Gateway",
    "AsyncGateway",
    "AsyncPayment",
    "AsyncSale",
    "Account",
    "FindResult",
    "CodeCheck",
    "CheckLimits",
    "Resolution",
    "OperationRecord",
    "OperationKey",
    "OperationState",
    "Journal",
    "VoucherMove",
    "Explanation",
    "ExplanationReason",
    "ExplainedVoucher",
    "StoryEvent",
    "LookupHint",
    "Sale",
    "SaleState",
    "SaleRecord",
    "Revocation",
    "RevocationMethod",
    "Config",
    "AccountConfig",
    "AccountSource",
    "AccountCache",
    "write_first_config",
    "connect_account",
    "NewLogin",
    "diagnose_accounts",
    "AccountDiagnosis",
    "diagnose_journal",
    "JournalDiagnosis",
    "reconcile",
    "Reconciliation",
    "Finding",
    "FindingKind",
    "copy_journal",
    "mark_restored",
    "import_missing_movements",
    "RestoreSummary",
    "PruneSummary",
    "ForgetSummary",
    "ArchiveSummary",
    "JournalStatus",
    "AccountPause",
    "AuditReport",
    "AuditDifference",
    "RowChange",
    "Event",
    "EventKind",
    "EventFeed",
    "AsyncEventFeed",
    "observe_gateway",
    "scrub_attributes",
    "scrub_url",
)
MONEY: Final = ("Money", "Code", "Pin", "Secret")
VOUCHERS: Final = ("Voucher", "Status", "Medium", "Validity", "Interval")
REQUESTS: Final = ("NewVoucher", "VoucherChanges", "VoucherQuery")
RESULTS: Final = (
    "Balance",
    "Reservation",
    "Redemption",
    "Refund",
    "Release",
    "TopUp",
    "Deletion",
    "History",
    "Movement",
    "MovementKind",
    "MovementState",
    "Listing",
    "ListingReport",
    "UnreadableEntry",
)
PRESENTATION: Final = ("Presentation", "Seller", "Branding", "DocumentLayout", "FooterColumn")
CAPABILITIES: Final = (
    "Capabilities",
    "Operation",
    "Support",
    "OperationSupport",
    "RepeatSafety",
    "AmountRules",
    "AmountKind",
    "CodeRules",
    "CodeNormalization",
    "OptionRule",
    "OptionType",
    "Expiry",
    "ListingRules",
    "ReservationRules",
    "RestAfterCapture",
    "RefundLink",
    "AccountCheck",
    "Outcome",
    "Effect",
    "Intent",
    "VoucherProvider",
)


# The verbs of the gateway are defined in its base classes.
_OPTIONS: Final = {"Gateway": "\n    options:\n      inherited_members: true"}


def documented_names(package: str) -> list[str]:
    """Return the public classes and functions of a package; its constants are named in the text of the pages."""
    module = importlib.import_module(package)
    values = {name: getattr(module, name) for name in module.__all__}
    return [name for name, value in values.items() if inspect.isclass(value) or inspect.isfunction(value)]


def path_of(package: str, name: str) -> str:
    """Return the dotted path of the definition of a public name."""
    return f"{getattr(importlib.import_module(package), name).__module__}.{name}"


def names_below(*packages: str) -> list[str]:
    """Return the public names that are defined below some packages."""
    root = "voucher_gateway"
    return [name for name in documented_names(root) if path_of(root, name).startswith(packages)]


def page(title: str, intro: str, *parts: str) -> str:
    """Return the text of a page."""
    return "\n\n".join((f"# {title}", intro, *parts)) + "\n"


def entries(package: str, names: tuple[str, ...] | list[str]) -> str:
    """Return the directives of mkdocstrings for names of one package."""
    return "\n\n".join(f"::: {path_of(package, name)}{_OPTIONS.get(name, '')}" for name in names)


def table(package: str) -> str:
    """Return a table of the public classes and functions of a package, with the first sentence of each docstring."""
    rows = []
    for name in documented_names(package):
        path = path_of(package, name)
        sentence = (inspect.getdoc(getattr(importlib.import_module(package), name)) or "").split("\n\n")[0]
        rows.append(f"| [`{name}`][{path}] | {' '.join(sentence.split())} |")
    return "\n".join(("| name | what it is |", "|---|---|", *rows))


def reference_pages() -> dict[str, str]:
    """Return the text of each page of the API reference by its file name."""
    root = "voucher_gateway"
    errors = [name for name in documented_names(root) if path_of(root, name).startswith("voucher_gateway.errors")]
    payments = names_below(f"{root}.payments")
    sales = names_below(f"{root}.sales", f"{root}.checks")
    values = (*MONEY, *VOUCHERS, *REQUESTS, *RESULTS, *PRESENTATION)
    grouped = {*GATEWAY, *payments, *sales, *values, *CAPABILITIES, *errors}
    missing = sorted(set(documented_names(root)) - grouped)
    if missing:
        raise SystemExit(f"no page of the API reference has {', '.join(missing)}: add them to docs/api_reference.py")
    known = {path_of(root, name) for name in documented_names(root)}
    provider = [
        name for name in documented_names(f"{root}.provider_api") if path_of(f"{root}.provider_api", name) not in known
    ]
    return {
        "gateway.md": page(
            "Gateway",
            "One object for all accounts. Threads may share it. Every changing method takes a `reference`, which is an"
            " idempotency key: make it and commit it before the call.",
            entries(root, GATEWAY),
        ),
        "payments.md": page(
            "Payments and sales",
            "An order that is paid with several vouchers and another means, the sale of vouchers, and the check of"
            " codes in the front of a shop. All of them need a journal.",
            "## The payment of an order",
            entries(root, payments),
            "## Sales and checks",
            entries(root, sales),
        ),
        "values.md": page(
            "Values and results",
            "Immutable objects: what you give to the gateway, and what it returns. Amounts are decimals. Instants"
            " are in UTC.",
            "## Money and secrets",
            entries(root, MONEY),
            "## Vouchers",
            entries(root, VOUCHERS),
            "## Requests",
            entries(root, REQUESTS),
            "## Results",
            entries(root, RESULTS),
            "## Presentation",
            entries(root, PRESENTATION),
        ),
        "errors.md": page(
            "Errors",
            "What each error means for the caller is explained on [Errors and outcomes](../errors.md).",
            entries(root, errors),
        ),
        "capabilities.md": page(
            "Capabilities",
            "What a vendor can do, and how safely, as data.",
            entries(root, CAPABILITIES),
        ),
        "migration.md": page(
            "Moving vouchers",
            "Everything of `voucher_gateway.migration`. [Moving vouchers](../migration.md) explains how to use it.",
            entries(f"{root}.migration", documented_names(f"{root}.migration")),
        ),
        "reports.md": page(
            "Reports",
            "Everything of `voucher_gateway.reports`. [Reports](../reports.md) explains what the figures mean.",
            entries(f"{root}.reports", documented_names(f"{root}.reports")),
        ),
        "provider.md": page(
            "For providers",
            "`voucher_gateway.provider_api` is what a provider imports: these names, and nothing else of the library."
            " [Adding a provider](../adding-a-provider.md) is the guide.",
            table(f"{root}.provider_api"),
            "The names that are on no other page follow.",
            entries(f"{root}.provider_api", provider),
        ),
        "testing.md": page(
            "For simulators and tests",
            "[The contract](../contract.md), [the simulator kit](../simulator-kit.md) and [testing your"
            " checkout](../testing-your-checkout.md) are the guides.",
            "## voucher_gateway.testing",
            entries(f"{root}.testing", documented_names(f"{root}.testing")),
            "## voucher_gateway.simulator",
            entries(f"{root}.simulator", documented_names(f"{root}.simulator")),
        ),
    }


def write_pages() -> None:
    """Write all pages."""
    for name, text in reference_pages().items():
        (PAGES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_pages()
