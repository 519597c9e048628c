"""Made-up requests, drawn from the vendor's document by schemathesis: the simulator never answers with a 5xx.

`make witness-square` installs schemathesis. Without it the test is skipped.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.square import read_document
from voucher_gateway.simulator import start
from voucher_gateway_square.simulator import SquareSimulator

pytest.importorskip("schemathesis", reason="run `make witness-square`")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

EXAMPLES = 60


def test_no_request_of_the_document_makes_the_simulator_fail(tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(read_document()), "utf-8")
    with start(SquareSimulator, vouchers=20, seed=1) as vendor:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", str(document)),
            *("--url", vendor.announcement["base_url"]),
            *("--header", f"Authorization: Bearer {vendor.announcement['access_token']}"),
            *("--checks", "not_a_server_error,response_schema_conformance,content_type_conformance"),
            *("--max-examples", str(EXAMPLES), "--mode", "all", "--generation-deterministic"),
        ]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1100, check=False)
        requests = vendor.requests
        assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
        assert vendor.crashes == []
    assert len(requests) > EXAMPLES
    statuses = {request.status for request in requests}
    assert statuses >= {200, 400, 404}
    assert not statuses & {500, 501, 502, 503, 504, None}
