"""README's twenty lines, run as they stand beside `voucher-gateway simulate`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

README: Final = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
COMMAND: Final = [sys.executable, "-c", "from voucher_gateway.cli import main; main()"]


def test_the_twenty_lines_run_as_they_stand_beside_the_simulator_that_the_page_starts(tmp_path: Path) -> None:
    block = re.search(r"## Twenty lines.*?```text\nvoucher-gateway (.*?)\n```.*?```python\n(.*?)```", README, re.DOTALL)
    assert block is not None
    words, program = block[1].split(), block[2]
    with subprocess.Popen([*COMMAND, *words], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as simulator:
        try:
            assert simulator.stdout is not None
            assert simulator.stdout.readline().startswith('{"provider": "jtl"')
            assert (tmp_path / "voucher-gateway.toml").stat().st_mode & 0o777 == 0o600
            tmp_path.joinpath("shop.py").write_text(program, "utf-8")
            ran = subprocess.run([sys.executable, "shop.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        finally:
            simulator.terminate()
    assert ran.stderr == ""
    assert ran.stdout.splitlines() == re.findall(r"^print\(.*\)  # (.*)$", program, re.MULTILINE)
