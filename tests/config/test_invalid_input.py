"""Garbage in place of a configuration is refused, and never repeated where it could be a secret."""

from __future__ import annotations

import os
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.examples import choose_size, examples
from voucher_gateway.config.loader import load_config
from voucher_gateway.errors import ConfigurationError

CANARY = "c4n4ry-0f-4-s3cr3t"
MINIMAL = {"provider": "acme", "base_url": "https://acme.example", "client_id": "shop-1", "client_secret": CANARY}

# whatever text holds the canary is secret; keys never hold it
KEYS = (*MINIMAL, "journal", "accounts", "shop", "timeout", "code_pattern")
NAMES = st.sampled_from(KEYS) | st.text(string.printable, max_size=5)
TEXTS = (
    st.text(max_size=10)
    | st.text(max_size=5).map(lambda text: CANARY + text)
    | st.text(max_size=5).map(lambda text: f"https://{CANARY}@acme.example/{text}")
)
SCALARS = (
    TEXTS
    | st.integers()
    | st.booleans()
    | st.floats()
    | st.none()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.fixed_dictionaries({}, optional={"env": TEXTS, "file": TEXTS})
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
ACCOUNTS = st.dictionaries(NAMES, VALUES, max_size=4) | st.fixed_dictionaries(
    {}, optional={**{key: st.just(value) | VALUES for key, value in MINIMAL.items()}, "accept_risks": VALUES}
).map(lambda table: {**MINIMAL, **table, "provider": "acme"})
CONFIGS = st.dictionaries(NAMES, VALUES, max_size=3) | st.fixed_dictionaries(
    {"accounts": st.dictionaries(NAMES, ACCOUNTS, max_size=3)}, optional={"journal": VALUES}
)


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=choose_size(quick=30, thorough=300))
@given(CONFIGS)
@example({"accounts": {"shop": {**MINIMAL, "code_pattern": "[["}}})
def test_garbage_is_refused_line_by_line_without_repeating_a_secret(source: Mapping[str, Any]) -> None:
    lines = ["config: right"]
    try:
        config = load_config(source)
    except ConfigurationError as refused:
        lines = refused.message.split("\n")
    else:
        assert config.accounts
    assert CANARY not in "".join(lines)
    assert all(line.startswith("config: ") for line in lines)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(50))
@given(st.binary(max_size=60) | st.text("[]{}=\"'\n.#,\\a1 -:", max_size=60).map(str.encode))
def test_a_garbage_file_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "vg.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        load_config(os.fspath(file))
    assert all(line.startswith(f"{file}: ") for line in refused.value.message.split("\n"))
