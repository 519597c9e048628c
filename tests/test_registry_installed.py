"""The handshake with plugins, over real wheels that pip installs into a folder, seen by a fresh process."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from voucher_gateway.provider.declaration import INTERFACE

Told = dict[tuple[str, str], dict[str, Any]]

PROVIDER: Final = """
    import attrs
    from voucher_gateway.provider_api import Capabilities, CodeRules, Expiry, ListingRules, Operation, native
    from voucher_gateway.provider_api import VoucherProvider

    @attrs.frozen
    class Settings:
        base_url: str

    class Provider(VoucherProvider):
        name = "{name}"
        title = "The {name} vouchers"
        interface_version = {interface}
        settings_type = Settings
        declared = Capabilities(
            operations={{Operation.FIND: native(), Operation.GET: native()}},
            codes=CodeRules(choosable=False, readable=True),
            expiry=Expiry.NONE,
            listing=ListingRules(page_size=10),
        )
        host = "example"

        def find(self, code, pin=None):
            raise AssertionError

        def get(self, id, *, secrets=False):
            raise AssertionError
"""


def wheel(folder: Path, distribution: str, module: str, source: str, **groups: dict[str, str]) -> Path:
    """Build a wheel of one module, as a build backend would."""
    info = f"{distribution.replace('-', '_')}-1.2.dist-info"
    points = "".join(
        f"[voucher_gateway.{group}]\n" + "".join(f"{name} = {value}\n" for name, value in named.items())
        for group, named in groups.items()
    )
    files = {
        f"{module}.py": textwrap.dedent(source),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": points,
    }
    record = ""
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(text.encode())}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    path = folder / f"{distribution.replace('-', '_')}-1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@attrs.frozen
class Site:
    """A folder into which pip installed plugins."""

    folder: Path

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line in a process that sees them."""
        program = "from voucher_gateway.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", program, *arguments],
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def providers(self) -> Told:
        """What `providers --json` says, by name and distribution."""
        ran = self.command("--json", "providers")
        assert ran.returncode == 0, ran.stderr
        told = [json.loads(line) for line in ran.stdout.splitlines()]
        return {(one["provider"], one["distribution"]): one for one in told}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Plugins of every kind, installed together: good, newer, older, broken, two of one name, a simulator."""
    built, folder = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")

    def provider(name: str, interface: int = INTERFACE) -> str:
        return PROVIDER.format(name=name, interface=interface)

    simulator = "from voucher_gateway.simulator import Simulator\nclass Acme(Simulator):\n    name = 'acme'\n"
    newer, older = provider("new", INTERFACE + 1), provider("old", INTERFACE - 1)
    wheels = [
        wheel(built, "acme-vouchers", "acme_good", provider("acme"), providers={"acme": "acme_good:Provider"}),
        wheel(built, "future-vouchers", "acme_new", newer, providers={"new": "acme_new:Provider"}),
        wheel(built, "past-vouchers", "acme_old", older, providers={"old": "acme_old:Provider"}),
        wheel(
            built,
            "broken-vouchers",
            "acme_broken",
            "raise RuntimeError('no licence')",
            providers={"broken": "acme_broken:Provider"},
            simulators={"broken": "acme_broken:Simulator"},
        ),
        wheel(built, "one-twin", "acme_one", provider("twin"), providers={"twin": "acme_one:Provider"}),
        wheel(built, "other-twin", "acme_other", provider("twin"), providers={"twin": "acme_other:Provider"}),
        wheel(built, "one-sim", "acme_sim", simulator, simulators={"acme": "acme_sim:Acme"}),
        wheel(built, "other-sim", "acme_sim2", simulator, simulators={"acme": "acme_sim2:Acme", "odd": "acme_sim2:re"}),
    ]
    options = ["--no-index", "--no-deps", "--no-compile", "--quiet", "--target", str(folder)]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, *map(str, wheels)], check=True, capture_output=True
    )
    return Site(folder)


@pytest.fixture(scope="module")
def told(site: Site) -> Told:
    return site.providers()


def test_all_that_is_installed_is_shown_with_the_distribution_it_comes_from(told: Told) -> None:
    assert told["acme", "acme-vouchers"]["version"] == "1.2"
    assert told["acme", "acme-vouchers"]["title"] == "The acme vouchers"
    assert {"jtl", "ticketing"} <= {name for name, distribution in told if distribution == "voucher-gateway"}


def test_a_plugin_for_another_interface_is_refused_with_a_sentence_that_says_what_to_upgrade(told: Told) -> None:
    assert told["new", "future-vouchers"]["error"].endswith(
        f"is built for interface {INTERFACE + 1}, which is newer than this voucher-gateway's {INTERFACE}: "
        "upgrade voucher-gateway"
    )
    assert told["old", "past-vouchers"]["error"].endswith(
        f"is built for interface {INTERFACE - 1}, and this voucher-gateway accepts only {INTERFACE}: "
        "upgrade past-vouchers"
    )


def test_two_plugins_of_one_name_are_both_named_and_neither_is_loaded(told: Told) -> None:
    for distribution in ("one-twin", "other-twin"):
        error = told["twin", distribution]["error"]
        assert "one-twin (acme_one:Provider)" in error
        assert "other-twin (acme_other:Provider)" in error
        assert error.endswith("uninstall all but one")


def test_a_broken_plugin_breaks_only_itself(told: Told) -> None:
    assert told["broken", "broken-vouchers"]["error"] == (
        "provider broken of broken-vouchers 1.2 cannot be imported: RuntimeError: no licence"
    )
    assert told["acme", "acme-vouchers"].get("error") is None
    assert told["jtl", "voucher-gateway"].get("error") is None


@pytest.mark.long
def test_people_are_told_the_same(site: Site) -> None:
    ran = site.command("providers")
    assert ran.returncode == 0
    assert any(
        line.split()[:5] == ["acme", "The", "acme", "vouchers", "acme-vouchers"] for line in ran.stdout.split("\n")
    )
    assert "cannot be imported: RuntimeError: no licence" in ran.stderr


def test_a_config_with_a_refused_plugin_says_the_same_sentence(site: Site, tmp_path: Path) -> None:
    config = tmp_path / "voucher-gateway.toml"
    config.write_text('[accounts.shop]\nprovider = "new"\nbase_url = "https://x.example"\n')
    ran = site.command("--config", str(config), "accounts")
    assert ran.returncode == 2
    assert f"is built for interface {INTERFACE + 1}, which is newer" in ran.stderr


@pytest.mark.long
def test_simulators_are_held_to_the_same_rules(site: Site) -> None:
    twice = site.command("simulate", "acme").stderr
    assert "simulator acme is brought by " in twice
    assert "one-sim (acme_sim:Acme)" in twice
    assert "other-sim (acme_sim2:Acme)" in twice
    broken = site.command("simulate", "broken")
    assert (broken.returncode, "cannot be imported: RuntimeError: no licence" in broken.stderr) == (2, True)
    assert "simulator odd of other-sim" in site.command("simulate", "odd").stderr
