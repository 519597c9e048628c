"""Files that a spreadsheet has written: their form is guessed or given, and what is not clear is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway import Code, ConfigurationError, MalformedFile, Money, NewVoucher
from voucher_gateway_file import FileSettings

if TYPE_CHECKING:
    from tests.providers.file.conftest import Open

New = Callable[..., NewVoucher]

GERMAN = (
    "\ufeffGutscheinnummer;Betrag;Gültig bis;Notiz\r\n"
    'GIFT-0001;"10,50";31.01.2030;"Anna; mit Dank"\r\n'
    "GIFT-0002;7;01.02.2030 12:30;\r\n"
)
GERMAN_COLUMNS = ("Gutscheinnummer=code", "Betrag=remaining", "Gültig bis=valid_until", "Notiz=-")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_guessed_from_the_names_of_the_columns(open_file: Open, delimiter: str) -> None:
    rows = [["id", "code", "currency", "remaining"], ["a", "GIFT-0001", "EUR", "10.50"]]
    provider = open_file("v.csv", "".join(delimiter.join(row) + "\n" for row in rows))
    assert [voucher.remaining for voucher in provider.vouchers()] == [Money("10.50", "EUR")]


def test_a_german_spreadsheet_is_read_with_its_own_names_amounts_and_dates(open_file: Open) -> None:
    provider = open_file("v.csv", GERMAN, columns=GERMAN_COLUMNS, currency="EUR", time_zone="Europe/Berlin")
    first, second = provider.vouchers()
    assert (first.code, first.remaining) == (Code("GIFT-0001"), Money("10.50", "EUR"))
    assert first.valid_until == datetime(2030, 1, 31, 22, 59, 59, tzinfo=UTC)
    assert (second.remaining, second.valid_until) == (Money("7.00", "EUR"), datetime(2030, 2, 1, 11, 30, tzinfo=UTC))


def test_the_number_of_vouchers_is_estimated_while_a_file_is_read(open_file: Open) -> None:
    rows = "".join(f"id-{number},CODE-{number:06},EUR,10.00\n" for number in range(10_000))
    counts: list[tuple[int, int | None]] = []
    open_file("v.csv", f"id,code,currency,remaining\n{rows}").prepare_source(lambda *pair: counts.append(pair))
    assert len(counts) > 1
    assert all(total is not None and abs(total - 10_000) < 500 for _, total in counts)
    assert counts[-1] == (10_000, 10_000)


def test_the_form_that_was_guessed_is_said_in_words_and_as_settings(open_file: Open) -> None:
    provider = open_file("v.csv", GERMAN, columns=GERMAN_COLUMNS, currency="EUR", time_zone="Europe/Berlin")
    form = provider.prepare_source()
    assert form.sentences == (
        "cells separated by semicolons, a decimal comma, dates as day, month, year in Europe/Berlin, UTF-8",
        "columns: Gutscheinnummer is code, Betrag is remaining, Gültig bis is valid_until",
        "not read: Notiz",
        "all amounts are in EUR",
    )
    assert form.settings == {
        "delimiter": ";",
        "decimal": "comma",
        "date_order": "dmy",
        "time_zone": "Europe/Berlin",
        "currency": "EUR",
        "columns": list(GERMAN_COLUMNS),
    }
    again = FileSettings(path="v.csv", **form.settings)  # type: ignore[arg-type]  # JSON values
    assert again.columns == GERMAN_COLUMNS


def test_names_of_columns_may_have_capitals_and_blanks(open_file: Open) -> None:
    provider = open_file("v.csv", "Code ;Currency;Remaining\nGIFT-0001;EUR;1,00\n")
    assert provider.find("GIFT-0001").remaining == Money("1.00", "EUR")


@pytest.mark.parametrize(
    ("cells", "remaining"),
    [
        (["10,5"], "10.50"),
        (["10,50", "1000"], "10.50"),
        (["10.50"], "10.50"),
        (["10"], "10.00"),
    ],
)
def test_the_decimal_sign_is_guessed_from_the_amounts(open_file: Open, cells: list[str], remaining: str) -> None:
    rows = "".join(f"GIFT-{number:04};EUR;{cell}\n" for number, cell in enumerate(cells))
    (first, *_) = open_file("v.csv", f"code;currency;remaining\n{rows}").vouchers()
    assert first.remaining == Money(remaining, "EUR")


def test_commas_that_may_separate_thousands_are_never_guessed(open_file: Open) -> None:
    text = "code;currency;remaining\nGIFT-0001;BHD;1,234\n"
    with pytest.raises(MalformedFile, match="may be decimal commas, or may separate thousands"):
        list(open_file("v.csv", text).vouchers())
    assert open_file("v.csv", text, decimal="comma").find("GIFT-0001").remaining == Money("1.234", "BHD")
    with pytest.raises(MalformedFile, match="at most one point"):
        list(open_file("v.csv", text, decimal="point").vouchers())


@pytest.mark.parametrize("cell", ["1.234,50", "1,234.50", "10,50 €", "10,5,0", "1 234,50", "10.50"])
def test_an_amount_with_thousands_or_with_both_signs_is_a_problem(open_file: Open, cell: str) -> None:
    with pytest.raises(MalformedFile, match="line 3, column remaining"):
        list(open_file("v.csv", f'code;currency;remaining\nA-1;EUR;"7,50"\nA-2;EUR;"{cell}"\n').vouchers())


@pytest.mark.parametrize(
    ("cells", "day"),
    [
        (["31.12.2030"], datetime(2030, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (["31/12/2030", "01/02/2031"], datetime(2030, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (["12/31/2030", "01/02/2031"], datetime(2030, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (["2030-12-31"], datetime(2030, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (["2030-12-31 08:00:01"], datetime(2030, 12, 31, 8, 0, 1, tzinfo=UTC)),
        (["1.2.2030"], datetime(2030, 2, 1, 23, 59, 59, tzinfo=UTC)),
        (["2030-12-31T08:00:00+02:00", "31.12.2030"], datetime(2030, 12, 31, 6, tzinfo=UTC)),
    ],
)
def test_the_order_of_dates_is_guessed_where_only_one_is_possible(
    open_file: Open, cells: list[str], day: datetime
) -> None:
    rows = "".join(f"GIFT-{number:04},{cell}\n" for number, cell in enumerate(cells))
    (first, *_) = open_file("v.csv", f"code,valid_until\n{rows}").vouchers()
    assert first.valid_until == day


def test_day_and_month_that_cannot_be_told_apart_are_asked_for(open_file: Open) -> None:
    text = "code,valid_until,created_at\nGIFT-0001,01/02/2030,01/02/2026\n"
    with pytest.raises(MalformedFile, match="day and month of the dates cannot be told apart"):
        list(open_file("v.csv", text).vouchers())
    (voucher,) = open_file("v.csv", text, date_order="mdy").vouchers()
    assert voucher.valid_until == datetime(2030, 1, 2, 23, 59, 59, tzinfo=UTC)
    assert voucher.created_at == datetime(2026, 1, 2, tzinfo=UTC)


def test_a_date_that_does_not_fit_the_order_is_a_problem_of_its_line(open_file: Open) -> None:
    rows = "GIFT-0001,31/12/2030\nGIFT-0002,12/31/2030\nGIFT-0003,30.02.2030\nGIFT-0004,1.1.30\n"
    with pytest.raises(MalformedFile) as refused:
        list(open_file("v.csv", f"code,valid_until\n{rows}", date_order="dmy").vouchers())
    assert [problem.partition(": ")[0] for problem in refused.value.problems] == [
        f"line {line}, column valid_until" for line in (3, 4, 5)
    ]
    assert "or a date such as 31.12.2026" in refused.value.problems[0]


def test_a_name_in_the_map_that_no_column_has_is_a_problem(open_file: Open) -> None:
    with pytest.raises(MalformedFile, match="has no column 'Nummer'"):
        list(open_file("v.csv", "Number,remaining\n", columns=("Nummer=code",)).vouchers())


def test_an_encoding_of_a_spreadsheet_is_read_if_it_is_given(open_file: Open) -> None:
    body = "code;sku\nGIFT-0001;Größe €\n".encode("windows-1252")
    with pytest.raises(MalformedFile, match="give the encoding windows-1252"):
        list(open_file("v.csv", body).vouchers())
    assert open_file("v.csv", body, encoding="windows-1252").find("GIFT-0001").sku == "Größe €"
    with pytest.raises(MalformedFile, match="is UTF-16"):
        list(open_file("v.csv", "code;sku\n".encode("utf-16")).vouchers())


def test_a_new_file_is_written_in_the_form_of_the_settings_and_read_back(
    open_file: Open, new: New, tmp_path: Path
) -> None:
    provider = open_file("v.csv", reveal=True, delimiter=";", decimal="comma", byte_order_mark=True, encoding="utf-8")
    provider.issue(new("10.50", id="v-1", code="GIFT-0001", sku="a;b"), reference="r-1")
    body = (tmp_path / "v.csv").read_bytes()
    assert body.startswith(b'\xef\xbb\xbf"id";"code";"pin"')
    assert b'"v-1";"GIFT-0001";"";"EUR";"10,50";"10,50"' in body
    again = open_file("v.csv", reveal=True)
    again.issue(new("1.05", id="v-2", code="GIFT-0002"), reference="r-2")
    assert [voucher.remaining for voucher in again.vouchers()] == [Money("10.50", "EUR"), Money("1.05", "EUR")]
    assert b'"EUR";"1,05"' in (tmp_path / "v.csv").read_bytes()


def test_the_form_of_csv_is_refused_for_jsonl() -> None:
    with pytest.raises(ConfigurationError, match="decimal is for CSV, and the file is JSONL"):
        FileSettings(path="v.jsonl", decimal="comma")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"columns": ("code",)}, "such as NAME=code"),
        ({"columns": ("A=code", "A=sku")}, "names a column twice"),
        ({"time_zone": "Europe/Nowhere"}, "must be the name of a time zone"),
    ],
)
def test_settings_of_the_form_that_are_wrong_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        FileSettings(path="v.csv", **settings)


def test_a_quote_that_is_not_closed_is_explained_and_the_other_lines_are_still_checked(open_file: Open) -> None:
    rows = "".join(f'"v-{number}","GIFT-{number:04}"\r\n' for number in range(5))
    text = '"id","code"\r\n' + rows + '"v-5","GIFT-0005\r\n"v-6",""\r\n"v-7","GIFT-0007"\r\n'
    with pytest.raises(MalformedFile) as refused:
        list(open_file("v.csv", text + '"v-7","GIFT-0008"\r\n').vouchers())
    first, second = refused.value.problems
    assert first.startswith("line 7: a quote is opened in this line and not closed")
    assert second == "line 10, column id: duplicate id: line 9 has the same id"


def test_all_problems_are_listed_in_a_file_that_only_its_owner_reads(open_file: Open, tmp_path: Path) -> None:
    listed = tmp_path / "problems.txt"
    rows = "".join(f"GIFT-{number:04},EUR,ten\n" for number in range(300))
    with pytest.raises(MalformedFile) as refused:
        list(open_file("v.csv", f"code,currency,remaining\n{rows}", problems=listed).vouchers())
    lines = listed.read_text().splitlines()
    assert (len(lines), refused.value.problem_count, refused.value.listed_in) == (300, 300, str(listed))
    assert lines[-1] == "line 301, column remaining: must have ASCII digits with at most one point"
    assert listed.stat().st_mode & 0o777 == 0o600
    assert list(open_file("v.csv", "code\nGIFT-0001\n", problems=listed).vouchers())
    assert not listed.exists()


def test_a_code_that_a_million_lines_share_is_found_without_a_long_search(open_file: Open) -> None:
    rows = "".join(f"v-{number},4E5\n" for number in range(3000))
    with pytest.raises(MalformedFile) as refused:
        list(open_file("v.csv", f"id,code\n{rows}").vouchers())
    assert refused.value.problem_count == 2999
