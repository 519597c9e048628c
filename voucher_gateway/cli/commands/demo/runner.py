"""Runs the script of the demo step by step, shows each statement, and compares the sums with the vendors."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from rich.padding import Padding
from rich.text import Text

from voucher_gateway.cli.errors import error_object
from voucher_gateway.cli.output import Output, printable
from voucher_gateway.cli.tables import TableColumn, print_rows, voucher_columns
from voucher_gateway.errors import OutcomeUnknown, VoucherGatewayError
from voucher_gateway.models.results import Redemption
from voucher_gateway.money import Money

if TYPE_CHECKING:
    from voucher_gateway.execution.recovery import Resolution
    from voucher_gateway.gateway.find import FindResult
    from voucher_gateway.models.voucher import Voucher
    from voucher_gateway.payments.payment import Payment
    from voucher_gateway.payments.rows.refund_records import PaymentRefund
    from voucher_gateway.simulator import RunningSimulator


_WIDTH: Final = 100
"""The maximum width of sentences, in columns."""

_NEXT: Final = {
    "voucher-gateway init jtl": "a first configuration",
    "voucher-gateway simulate jtl --vouchers 100": "a simulated vendor",
    "voucher-gateway providers": "what each provider can do",
    "voucher-gateway connect jtl --help": "a login at the real vendor",
    "voucher-gateway doctor": "whether your configuration works",
}

Line = tuple[str, str]
"""An account and a currency."""


class Demo:
    """Runs the steps of the script, and prints them for people, or as JSON events, one a line.

    It adds up the amounts in the results of the calls, never the requested amounts. At the end it compares the sums
    with the ledgers of the vendors.

    Args:
        output: prints the events.
        vendors: the simulators, by account.

    Attributes:
        ticket: the ticket of the last call whose outcome was unknown.
    """

    def __init__(self, output: Output, vendors: Mapping[str, RunningSimulator]) -> None:
        self.ticket = ""
        self._output = output
        self._vendors = vendors
        self._steps = 0
        self._sums: dict[Line, dict[str, Money]] = defaultdict(dict)
        self._counted = ("", 0)

    def run(self, step: Callable[..., object], names: dict[str, Any]) -> None:
        """Show the statements of a step, and run each after it was shown.

        Args:
            step: a function of the script.
            names: the names that its statements can use. The names that they assign are added.
        """
        title, _, text = (inspect.getdoc(step) or "").partition("\n\n")
        self._begin(title.removesuffix("."), " ".join(text.split()))
        source = textwrap.dedent(inspect.getsource(step))
        function = ast.parse(source).body[0]
        assert isinstance(function, ast.FunctionDef)
        for statement in function.body[1:]:  # the first is the docstring
            if isinstance(statement, ast.Return):
                continue
            for part in statement.body if isinstance(statement, ast.With) else [statement]:
                code = _source_of(source, part)
                if not code.startswith("demo."):
                    self._show_code(code)
            module = ast.Module(body=[statement], type_ignores=[])
            exec(compile(module, "demo_script", "exec"), names)  # noqa: S102 - the script is a part of this package
            names["ticket"] = self.ticket

    def say(self, sentence: str) -> None:
        """Print a sentence about the result of a call."""
        if self._output.as_json:
            self._output.object({"says": sentence})
        else:
            self._print_indented(printable(sentence))

    def say_addresses(self) -> None:
        """Print the addresses of the simulators."""
        for account, vendor in self._vendors.items():
            self.say(f"{account} is at {vendor.announcement['base_url']}")

    def say_found(self, result: FindResult) -> None:
        """Print which account has the code."""
        assert result.voucher is not None
        self.say(f"{result.voucher.code} is a voucher of {result.voucher.account}. No other vendor received the code.")

    def say_resolution(self, resolution: Resolution) -> None:
        """Print the outcome of a call."""
        assert isinstance(resolution.result, Redemption)
        self.say(f"The call {resolution.state.value}: the vendor shows it as {resolution.result.id}.")

    def say_legs(self, payment: Payment) -> None:
        """Print what each voucher of a payment pays."""
        for leg in payment.legs:
            self.say(f"{leg.hint} of {leg.account} is {leg.state} for {leg.amount}.")

    def note_taken(self, payment: Payment) -> None:
        """Add what a payment took of its vouchers to the sums."""
        for leg in payment.legs:
            assert leg.taken is not None
            self.note(leg.account, "taken", leg.taken)
        self.say(f"Taken from the vouchers: {payment.captured}.")

    def note_parts(self, refund: PaymentRefund, payment: Payment) -> None:
        """Add what a payment gave back to its vouchers to the sums."""
        accounts = {leg.number: leg.account for leg in payment.legs}
        for part in refund.parts:
            if part.leg in accounts:
                self.note(accounts[part.leg], "given back", part.amount)
                self.say(f"Given back at {accounts[part.leg]}: {part.amount}.")

    def print_vouchers(self, vouchers: Sequence[Voucher]) -> None:
        """Print vouchers of any accounts in one table."""
        if self._output.as_json:
            for voucher in vouchers:
                self._output.object({"voucher": voucher})
        else:
            self._print_rows(vouchers, voucher_columns(account=True))

    def note_issued(self, *vouchers: Voucher) -> None:
        """Add the values of new vouchers to the sums."""
        for voucher in vouchers:
            assert voucher.initial is not None
            self.note(voucher.account, "issued", voucher.initial)

    def note(self, account: str, column: str, money: Money) -> None:
        """Add an amount to the sums."""
        sums = self._sums[account, money.currency]
        sums[column] = sums.get(column, Money.zero(money.currency)) + money

    def count_requests(self, account: str) -> None:
        """Begin to count the requests that reach a vendor."""
        self._counted = (account, len(self._vendors[account].requests))

    def say_requests(self, sentence: str = "") -> None:
        """Print how many requests have reached the vendor since `count_requests`."""
        account, before = self._counted
        requests = len(self._vendors[account].requests) - before
        self.say(f"{sentence}Requests that reached the vendor: {requests}.")

    def inject_fault(self, account: str, fault: str, match: str) -> None:
        """Inject a fault at a vendor, once."""
        self._vendors[account].inject(fault, match)

    @contextmanager
    def expect(self, kind: type[VoucherGatewayError]) -> Iterator[None]:
        """Print the error that a call raises."""
        try:
            yield
        except kind as error:
            if isinstance(error, OutcomeUnknown):
                self.ticket = error.ticket.to_json()
            if self._output.as_json:
                self._output.object({"raises": error_object(error)})
            else:
                self._print_indented(printable(f"{type(error).__name__}: {error.message}"), "yellow")
        else:
            raise AssertionError(f"no {kind.__name__} was raised")

    def ledger_balance(self, account: str, currency: str) -> Money:
        """Return the sum of the remaining values in the ledger of a vendor, in one currency."""
        balance = Money.zero(currency)
        for voucher in self._vendors[account].ledger():
            if voucher["currency"] == currency:
                # JTL writes two decimals for every currency; for yen they are zeros
                amount = str(voucher["remaining"])
                balance += Money(amount.removesuffix(".00") if currency == "JPY" else amount, currency)
        return balance

    def compare(self) -> bool:
        """Compare the sums with the ledgers of the vendors; return whether they agree to the cent."""
        self._begin("Count the money", "The sums of the results, compared with the ledger of each vendor.")
        lines = list(self._sums)
        columns: list[TableColumn[Line]] = [
            TableColumn("account", itemgetter(0)),
            *(self._sum_column(name, sign) for name, sign in _SIGNS.items()),
            TableColumn("left", self._balance_to_expect, right=True),
            TableColumn("vendor has", self._balance_of_line, right=True),
        ]
        self._print_rows(lines, columns)
        agrees = all(self._balance_to_expect(line) == self._balance_of_line(line) for line in lines)
        self.say("The sums agree to the cent." if agrees else "The sums do not agree. Please report this.")
        return agrees

    def say_what_next(self) -> None:
        """Print the commands to try next."""
        self._begin("Try next", "")
        for command, purpose in _NEXT.items():
            self.say(f"{command:<48}  {purpose}")

    def _sum_column(self, name: str, sign: str) -> TableColumn[Line]:
        def text(line: Line) -> str:
            amount = self._sums[line].get(name, Money.zero(line[1]))
            return f"{sign} {amount.amount:f}" if sign else str(amount)

        return TableColumn(name, text, right=True)

    def _balance_of_line(self, line: Line) -> Money:
        return self.ledger_balance(*line)

    def _balance_to_expect(self, line: Line) -> Money:
        left = Money.zero(line[1])
        for column, money in self._sums[line].items():
            left = left - money if _SIGNS[column] == "-" else left + money
        return left

    def _begin(self, title: str, text: str) -> None:
        self._steps += 1
        if self._output.as_json:
            self._output.object({"step": self._steps, "title": title, "text": text})
            return
        self._output.show("", Text(f"{self._steps}. {title}", "bold"))
        if text:
            self._print_indented(printable(text))

    def _show_code(self, code: str) -> None:
        if self._output.as_json:
            self._output.object({"call": code})
        else:
            first, *rest = code.split("\n")
            self._print_indented("\n".join([f">>> {first}", *(f"... {line}" for line in rest)]), "cyan")

    def _print_rows(self, rows: Iterable[Any], columns: Sequence[TableColumn[Any]]) -> None:
        if self._output.as_json:
            for row in rows:
                self._output.object({column.title: column.cell(row) for column in columns})
        else:
            self._output.show("")
            print_rows(self._output, rows, columns)
            self._output.show("")

    def _print_indented(self, text: str, style: str = "") -> None:
        self._output.show(Padding(Text(text, style, overflow="fold"), (0, 0, 0, 3)), width=_WIDTH)


_SIGNS: Final = {"issued": "", "topped up": "+", "taken": "-", "given back": "+"}
"""The columns of the sums, and the sign with which each changes the remaining value."""


def _source_of(source: str, statement: ast.stmt) -> str:
    """Return the source of a statement of a function, without the indentation of the function."""
    lines = source.split("\n")[statement.lineno - 1 : statement.end_lineno]
    return textwrap.dedent("\n".join(lines)).partition("  # ")[0]
