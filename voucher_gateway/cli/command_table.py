"""The table of all commands, and how the module of a command is imported when the command is used.

The table holds the line of help that ``voucher-gateway --help`` shows: the first sentence of the command's docstring. A
test keeps both equal. So the help, the version and the completion of command names import no command.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ClassVar, Final, cast

import typer
from typer.core import TyperCommand, TyperGroup

Panels = Mapping[str, Mapping[str, tuple[str, str]]]
"""Commands by the heading that they stand under in the help: ``module:function`` and the line of help of each."""

_OPERATIONS: Final[Panels] = {
    "Commands": {
        "list": ("journal.operations:list_operations", "List the operations of the journal, the newest first."),
        "show": ("journal.operations:show_operation", "Show one operation: its outcome, its attempts and its result."),
        "decide": ("journal.decide:decide", "Record what a person found out about an operation that stays unknown."),
        "backup": ("journal.operations:backup", "Copy an SQLite journal into a file, while it is in use."),
    }
}
_JOURNAL: Final[Panels] = {
    "Commands": {
        "prune": (
            "journal.upkeep:prune",
            "Remove the details of operations, payments and sales that are over and old.",
        ),
        "archive": ("journal.upkeep:archive", "Write what a prune would remove into a new file."),
        "forget": ("journal.upkeep:forget", "Erase what the journal has of one order, for data protection."),
        "status": ("journal.upkeep:status", "Show how large the journal is, how far it reaches back, and its schemas."),
        "upgrade": ("journal.upkeep:upgrade", "Upgrade the tables of the journal to this version, or say what is due."),
    }
}
_AUDIT: Final[Panels] = {
    "Commands": {
        "verify": (
            "journal.audit:verify",
            "Find rows of the journal that were changed, removed or inserted by something else than this library.",
        ),
        "anchor": (
            "journal.audit:anchor",
            "Print one line that shows later whether the journal was replaced by an older copy.",
        ),
    }
}
_PAYMENTS: Final[Panels] = {
    "Commands": {
        "list": ("orders.payments:list_payments", "List the payments of orders, the newest first."),
        "show": (
            "orders.payments:show_payment",
            "Show the payment of an order: its legs, its refunds and its operations.",
        ),
        "resume": (
            "orders.payments:resume",
            "Continue what was begun with a payment: an authorization, a capture, a cancellation or a refund.",
        ),
        "cancel": ("orders.payments:cancel", "Cancel a payment: release what is held, and give back what was taken."),
        "refund": ("orders.payments:refund", "Give an amount of a captured payment back, or go on with that."),
    }
}
_MIGRATE: Final[Panels] = {
    "Commands": {
        "plan": (
            "migrate.plan:plan",
            "Plan how the vouchers of SOURCE go to TARGET, and say what becomes of each.",
        ),
        "run": (
            "migrate.run:run",
            "Carry a plan out, or go on where it was broken off: killed at any moment, nothing is moved twice or lost.",
        ),
        "status": (
            "migrate.status:status",
            "Say how far a plan is: what stands where, in money, what is in doubt, and who works on it now.",
        ),
        "pause": (
            "migrate.status:pause",
            "Stop all processes that work on a plan, on every machine, after the vouchers that are in progress.",
        ),
        "verify": (
            "migrate.verify:verify",
            "Read both sides again and prove it, without asking the run's own records.",
        ),
        "certificate": (
            "migrate.certificate:certificate",
            "Certify a migration for people who sign: the whole source, the target, the difference, and who did what.",
        ),
        "codes": (
            "migrate.codes:codes",
            "List the vouchers that were moved under another code, for letters to their owners.",
        ),
        "rollback": (
            "migrate.run:rollback",
            "Bring back to the source what was moved, and list what cannot be brought back and why: spent since, say.",
        ),
    }
}
_SELL: Final[Panels] = {
    "Commands": {
        "prepare": ("orders.sell:prepare", "Open the sale of a voucher, and issue the voucher inactive."),
        "fulfil": ("orders.sell:fulfil", "Make the voucher of a sale spendable, after the payment."),
        "delivered": (
            "orders.sell:delivered",
            "Say that the buyer has the code, or that the printer has all codes of a batch.",
        ),
        "revoke": (
            "orders.sell:revoke",
            "Stop the voucher of a sale from being spent, and say what was spent until then: the shop's loss.",
        ),
        "restore": ("orders.sell:restore", "Take a revocation back, such as after a chargeback that the shop won."),
        "show": (
            "orders.sell:show",
            "Show a sale: how far it is, why it waits, and its code until that was delivered.",
        ),
        "list": ("orders.sell:list_sales", "List the sales, the newest first."),
        "batch": (
            "orders.sell_batch:batch",
            "Make COUNT equal vouchers, such as for a printer, and write their codes into a file.",
        ),
    }
}
_ACCOUNTS: Final[Panels] = {
    "Commands": {
        "list": (
            "accounts.accounts:accounts",
            "List the accounts of the configuration, with their providers and logins.",
        ),
        "pause": (
            "accounts.pauses:pause",
            "Pause an account: within 5 seconds, no process with this journal begins anything new at its vendor.",
        ),
        "resume": ("accounts.pauses:resume", "End the pause of an account."),
    }
}
_EVENTS: Final[Panels] = {
    "Commands": {
        "list": ("journal.events:list_events", "List what happened, the oldest event first."),
        "follow": ("journal.events:follow_events", "Print what happens, event by event, until it is stopped."),
    }
}
GROUPS: Final[Mapping[str, Panels]] = {
    "accounts": _ACCOUNTS,
    "operations": _OPERATIONS,
    "journal": _JOURNAL,
    "events": _EVENTS,
    "audit": _AUDIT,
    "payments": _PAYMENTS,
    "migrate": _MIGRATE,
    "sell": _SELL,
}
"""Commands that have commands."""

_DEFAULTS: Final = {"accounts": "list"}
"""The command of a group that runs where none is given."""

COMMANDS: Final[Panels] = {
    "Start here": {
        "demo": ("demo.demo:demo", "Show the guarantees of this library with two simulated vendors, in a few seconds."),
        "init": ("accounts.accounts:init", "Write a first configuration, with comments."),
        "accounts": ("", "List the accounts of the configuration, and pause and resume them."),
        "providers": ("accounts.providers:providers", "List the installed providers, and what each vendor can do."),
        "doctor": (
            "accounts.doctor:doctor",
            "Test the accounts and the journal: reachable, credentials, rights, clock.",
        ),
        "connect": (
            "accounts.connect:connect",
            "Exchange the PIN that a vendor shows for a login, and print the account.",
        ),
        "simulate": ("demo.simulate:simulate", "Run a simulator of a vendor's API on this machine until interrupted."),
        "new-provider": ("accounts.providers:new_provider", "Create a project for a provider of another vendor."),
    },
    "Look": {
        "list": ("vouchers.read:list_vouchers", "List the vouchers of an account."),
        "show": ("vouchers.read:show", "Show everything that is known of one voucher, by --id or by --code."),
        "find": ("vouchers.read:find", "Find out which account a code belongs to."),
        "check": ("vouchers.check:check", "Check a code that a customer typed, with limits against guessing."),
        "balance": ("vouchers.read:balance", "Show what a voucher is worth now, and until when."),
        "history": ("vouchers.read:history", "List what happened to a voucher, the oldest first."),
        "explain": ("vouchers.explain:explain", "Say in one sentence why a voucher does not work, and tell its story."),
        "presentation": ("vouchers.read:presentation", "Show how the seller presents a voucher, for printing it."),
        "report": ("report:report", "Report what is owed on vouchers, by account, currency, expiry and age."),
        "snapshot": ("report:snapshot", "Store the balances of all vouchers as they are now, for later reports."),
    },
    "Issue": {
        "sell": ("", "Sell vouchers: prepare, fulfil after the payment, deliver once, revoke, and in bulk."),
        "issue": ("vouchers.write:issue", "Issue a voucher (vendors: create)."),
        "activate": ("vouchers.write:activate", "Make a voucher spendable (JTL: status)."),
        "deactivate": ("vouchers.write:deactivate", "Stop a voucher from being spent (JTL: status)."),
        "update": ("vouchers.write:update", "Change the data of a voucher, never its value."),
        "top-up": ("vouchers.write:top_up", "Add value to a voucher (JTL: recharge)."),
        "delete": ("vouchers.write:delete", "Delete a voucher permanently."),
    },
    "Spend": {
        "reserve": ("vouchers.spend:reserve", "Reserve value, to be captured or released later (loosely: a hold)."),
        "capture": ("vouchers.spend:capture", "Take the value that was reserved (JTL: charge)."),
        "release": ("vouchers.spend:release", "Give a reservation up."),
        "redeem": ("vouchers.spend:redeem", "Take value in one step."),
        "refund": ("vouchers.spend:refund", "Give a redemption back, all of it or a part."),
        "refundable": ("vouchers.spend:refundable", "Show how much of a redemption is left to give back."),
        "payments": ("", "List and show the payments of orders, and complete, cancel or refund one."),
    },
    "Move": {
        "export": (
            "transfer:export_vouchers",
            "Write all vouchers of ACCOUNT into FILE, read both again and compare them.",
        ),
        "import": (
            "transfer:import_vouchers",
            "Issue the vouchers of FILE at ACCOUNT, read both again and compare them.",
        ),
        "migrate": ("", "Move the vouchers of one account to another: plan it, run it, verify it."),
    },
    "In doubt": {
        "resolve": ("journal.resolve:resolve", "Find out what became of one operation."),
        "recover": (
            "journal.resolve:recover",
            "Find out what became of all that is in doubt, and complete what was decided.",
        ),
        "reconcile": ("journal.resolve:reconcile_accounts", "Compare the journal with what the vendors show."),
        "operations": ("", "List, show and decide the operations of the journal, and copy the journal."),
        "events": ("", "List and follow what happens to operations, payments and sales."),
    },
    "Keep": {
        "journal": ("", "Keep the journal small: remove what is over and old."),
        "audit": ("", "Verify that nothing but this library changed the journal."),
    },
}

PROGRAM: Final = "voucher-gateway"
HELP_OPTIONS: Final = {"help_option_names": ["-h", "--help"]}
_EXAMPLES: Final = "\n\nExamples:\n"
_TYPE_LABEL: Final = re.compile(r" <(str|path|list\[str\])>$")
"""The name of a Python type that Typer adds to an argument."""
_HEADING: Final = re.compile(r"^(Usage:|[A-Z][A-Za-z ]*:$)", re.MULTILINE)
_TERM: Final = re.compile(r"^  (\*?-[\w-]+(?:, --[\w-]+)*|[a-z][a-z-]*)(?=  |$| [A-Z\[<])", re.MULTILINE)


def split_docstring(function: Callable[..., Any]) -> tuple[str, str]:
    """Return the help of a command and its examples, from the docstring of its function.

    The examples are the lines after ``Examples:``; they are printed unchanged.
    """
    text, _, examples = (inspect.getdoc(function) or "").partition(_EXAMPLES)
    return text, f"\b{_EXAMPLES[1:]}{examples}" if examples else ""


class HelpCommand(TyperCommand):
    """A command whose help is for people who do not know Python, and has colours on a terminal."""

    def get_help(self, ctx: Any) -> str:
        """Return the help."""
        return _with_colours(super().get_help(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, without the names of Python types, and the options."""
        for heading, kind in (("Arguments", "argument"), ("Options", "option")):
            parameters = [parameter for parameter in self.get_params(ctx) if parameter.param_type_name == kind]
            records = [record for parameter in parameters if (record := parameter.get_help_record(ctx)) is not None]
            if records:
                with formatter.section(heading):
                    formatter.write_dl([(_TYPE_LABEL.sub("", name), text) for name, text in records])


class LazyCommand(HelpCommand):
    """A command whose module is imported when the command is used, not when its line of help is printed."""

    target = ""

    def load(self) -> TyperCommand:
        """Import the module and return the real command."""
        module, _, function = self.target.partition(":")
        callback = getattr(import_module(f"voucher_gateway.cli.commands.{module}"), function)
        text, examples = split_docstring(callback)
        app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        app.command(self.name, cls=HelpCommand, help=text, epilog=examples, context_settings=HELP_OPTIONS)(callback)
        command = typer.main.get_command(app)
        assert isinstance(command, TyperCommand)
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Parse the arguments for the real command, which is the one of the context."""
        return self.load().make_context(*args, **kwargs)

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters of the real command."""
        return self.load().get_params(ctx)


class LazyGroup(TyperGroup):
    """A group of commands from a table."""

    panels: ClassVar[Panels] = {}
    default: ClassVar[str | None] = None

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for commands in self.panels.values():
            for name, (target, line) in commands.items():
                self.add_command(_command(name, target, line))

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse the arguments, with the default command of the group where none is given."""
        return super().parse_args(ctx, [self.default] if self.default is not None and not args else args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - Typer's
        """Write the commands under their headings."""
        width = max(map(len, self.commands))
        for heading, commands in self.panels.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), line) for name, (_, line) in commands.items()])

    def get_help(self, ctx: Any) -> str:
        """Return the help."""
        return _with_colours(super().get_help(ctx))


def _command(name: str, target: str, line: str) -> TyperCommand | TyperGroup:
    settings: dict[str, Any] = {"name": name, "help": line, "rich_markup_mode": None}
    if name in GROUPS and not target:
        default = _DEFAULTS.get(name)
        group = type("Group", (LazyGroup,), {"panels": GROUPS[name], "default": default})
        return cast(TyperGroup, group(**settings, context_settings=HELP_OPTIONS, no_args_is_help=default is None))
    command = LazyCommand(**settings)
    command.target = target
    return command


class RootGroup(LazyGroup):
    """The group of all commands."""

    panels: ClassVar[Panels] = COMMANDS


def _with_colours(text: str) -> str:
    """Return a help text with its headings and terms in colour, where stdout is a terminal that wants colours."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    text = _HEADING.sub(typer.style(r"\1", bold=True), text)
    return _TERM.sub("  " + typer.style(r"\1", fg="cyan"), text)
