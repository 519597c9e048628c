"""What a new provider may be called."""

from __future__ import annotations

from pathlib import Path

import pytest

from voucher_gateway.provider_api import ConfigurationError
from voucher_gateway.scaffold.names import Naming


def refusal(name: str, title: str | None = None) -> str:
    with pytest.raises(ConfigurationError) as refused:
        Naming.of(name, title)
    assert "\n" not in refused.value.message
    return refused.value.message


def test_one_name_gives_those_of_the_distribution_the_package_and_the_classes() -> None:
    naming = Naming.of("gift-house2")
    assert naming.title == "Gift House2"
    assert naming.distribution == "voucher-gateway-gift-house2"
    assert naming.package == "voucher_gateway_gift_house2"
    assert naming.prefix == "GiftHouse2"


@pytest.mark.parametrize("name", ["acme", "a", "x9", "class", "gift-house", "a" * 30])
def test_names_that_pip_python_and_configs_all_take_are_taken(name: str) -> None:
    naming = Naming.of(name)
    assert naming.package.isidentifier()
    assert f"{naming.prefix}Provider".isidentifier()


@pytest.mark.parametrize(
    "name",
    ["", " ", "9lives", "-acme", "acme-", "a--b", "a.b", "a/b", "../acme", "acme\n", "größe", "a" * 31, "\x1b[31m"],
)
def test_other_names_are_refused_with_the_rule(name: str) -> None:
    assert "lower-case letters, digits and single hyphens, a letter first, 30 characters at most" in refusal(name)


@pytest.mark.parametrize("name", ["test", "tests", "test-vendor"])
def test_a_name_whose_classes_pytest_would_collect_is_refused(name: str) -> None:
    assert refusal(name).endswith("for tests")
    assert Naming.of("attest").prefix == "Attest"


@pytest.mark.parametrize(("name", "meant"), [("Gift_House", "gift-house"), ("ACME", "acme"), ("my shop", "my-shop")])
def test_what_was_probably_meant_is_said(name: str, meant: str) -> None:
    said = refusal(name)
    assert said.startswith(f"`{name}` cannot name a provider")  # the command line masks what is in quotation marks
    assert said.endswith(f"did you mean {meant}?")


def test_a_name_that_is_installed_is_refused_with_the_distribution_that_has_it() -> None:
    assert refusal("jtl") == "the provider jtl already exists: it comes with voucher-gateway"


def test_a_package_that_is_there_under_another_providers_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "voucher_gateway_squatter").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "a package voucher_gateway_squatter is installed already" in refusal("squatter")


@pytest.mark.parametrize("title", ["Acme Gift Cards", "Müller & Söhne (Köln)", "O'Neill, Ltd.", "1a-Gutscheine"])
def test_titles_are_for_people(title: str) -> None:
    assert Naming.of("acme", title).title == title


@pytest.mark.parametrize("title", ["", " Acme", "Acme ", 'A"cme', "A\\cme", "A\ncme", "{{ a }}", "a" * 41, '"""', "#"])
def test_titles_that_would_break_a_file_are_refused(title: str) -> None:
    assert "cannot be a title" in refusal("acme", title)
