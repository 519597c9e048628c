"""`account_source`: what finds accounts that do not stand in the configuration, named in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from voucher_gateway import AccountsUnavailable, ConfigurationError
from voucher_gateway.config.account_source import AccountSource, ask_source, names_of_source
from voucher_gateway.config.loader import load_config

SHOP = """
class Tenants:
    def find_account(self, name):
        return {"provider": "file", "path": "v.csv"} if name == "anna" else None

    def account_names(self):
        return ["anna"]

class Broken:
    def __init__(self):
        raise RuntimeError("4711 secret")

tenants = Tenants()
find = tenants.find_account
nothing = 5
"""


@pytest.fixture(autouse=True)
def shop_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tenants_of_test.py").write_text(SHOP)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("name", ["tenants", "Tenants", "find"])
def test_it_is_an_object_a_class_or_a_function(name: str) -> None:
    source = load_config({"account_source": f"tenants_of_test:{name}"}).account_source
    assert isinstance(source, AccountSource)
    assert source.find_account("anna") == {"provider": "file", "path": "v.csv"}


def test_a_file_with_a_source_needs_no_accounts(tmp_path: Path) -> None:
    path = tmp_path / "voucher-gateway.toml"
    path.write_text('account_source = "tenants_of_test:Tenants"')
    assert [account.name for account in load_config(path).iterate_accounts()] == ["anna"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("tenants_of_test", "must be MODULE:NAME, such as shop.tenants:accounts"),
        ("tenants_of_test:absent", "cannot be imported: AttributeError"),
        ("tenants_of_test:Broken", "cannot be made: its class raised an error"),
        ("tenants_of_test:nothing", "must have the methods find_account and account_names, or be a function"),
        (5, "must be a string, not an integer"),
    ],
)
def test_a_wrong_source_is_a_problem_of_the_configuration(value: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_config({"account_source": value})
    assert caught.value.message == f"config: account_source: {problem}"


class NamesOf:
    """A source whose names are what a test gives."""

    def __init__(self, names: Any) -> None:
        self.names = names

    def find_account(self, name: str) -> None:
        raise RuntimeError(f"4711 secret of {name}")

    def account_names(self) -> Any:
        return self.names


@pytest.mark.parametrize("names", ["anna", ["anna", 5], [None], [b"anna"]])
def test_names_that_are_no_strings_are_refused(names: Any) -> None:
    """A string would be read letter by letter, and `find` would say of each code that no account has it."""
    with pytest.raises(ConfigurationError, match="must return the names, each as a string"):
        names_of_source(NamesOf(names))


def test_an_error_names_an_account_only_if_it_can_be_one() -> None:
    for name, where in (("anna", "anna: "), ("x\nINFO anna: redeem: succeeded", "")):
        with pytest.raises(AccountsUnavailable) as caught:
            ask_source(NamesOf([]), name)
        assert str(caught.value) == (
            f"{where}the source of accounts raised RuntimeError for this account; nothing was sent"
        )
