"""No text of a code, PIN or secret shows beyond the rule, wherever text usually leaks."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import pprint
import string
import traceback
from collections.abc import Callable

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.masking import MASK, Code, Masked, Pin, Secret, contains_secret, mask
from voucher_gateway.models.voucher import Voucher

# Letters that nothing else here is written with, so that whatever shows of them comes from the code.
LETTERS = "ЖЩЭЮЯБГДИЛ"
texts = st.text(LETTERS, max_size=40)
kinds = st.sampled_from([Code, Pin, Secret, Masked])

VIEWS: dict[str, Callable[[Masked], str]] = {
    "repr": repr,
    "str": str,
    "f-string": lambda it: f"{it}",
    "f-string with conversion": lambda it: f"{it!r}",
    "f-string with a width": lambda it: f"{it:>60}",
    "str.format": lambda it: "{0} {0!s} {0!r}".format(it),  # noqa: UP032 - this very way of formatting is under test
    "%-format": lambda it: "%s %r" % (it, it),  # noqa: UP031 - this very way of formatting is under test
    "template": lambda it: string.Template("$it").substitute(it=it),
    "log line": lambda it: logging.Formatter().format(
        logging.LogRecord("a", logging.INFO, "b", 1, "%s %r", (it, it), None)
    ),
    "list": lambda it: str([it]),
    "dict": lambda it: str({it: it}),
    "pretty print": pprint.pformat,
    "exception": lambda it: "".join(traceback.format_exception(ValueError(it))) + repr(ValueError(it).args),
    "attrs repr": lambda it: repr(attrs.make_class("Box", ["it"])(it)),
    "copy": lambda it: repr(copy.copy(it)),
    "deep copy": lambda it: repr(copy.deepcopy(it)),
    "state": lambda it: repr(it.__getstate__()),
}


def leaked(view: str) -> str:
    return "".join(letter for letter in view if letter in LETTERS)


def tail(it: Masked, text: str) -> str:
    """Return what the rule lets show."""
    if not isinstance(it, Code) or len(text) < 8:
        return ""
    return text[-4:] if len(text) >= 12 else text[-2:]


@given(kind=kinds, text=texts)
def test_no_view_shows_more_than_the_rule_allows(kind: type[Masked], text: str) -> None:
    it = kind(text)
    allowed = tail(it, text)
    for name, view in VIEWS.items():
        shown = view(it)
        assert leaked(shown.replace(MASK + allowed, "")) == "", name
        assert MASK in shown, name


@given(kind=kinds, text=texts)
def test_a_pickle_holds_the_mask_alone_and_what_comes_out_cannot_be_revealed(kind: type[Masked], text: str) -> None:
    it = kind(text)
    hidden = text[: len(text) - len(tail(it, text))]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        pickled = pickle.dumps(it, protocol)
        for letter in set(hidden) - set(tail(it, text)):
            assert letter.encode() not in pickled
            assert letter.encode("raw-unicode-escape") not in pickled
        again = pickle.loads(pickled)
        assert type(again) is kind
        assert str(again) == str(it)
        with pytest.raises(ValueError, match="pickle") as refused:
            again.reveal()
        assert leaked(str(refused.value)) == ""


@given(text=texts)
def test_the_tail_grows_with_the_length_of_the_code(text: str) -> None:
    assert mask(text) == MASK + tail(Code(text), text)


@given(text=texts)
def test_six_characters_or_all_of_them_stay_unknown(text: str) -> None:
    shown = len(mask(text)) - len(MASK)
    assert len(text) - shown >= min(len(text), 6)


def test_the_rule_by_example() -> None:
    assert mask("") == mask("1234567") == "••••"
    assert mask("12345678") == "••••78"
    assert mask("12345678901") == "••••01"
    assert mask("JTL-ABCD-1234") == "••••1234"
    assert str(Pin("JTL-ABCD-1234")) == str(Secret("JTL-ABCD-1234")) == "••••"


@given(kind=kinds, text=st.text())
def test_the_plain_text_comes_out_of_reveal_unchanged(kind: type[Masked], text: str) -> None:
    assert kind(text).reveal() == text
    assert copy.copy(kind(text)).reveal() == text
    assert copy.deepcopy([kind(text)])[0].reveal() == text


@given(one=st.text(max_size=3), other=st.text(max_size=3))
def test_two_are_equal_when_their_texts_are(one: str, other: str) -> None:
    assert (Code(one) == Code(other)) is (one == other)
    assert hash(Code(one)) == hash(Code(one))
    assert len({Code(one), Code(other)}) == len({one, other})


def test_lone_surrogates_can_be_compared_and_hashed() -> None:
    assert Code("\ud800") == Code("\ud800")
    assert Code("\ud800") != Code("\ud801")
    assert hash(Code("\ud800")) == hash(Code("\ud800"))


def test_texts_of_different_kinds_are_never_equal() -> None:
    assert Code("same") != Pin("same")
    assert Pin("same") != Secret("same")
    assert Masked("same") != Code("same")
    assert Code("same") != Masked("same")
    assert Code("same") != "same"


def test_unpickled_codes_are_equal_to_none_but_themselves() -> None:
    one, other = pickle.loads(pickle.dumps([Code("ABCDEFGH-1234"), Code("ZZZZZZZZ-1234")]))
    assert str(one) == str(other)
    assert one != other
    assert one == one  # identity is what remains
    assert one != Code("ABCDEFGH-1234")


def test_of_takes_text_or_one_that_is_masked_already() -> None:
    code = Code("ABCDEFGH")
    assert Code.of(code) is code
    assert Code.of("ABCDEFGH") == code
    with pytest.raises(TypeError):
        Code.of(Pin("ABCDEFGH"))  # type: ignore[arg-type]  # what a caller may not do


@pytest.mark.parametrize("wrong", [None, 1234, b"ABCD", ["ABCD"]])
def test_only_text_can_be_masked(wrong: object) -> None:
    with pytest.raises(TypeError) as refused:
        Code(wrong)  # type: ignore[arg-type]  # what a caller may not do
    assert "ABCD" not in str(refused.value)
    assert "1234" not in str(refused.value)


@pytest.mark.parametrize(
    "use",
    [
        lambda it: "".join(it),
        lambda it: list(it),
        lambda it: "Ж" in it,
        lambda it: len(it),
        lambda it: it[0],
        lambda it: it + "",
        lambda it: bytes(it),
        lambda it: json.dumps(it),
        lambda it: vars(it),
    ],
)
def test_it_is_no_text_that_could_be_taken_apart(use: Callable[[Masked], object]) -> None:
    with pytest.raises(TypeError) as refused:
        use(Code("ЖЩЭЮЯБГД"))
    assert leaked(str(refused.value)) == ""


def test_it_has_no_place_for_other_attributes() -> None:
    with pytest.raises(AttributeError):
        Code("ABCD").note = "x"  # type: ignore[attr-defined]  # what a caller may not do


def test_a_voucher_shows_its_code_and_pin_masked() -> None:
    text = "ЖЩЭЮЯБГД-ЖЩЭЮ"
    voucher = Voucher(account="shop", id="1", code=Code(text), pin=Pin("ИЛИЛ"), raw={"code": text})
    for view in (
        repr(voucher),
        str(voucher),
        f"{voucher}",
        pprint.pformat(voucher),
        str(attrs.asdict(voucher)["code"]),
    ):
        assert leaked(view.replace("••••ЖЩЭЮ", "")) == ""
    assert "code=Code('••••ЖЩЭЮ')" in repr(voucher)
    assert "pin=Pin('••••')" in repr(voucher)


# --- names that hold a code ---


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ABCDEF", "ABCDEF"),
        ("order 1001, card abc-def", "ABCDEF"),
        ("4711-4711", "47114711"),
        ("2026-471147", "471147"),
        ("4711 22-order", "471122"),
        ("x1471122223333x", "471122223333"),
        ("\uff21\uff22\uff23\uff24\uff25\uff26", "ABCDEF"),
        ("M\u00fcller1", "MU\u0308LLER1"),
    ],
)
def test_a_code_is_found_in_a_name(name: str, code: str) -> None:
    assert contains_secret(name, Code(code))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("1001", "1001"),
        ("ABCDE", "ABCDE"),
        ("------", "------"),
        ("20260012345", "600123"),
        ("1471122", "471122"),
        ("4711-223", "471122"),
        ("ABCDE-G", "ABCDEF"),
        ("", "ABCDEF"),
    ],
)
def test_a_name_does_not_contain_a_code_by_chance(name: str, code: str) -> None:
    assert not contains_secret(name, Code(code))


@given(st.text(), st.text(), st.text())
def test_a_code_with_letters_is_found_between_anything(before: str, code: str, after: str) -> None:
    letters = f"{code}ABCDEF"
    assert contains_secret(f"{before} {letters} {after}", Code(letters))
