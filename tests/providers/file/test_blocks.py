"""Lines that are read many at once give the same vouchers and the same problems as lines that are read one by one."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.provider_api import Code, Money, VoucherNotFound
from voucher_gateway_file import FileProvider
from voucher_gateway_file.csv_cells import are_amounts, read_amount
from voucher_gateway_file.csv_format import CsvFormat
from voucher_gateway_file.settings import FileSettings

HEADER = "id,code,currency,initial,remaining,status,valid_until,sku,metadata\n"
ODD = (
    'q-{0},"QUOTED,{0}",EUR,5.00,5.00,active,,,\n',
    "w-{0},WRONG-{0},ZZZ,5.00,5.00,active,,,\n",
    "a-{0},'=SUM-{0},EUR,5.00,5.00,active,,,\n",
    "d-{0},SAME,EUR,5.00,5.00,active,,,\n",
    "s-{0},SHORT-{0},EUR\n",
    "\n",
    "j-{0},JSON-{0},EUR,5.00,5.00,active,,,not JSON\n",
    'l-{0},"LINE\n{0}",EUR,5.00,5.00,active,,,\n',
    "m-{0},MONEY-{0},EUR,5.001,5.00,active,,,\n",
    ",NOID-{0},EUR,,5.00,,,,{{}}\n",
    "t-{0},TIME-{0},EUR,5.00,5.00,active,yesterday,,\n",
)


def line(number: int, draw: random.Random) -> str:
    if draw.random() < 0.01:
        return draw.choice(ODD).format(number)
    cents = f"{draw.randrange(100):02}"
    end = f"2030-0{number % 9 + 1}-01T00:00:00Z"
    return f"v-{number},GIFT-{number},EUR,{number % 90 + 1}.{cents},1.{cents},active,{end},S,\n"


def reading(path: Path, **settings: Any) -> tuple[list[tuple[Any, ...]], dict[str | None, str]]:
    """Return what a provider reads of a file: the fields of its vouchers, and what is wrong with which line."""
    listing = FileProvider("paper", FileSettings(path=path, skip_unreadable=True, **settings)).vouchers()
    vouchers: list[tuple[Any, ...]] = [
        (one.id, one.code and one.code.reveal(), one.initial, one.remaining, one.status, one.valid_until, one.raw)
        for one in listing
    ]
    return vouchers, {entry.id: entry.reason for entry in listing.unreadable}


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        return None

    monkeypatch.setattr(CsvFormat, "names_of_rows", refuse)
    monkeypatch.setattr(CsvFormat, "read_rows", refuse)


@pytest.mark.parametrize("seed", range(3))
def test_both_ways_read_the_same(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(seed)
    path = tmp_path / "a.csv"
    rows = [line(number, draw) for number in range(3000)]
    path.write_text(HEADER + "".join(rows).removesuffix("\n" if seed else ""))
    at_once = reading(path)
    one_by_one(monkeypatch)
    assert reading(path) == at_once
    assert len(at_once[0]) > 2900
    assert at_once[1]


def test_most_lines_are_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "".join(f"v-{number},GIFT-{number},EUR,1.00,1.00,,,,\n" for number in range(5000)))
    read_singly: list[bytes] = []
    read = CsvFormat.read

    def read_and_count(self: CsvFormat, body: bytes, columns: Any) -> Any:
        read_singly.append(body)
        return read(self, body, columns)

    monkeypatch.setattr(CsvFormat, "read", read_and_count)
    vouchers, wrong = reading(path)
    assert (len(vouchers), wrong) == (5000, {})
    assert vouchers[-1][2] == Money("1.00", "EUR")
    assert len(read_singly) < 50


def test_lines_with_quotes_are_read_at_once_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    rows = [f'"v-{number}","GIFT, ""{number}""","EUR","1.00","1.00",,,,\n' for number in range(5000)]
    path.write_text(HEADER + "".join(rows))

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("read one by one")

    monkeypatch.setattr(CsvFormat, "read", refuse)
    vouchers, wrong = reading(path)
    assert (len(vouchers), wrong) == (5000, {})
    assert vouchers[-1][1] == 'GIFT, "4999"'


@pytest.mark.parametrize("currency", ["EUR", "JPY", "BHD", "ZZZ", ""])
@given(cells=st.lists(st.from_regex(r"-?[0-9]{0,20}(?:[.,][0-9]{0,5})?", fullmatch=True), max_size=3))
def test_amounts_that_are_checked_together_are_those_that_can_be_read(currency: str, cells: list[str]) -> None:
    for decimal_comma in (False, True):

        def is_read(cell: str, *, comma: bool = decimal_comma) -> bool:
            try:
                money, amount = read_amount(cell, currency=currency or None, decimal_comma=comma)
            except ValueError:
                return False
            return bool(money == Money(amount, currency))

        if are_amounts(cells, currency or None, decimal_comma=decimal_comma):
            assert all(map(is_read, cells))
        elif all(map(is_read, cells)):  # it may only leave out rare amounts: long, or with more zeros
            assert any(len(cell) > 19 or cell.endswith("0") for cell in cells)


def test_the_places_of_all_texts_are_known_once_one_is_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"v-{number},GIFT-{number},EUR,1.00,1.00,,,,\n" for number in range(700)]
    rows[300:300] = [
        'm,"MORE\nLINES",EUR,1.00,1.00,,,,\n',
        ",NO-ID,EUR,1.00,1.00,,,,\n",
        "x,GIFT-7,EUR,1.00,1.00,,,,\n",
    ]
    path.write_text(HEADER + "".join(rows))
    provider = FileProvider("paper", FileSettings(path=path, skip_unreadable=True))
    assert provider.find("MORE\nLINES").id == "m"
    assert provider.find("NO-ID").id == "line:304"
    assert provider.get("line:304").code == Code("NO-ID")
    assert provider.find("GIFT-699").id == "v-699"
    for missing in ("GIFT-7", "GIFT-700"):  # the first one comes twice, so neither can be read
        with pytest.raises(VoucherNotFound):
            provider.find(missing)


def test_the_line_of_a_voucher_without_an_id_is_counted_in_either_way(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = ["code,currency,remaining", "A-1,EUR,1.00", "", '"A-2",EUR,1.00', "A-3,EUR,1.00"]
    path.write_text("\n".join(rows) + "\n")
    assert [voucher[0] for voucher in reading(path)[0]] == ["line:2", "line:4", "line:5"]
