"""Secrets that are read again each time, and base URLs in one normal form."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.errors import ConfigurationError, ProviderUnavailable
from voucher_gateway.masking import Secret
from voucher_gateway.setting_types import SecretSource, parse_base_url

CANARY = "c4n4ry-0f-4-s3cr3t"


def refusal(given: Any) -> str:
    """What is said when this secret is read, or already when it is described."""
    with pytest.raises(ConfigurationError) as refused:
        SecretSource.of(given).get()
    return refused.value.message


def test_text_is_the_secret_itself() -> None:
    assert SecretSource.of(CANARY).get().reveal() == CANARY
    assert SecretSource.of(Secret(CANARY)).get().reveal() == CANARY


def test_a_variable_is_read_again_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SECRET", "before")
    source = SecretSource.of({"env": "SHOP_SECRET"})
    assert source.get().reveal() == "before"

    monkeypatch.setenv("SHOP_SECRET", "after")
    assert source.get().reveal() == "after"


def test_a_file_is_read_again_each_time(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("before\n")
    source = SecretSource.of({"file": str(file)})
    assert source.get().reveal() == "before"

    file.write_text("after\n")
    assert source.get().reveal() == "after"


def test_a_callable_is_called_each_time() -> None:
    answers: Iterator[str | Secret] = iter(["before", Secret("after")])
    source = SecretSource.of(lambda: next(answers))
    assert [source.get().reveal(), source.get().reveal()] == ["before", "after"]


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"abc", "abc"),
        (b"abc\n", "abc"),
        (b"abc\r\n", "abc"),
        (b" abc \n", " abc "),
        (b"\xef\xbb\xbfabc", "abc"),
        ("gehéim".encode(), "gehéim"),
    ],
)
def test_a_file_loses_one_line_break_at_its_end_and_nothing_else(tmp_path: Path, content: bytes, secret: str) -> None:
    tmp_path.joinpath("secret").write_bytes(content)
    assert SecretSource.of({"file": "secret"}, folder=tmp_path).get().reveal() == secret


@pytest.mark.parametrize("content", [b"", b"\n", b"abc\n\n", b"a\nb", b"a\x00b", b"\xff\xfe"])
def test_a_file_that_holds_no_single_line_of_text_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    refusal({"file": str(file)})


def test_a_relative_file_still_means_the_same_after_a_change_of_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath("secret").write_text("abc")
    tmp_path.joinpath("elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    source = SecretSource.of({"file": "secret"})
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert source.get().reveal() == "abc"


def test_a_variable_that_is_not_set_is_named() -> None:
    assert refusal({"env": "NO_SUCH_VARIABLE"}) == "needs the environment variable NO_SUCH_VARIABLE, which is not set"


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SECRET", "")
    assert "SHOP_SECRET, which is not set" in refusal({"env": "SHOP_SECRET"})


def test_a_secret_in_the_place_of_its_variables_name_is_not_repeated() -> None:
    assert "key_f00ba4" not in refusal({"env": "key_f00ba4"})
    assert CANARY not in refusal({"env": CANARY})


def test_a_secret_in_the_place_of_its_files_name_is_not_repeated() -> None:
    message = refusal({"file": CANARY})
    assert CANARY not in message
    assert "No such file" in message


def test_what_a_failing_callable_said_is_not_repeated() -> None:
    def failing() -> str:
        raise RuntimeError(CANARY)

    with pytest.raises(ConfigurationError, match="raised RuntimeError") as refused:
        SecretSource.of(failing).get()
    assert CANARY not in str(refused.value)
    assert refused.value.__context__ is None


def test_an_error_of_ours_passes_through_a_callable() -> None:
    def failing() -> str:
        raise ProviderUnavailable("the vault is down")

    with pytest.raises(ProviderUnavailable):
        SecretSource.of(failing).get()


@pytest.mark.parametrize(
    "given",
    [
        "",
        "two\nlines",
        "half a surrogate pair: \udc80",
        7,
        True,
        None,
        [[CANARY]],
        {},
        {"file": ""},
        {"file": None},
        {"file": "nul\0"},
        lambda: "",
        lambda: 7,
    ],
)
def test_anything_else_is_refused_without_being_repeated(given: Any) -> None:
    message = refusal(given)
    assert CANARY not in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["", "WITH SPACE", "1ST", "ÄHNLICH", "A=B", "A\0"])
def test_what_cannot_name_a_variable_is_refused(name: str) -> None:
    assert refusal({"env": name}).startswith("must name an environment variable")


@pytest.mark.parametrize(
    "shape",
    [{"env": "HOME", "file": "b"}, {"file": __file__, "mode": "r"}, {"env": 7}, {"ENV": "HOME"}, {"text": CANARY}],
)
def test_a_table_of_another_shape_is_answered_with_the_right_ones(shape: dict[str, Any]) -> None:
    assert refusal(shape) == 'must be a string, { env = "NAME" } or { file = "PATH" }'


def test_a_source_shows_nothing_anywhere() -> None:
    source = SecretSource.of(CANARY)
    for shown in (repr(source), str(source), f"{source}", repr([source]), repr(source.get())):
        assert CANARY not in shown
    assert CANARY.encode() not in pickle.dumps(source)


def test_a_source_of_a_variable_survives_a_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SECRET", "abc")
    source = SecretSource.of({"env": "SHOP_SECRET"})
    copy = pickle.loads(pickle.dumps(source))
    assert copy == source
    assert copy.get().reveal() == "abc"


def test_a_source_comes_back_as_it_is() -> None:
    source = SecretSource.of(CANARY)
    assert SecretSource.of(source) is source


def test_checking_finds_what_is_missing_but_calls_nothing() -> None:
    with pytest.raises(ConfigurationError, match="NO_SUCH_VARIABLE"):
        SecretSource.of({"env": "NO_SUCH_VARIABLE"}).check()
    called: list[None] = []

    def function() -> str:
        called.append(None)
        return "abc"

    SecretSource.of(function).check()
    assert called == []


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("https://vouchers.example/v1", "https://vouchers.example/v1"),
        ("https://vouchers.example/v1/", "https://vouchers.example/v1"),
        ("https://vouchers.example", "https://vouchers.example"),
        ("https://vouchers.example//", "https://vouchers.example"),
        ("HTTPS://Vouchers.Example/V1", "https://vouchers.example/V1"),
        ("https://vouchers.example:443/v1", "https://vouchers.example/v1"),
        ("https://vouchers.example:8443/v1", "https://vouchers.example:8443/v1"),
        ("https://10.0.0.1/", "https://10.0.0.1"),
        ("https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("http://127.0.0.1:8101/v1", "http://127.0.0.1:8101/v1"),
        ("http://127.8.8.8/", "http://127.8.8.8"),
        ("http://localhost:80/api", "http://localhost/api"),
        ("http://[::1]:8101", "http://[::1]:8101"),
    ],
)
def test_a_base_url_takes_its_normal_form(given: str, normal: str) -> None:
    assert parse_base_url(given) == normal
    assert parse_base_url(normal) == normal


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("http://vouchers.example/v1", "https"),
        ("http://10.0.0.1/", "https"),
        ("http://127.0.0.1.example/", "https"),
        ("http://localhost.example/", "https"),
        ("http://127.1/", "https"),
        ("ftp://vouchers.example", "https"),
        ("vouchers.example/v1", "https"),
        ("//vouchers.example", "https"),
        ("https:vouchers.example", "host"),
        (f"https://user:{CANARY}@vouchers.example", "user"),
        (f"https://{CANARY}@vouchers.example", "user"),
        ("https://@vouchers.example", "user"),
        (f"https://vouchers.example/?key={CANARY}", "query"),
        ("https://vouchers.example/?", "query"),
        (f"https://vouchers.example/#{CANARY}", "fragment"),
        ("https://vouchers.example#", "fragment"),
        ("https://", "host"),
        ("https:///v1", "host"),
        ("https://:443", "host"),
        ("https://vouchers..example", "host"),
        ("https://vouchers.example.", "host"),
        ("https://-vouchers.example", "host"),
        ("https://vouchers%2eexample", "host"),
        ("https://[v1.a]/", "host"),
        ("https://[::1", "host"),
        ("https://[fe80::1%25eth0]/", "host"),
        ("https://" + "a" * 64, "host"),
        ("https://vouchers.example:", "port"),
        ("https://vouchers.example:0", "port"),
        ("https://vouchers.example:65536", "port"),
        (f"https://vouchers.example:{CANARY}", "port"),
        ("https://vouchers.example/a//b", "path"),
        ("https://vouchers.example/../b", "path"),
        ("https://vouchers.example/%2E./b", "path"),
        ("https://vouchers.example\\v1", "ASCII"),
        ("https://vouchers.example/v 1", "ASCII"),
        ("https://vouchers.example/\nv1", "ASCII"),
        ("https://göuchers.example", "ASCII"),
        ("", "ASCII"),
    ],
)
def test_any_other_base_url_is_refused_by_its_rule_without_being_repeated(given: str, rule: str) -> None:
    with pytest.raises(ConfigurationError, match=rule) as refused:
        parse_base_url(given)
    assert CANARY not in str(refused.value)


@given(st.text() | st.from_regex(r"https?://[^ ]*", fullmatch=True))
def test_whatever_text_is_given_a_base_url_is_normal_or_refused(text: str) -> None:
    try:
        normal = parse_base_url(text)
    except ConfigurationError:
        return
    assert parse_base_url(normal) == normal
    assert normal.startswith(("https://", "http://127.", "http://localhost", "http://[::1]"))
    assert not set(normal) & set("?#@\\ ")


def test_a_list_of_secrets_has_candidates_and_the_first_is_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLD_SECRET", raising=False)
    source = SecretSource.of(["new", {"env": "OLD_SECRET"}, "older"])
    assert source.get().reveal() == "new"
    assert [secret.reveal() for secret in source.candidates()] == ["new", "older"]
    assert "new" not in repr(source)
    with pytest.raises(ConfigurationError, match="OLD_SECRET"):
        source.check()
