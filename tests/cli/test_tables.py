"""Tables for people, in terminals of several widths and in pipes."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from operator import itemgetter

import pytest
from rich.cells import cell_len

from voucher_gateway.cli.output import Output, json_line
from voucher_gateway.cli.tables import (
    MOVEMENT_COLUMNS,
    TableColumn,
    details,
    fields_of,
    group_digits,
    print_rows,
    text_of,
    voucher_columns,
)
from voucher_gateway.provider_api import Code, Money, Movement, MovementKind, MovementState, Status, Voucher


class Terminal(io.StringIO):
    """Text that calls itself a terminal."""

    def isatty(self) -> bool:
        return True


def voucher(id: str, amount: str = "10.53", currency: str = "EUR", code: str | None = None) -> Voucher:
    return Voucher(
        account="shop",
        id=id,
        code=None if code is None else Code(code),
        initial=Money(amount, currency),
        remaining=Money(amount, currency),
        status=Status.ACTIVE,
        valid_until=datetime(2029, 11, 20, 22, 53, 1, tzinfo=UTC),
    )


def printed(*vouchers: Voucher, terminal: bool = False, account: bool = True) -> list[str]:
    out = Terminal() if terminal else io.StringIO()
    output = Output(out=out, err=io.StringIO())
    print_rows(output, vouchers, voucher_columns(account=account))
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()


@pytest.fixture(params=[80, 120])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The width of the terminal."""
    monkeypatch.setenv("COLUMNS", str(request.param))
    monkeypatch.setenv("TERM", "xterm")
    return int(request.param)


def test_amounts_stand_at_the_right_with_their_currencies(columns: int) -> None:
    lines = printed(voucher("a"), voucher("b", "99999.99"), voucher("c", "5000", "JPY"), terminal=True)
    ends = {re.search(r"(\d|\.|\u00a0)+ (EUR|JPY)", line).end() for line in lines[1:]}  # type: ignore[union-attr]  # or it fails
    assert len(ends) == 1
    assert "99\u00a0999.99 EUR" in lines[2]
    assert "2029-11-20 22:53" in lines[1]


def test_no_line_of_a_terminal_ends_within_an_amount(columns: int) -> None:
    """Half of an amount looks like a whole one."""
    amounts = [f"{group_digits(str(7_125_824_867 + number))} JPY" for number in range(30)]
    out = Terminal()
    output = Output(out=out, err=io.StringIO())
    output.show(f"30 vouchers moved: {', '.join(amounts)}")
    output.show(details({"value": ", ".join(amounts)}))
    words = TableColumn[tuple[str, str]]("number", itemgetter(0)), TableColumn[tuple[str, str]]("value", itemgetter(1))
    print_rows(output, [("1", ", ".join(amounts)), ("2", ", ".join(amounts))], words)
    text = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    assert max(map(cell_len, text.splitlines())) <= columns
    for amount in amounts:
        assert text.count(amount.removesuffix(" JPY")) == 4


def test_a_table_fits_into_its_terminal_by_folding_ids_never_amounts(columns: int) -> None:
    lines = printed(voucher("0123456789" * 10, "99999.99", code="JTL-7K2M-9QXD-4HTP"), terminal=True)
    assert max(map(cell_len, lines)) <= columns
    assert any("99\u00a0999.99 EUR" in line for line in lines)
    assert "".join(re.findall(r"[0-9]{8,}", "".join(line[5:45].strip() for line in lines)))


def test_a_pipe_gets_whole_cells_without_colours_or_folding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out = io.StringIO()
    print_rows(Output(out=out, err=io.StringIO()), [voucher("0123456789" * 20)], voucher_columns())
    heading, row = out.getvalue().splitlines()
    assert row.startswith("0123456789" * 20)
    assert "\x1b" not in out.getvalue()
    assert heading.index("remaining") > 200


def test_a_longer_cell_after_the_first_hundred_rows_is_not_cut_in_a_pipe() -> None:
    long = "9" * 60
    lines = printed(*(voucher(f"{number:04}") for number in range(150)), voucher(long))
    assert len(lines) == 152
    assert long in lines[-1]


def test_shorter_cells_after_the_first_hundred_rows_stay_below_their_headings_in_a_pipe() -> None:
    lines = printed(*[voucher(f"1{number:03}") for number in range(100)], voucher("1"))
    assert lines[101].index("active") == lines[0].index("status")


def test_codes_are_masked_and_a_column_without_any_is_left_out() -> None:
    assert "code" not in printed(voucher("a"))[0]
    masked = printed(voucher("a", code="JTL-7K2M-9QXD-4HTP"))
    assert "code" in masked[0]
    assert "••••4HTP" in masked[1]
    assert "9QXD" not in masked[1]


def test_text_of_a_vendor_cannot_steer_the_terminal_or_the_layout(columns: int) -> None:
    evil = "\x1b[2J[red]:smile:\u202e\n\ttail"
    out = Terminal()
    print_rows(Output(out=out, err=io.StringIO()), [voucher(evil)], voucher_columns())
    assert "\x1b[2J" not in out.getvalue()
    shown = "".join(line.split(" ")[0] for line in re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()[1:])
    assert "\\x1b[2J[red]:smile:\\u202e\\n\\ttail".startswith(shown[:20])


def test_rows_before_an_error_are_printed_before_it_goes_on() -> None:
    def some() -> Iterator[Voucher]:
        yield voucher("first")
        raise RuntimeError

    out = io.StringIO()
    with pytest.raises(RuntimeError):
        print_rows(Output(out=out, err=io.StringIO()), some(), voucher_columns())
    assert "first" in out.getvalue()


def test_details_leave_out_what_the_vendor_did_not_say() -> None:
    out = io.StringIO()
    Output(out=out, err=io.StringIO()).show(details(fields_of(voucher("a"))))
    lines = out.getvalue().splitlines()
    assert [line.split("  ")[1].strip() for line in lines] == [
        "account",
        "id",
        "initial",
        "remaining",
        "status",
        "valid until",
    ]
    assert lines[-1].endswith("2029-11-20 22:53:01 UTC")


def test_links_are_told_by_their_names_and_a_voucher_without_any_has_no_line_for_them() -> None:
    voucher = Voucher(account="events", id="V1", origin="shop", links={"customer_id": "c-1", "refund_id": "r-1"})
    fields = fields_of(voucher)
    assert (fields["origin"], fields["links"]) == ("shop", "customer id c-1, refund id r-1")
    assert fields_of(Voucher(account="events", id="V1"))["links"] == ""


Sums = tuple[str, str, str, str]
SUMS = (
    TableColumn[Sums]("account", lambda row: row[0]),
    TableColumn[Sums]("vouchers with value", lambda row: row[1], right=True),
    TableColumn[Sums]("outstanding", lambda row: row[2], right=True),
    TableColumn[Sums]("state", lambda row: row[3]),
)
ROW: Sums = ("shop", "1234567", "123456789.01", "lost")


def sums(width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lines of a table with numbers in a terminal of some width."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    print_rows(Output(out=out, err=io.StringIO()), [ROW, ROW], SUMS)
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()


@pytest.mark.parametrize("width", [100, 80, 60, 40])
def test_no_terminal_is_too_narrow_for_a_number(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = sums(width, monkeypatch)
    assert max(map(cell_len, lines)) <= width
    for number in ("1\u00a0234\u00a0567", "123\u00a0456\u00a0789.01"):
        assert sum(number in line for line in lines) == 2


def test_a_heading_of_numbers_is_folded_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sums(80, monkeypatch)[0].split("  ")[1].strip() == "vouchers with value"
    folded = sums(46, monkeypatch)
    assert [line.split() for line in folded[:3]] == [
        ["vouchers"],
        ["with"],
        ["account", "value", "outstanding", "state"],
    ]


def test_what_is_done_in_doubt_or_lost_has_colours_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    words = ["succeeded", "moved", "open", "unknown", "in-doubt", "lost", "spendable-twice"]
    out = Terminal()
    print_rows(Output(out=out, err=io.StringIO()), words, [TableColumn[str]("state", str)])
    styles = {word: code for code, word in re.findall(r"\x1b\[([0-9;]+)m([a-z-]+) *\x1b", out.getvalue())}
    assert styles["succeeded"] == styles["moved"]
    assert styles["unknown"] == styles["in-doubt"]
    assert styles["lost"] == styles["spendable-twice"]
    assert len({styles["moved"], styles["open"], styles["unknown"], styles["lost"]}) == 4
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    print_rows(Output(out=out, err=io.StringIO()), words, [TableColumn[str]("state", str)])
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", out.getvalue())


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("1234567.89 EUR", "1\u00a0234\u00a0567.89 EUR"),
        ("- 42000", "- 42\u00a0000"),
        ("999.99 EUR", "999.99 EUR"),
        ("2026-12-31", "2026-12-31"),
        ("0012345", "0012345"),
        ("a1234567", "a1234567"),
    ],
)
def test_only_numbers_are_grouped(text: str, grouped: str) -> None:
    assert group_digits(text) == grouped


def test_money_is_grouped_for_people_and_never_in_json() -> None:
    assert text_of(Money("1234567.89", "EUR")) == "1\u00a0234\u00a0567.89 EUR"
    assert '"1234567.89"' in json_line(Money("1234567.89", "EUR"))


def test_progress_shows_after_a_while_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voucher_gateway.cli.output.PROGRESS_AFTER_S", 0.01)
    monkeypatch.setenv("TERM", "xterm")
    for err in (Terminal(), io.StringIO()):
        output = Output(out=io.StringIO(), err=err)
        with output.progress("reading the vouchers of shop") as line:
            line.update(1200, 5000)
            limit = time.monotonic() + 10
            while isinstance(err, Terminal) and "1\u00a0200 of 5\u00a0000" not in err.getvalue():
                assert time.monotonic() < limit
                time.sleep(0.01)
        output.note("Done.")
        assert ("reading the vouchers of shop" in err.getvalue()) == isinstance(err, Terminal)
        assert err.getvalue().endswith("Done.\n")


def test_a_quick_command_shows_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    err = Terminal()
    with Output(out=io.StringIO(), err=err).progress("reading"):
        pass
    assert err.getvalue() == ""


@pytest.mark.parametrize(
    ("state", "line"),
    [(MovementState.COMPLETED, "redemption  10.53 EUR"), (MovementState.PENDING, "redemption  pending  10.53 EUR")],
)
def test_a_history_names_the_state_of_a_movement_that_is_not_completed(state: MovementState, line: str) -> None:
    movement = Movement(account="shop", kind=MovementKind.REDEMPTION, money=Money("10.53", "EUR"), state=state)
    out = io.StringIO()
    print_rows(Output(out=out, err=io.StringIO()), [movement], MOVEMENT_COLUMNS)
    assert out.getvalue().splitlines()[1].strip() == line


def test_a_history_shows_an_event_without_an_amount() -> None:
    block = Movement(account="shop", kind=MovementKind.BLOCK, created_at=datetime(2026, 11, 20, 9, tzinfo=UTC))
    out = io.StringIO()
    print_rows(Output(out=out, err=io.StringIO()), [block], MOVEMENT_COLUMNS)
    assert out.getvalue().splitlines()[1].split() == ["2026-11-20", "09:00", "block"]
