"""The examples in the docstrings of the gateway's verbs do what they say, each on its own voucher."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import voucher_gateway
from tests.docs.test_examples import Reader
from tests.docs.test_examples import vendors as vendors  # the fixture
from voucher_gateway import Gateway
from voucher_gateway.simulator import RunningSimulator

EXAMPLE: Final = re.compile(r"^Example:\n    ```python\n(.*?)^    ```$", re.DOTALL | re.MULTILINE)
VERBS: Final = [name for name in dir(Gateway) if not name.startswith("_")]
WITHOUT_EXAMPLE: Final = {
    "account_names",
    "accounts",
    "check_limits",
    "close",
    "decide",
    "find_moved",
    "from_config",
    "from_env",
    "journal",
    "loaded_accounts",
    "other_means",
    "provider",
}


def example_of(verb: str) -> str | None:
    match = EXAMPLE.search(inspect.getdoc(getattr(Gateway, verb)) or "")
    return None if match is None else textwrap.dedent(match[1])


def test_every_verb_has_an_example() -> None:
    assert {verb for verb in VERBS if example_of(verb) is None} == WITHOUT_EXAMPLE


@pytest.fixture
def reader(vendors: dict[str, RunningSimulator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.chdir(tmp_path)
    reader = Reader(Path("gateway.py"), tmp_path, vendors, monkeypatch)
    reader.names |= {name: getattr(voucher_gateway, name) for name in voucher_gateway.__all__}
    reader.names["gateway"] = Gateway.from_config(tmp_path / "voucher-gateway.toml")
    yield reader
    reader.close()


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in WITHOUT_EXAMPLE])
def test_the_example_of_a_verb_does_what_it_says(reader: Reader, verb: str) -> None:
    example = example_of(verb)
    assert example is not None
    reader.run(example, 0)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if not isinstance(getattr(Gateway, verb), property)])
def test_every_argument_of_a_verb_is_explained(verb: str) -> None:
    method = getattr(Gateway, verb)
    documentation = inspect.getdoc(method) or ""
    names = [name for name in inspect.signature(method).parameters if name not in ("self", "cls")]
    assert [name for name in names if not re.search(rf"^    {name}: ", documentation, re.MULTILINE)] == []
