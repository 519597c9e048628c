"""The two doors: `voucher_gateway` for callers, lazy, and `voucher_gateway.provider_api` for authors of providers."""

from __future__ import annotations

import ast
import enum
import importlib
import importlib.metadata
import inspect
import shutil
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

import voucher_gateway
from voucher_gateway import errors, migration, provider_api, reports
from voucher_gateway.provider.provider import VoucherProvider

PACKAGE = Path(voucher_gateway.__file__).parent


def in_the_houses_order(names: list[str]) -> list[str]:
    """Constants, classes, functions; each sorted."""
    return sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))


def imported(body: list[ast.stmt]) -> dict[str, str]:
    """Return where these statements import each name of ours from."""
    return {
        name.asname or name.name: statement.module
        for statement in body
        if isinstance(statement, ast.ImportFrom) and statement.module and statement.module.startswith("voucher_gateway")
        for name in statement.names
    }


@pytest.fixture(scope="module")
def seen_by_type_checkers() -> dict[str, str]:
    """The modules that the stub imports the public names from."""
    return imported(ast.parse((PACKAGE / "__init__.pyi").read_text("utf-8")).body)


def errors_of_ours() -> Iterator[str]:
    for name, value in vars(errors).items():
        if inspect.isclass(value) and issubclass(value, errors.VoucherGatewayError):
            yield name


def run(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- the door for callers ---


def test_the_names_of_the_door_are_sorted_and_named_once() -> None:
    assert sorted(voucher_gateway.__all__) == voucher_gateway.__all__
    assert len(set(voucher_gateway.__all__)) == len(voucher_gateway.__all__)


@pytest.mark.parametrize("name", voucher_gateway.__all__)
def test_every_name_can_be_imported_and_comes_from_the_module_that_type_checkers_see(
    seen_by_type_checkers: dict[str, str], name: str
) -> None:
    home = importlib.import_module(seen_by_type_checkers[name])
    assert getattr(voucher_gateway, name) is getattr(home, name)


def test_type_checkers_see_exactly_the_names_of_the_door(seen_by_type_checkers: dict[str, str]) -> None:
    assert set(seen_by_type_checkers) == {*voucher_gateway.__all__, "__version__"}


def test_names_that_are_not_there_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="module 'voucher_gateway' has no attribute 'Gatevay'"):
        getattr(voucher_gateway, "Gatevay")  # noqa: B009 - the stub has no such name
    assert not hasattr(voucher_gateway, "load_config")


def test_dir_shows_the_public_names_and_the_version_only() -> None:
    assert set(dir(voucher_gateway)) == {*voucher_gateway.__all__, "__version__"}


def test_the_version_is_that_of_the_distribution() -> None:
    assert voucher_gateway.__version__ == importlib.metadata.version("voucher-gateway")


def test_a_star_import_and_dir_show_the_whole_door() -> None:
    assert run("from voucher_gateway import *; print(Gateway.__name__, Money('1', 'EUR'))") == "Gateway 1.00 EUR\n"
    assert set(voucher_gateway.__all__) <= set(dir(voucher_gateway))
    listed = run("import voucher_gateway; print(*dir(voucher_gateway))").split()
    assert set(voucher_gateway.__all__) <= set(listed)


def test_a_submodule_is_no_obstacle_to_the_lazy_names() -> None:
    assert run("import voucher_gateway.money; from voucher_gateway import Money; print(Money('1', 'EUR'))")


def test_threads_that_first_use_a_name_at_once_get_the_same_class() -> None:
    code = """
import threading, voucher_gateway
together, found = threading.Barrier(8), []
def use():
    together.wait()
    found.append(voucher_gateway.Gateway)
threads = [threading.Thread(target=use) for _ in range(8)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
print(len(set(found)), len(found))
"""
    assert run(code) == "1 8\n"


def test_every_error_is_at_the_door() -> None:
    assert set(errors_of_ours()) <= set(voucher_gateway.__all__)


@pytest.mark.parametrize("name", ["Gateway", "Account", "FindResult"])
def test_whatever_the_gateway_takes_or_gives_is_at_the_door(name: str) -> None:
    assert set(_classes_in_signatures(getattr(voucher_gateway, name))) <= set(voucher_gateway.__all__)


def _classes_in_signatures(owner: type) -> Iterator[str]:
    for name, member in inspect.getmembers(owner):
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if isinstance(function, types.FunctionType) and (name == "__init__" or not name.startswith("_")):
            # What a module imports for type checkers only must be at one of the two doors.
            callers = {name: getattr(voucher_gateway, name) for name in voucher_gateway.__all__}
            providers = {name: getattr(provider_api, name) for name in provider_api.__all__}
            known = {**providers, **callers, **vars(importlib.import_module(function.__module__))}
            for hint in typing.get_type_hints(function, known).values():
                yield from _classes_in(hint)


def _classes_in(hint: object) -> Iterator[str]:
    if inspect.isclass(hint) and hint.__module__.partition(".")[0] == "voucher_gateway":
        yield hint.__name__
    for part in typing.get_args(hint):
        yield from _classes_in(part)


# --- what importing costs ---


def test_importing_the_package_loads_nothing_but_itself() -> None:
    new = run("import sys; before = set(sys.modules); import voucher_gateway; print(*set(sys.modules) - before)")
    third_party = {name.partition(".")[0] for name in new.split()} - sys.stdlib_module_names
    assert third_party == {"voucher_gateway"}
    assert [name for name in new.split() if name.startswith("voucher_gateway.")] == ["voucher_gateway.lazy"]


@pytest.mark.parametrize(
    ("names", "never"),
    [
        ("Money", "requests urllib3 cattrs sqlalchemy flask typer"),
        ("OutcomeUnknown, Declined", "requests urllib3 cattrs sqlalchemy flask typer"),
        ("NewVoucher, VoucherQuery", "requests urllib3 cattrs sqlalchemy flask typer"),
        ("Gateway", "sqlalchemy alembic psycopg flask werkzeug typer rich"),
    ],
)
def test_a_name_loads_only_what_it_needs(names: str, never: str) -> None:
    loaded = run(f"import sys; from voucher_gateway import {names}; print(*sys.modules)").split()
    assert set(never.split()) & set(loaded) == set()


@pytest.mark.parametrize("vendor", ["jtl", "ticketing"])
def test_a_gateway_without_a_journal_loads_no_database_and_no_web_framework(vendor: str) -> None:
    login = {"jtl": {"client_id": "c", "client_secret": "s"}, "ticketing": {"api_key": "k", "currency": "EUR"}}[vendor]
    account = {"provider": vendor, "base_url": "https://vendor.test", **login}
    code = f"""
import sys, voucher_gateway
voucher_gateway.Gateway.from_config({{"accounts": {{"shop": {account!r}}}}})
print(*sys.modules)
"""
    loaded = run(code).split()
    assert {"sqlalchemy", "alembic", "flask", "werkzeug", "typer", "rich"} & set(loaded) == set()
    assert f"voucher_gateway_{vendor}" in loaded


# --- the door for authors of providers ---


@pytest.mark.parametrize("name", provider_api.__all__)
def test_every_name_for_providers_comes_from_the_module_that_type_checkers_see(name: str) -> None:
    homes = imported(ast.parse((PACKAGE / "provider_api.pyi").read_text("utf-8")).body)
    home = importlib.import_module(homes[name])
    assert getattr(provider_api, name) is getattr(home, name)


def test_a_provider_without_http_loads_no_http_library() -> None:
    loaded = run(
        "import sys; from voucher_gateway.provider_api import VoucherProvider, Money; print(*sys.modules)"
    ).split()
    assert {"requests", "urllib3", "cattrs", "sqlalchemy", "flask"} & set(loaded) == set()


def test_the_adapters_door_has_every_error_that_a_provider_may_raise() -> None:
    # Whether a reference is taken is known to a journal alone, and no provider knows payments and sales.
    of_references = {"ReferenceConflict", "ReferencePruned"}
    of_journals = of_references | {"PaymentConflict", "PaymentDeclined", "PaymentShort", "SaleConflict"}
    assert set(errors_of_ours()) <= set(provider_api.__all__) | of_journals


def test_the_adapters_door_has_whatever_the_interface_takes_or_gives() -> None:
    assert set(_classes_in_signatures(VoucherProvider)) <= set(provider_api.__all__)
    assert {"Listing", "ListingReport", "Page"} <= set(provider_api.__all__)


# --- the public typing ---


@pytest.mark.long
def test_a_type_checker_agrees_with_what_users_may_expect(tmp_path: Path) -> None:
    # Outside of the repository and without its configuration: what counts is what an installed package tells.
    shutil.copy(Path(__file__).parent / "typing" / "api.py", tmp_path)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", "api.py"],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_help_explains_every_member_of_a_public_enumeration() -> None:
    members = [
        (kind, member)
        for door in (voucher_gateway, provider_api, migration, reports)
        for name in door.__all__
        if inspect.isclass(kind := getattr(door, name)) and issubclass(kind, enum.Enum)
        for member in kind
    ]
    assert members
    assert [str(member) for kind, member in members if f"    {member.name}: " not in (kind.__doc__ or "")] == []


def test_the_package_shows_its_public_names_and_its_version() -> None:
    assert set(dir(voucher_gateway)) == {*voucher_gateway.__all__, "__version__"}
    assert voucher_gateway.__version__ == importlib.metadata.version("voucher-gateway")
