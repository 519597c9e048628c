"""The packages of our providers load what is used, and nothing else."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

PACKAGES = ("voucher_gateway_jtl", "voucher_gateway_pretix", "voucher_gateway_square", "voucher_gateway_ticketing")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_simulator_is_had_without_its_adapter(package: str) -> None:
    program = (
        f"import sys, {package}.simulator\n"
        f"ours = {{name for name in sys.modules if name.startswith(('{package}', 'voucher_gateway.'))}}\n"
        f"allowed = ('{package}.simulator', 'voucher_gateway.simulator', 'voucher_gateway.lazy')\n"
        f"others = [name for name in ours if not name.startswith(allowed)]\n"
        f"assert others == ['{package}'], others\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there_and_no_other(package: str) -> None:
    module = importlib.import_module(package)
    assert [name for name in module.__all__ if getattr(module, name, None) is None] == []
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'Provider'"):
        _ = module.Provider
