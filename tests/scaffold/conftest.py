"""Distributions written by `new-provider`, and pip's part of installing them, played without pip."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from voucher_gateway.scaffold.names import Naming
from voucher_gateway.scaffold.write import write_project

Python = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A new distribution, named acme."""
    return write_project(Naming.of("acme", "Acme Gift Cards"), tmp_path)[0]


def install(project: Path, site: Path) -> None:
    """Do what an editable installation does: metadata in a folder, and a .pth file that leads to the sources."""
    told = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    info = site / f"{told['name'].replace('-', '_')}-{told['version']}.dist-info"
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {told['name']}\nVersion: {told['version']}\n")
    lines = []
    for group, points in told["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    info.joinpath("entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def installed(project: Path, tmp_path: Path) -> Python:
    """Run Python in the project, as if it had been installed."""
    site = tmp_path / "site"
    install(project, site)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
    env = {**kept, "PYTHONPATH": os.pathsep.join([str(site), str(project / "src")]), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=project,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run
