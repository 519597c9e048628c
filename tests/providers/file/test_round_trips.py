"""What is issued is in the file with all its fields, and comes back from it."""

from __future__ import annotations

import string
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from voucher_gateway import Interval, InvalidRequest, Medium, Money, NewVoucher, Status, Validity
from voucher_gateway_file import FileProvider, FileSettings

NASTY = st.text(alphabet=st.sampled_from(list("=+-@\t\r\n ;,|'\"aé\0")), max_size=8)
TEXTS = st.text(max_size=20) | NASTY
FILLED = TEXTS.filter(lambda text: bool(text) and not text.startswith("••••"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | TEXTS | st.decimals("-99999", "99999", places=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
MONEY = st.builds(Money.from_minor, st.integers(0, 10**12), st.sampled_from(["EUR", "JPY", "KWD", "USD", "CLF"]))
VOUCHERS = st.builds(
    NewVoucher,
    initial=MONEY,
    id=st.none() | FILLED,
    code=st.none() | FILLED,
    pin=st.none() | FILLED,
    active=st.none() | st.booleans(),
    medium=st.none() | st.sampled_from([Medium.DIGITAL, Medium.PRINT]),
    valid_until=st.none() | st.datetimes(timezones=st.just(UTC)),
    validity=st.none() | st.builds(Validity, st.integers(0, 7000), st.sampled_from(list(Interval))),
    taxable=st.none() | st.booleans(),
    tax_rate=st.none() | TEXTS,
    sku=st.none() | TEXTS,
    batch=st.none() | TEXTS,
    order=st.none() | TEXTS,
    metadata=st.none() | VALUES,
)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
@settings(max_examples=examples(60), deadline=None)
@given(vouchers=st.lists(VOUCHERS, min_size=1, max_size=4))
def test_every_field_of_every_voucher_comes_back_exactly(form: str, vouchers: list[NewVoucher]) -> None:
    vouchers = _unlike(vouchers)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / f"vouchers.{form}")
        writer = FileProvider("files", FileSettings(path=path, reveal=True))
        issued = [writer.issue(one, reference=f"r-{number}") for number, one in enumerate(vouchers)]
        reader = FileProvider("files", FileSettings(path=path))
        found = list(reader.vouchers())
        assert found == issued
        for new, voucher in zip(vouchers, found, strict=True):
            assert voucher.remaining == voucher.initial == new.initial
            assert new.id in (None, voucher.id)
            wanted = {None: None, True: Status.ACTIVE, False: Status.INACTIVE}[new.active]
            assert voucher.status == wanted
            begins = new.valid_until is None and new.validity is not None and new.active is not False
            for name in attrs.fields_dict(NewVoucher).keys() - {"initial", "id", "active", *["valid_until"] * begins}:
                assert getattr(voucher, name) == getattr(new, name), name
            if new.code is not None:
                assert reader.find(new.code) == voucher
            assert reader.get(voucher.id) == voucher


@pytest.mark.parametrize(
    ("validity", "end"),
    [
        (Validity(3, Interval.DAYS), datetime(2028, 2, 3, 12, tzinfo=UTC)),
        (Validity(2, Interval.WEEKS), datetime(2028, 2, 14, 12, tzinfo=UTC)),
        (Validity(1, Interval.MONTHS), datetime(2028, 2, 29, 12, tzinfo=UTC)),
        (Validity(3, Interval.YEARS), datetime(2031, 1, 31, 12, tzinfo=UTC)),
        (Validity(3, Interval.UNKNOWN), None),
    ],
)
def test_a_validity_begins_with_the_writing_unless_the_voucher_is_inactive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, validity: Validity, end: datetime | None
) -> None:
    monkeypatch.setattr("voucher_gateway_file.issue.now", lambda: datetime(2028, 1, 31, 12, tzinfo=UTC))
    provider = FileProvider("files", FileSettings(path=str(tmp_path / "v.jsonl")))
    for active, ends in ((True, end), (None, end), (False, None)):
        new = NewVoucher(initial=Money("1.00", "EUR"), validity=validity, active=active)
        voucher = provider.get(provider.issue(new, reference="r-1").id)
        assert (voucher.validity, voucher.valid_until) == (validity, ends)
    beyond = NewVoucher(initial=Money("1.00", "EUR"), validity=Validity(8000, Interval.YEARS))
    with pytest.raises(InvalidRequest, match="beyond the year 9999"):
        provider.issue(beyond, reference="r-2")


def _unlike(vouchers: list[NewVoucher]) -> list[NewVoucher]:
    """Leave out those whose id or code is taken."""
    found: list[NewVoucher] = []
    for voucher in vouchers:
        if all(voucher.id is None or voucher.id != other.id for other in found) and all(
            voucher.code is None or voucher.code != other.code for other in found
        ):
            found.append(voucher)
    return found


def _issue(folder: Path, form: str, **fields: Any) -> None:
    provider = FileProvider("files", FileSettings(path=str(folder / f"v.{form}"), reveal=True))
    provider.issue(NewVoucher(initial=Money("1.00", "EUR"), **fields), reference="r-1")


@pytest.mark.parametrize("form", ["jsonl", "csv"])
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"sku": "half \ud800 a pair"}, "text"),
        ({"code": "half\ud800"}, "text"),
        ({"metadata": {"share": 0.5}}, "metadata"),
        ({"metadata": {"n": Decimal("NaN")}}, "metadata"),
        ({"metadata": {"text": "x" * 1_100_000}}, "metadata"),
        ({"code": ""}, "code"),
        ({"id": ""}, "id"),
        ({"pin": ""}, "pin"),
        ({"code": "••••1234"}, "code"),
    ],
)
def test_what_could_not_be_read_back_is_refused_and_leaves_no_trace(
    tmp_path: Path, form: str, fields: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        _issue(tmp_path, form, **fields)
    assert refused.value.field == named
    assert (tmp_path / f"v.{form}").read_bytes() == b""
    assert string.ascii_letters not in str(refused.value)
