"""The sample distribution of the guide, built, installed in a fresh environment and run there, as a stranger would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SAMPLE: Final = ROOT / "docs" / "sample"
LEFT_BEHIND: Final = shutil.ignore_patterns("__pycache__", ".*_cache", "dist")


def run(*command: str, cwd: Path) -> str:
    """Run a program without any trace of this environment, and return what it prints."""
    lost = ("PYTEST", "COV", "PYTHON", "VIRTUAL_ENV")
    env = {key: value for key, value in os.environ.items() if not key.startswith(lost)}
    ran = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_sample_is_built_installed_in_a_fresh_environment_found_and_passes(tmp_path: Path) -> None:
    sample, wheels, fresh = tmp_path / "sample", tmp_path / "wheels", tmp_path / "fresh"
    shutil.copytree(SAMPLE, sample, ignore=LEFT_BEHIND)
    run(sys.executable, "-m", "venv", str(fresh), cwd=tmp_path)
    python = str(fresh / "bin" / "python")
    run(
        python,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(wheels),
        str(ROOT),
        str(sample),
        cwd=tmp_path,
    )
    gateway, acme = sorted(wheels.iterdir())
    constraints = str(ROOT / "constraints.txt")
    install = ("-m", "pip", "install", "--quiet", "--constraint", constraints)
    run(python, *install, str(gateway), f"{acme}[test]", cwd=tmp_path)

    listed = run(str(fresh / "bin" / "voucher-gateway"), "providers", cwd=tmp_path)
    row = next(line.split() for line in listed.splitlines() if line.startswith("acme "))
    assert row[1:6] == ["Acme", "Gift", "Cards", "voucher-gateway-acme", "0.1.0"]

    # Its tests alone, away from its sources: what runs is what was installed.
    shutil.copytree(sample / "tests", tmp_path / "tests")
    shutil.copy(sample / "pyproject.toml", tmp_path)
    assert "acme: crash-safe, " in run(python, "-m", "pytest", "-q", cwd=tmp_path)

    # And the command itself works from the wheel, templates included.
    run(str(fresh / "bin" / "voucher-gateway"), "new-provider", "beta", "--title", "Beta", cwd=tmp_path)
    beta = tmp_path / "voucher-gateway-beta"
    run(python, *install, "--editable", ".[test]", cwd=beta)
    assert "beta: read, " in run(python, "-m", "pytest", "-q", cwd=beta)
