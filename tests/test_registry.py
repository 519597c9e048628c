"""The registry, over real throw-away distributions on the import path."""

from __future__ import annotations

import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from voucher_gateway import registry
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.provider.declaration import INTERFACE, OLDEST_INTERFACE
from voucher_gateway.provider.provider import VoucherProvider

GOOD = """
    import attrs
    from voucher_gateway.capabilities import (
        Capabilities,
        Expiry,
        ListingRules,
        Operation,
        native,
    )
    from voucher_gateway.rules.codes import CodeRules
    from voucher_gateway.provider.provider import VoucherProvider

    @attrs.frozen
    class Settings:
        base_url: str

    class Acme(VoucherProvider):
        name = "acme"
        title = "Acme vouchers"
        interface_version = 1
        settings_type = Settings
        declared = Capabilities(
            operations={Operation.FIND: native(), Operation.GET: native()},
            codes=CodeRules(choosable=False, readable=True),
            expiry=Expiry.NONE,
            listing=ListingRules(page_size=10),
        )

        @property
        def host(self):
            return "acme.example"

        def find(self, code, pin=None):
            raise AssertionError

        def get(self, id):
            raise AssertionError
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with one module, acme_*, and these entry points; undone after the test."""

    def install(distribution: str, module: str, source: str, /, **entry_points: str) -> None:
        site = tmp_path / distribution
        info = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir(parents=True)
        info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        points = "\n".join(f"{name} = {value}" for name, value in entry_points.items())
        info.joinpath("entry_points.txt").write_text(f"[{registry.GROUP}]\n{points}\n")
        site.joinpath(f"{module}.py").write_text(textwrap.dedent(source))
        monkeypatch.syspath_prepend(site)

    yield install
    for name in [name for name in sys.modules if name.startswith("acme_")]:
        del sys.modules[name]


def refusal(name: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        registry.load(name)
    assert "\n" not in refused.value.message
    return refused.value.message


def test_what_is_installed_is_told_without_importing_it(install: Install) -> None:
    install("acme-vouchers", "acme_silent", "raise SystemExit('imported')", acme="acme_silent:Acme")

    announced = [provider for provider in registry.list_installed() if provider.name == "acme"]

    assert announced == [registry.InstalledProvider("acme", "acme-vouchers", "1.2", "acme_silent:Acme")]
    assert "acme_silent" not in sys.modules


def test_a_strangers_provider_is_loaded_by_name(install: Install) -> None:
    install("acme-vouchers", "acme_good", GOOD, acme="acme_good:Acme")

    loaded = registry.load("acme")

    assert issubclass(loaded, VoucherProvider)
    assert loaded.title == "Acme vouchers"


def test_an_unknown_name_is_answered_with_the_installed_ones_and_the_most_similar(install: Install) -> None:
    install("acme-vouchers", "acme_good", GOOD, acme="acme_good:Acme")

    message = refusal("ACNE")

    assert message.startswith("no provider 'ACNE' is installed (did you mean acme?); installed: acme, ")
    assert all(provider.name in message for provider in registry.list_installed())
    assert "did you mean" not in refusal("zzz")


def test_an_absurd_name_stays_one_short_line() -> None:
    assert len(refusal("\n\x1b[31m" * 10_000)) < 500


def test_a_name_of_two_distributions_is_refused_with_both_names_and_others_still_work(install: Install) -> None:
    install("acme-vouchers", "acme_good", GOOD, acme="acme_good:Acme")
    install("other-vouchers", "acme_second", GOOD.replace('"acme"', '"other"'), acme="x:Y", other="acme_second:Acme")

    message = refusal("acme")

    assert "acme-vouchers" in message
    assert "other-vouchers" in message
    assert registry.load("other").name == "other"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("raise ValueError('first line\\nsecond line')", "ValueError: first line"),
        ("this is no Python", "SyntaxError"),
        ("Different = 1", "AttributeError"),
    ],
)
def test_a_provider_that_cannot_be_imported_breaks_only_itself(install: Install, source: str, said: str) -> None:
    install("broken-vouchers", "acme_broken", source, broken="acme_broken:Broken")
    install("acme-vouchers", "acme_good", GOOD, acme="acme_good:Acme")

    message = refusal("broken")

    assert message.startswith("provider broken of broken-vouchers 1.2 cannot be imported: ")
    assert said in message
    assert registry.load("acme").name == "acme"


def test_an_entry_point_that_names_nothing_importable_breaks_only_itself(install: Install) -> None:
    install("broken-vouchers", "acme_unused", "", broken="what is this?")
    message = refusal("broken")
    assert (
        message == "provider broken of broken-vouchers 1.2: its entry point must be module:Class, not 'what is this?'"
    )


@pytest.mark.parametrize("value", ["acme_odd:number", "acme_odd:Plain", "acme_odd"])
def test_what_is_no_provider_class_is_refused(install: Install, value: str) -> None:
    install("odd-vouchers", "acme_odd", "number = 7\nclass Plain: pass", odd=value)
    assert refusal("odd") == f"provider odd of odd-vouchers 1.2: {value} is not a class derived from VoucherProvider"


def test_a_class_must_have_the_name_of_its_entry_point(install: Install) -> None:
    install("acme-vouchers", "acme_good", GOOD, emca="acme_good:Acme")
    assert "its class must have the entry point's name, 'emca'" in refusal("emca")


def test_a_provider_for_a_newer_interface_asks_for_a_newer_gateway(install: Install) -> None:
    newer = GOOD.replace("interface_version = 1", f"interface_version = {INTERFACE + 1}")
    install("acme-vouchers", "acme_newer", newer, acme="acme_newer:Acme")
    message = refusal("acme")
    assert f"interface {INTERFACE + 1}, which is newer" in message
    assert message.endswith("upgrade voucher-gateway")


def test_a_provider_for_an_older_interface_must_be_upgraded_itself(install: Install) -> None:
    older = GOOD.replace("interface_version = 1", f"interface_version = {INTERFACE - 1}")
    install("acme-vouchers", "acme_older", older, acme="acme_older:Acme")
    assert refusal("acme").endswith("upgrade acme-vouchers")


def test_a_provider_for_the_interface_before_is_accepted_with_a_warning(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("acme-vouchers", "acme_before", GOOD, acme="acme_before:Acme")
    monkeypatch.setattr(registry, "INTERFACE", INTERFACE + 1)
    monkeypatch.setattr(registry, "OLDEST_INTERFACE", INTERFACE)
    with pytest.warns(DeprecationWarning, match=f"accepts only interface {INTERFACE + 1}: upgrade acme-vouchers"):
        assert registry.load("acme").name == "acme"


def test_a_range_of_interfaces_is_accepted_and_named_where_a_provider_is_older(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "INTERFACE", INTERFACE + 2)
    monkeypatch.setattr(registry, "OLDEST_INTERFACE", INTERFACE + 1)
    for version in (INTERFACE, INTERFACE + 1, INTERFACE + 2):
        text = GOOD.replace("interface_version = 1", f"interface_version = {version}")
        name = f"range{version}"
        text = text.replace('name = "acme"', f'name = "{name}"')
        install(f"{name}-vouchers", f"acme_{name}", text, **{name: f"acme_{name}:Acme"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert registry.load(f"range{INTERFACE + 2}").interface_version == INTERFACE + 2
    with pytest.warns(DeprecationWarning, match=f"upgrade range{INTERFACE + 1}-vouchers"):
        registry.load(f"range{INTERFACE + 1}")
    accepted = f"this voucher-gateway accepts {INTERFACE + 1} to {INTERFACE + 2}: upgrade range{INTERFACE}-vouchers"
    assert refusal(f"range{INTERFACE}").endswith(accepted)


def test_an_interface_is_accepted_for_one_release_after_it_was_replaced() -> None:
    """docs/compatibility.md promises it; two older versions would mean that one of them was kept longer."""
    assert OLDEST_INTERFACE in (INTERFACE, INTERFACE - 1)


def test_a_provider_that_does_not_say_its_interface_is_refused(install: Install) -> None:
    silent = GOOD.replace("interface_version = 1", "")
    install("acme-vouchers", "acme_silent", silent, acme="acme_silent:Acme")
    message = refusal("acme")
    assert message.startswith("provider acme of acme-vouchers 1.2 does not declare its interface version")
    assert f"interface_version = {INTERFACE}" in message


def test_a_base_of_the_author_may_say_the_interface(install: Install) -> None:
    derived = textwrap.dedent(GOOD) + "\nclass Own(Acme):\n    title = 'Own vouchers'\n"
    install("acme-vouchers", "acme_derived", derived, acme="acme_derived:Own")
    assert registry.load("acme").title == "Own vouchers"


@pytest.mark.parametrize("version", ['"1"', "1.0", "True", "None"])
def test_an_interface_that_is_no_number_is_refused(install: Install, version: str) -> None:
    odd = GOOD.replace("interface_version = 1", f"interface_version = {version}")
    install("acme-vouchers", "acme_odd", odd, acme="acme_odd:Acme")
    assert "interface_version must be an integer" in refusal("acme")


def test_everything_that_a_class_fails_to_declare_is_named(install: Install) -> None:
    body = "settings_type = int; interface_version = 1"
    bare = f"from voucher_gateway.provider.provider import VoucherProvider\nclass Bare(VoucherProvider): {body}"
    install("bare-vouchers", "acme_bare", bare, bare="acme_bare:Bare")

    message = refusal("bare")

    assert message.startswith("provider bare of bare-vouchers 1.2: find, get, host must be implemented; ")
    for complaint in (
        "its class must have the entry point's name, 'bare'",
        "title must be a string",
        "declared must be Capabilities",
        "settings_type must be an attrs class",
    ):
        assert complaint in message


def test_an_installation_without_metadata_keeps_nothing_else_from_working(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "left" / "leftover-0.dist-info"
    info.mkdir(parents=True)
    info.joinpath("entry_points.txt").write_text(f"[{registry.GROUP}]\nleft = left:Over\n")
    monkeypatch.syspath_prepend(info.parent)
    install("acme-vouchers", "acme_good", GOOD, acme="acme_good:Acme")

    assert registry.load("acme").name == "acme"
    assert "left" in {provider.name for provider in registry.list_installed()}
