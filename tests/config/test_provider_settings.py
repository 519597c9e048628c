"""Settings classes of providers, read from tables: types, rules, and all problems at once."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs
import pytest

from voucher_gateway.config.provider_settings import ConfigProblems, read_settings
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.setting_types import SecretSource, parse_base_url

if TYPE_CHECKING:
    from decimal import Decimal

CANARY = "c4n4ry-0f-4-s3cr3t"


@attrs.frozen(kw_only=True)
class Shared:
    timeout: float = attrs.field(default=10.0, validator=attrs.validators.gt(0))
    base_url: str = attrs.field(converter=parse_base_url)


def _in_capitals(text: str, _: object) -> str:
    return text.upper()


@attrs.frozen(kw_only=True)
class Settings(Shared):
    client_id: str
    client_secret: SecretSource
    old_secret: SecretSource | None = None
    workers: int = attrs.field(default=4, validator=attrs.validators.in_(range(1, 65)))
    most_workers: int = attrs.field(default=32)
    verify: bool = True
    mode: Literal["live", "test"] = "live"
    level: Literal[1, 2] = 1
    scopes: tuple[str, ...] = ()
    shouted: str = attrs.field(
        default="",
        converter=attrs.Converter(_in_capitals, takes_self=True),  # type: ignore[misc]  # unknown to mypy's plugin
    )
    labels: tuple[str, ...] = attrs.field(factory=tuple)
    derived: int = attrs.field(init=False, default=7)

    @most_workers.validator
    def _enough(self, attribute: object, value: int) -> None:
        if value < self.workers:
            raise ConfigurationError("must be at least workers")


RIGHT = {"base_url": "https://acme.example/v1/", "client_id": "shop-1", "client_secret": CANARY}


def read(settings_type: type[Any], table: dict[Any, Any], folder: Path | None = None) -> Any:
    """The settings, or all complaints, each without the place of the account."""
    problems = ConfigProblems("file")
    settings = read_settings(settings_type, table, problems, ("a",), folder=folder, reserved=("provider",))
    try:
        problems.raise_if_any()
    except ConfigurationError as error:
        said = error.message
    else:
        return settings
    assert settings is None
    assert CANARY not in said
    return [line.removeprefix("file: a") for line in said.split("\n")]


def test_the_attributes_are_the_keys_and_those_of_base_classes_too() -> None:
    settings = read(
        Settings,
        {**RIGHT, "timeout": 5, "workers": 8, "verify": False, "mode": "test", "scopes": ["a", "b"], "shouted": "x"},
    )
    assert settings == Settings(
        base_url="https://acme.example/v1",
        timeout=5.0,
        client_id="shop-1",
        client_secret=SecretSource.of(CANARY),
        workers=8,
        verify=False,
        mode="test",
        scopes=("a", "b"),
        shouted="x",
    )
    assert type(settings.timeout) is float
    assert settings.shouted == "X"


def test_keys_with_defaults_may_be_left_out() -> None:
    settings = read(Settings, RIGHT)
    assert (settings.timeout, settings.workers, settings.old_secret, settings.scopes) == (10.0, 4, None, ())


def test_a_dict_may_say_none_where_nothing_is_allowed() -> None:
    assert read(Settings, {**RIGHT, "old_secret": None}).old_secret is None


def test_the_file_of_a_secret_lies_beside_the_config(tmp_path: Path) -> None:
    tmp_path.joinpath("secret").write_text("abc\n")
    settings = read(Settings, {**RIGHT, "client_secret": {"file": "secret"}}, tmp_path)
    assert settings.client_secret.get().reveal() == "abc"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (
            "base_ulr",
            "x",
            "is not a key of this provider; did you mean base_url?; its keys: timeout, base_url,",
        ),
        ("CLIENT_ID", "x", "is not a key of this provider; did you mean client_id?"),
        ("zzz", "x", "is not a key of this provider; its keys: "),
        ("derived", 1, "is not a key of this provider"),
        ("client_id", "", "must not be empty"),
        ("client_id", " \t", "must not be empty"),
        ("client_id", 7, "must be a string, not an integer"),
        ("client_id", None, "must be a string, not nothing"),
        ("client_id", [CANARY], "must be a string, not an array"),
        ("client_id", {"env": CANARY}, "must name an environment variable: letters, digits and underscores"),
        ("client_id", {"name": CANARY}, "must be a string, not a table"),
        ("client_id", datetime.date(2026, 1, 1), "must be a string, not a date or time"),
        ("base_url", "http://acme.example", "must begin with https:// "),
        ("base_url", f"https://{CANARY}@acme.example", "must not hold a user name"),
        ("base_url", 7, "must be a string"),
        ("workers", "8", "must be an integer, not a string"),
        ("workers", 8.0, "must be an integer, not a float"),
        ("workers", True, "must be an integer, not a boolean"),
        ("workers", 0, "breaks the rule in_ validator with options range(1, 65)"),
        ("most_workers", 2, "must be at least workers"),
        ("verify", "false", "must be a boolean, not a string"),
        ("verify", 0, "must be a boolean, not an integer"),
        ("mode", "dead", "must be one of live, test"),
        ("mode", ["live"], "must be one of live, test"),
        ("level", True, "must be one of 1, 2"),
        ("scopes", "use", "must be an array, not a string"),
        ("scopes", ["use", ""], "must not be empty"),
        ("timeout", "5", "must be a number, not a string"),
        ("timeout", True, "must be a number, not a boolean"),
        ("timeout", float("inf"), "must be a finite number"),
        ("timeout", float("nan"), "must be a finite number"),
        ("timeout", 10**400, "must be a finite number"),
        ("timeout", -1, "breaks the rule Validator for x > 0"),
        ("client_secret", "", "must not be empty"),
        ("client_secret", {"env": "NO_SUCH_VARIABLE"}, "needs the environment variable NO_SUCH_VARIABLE"),
        ("client_secret", {"file": CANARY}, "cannot be read from its file: No such file"),
        ("client_secret", {"enw": "A"}, 'must be a string, { env = "NAME" } or { file = "PATH" }'),
        ("old_secret", 7, "must be a string, { env"),
    ],
)
def test_a_wrong_value_is_answered_with_its_key_and_rule(key: str, value: Any, said: str) -> None:
    (only,) = read(Settings, {**RIGHT, key: value})
    assert only.startswith(f".{key}: {said}")


def test_odd_keys_are_shown_without_breaking_the_line() -> None:
    said = read(Settings, {**RIGHT, "two\nlines": 1, "ä\udc80": 1, 7: 1, "x" * 1000: 1})
    assert [line.split(": ")[0] for line in said] == [
        ".'two\\nlines'",
        ".'\\xe4\\udc80'",
        ".(an integer)",
        f".'{'x' * 64}'",
    ]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    said = read(
        Settings,
        {
            "base_ulr": "x",
            "client_secret": {"env": "NO_SUCH_VARIABLE"},
            "timeout": -1,
            "workers": 0,
            "most_workers": -1,
        },
    )
    assert [line.split(": ")[0] for line in said] == [
        ".base_ulr",
        ".base_url",
        ".client_id",
        ".client_secret",
        ".timeout",
        ".workers",
        ".most_workers",
    ]


def test_a_rule_between_two_keys_waits_until_both_are_right() -> None:
    assert read(Settings, {**RIGHT, "workers": "many", "most_workers": 2}) == [
        ".workers: must be an integer, not a string"
    ]


@pytest.mark.parametrize("table", [{"most_workers": 3}, {"workers": 64}])
def test_a_rule_between_two_keys_also_looks_at_defaults(table: dict[str, int]) -> None:
    assert read(Settings, {**RIGHT, **table}) == [".most_workers: must be at least workers"]


# --- settings classes with mistakes of their own ---


@attrs.frozen
class Unreadable:
    price: Decimal  # not there at run time


def _wordy(_: object, __: attrs.Attribute[Any], value: str) -> None:
    raise ConfigurationError("must be\nanything else")


@attrs.frozen
class Odd:
    rate: complex
    wordy: str = attrs.field(default="", validator=_wordy)
    fragile: str = attrs.field(default="", validator=lambda *_: 1 / 0)
    provider: str = ""


@attrs.frozen
class Fussy:
    pin: str

    def __attrs_post_init__(self) -> None:
        raise RuntimeError(self.pin)


def test_a_class_whose_annotations_cannot_be_read_is_a_problem_of_its_account() -> None:
    assert read(Unreadable, {"price": 1}) == [": cannot be read, because the annotations of Unreadable are wrong"]


def test_what_a_class_declares_wrongly_is_said_beside_its_keys() -> None:
    assert read(Odd, {"rate": 1, "fragile": "x", "wordy": "x"}) == [
        ".provider: is a key of every account: Odd must not declare it",
        ".rate: has a type in the settings class of the provider that a configuration cannot express",
        ".wordy: must be anything else",
        ".fragile: breaks the rule <lambda>",
    ]


def test_what_a_constructor_says_about_a_value_is_not_repeated() -> None:
    assert read(Fussy, {"pin": CANARY}) == [": is refused by the provider"]


@attrs.frozen(kw_only=True)
class WithPath:
    """Settings that name a file."""

    path: Path


def test_a_relative_path_begins_at_the_folder_of_the_configuration(tmp_path: Path) -> None:
    table = {"path": "in/vouchers.csv"}
    read = read_settings(WithPath, table, ConfigProblems("config"), ("accounts", "a"), folder=tmp_path, reserved=())
    assert read == WithPath(path=tmp_path / "in" / "vouchers.csv")


@pytest.mark.parametrize("given", ["", 5, None])
def test_a_path_is_text(given: object) -> None:
    problems = ConfigProblems("config")
    read_settings(WithPath, {"path": given}, problems, ("accounts", "a"), folder=None, reserved=())
    with pytest.raises(ConfigurationError, match=r"accounts\.a\.path"):
        problems.raise_if_any()
