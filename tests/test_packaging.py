"""Folders, build list, entry points and what is installed must tell the same providers.

A provider that is missing from one of them works here and is gone from the wheel, or the other way round.
"""

from __future__ import annotations

import importlib.util
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PREFIX = "voucher_gateway_"
GROUPS = ("voucher_gateway.providers", "voucher_gateway.simulators")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def folders() -> set[str]:
    """The provider packages, by the folders that hold any Python."""
    return {path.parent.name for path in (ROOT / "providers").glob("*/*.py")}


def test_every_folder_of_a_provider_is_an_importable_package_named_after_its_vendor(folders: set[str]) -> None:
    assert folders
    for name in folders:
        package = ROOT / "providers" / name
        assert name.startswith(PREFIX)
        assert (package / "__init__.py").is_file()
        assert (package / "py.typed").is_file()


def test_the_build_list_holds_the_core_and_exactly_the_folders(project: dict[str, Any], folders: set[str]) -> None:
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == sorted(["voucher_gateway", *(f"providers/{name}" for name in folders)])


def test_every_folder_has_one_provider_under_its_vendors_name(project: dict[str, Any], folders: set[str]) -> None:
    assert _packages(project, "voucher_gateway.providers") == {name.removeprefix(PREFIX): name for name in folders}


def test_every_folder_with_a_simulator_has_one_under_its_vendors_name(
    project: dict[str, Any], folders: set[str]
) -> None:
    simulated = {name for name in folders if any((ROOT / "providers" / name).glob("simulator*"))}
    expected = {name.removeprefix(PREFIX): name for name in simulated}
    assert _packages(project, "voucher_gateway.simulators") == expected


def _packages(project: dict[str, Any], group: str) -> dict[str, str]:
    points = project["project"]["entry-points"][group]
    return {name: value.partition(":")[0].partition(".")[0] for name, value in points.items()}


@pytest.mark.parametrize("group", GROUPS)
def test_the_installed_entry_points_are_those_of_the_project(project: dict[str, Any], group: str) -> None:
    installed = metadata.distribution("voucher-gateway").entry_points.select(group=group)
    assert {point.name: point.value for point in installed} == project["project"]["entry-points"][group], (
        "install the project again"
    )


def test_the_installed_packages_are_those_of_the_folders(folders: set[str]) -> None:
    for name in folders:
        assert importlib.util.find_spec(name) is not None, f"{name} is not installed: install the project again"


def test_mypy_checks_every_provider(project: dict[str, Any], folders: set[str]) -> None:
    assert {f"providers/{name}" for name in folders} <= set(project["tool"]["mypy"]["files"])
