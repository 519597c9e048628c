"""Reading files of whatever origin: strictly, and with everything that is wrong said at once."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from voucher_gateway import (
    Code,
    ConfigurationError,
    Interval,
    MalformedFile,
    MalformedResponse,
    Medium,
    Money,
    Pin,
    ProviderUnavailable,
    Status,
    UnsupportedOperation,
    Validity,
    Voucher,
    VoucherNotFound,
    WrongPin,
)
from voucher_gateway.cli.output import json_line
from voucher_gateway_file import FileSettings

if TYPE_CHECKING:
    from tests.providers.file.conftest import Open

WHOLE = Voucher(
    account="files",
    id="v-1",
    code=Code("GIFT-0001"),
    pin=Pin("0042"),
    initial=Money("50.00", "EUR"),
    remaining=Money("10.53", "EUR"),
    status=Status.ACTIVE,
    medium=Medium.PRINT,
    valid_until=datetime(2030, 1, 31, 23, 59, 59, tzinfo=UTC),
    validity=Validity(3, Interval.YEARS),
    taxable=True,
    tax_rate="19",
    sku="card",
    batch="spring",
    order="1001",
    metadata={"from": "Ada", "n": 3},
    login="till-7",
    origin="shop",
    links={"customer_id": "c-1", "transaction_id": "t-1"},
    created_at=datetime(2026, 1, 31, tzinfo=UTC),
    updated_at=datetime(2026, 2, 1, tzinfo=UTC),
    deletable=False,
)


def test_what_the_command_line_prints_as_json_can_be_read(open_file: Open) -> None:
    provider = open_file(text=json_line(WHOLE, reveal=True) + "\n")
    assert list(provider.vouchers()) == [WHOLE]
    assert provider.get("v-1").raw == json.loads(json_line(WHOLE, reveal=True))


def test_a_table_with_its_columns_in_any_order_can_be_read(open_file: Open) -> None:
    provider = open_file(
        "vouchers.csv",
        "remaining,currency,initial,id,code,pin,status,medium,valid_until,validity,taxable,tax_rate,sku,batch,order,"
        "metadata,created_at,updated_at,deletable,account,login,origin,links\n"
        "10.53,EUR,50.00,v-1,GIFT-0001,0042,active,print,2030-02-01T00:59:59+01:00,3 years,TRUE,19,card,spring,1001,"
        '"{""from"": ""Ada"", ""n"": 3}",2026-01-31T00:00:00Z,2026-02-01T00:00:00Z,false,shop,till-7,shop,'
        '"{""customer_id"": ""c-1"", ""transaction_id"": ""t-1""}"\n',
    )
    assert list(provider.vouchers()) == [WHOLE]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_a_byte_order_mark_and_the_kind_of_line_ends_do_not_matter(
    open_file: Open, mark: bytes, line_end: bytes, last: bool
) -> None:
    lines = [b"code,currency,remaining", b"GIFT-0001,EUR,1.00", b"", b"GIFT-0002,JPY,500"]
    provider = open_file("v.csv", mark + line_end.join(lines) + (line_end if last else b""))
    assert [voucher.remaining for voucher in provider.vouchers()] == [Money("1.00", "EUR"), Money("500", "JPY")]
    found = open_file(
        "v.jsonl", mark + b'{"id":"a"}' + line_end + line_end + b'{"id":"b"}' + (line_end if last else b"")
    )
    assert [voucher.id for voucher in found.vouchers()] == ["a", "b"]


@pytest.mark.parametrize("links", ['["a"]', '{"customer_id":7}', '{"customer_id":null}', '"c-1"'])
def test_links_that_are_not_texts_by_name_are_refused(open_file: Open, links: str) -> None:
    with pytest.raises(MalformedResponse, match="links: must be a JSON object with string values") as caught:
        list(open_file(text=f'{{"id":"a","links":{links}}}\n').vouchers())
    assert "c-1" not in str(caught.value)


def test_a_voucher_without_an_id_has_that_of_its_line(open_file: Open) -> None:
    provider = open_file("v.csv", 'code,sku\nGIFT-0001,"two\nlines"\nGIFT-0002,one\n')
    assert [voucher.id for voucher in provider.vouchers()] == ["line:2", "line:4"]
    assert provider.get("line:4").code == Code("GIFT-0002")


def test_what_a_file_does_not_say_is_not_known(open_file: Open) -> None:
    provider = open_file(text='{"code":"GIFT-0001","initial":{"amount":"5.00","currency":"EUR"},"sku":null}\n')
    voucher = provider.find("GIFT-0001")
    assert (voucher.remaining, voucher.status, voucher.sku) == (None, None, None)
    with pytest.raises(MalformedResponse, match="did not send the balance"):
        provider.balance("GIFT-0001")


def test_an_empty_cell_is_not_known_and_an_apostrophe_alone_is_an_empty_text(open_file: Open) -> None:
    found = list(open_file("v.csv", "id,sku\na,\nb,'\n").vouchers())
    assert [one.sku for one in found] == [None, ""]


def test_the_pin_is_compared_where_one_is_given(open_file: Open) -> None:
    provider = open_file(text=json_line(WHOLE, reveal=True))
    assert provider.find("GIFT-0001", "0042").id == "v-1"
    with pytest.raises(WrongPin):
        provider.find("GIFT-0001", "0043")


def test_a_file_that_is_not_there_is_an_empty_one_and_is_not_made_by_looking(open_file: Open, tmp_path: Path) -> None:
    provider = open_file("none.jsonl")
    with provider.vouchers() as listing:
        assert list(listing) == []
        assert listing.report.consistent
    with pytest.raises(VoucherNotFound):
        provider.find("GIFT-0001")
    with pytest.raises(VoucherNotFound):
        provider.get("v-1")
    assert not (tmp_path / "none.jsonl").exists()


def test_a_folder_is_no_file_of_vouchers(open_file: Open, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ConfigurationError, match="not a regular file"):
        list(open_file("folder.csv").vouchers())


def test_a_file_that_may_not_be_read_says_so(open_file: Open, tmp_path: Path) -> None:
    provider = open_file("v.jsonl/inside.jsonl")
    (tmp_path / "v.jsonl").write_text("")
    with pytest.raises(ProviderUnavailable, match="cannot be opened"):
        list(provider.vouchers())


def _problems(open_file: Open, name: str, text: str | bytes) -> tuple[str, ...]:
    with pytest.raises(MalformedResponse) as refused:
        list(open_file(name, text).vouchers())
    assert all(problem in str(refused.value) for problem in refused.value.problems[:20])
    assert refused.value.account == "files"
    return refused.value.problems


def test_every_bad_field_of_every_line_is_said_at_once_with_line_and_place(open_file: Open) -> None:
    lines = [
        {"id": "good"},
        {"id": "a", "initial": {"amount": 10.5, "currency": "EUR"}, "remaining": {"amount": "1", "currency": "EURO"}},
        {"id": 7, "code": "", "status": "activ", "valid_until": "2026-12-31", "taxable": "yes"},
        {"id": "b", "remaning": "1.00", "validity": {"value": "3", "interval": "years"}, "metadata": ["any JSON"]},
        {"id": "c", "remaining": {"amount": "1.005", "currency": "EUR"}, "medium": "paper", "tax_rate": 19},
        {"id": "d", "remaining": {"amount": "-1.00", "currency": "EUR"}, "initial": "5.00"},
        {"id": "e", "remaining": {"amount": "1", "currency": "EUR"}, "initial": {"amount": "1", "currency": "JPY"}},
        {"id": "f", "remaining": {"amount": "1,00", "currency": "EUR"}, "validity": {"value": 3, "interval": "eons"}},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + "[]\nno json\n"
    problems = _problems(open_file, "v.jsonl", text)
    places = [problem.partition(": ")[0] for problem in problems]
    assert places == [
        "line 2, initial.amount",
        "line 2, remaining.currency",
        "line 3, id",
        "line 3, code",
        "line 3, status",
        "line 3, valid_until",
        "line 3, taxable",
        "line 4, remaning",
        "line 4, validity.value",
        "line 5, remaining.amount",
        "line 5, medium",
        "line 5, tax_rate",
        "line 6, remaining.amount",
        "line 6, initial",
        "line 7, remaining",
        "line 8, remaining.amount",
        "line 8, validity.interval",
        "line 9",
        "line 10",
    ]
    assert "binary float" in problems[0]


def test_every_bad_cell_of_a_table_is_said_at_once_with_line_and_column(open_file: Open) -> None:
    text = (
        "id,code,currency,initial,remaining,valid_until,validity,taxable,metadata\n"
        'a,"x\ny",EUR,1.00,1.00,,,,\n'
        "b,,EUR,1.005,1e2,tomorrow,3 aeons,maybe,{\n"
        "c,,,1.00,,,,,\n"
        "d,,QQQ,1.00,1.00,,,,\n"
        "e,too,few\n"
        'f,a "quote" inside,EUR,1.00,1.00,,"3"x,,\n'
        "g,,EUR, 1.00,,,,,\n"
    )
    problems = _problems(open_file, "v.csv", text)
    assert [problem.partition(": ")[0] for problem in problems] == [
        "line 4, column valid_until",
        "line 4, column taxable",
        "line 4, column metadata",
        "line 4, column initial",
        "line 4, column remaining",
        "line 4, column validity",
        "line 5, column initial",
        "line 6, column currency",
        "line 7",
        "line 8",
        "line 9, column initial",
    ]


def test_a_file_full_of_mistakes_keeps_the_first_problems_and_counts_all(open_file: Open) -> None:
    with pytest.raises(MalformedFile) as refused:
        list(open_file("v.jsonl", '{"code":5,"pin":6}\n' * 1000).vouchers())
    error = refused.value
    assert (len(error.problems), error.problem_count, error.wrong_lines) == (200, 2000, 1000)
    assert "the file has 2000 problems in 1000 lines" in str(error)
    assert "; and 1980 more" in str(error)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("id,vouchercode", "line 1, column vouchercode: is unknown"),
        ("id,code,id", "line 1, column id: appears twice"),
        ("GIFT-0001,10.00", "line 1: is not a header"),
        ("id,GIFT-0001", "line 1, column 2: is unknown"),
    ],
)
def test_a_header_that_is_wrong_says_what_and_never_repeats_a_code(open_file: Open, header: str, said: str) -> None:
    with pytest.raises(MalformedResponse) as refused:
        list(open_file("v.csv", f"{header}\nGIFT-0001,10.00\n").vouchers())
    assert said in str(refused.value)
    assert "GIFT-0001" not in str(refused.value)


@pytest.mark.parametrize("name", ["v.jsonl", "v.csv"])
def test_an_id_or_code_that_is_there_twice_is_refused_with_both_lines(open_file: Open, name: str) -> None:
    if name == "v.csv":
        text = "id,code\na,GIFT-0001\nb,GIFT-0002\na,GIFT-0002\n"
        expected = (
            "line 4, column id: duplicate id: line 2 has the same id",
            "line 4, column code: duplicate code: line 3 has the same code",
        )
    else:
        text = '{"id":"a","code":"GIFT-0001"}\n{"id":"b","code":"GIFT-0002"}\n{"id":"a","code":"GIFT-0002"}\n'
        expected = (
            "line 3, id: duplicate id: line 1 has the same id",
            "line 3, code: duplicate code: line 2 has the same code",
        )
    assert _problems(open_file, name, text) == expected


def test_each_of_many_vouchers_is_found_by_its_code_and_no_other(open_file: Open) -> None:
    text = "id,code\n" + "".join(f"{number},GIFT-{number:04}\n" for number in range(40))
    provider = open_file("v.csv", text)
    assert [provider.find(f"GIFT-{number:04}").id for number in range(40)] == [str(number) for number in range(40)]
    with pytest.raises(VoucherNotFound):
        provider.find("GIFT-0040")
    with pytest.raises(VoucherNotFound):
        provider.get("41")


@pytest.mark.parametrize(
    "body",
    [b'{"id":"a"}\n{"id":"\xff"}\n', b'{"id":"a","id":"b"}\n', b'{"id":"a","tax_rate":NaN}\n', b'{"id":"\\ud800"}\n'],
)
def test_what_is_no_strict_json_is_refused(open_file: Open, body: bytes) -> None:
    assert len(_problems(open_file, "v.jsonl", body)) == 1


def test_a_table_that_is_not_utf8_is_refused_with_the_line(open_file: Open) -> None:
    assert _problems(open_file, "v.csv", "id,sku\na,b\nc,Größe\n".encode("latin-1")) == (
        "line 3: is not UTF-8; if a spreadsheet wrote the file, give the encoding windows-1252",
    )


@pytest.mark.parametrize("name", ["v.jsonl", "v.csv"])
def test_a_line_without_end_does_not_fill_the_memory(open_file: Open, name: str) -> None:
    begin = '{"id": "' if name == "v.jsonl" else 'id,sku\na,"'
    (problem,) = _problems(open_file, name, begin + "x" * 3_000_000)
    assert "longer than 1048576 bytes" in problem


def test_a_quote_that_is_never_closed_is_a_mistake_and_not_a_torn_line(open_file: Open) -> None:
    text = 'id,sku\na,b\nc,"d\n' + "".join(f"v-{number},x\n" for number in range(50))
    (problem,) = _problems(open_file, "v.csv", text)
    assert problem.startswith("line 3: ")


@pytest.mark.parametrize("amount", ["-0.00", "-0", "-1.00"])
def test_an_amount_has_no_sign_not_even_a_zero(open_file: Open, amount: str) -> None:
    (problem,) = _problems(open_file, "v.csv", f"id,currency,remaining\na,EUR,{amount}\n")
    assert problem == "line 2, column remaining: must not be negative"


def test_a_masked_pin_beside_a_plain_code_is_none_and_told_as_not_read(open_file: Open) -> None:
    (voucher,) = open_file(text='{"id":"v-1","code":"GIFT-0001","pin":"••••"}\n').vouchers()
    assert (voucher.code, voucher.pin, voucher.unread) == (Code("GIFT-0001"), None, frozenset({"pin"}))


def test_masked_codes_are_none_and_nothing_can_be_found_by_them(open_file: Open) -> None:
    provider = open_file(text=json_line(WHOLE) + "\n")
    (voucher,) = provider.vouchers()
    assert (voucher.code, voucher.pin, voucher.unread) == (None, None, frozenset({"code", "pin"}))
    assert provider._file.index.masked == 1
    assert not provider.capabilities.codes.readable
    with pytest.raises(UnsupportedOperation, match="masked codes"):
        provider.find("GIFT-0001")


@pytest.mark.parametrize("name", ["v.jsonl", "v.csv"])
def test_no_code_or_pin_shows_in_any_message(
    open_file: Open, name: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    code, pin = "GIFT-SECRET-0001", "739184"
    bad = [
        f'{{"id":"{code}","code":"{code}","pin":"{pin}","status":"{code}","{code}":1}}\n{{"id":"{code}"}}\n{code}\n',
        f"id,code,pin,status\n{code},{code},{pin},{code}\n{code},{code},{pin}\n{code}\n",
        f"{code},{pin}\n",
        f"code,pin\n{code},{pin}\n{code},{pin}\n",
    ]
    for text in bad:
        with pytest.raises(MalformedResponse) as refused:
            list(open_file(name, text).vouchers())
        told = f"{refused.value!r} {refused.value} {refused.value.problems} {refused.value.__context__!r} {caplog.text}"
        assert code not in told
        assert pin not in told


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"path": "vouchers.txt"}, "must end in .jsonl or .csv"),
        ({"path": "a\0b.csv"}, "must be the path of a file"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        FileSettings(**settings)  # type: ignore[arg-type]  # texts only


def test_a_format_that_is_given_wins_over_the_suffix(open_file: Open) -> None:
    assert next(open_file("v.txt", "id\na\n", format="csv").vouchers()).id == "a"
    assert next(open_file("v.csv", '{"id":"a"}\n', format="jsonl").vouchers()).id == "a"
