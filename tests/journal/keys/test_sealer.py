"""Codes and PINs that a payment or a sale keeps: nobody reads them without the journal's key."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.keys.sealer import Sealer
from voucher_gateway.provider_api import Code, ConfigurationError, Pin, Secret

OLD = {"1": Secret("the-first-key-of-all")}
KEYS = JournalKeys.of({**OLD, "2": Secret("the-second-key-of-all")})
SEALER = Sealer(KEYS, "legs")
CODE = Code("JTL-7K2M-9QXD-4HTP")


def seal() -> str:
    return SEALER.seal(CODE, row="p1-1", column="sealed_code")


@given(st.text())
def test_what_is_sealed_opens_again(text: str) -> None:
    sealed = SEALER.seal(Pin(text), row="p1-1", column="sealed_pin")
    opened = SEALER.unseal(Pin, sealed, row="p1-1", column="sealed_pin", key_id="2")
    assert opened == Pin(text)


def test_a_sealed_text_shows_neither_the_code_nor_its_length_and_differs_each_time() -> None:
    sealed = [SEALER.seal(Code(code), row="p1-1", column="sealed_code") for code in ("A", "A" * 40, "A" * 40)]
    assert len({len(text) for text in sealed}) == 1
    assert len(set(sealed)) == 3
    assert "AAAA" not in sealed[1]


@pytest.mark.parametrize(
    "place",
    [{"row": "p1-2"}, {"column": "sealed_pin"}, {"row": "p1-1sealed", "column": "_code"}],
    ids=["another row", "another column", "another limit of the two"],
)
def test_a_sealed_text_opens_only_at_its_place(place: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="does not open"):
        SEALER.unseal(Code, seal(), **{"row": "p1-1", "column": "sealed_code", "key_id": "2", **place})


def test_a_sealed_text_opens_only_in_its_table() -> None:
    with pytest.raises(ConfigurationError, match="a sealed text of sales does not open"):
        Sealer(KEYS, "sales").unseal(Code, seal(), row="p1-1", column="sealed_code", key_id="2")


def change_first_letter(text: str) -> str:
    return ("A" if text[0] != "A" else "B") + text[1:]


@pytest.mark.parametrize("damaged", ["", "x", "AAAA", seal()[:-8], change_first_letter(seal())])
def test_a_damaged_text_does_not_open(damaged: str) -> None:
    with pytest.raises(ConfigurationError, match="does not open"):
        SEALER.unseal(Code, damaged, row="p1-1", column="sealed_code", key_id="2")


def test_a_text_of_an_older_key_opens_as_long_as_that_key_is_configured() -> None:
    older = Sealer(JournalKeys.of(OLD), "legs")
    assert older.key_id == "1"
    sealed = older.seal(CODE, row="p1-1", column="sealed_code")
    assert SEALER.unseal(Code, sealed, row="p1-1", column="sealed_code", key_id="1") == CODE
    with pytest.raises(ConfigurationError, match="does not open"):
        SEALER.unseal(Code, sealed, row="p1-1", column="sealed_code", key_id="2")


def test_a_key_that_is_not_configured_any_more_is_named() -> None:
    with pytest.raises(ConfigurationError, match="journal key '2', which is not configured any more"):
        Sealer(JournalKeys.of(OLD), "legs").unseal(Code, seal(), row="p1-1", column="sealed_code", key_id="2")


def test_without_its_package_the_error_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from voucher_gateway.journal.keys.keys import JournalKeys\n"
        "from voucher_gateway.journal.keys.sealer import Sealer\n"
        "from voucher_gateway.provider_api import Secret\n"
        "try:\n    Sealer(JournalKeys.of({'1': Secret('the-first-key-of-all')}), 'legs')\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.startswith("ConfigurationError")
    assert "pip install 'voucher-gateway[payments]'" in printed
