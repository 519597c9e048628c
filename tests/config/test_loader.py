"""Configurations: what is read, and what is said about one that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from voucher_gateway.config.check_limits import CheckLimits
from voucher_gateway.config.loader import default_config_path, load_config
from voucher_gateway.emulation.registry import RISKS
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.setting_types import SecretSource

CANARY = "c4n4ry-0f-4-s3cr3t"
MINIMAL = {
    "provider": "acme",
    "base_url": "https://acme.example/v1/",
    "client_id": "shop-1",
    "client_secret": CANARY,
}


def account(**changes: Any) -> dict[str, Any]:
    """A configuration with one account, `shop`, right but for the changes; None takes a key away."""
    table = {key: value for key, value in {**MINIMAL, **changes}.items() if value is not None}
    return {"accounts": {"shop": table}}


def problems(source: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        load_config(source)
    assert CANARY not in str(refused.value)
    return refused.value.message.split("\n")


def problem(source: Any) -> str:
    (only,) = problems(source)
    return only


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "vg.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


# --- what is right ---


def test_a_file_is_read_with_everything_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_SECRET", CANARY)
    file = write(
        tmp_path,
        """
        journal = "postgresql://vouchers@db/journal"
        [accounts.shop]
        provider = "acme"
        base_url = "https://ACME.example/v1/"
        timeout = 5
        client_id = "shop-1"
        client_secret = { env = "ACME_SECRET" }
        code_pattern = "^ACME-"
        normalize_codes = ["upper-case", "no-blanks"]
        accept_risks = ["redeem-by-update"]
        [accounts.other]
        provider = "acme"
        base_url = "http://127.0.0.1:8101"
        client_id = "shop-2"
        client_secret = "abc"
        """,
    )

    config = load_config(file)

    assert config.journal == "postgresql://vouchers@db/journal"
    assert list(config.accounts) == ["shop", "other"]
    shop = config.accounts["shop"]
    assert (shop.name, shop.provider) == ("shop", "acme")
    assert shop.code_pattern is not None
    assert shop.code_pattern.search("ACME-1")
    assert shop.normalize_codes == {"upper-case", "no-blanks"}
    assert shop.accept_risks == {"redeem-by-update"}
    assert shop.settings == type(shop.settings)(
        base_url="https://acme.example/v1",
        timeout=5.0,
        client_id="shop-1",
        client_secret=SecretSource.of({"env": "ACME_SECRET"}),
    )
    assert shop.settings.client_secret.get().reveal() == CANARY
    other = config.accounts["other"]
    assert (other.code_pattern, other.accept_risks) == (None, frozenset())
    assert other.settings.timeout == 10.0


def test_a_file_may_begin_with_a_byte_order_mark_of_an_editor(tmp_path: Path) -> None:
    file = write(tmp_path, b"\xef\xbb\xbf[accounts.shop]\nprovider = 'acme'\nbase_url = 'https://acme.example'\n")
    assert all("is missing" in each for each in problems(file))


@pytest.mark.parametrize("text", ["shop-1\n", "shop\udcff1", "shop\x001"])
def test_a_text_is_one_line_without_bytes_that_no_database_stores(text: str) -> None:
    assert problem(account(client_id=text)).startswith("config: accounts.shop.client_id: must be one line of text")


def test_a_dict_of_the_same_shape_is_read_alike() -> None:
    config = load_config(account())
    assert config.journal is None
    assert config.accounts["shop"].settings.client_secret.get().reveal() == CANARY


def test_a_dict_may_hold_callables_which_are_not_called_while_loading() -> None:
    called: list[None] = []

    def secret() -> str:
        called.append(None)
        return CANARY

    config = load_config(account(client_secret=secret))
    assert called == []
    assert config.accounts["shop"].settings.client_secret.get().reveal() == CANARY


def test_neither_secrets_nor_the_journals_password_show_in_repr() -> None:
    config = load_config({"journal": f"postgresql://vouchers:{CANARY}@db/journal", **account()})
    assert CANARY not in repr(config)
    assert CANARY not in str(config.accounts["shop"])


def test_paths_begin_at_the_config_file_and_not_where_the_program_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    etc.joinpath("secret").write_text(f"{CANARY}\n")
    write(
        etc,
        """
        journal = "sqlite:///data/vg.db"
        [accounts.shop]
        provider = "acme"
        base_url = "https://acme.example"
        client_id = "shop-1"
        client_secret = { file = "secret" }
        """,
    )
    monkeypatch.chdir(tmp_path)

    config = load_config("etc/vg.toml")
    monkeypatch.chdir("/")

    assert config.journal == f"sqlite:///{etc}/data/vg.db"
    assert config.accounts["shop"].settings.client_secret.get().reveal() == CANARY


@pytest.mark.parametrize(
    "url",
    ["sqlite:////var/vg.db", "sqlite://", "sqlite:///:memory:", "sqlite+pysqlite:////x", "postgresql+psycopg://db/x"],
)
def test_a_journal_that_has_no_relative_path_stays_as_it_is(tmp_path: Path, url: str) -> None:
    file = write(
        tmp_path,
        f"""
        journal = "{url}"
        [accounts.shop]
        provider = "acme"
        base_url = "https://acme.example"
        client_id = "shop-1"
        client_secret = "abc"
        """,
    )
    assert load_config(file).journal == url


def test_the_journals_path_in_a_dict_stays_as_it_is() -> None:
    assert load_config({"journal": "sqlite:///vg.db", **account()}).journal == "sqlite:///vg.db"


def test_the_journals_url_may_come_from_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_URL", "postgresql://vouchers:secret@db/journal")
    config = load_config({"journal": {"env": "JOURNAL_URL"}, **account()})
    assert config.journal == "postgresql://vouchers:secret@db/journal"


@pytest.mark.parametrize("name", ["s", "9", "Shop.1_b-c", "a" * 64])
def test_an_account_may_have_a_name_of_letters_digits_and_marks(name: str) -> None:
    assert list(load_config({"accounts": {name: MINIMAL}}).accounts) == [name]


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
def test_all_known_risks_can_be_accepted(kind: type[Any]) -> None:
    config = load_config(account(accept_risks=kind(RISKS)))
    assert config.accounts["shop"].accept_risks == set(RISKS)


def test_the_default_file_is_what_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOUCHER_GATEWAY_CONFIG", raising=False)
    assert default_config_path() == Path("voucher-gateway.toml")
    monkeypatch.setenv("VOUCHER_GATEWAY_CONFIG", "")
    assert default_config_path() == Path("voucher-gateway.toml")
    monkeypatch.setenv("VOUCHER_GATEWAY_CONFIG", "/etc/vg.toml")
    assert default_config_path() == Path("/etc/vg.toml")


# --- what is wrong ---


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base_ulr": "x"}, "base_ulr: is not a key of this provider; did you mean base_url?"),
        ({"client_id": None}, "client_id: is missing"),
        (
            {"client_id": {"env": CANARY}},
            "client_id: must name an environment variable: letters, digits and underscores",
        ),
        ({"client_id": {"name": CANARY}}, "client_id: must be a string, not a table"),
        ({"base_url": f"https://{CANARY}@acme.example"}, "base_url: must not hold a user name"),
        ({"client_secret": {"env": "NO_SUCH_VARIABLE"}}, "client_secret: needs the environment variable NO_SUCH_VAR"),
        ({"code_pattern": "("}, "code_pattern: must be a regular expression (error at character 1)"),
        ({"code_pattern": f"(?P<{CANARY}>x)"}, "code_pattern: must be a regular expression"),
        (
            {"code_pattern": "a{99999999999999999999}"},
            "code_pattern: must be a smaller regular expression",
        ),
        ({"code_pattern": ""}, "code_pattern: must not be empty"),
        ({"code_pattern": 7}, "code_pattern: must be a string"),
        ({"former_names": "shop"}, "former_names: must be an array of names, not a string"),
        ({"former_names": ["a shop"]}, "former_names: must hold names of accounts"),
        ({"former_names": ["shop"]}, "former_names: has shop, which is still an account of this configuration"),
        ({"normalize_codes": "no-blanks"}, "normalize_codes: must be an array of names, not a string"),
        ({"normalize_codes": [7]}, "normalize_codes: must be an array of strings, and has an integer"),
        ({"normalize_codes": ["no-blank"]}, "normalize_codes: holds an unknown name; did you mean no-blanks?"),
        (
            {"normalize_codes": ["upper-case", "lower-case"]},
            "normalize_codes: must not hold both upper-case and lower-case",
        ),
        ({"accept_risks": "redeem-by-update"}, "accept_risks: must be an array of names, not a string"),
        ({"accept_risks": [7]}, "accept_risks: must be an array of strings, and has an integer"),
        ({"accept_risks": ["redeem-by-updat"]}, "accept_risks: holds an unknown name; did you mean redeem-by-update?"),
        (
            {"accept_risks": [CANARY]},
            "accept_risks: holds an unknown name; known: deactivate-by-expiry, redeem-by",
        ),
        ({"provider": "acne"}, "provider: is not an installed provider; did you mean acme?; installed: acme, "),
        ({"provider": CANARY}, "provider: is not an installed provider; installed: acme, "),
        ({"provider": 7}, "provider: must be a string, not an integer"),
        ({"provider": None}, "provider: is missing; installed: acme, "),
        ({"provider": "acne", "code_patterns": "unknown keys may be that provider's"}, "provider: is not an installed"),
        ({"provider": "broken"}, "provider: provider broken of acme-vouchers 1.2 cannot be imported: ModuleNotFound"),
    ],
)
def test_one_thing_that_is_wrong_is_said_in_one_line(changes: dict[str, Any], said: str) -> None:
    assert problem(account(**changes)).startswith(f"config: accounts.shop.{said}")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({}, "accounts: must hold at least one account"),
        ({"accounts": {}}, "accounts: must hold at least one account"),
        ({"accounts": []}, "accounts: must be a table, not an array"),
        ({"accounts": {"shop": CANARY}}, "accounts.shop: must be a table, not a string"),
        ({"accounts": {"": MINIMAL}}, "accounts.'': must be named with letters"),
        ({"accounts": {"-shop": MINIMAL}}, "accounts.-shop: must be named with letters"),
        ({"accounts": {"shöp": MINIMAL}}, "accounts.'sh\\xf6p': must be named with letters"),
        ({"accounts": {"a\nb": MINIMAL}}, "accounts.'a\\nb': must be named with letters"),
        ({"accounts": {"shop\n": MINIMAL}}, "accounts.'shop\\n': must be named with letters"),
        ({"accounts": {"a" * 65: MINIMAL}}, "accounts.'aaaaaa"),
        ({"accounts": {7: MINIMAL}}, "accounts.(an integer): must be named with letters"),
        ({"migration": {}, **account()}, "migration: is not a key of a configuration"),
        ({"jurnal": "x", **account()}, "jurnal: is not a key of a configuration; did you mean journal?"),
        ({"journal": "", **account()}, "journal: must not be empty"),
        ({"journal": 7, **account()}, "journal: must be a string"),
        ({"journal": CANARY, **account()}, "journal: must be a database URL"),
        ({"journal": {"env": "NO_SUCH_VARIABLE"}, **account()}, "journal: needs the environment variable NO_SUCH_VAR"),
        ({"journal": lambda: "sqlite://", **account()}, "journal: must be a string, { env ="),
    ],
)
def test_what_is_wrong_outside_of_an_account_is_said_in_one_line(source: Mapping[Any, Any], said: str) -> None:
    assert problem(source).startswith(f"config: {said}")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[accounts.shop]\nprovider = acme", "is not TOML: Invalid value (at line 2, column 12)"),
        (f'client_secret = "{CANARY}', "is not TOML: Unterminated string (at end of document)"),
        (f'"{CANARY}" = 1\n"{CANARY}" = 2', "is not TOML: a key stands in its table twice (at end of document)"),
        (f'x = {{ "{CANARY}" = 1, "{CANARY}" = 2 }}', "is not TOML: a key stands in its table twice (at line 1, col"),
        (f"[{CANARY}]\n[{CANARY}]", "is not TOML: a table stands in it twice (at line 2, column "),
        (b"x = '\xff'", "is not text in UTF-8"),
        ("x = " + "[" * 100_000, "is nested too deeply"),
        ("x = " + "9" * 5_000, "holds a number"),
    ],
)
def test_a_file_that_is_no_toml_says_where_and_repeats_nothing(tmp_path: Path, content: str | bytes, said: str) -> None:
    file = write(tmp_path, content)
    assert problem(file).startswith(f"{file}: {said}")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert problem(tmp_path / "none.toml") == f"{tmp_path / 'none.toml'}: cannot be read: No such file or directory"
    assert problem(str(tmp_path)) == f"{tmp_path}: cannot be read: Is a directory"
    assert "cannot" in problem("nul\0.toml") or "out of range" in problem("nul\0.toml")


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
        jurnal = "sqlite:///x.db"
        [accounts.shop]
        provider = "acme"
        base_ulr = "https://acme.example"
        client_id = ""
        client_secret = { env = "NO_SUCH_VARIABLE" }
        timeout = inf
        code_pattern = "("
        accept_risks = ["redeem-by-hope"]
        [accounts."no good"]
        provider = "acne"
        [accounts.events]
        provder = "acme"
        """,
    )

    said = [line.removeprefix(f"{file}: ").split(": ")[0] for line in problems(file)]

    assert said == [
        "jurnal",
        "accounts.shop.code_pattern",
        "accounts.shop.accept_risks",
        "accounts.shop.base_ulr",
        "accounts.shop.base_url",
        "accounts.shop.client_id",
        "accounts.shop.client_secret",
        "accounts.shop.timeout",
        "accounts.'no good'",
        "accounts.'no good'.provider",
        "accounts.events.provider",
        "accounts.events.provder",
    ]


# --- the limits of checks ---


def test_the_limits_of_checks_are_read_and_have_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUESSES", "20")
    given = {"caller_guesses": {"env": "GUESSES"}, "total_period_s": 60}
    assert load_config({**account(), "checks": given}).checks == CheckLimits(
        caller_guesses=20, caller_period_s=600, total_guesses=1000, total_period_s=60
    )
    assert load_config(account()).checks == CheckLimits()


def test_wrong_limits_of_checks_are_named() -> None:
    keys = "its keys: caller_guesses, caller_period_s, total_guesses, total_period_s, unusable_time_s"
    given = {
        "caller_guess": 5,
        "caller_guesses": 0,
        "caller_period_s": 604_801,
        "total_guesses": "5",
        "unusable_time_s": -1,
    }
    assert problems({**account(), "checks": given}) == [
        f"config: checks.caller_guess: is not a key of the table checks; did you mean caller_guesses?; {keys}",
        "config: checks.total_guesses: must be an integer, not a string",
        "config: checks.caller_guesses: must be from 1 to 1000",
        "config: checks.caller_period_s: must be from 1 to 604800",
        "config: checks.unusable_time_s: must be from 0 to 10",
    ]
    assert problem({**account(), "checks": [1]}) == "config: checks: must be a table, not an array"
