"""The page of a certificate, as an auditor reads and signs it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from tests.html.browser import Reader, opened
from tests.migration.certificate.conftest import EventfulMove
from tests.migration.run.vendor_pair import VendorPair
from voucher_gateway.html.document import Signatures, Table, Text
from voucher_gateway.html.render import render, write
from voucher_gateway.migration import Certificate, Policy, make_certificate
from voucher_gateway.migration.certificate.html import certificate_page
from voucher_gateway.migration.verify.checks import Difference, DifferenceKind
from voucher_gateway.migration.verify.parts import PartTotal, SourcePart, summarize
from voucher_gateway.money import Money

DIGEST = "d" * 64
CURRENCIES = (
    *("EUR", "USD", "GBP", "CHF", "JPY", "SEK", "NOK", "DKK", "PLN", "CZK"),
    *("HUF", "RON", "TRY", "INR", "BRL", "MXN", "ZAR", "AUD", "CAD", "KWD"),
)


@pytest.fixture
def certificate(eventful_move: EventfulMove) -> Certificate:
    return make_certificate(eventful_move.pair.gateway, eventful_move.pair.path, by="Cleo")


def read(certificate: Certificate) -> Reader:
    return Reader(render(certificate_page(certificate, DIGEST)))


def test_the_tables_have_the_amounts_of_the_certificate(certificate: Certificate) -> None:
    tables = read(certificate).tables
    rows = tables["The whole source by currency"][1:]
    assert [(row[0], Decimal(row[1]), Decimal(row[4])) for row in rows] == [
        (summary.currency, summary.before.amount, summary.difference.amount) for summary in certificate.currencies
    ]
    parts = tables["What became of every voucher"][1:]
    for summary in certificate.currencies:
        (*single, whole) = [Decimal(row[3]) for row in parts if row[0] == summary.currency]
        assert sum(single, Decimal(0)) in (whole, 0)  # the last row is the sum, unless there is one row only
        assert whole == summary.before.amount


def test_a_part_that_was_not_moved_is_framed_with_its_value_and_links(certificate: Certificate) -> None:
    page = certificate_page(certificate, DIGEST)
    first = page.sections[0]
    assert isinstance(first, Text)
    assert first.warning
    assert any("not moved: " in sentence and "EUR" in sentence for sentence in first.paragraphs)
    anchors = {section.anchor for section in page.sections if isinstance(section, Table)}
    assert {anchor for _, anchor in first.links} <= anchors


def test_it_says_who_did_what_has_the_hashes_and_ends_in_two_signatures(certificate: Certificate) -> None:
    page = certificate_page(certificate, DIGEST)
    text = read(certificate).text
    for words in ("Ann", "Ben", "Cleo", certificate.plan.id, certificate.rows_sha256, DIGEST):
        assert words in text
    last = page.sections[-1]
    assert isinstance(last, Signatures)
    assert last.signers == ("Carried out by", "Checked by")


def test_a_plan_that_carries_nothing_does_not_say_that_vouchers_are_at_the_target(pair: VendorPair) -> None:
    pair.plan(Policy())
    pair.run()
    text = read(make_certificate(pair.gateway, pair.path)).text
    assert "The plan carries no voucher." in text
    assert "at the target exactly once" not in text


def part_with_amount(part: SourcePart, money: Money) -> PartTotal:
    return PartTotal(
        part=part,
        currency=money.currency,
        count=12_345,
        before=money,
        at_source=money,
        spendable=money,
        at_target=money,
        used=money,
        left=money,
    )


def with_many_currencies(certificate: Certificate) -> Certificate:
    parts = tuple(
        part_with_amount(part, Money(str(10**9 + number), currency))
        for number, currency in enumerate(CURRENCIES)
        for part in (SourcePart.MOVED, SourcePart.SKIPPED, SourcePart.CHANGED)
    )
    return attrs.evolve(certificate, parts=parts, currencies=summarize(parts), made_by="Ann\u202e<script>x" + "y" * 200)


def test_amounts_in_explanations_have_gaps_between_groups_of_digits(certificate: Certificate) -> None:
    explanation = "it has 137305034.73 NZD of 1000 JPY at the target, where its id is 12345678 and its code A1234 EURO"
    difference = Difference(kind=DifferenceKind.VALUE, number=1, explanation=explanation)
    page = read(attrs.evolve(certificate, differences=(difference,), difference_count=1))
    text = page.tables["Differences"][1][4]
    assert "137\u202f305\u202f034.73 NZD of 1\u202f000 JPY" in text
    assert "12345678 and its code A1234 EURO" in text


def test_twenty_currencies_stand_in_one_table_the_largest_first(certificate: Certificate) -> None:
    rows = read(with_many_currencies(certificate)).tables["The whole source by currency"][1:]
    assert [row[0] for row in rows] == list(reversed(CURRENCIES))


@pytest.mark.long
def test_it_opens_without_a_request_and_prints_on_a4_whatever_is_in_it(
    certificate: Certificate, tmp_path: Path
) -> None:
    write(certificate_page(with_many_currencies(certificate), DIGEST), tmp_path / "c.html")
    seen = opened(tmp_path / "c.html", tmp_path)
    assert seen.console == ()
    assert seen.requests == ()
    assert set(seen.sheets) == {(210, 297)}
    assert "<script>" not in (tmp_path / "c.html").read_text()
