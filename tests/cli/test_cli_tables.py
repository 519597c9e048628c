"""Tables for people, in terminals of several widths and in pipes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from rich.cells import cell_len

from voucher_gateway.cli.output import Output
from voucher_gateway.cli.tables import details, fields_of, print_rows, voucher_columns
from voucher_gateway.provider_api import Code, Money, Status, Voucher


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
    ends = {re.search(r"(\d|\.)+ (EUR|JPY)", line).end() for line in lines[1:]}  # type: ignore[union-attr]  # or it fails
    assert len(ends) == 1
    assert "99999.99 EUR" in lines[2]
    assert "2029-11-20 22:53" in lines[1]


def test_a_table_fits_into_its_terminal_by_folding_ids_never_amounts(columns: int) -> None:
    lines = printed(voucher("0123456789" * 10, "99999.99", code="JTL-7K2M-9QXD-4HTP"), terminal=True)
    assert max(map(cell_len, lines)) <= columns
    assert "99999.99 EUR" in lines[1]
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
