"""Policies: strict without a word, and read with all that is wrong at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from voucher_gateway.migration import LOSSES, RISKS, Action, Kind, Policy, Recode, Retire, load_policy
from voucher_gateway.provider_api import ConfigurationError

WHOLE = """
losses = ["sku", "pin"]
accept = ["spendable-twice"]
retire = "expire"
[vouchers]
inactive = "carry"
expired = "skip"
empty = "skip"
partly-used = "refuse"
reserved = "carry"
unreadable = "skip"
deactivated = "skip"
blocked = "skip"
[codes]
taken = "refuse"
unfit = "new-code"
"""


def test_without_a_word_only_plain_vouchers_with_value_are_carried() -> None:
    carried = [kind for kind in Kind if Policy().action(kind) is Action.CARRY]
    assert carried == [Kind.PARTLY_USED, Kind.UNUSED]
    assert Policy().losses == frozenset()
    assert Policy().accept == frozenset()


def test_a_file_sets_everything(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(WHOLE)
    assert load_policy(path) == Policy(
        inactive=Action.CARRY,
        expired=Action.SKIP,
        empty=Action.SKIP,
        partly_used=Action.REFUSE,
        reserved=Action.CARRY,
        unreadable=Action.SKIP,
        deactivated=Action.SKIP,
        blocked=Action.SKIP,
        code_taken=Recode.REFUSE,
        code_unfit=Recode.NEW_CODE,
        losses={"sku", "pin"},
        accept={"spendable-twice"},
        retire=Retire.EXPIRE,
    )


def test_an_empty_file_is_the_strictest_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("")
    assert load_policy(path) == Policy()


def test_what_is_told_of_a_policy_reads_as_the_same_one() -> None:
    policy = Policy(inactive=Action.CARRY, losses={"pin"}, code_taken=Recode.NEW_CODE, retire=Retire.EMPTY)
    assert load_policy(policy.to_json()) == policy
    assert load_policy(Policy().to_json()) == Policy()


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_policy(
            {
                "loses": [],
                "losses": ["skus"],
                "accept": "spendable-twice",
                "retire": "burn",
                "vouchers": {"unreadable": "carry", "inactiv": "skip", "empty": True},
                "codes": 3,
            }
        )
    lines = caught.value.message.splitlines()
    assert len(lines) == 8
    for part in (
        "loses: is not a key of a policy; did you mean losses?",
        "losses: holds an unknown name; did you mean sku?",
        "accept: must be an array of strings",
        "retire: must be one of keep-frozen, expire, empty, delete, leave",
        "vouchers.inactiv: is not a key of a policy; did you mean inactive?",
        "vouchers.unreadable: must be one of skip, refuse",
        "vouchers.empty: must be one of carry, skip, refuse",
        "codes: must be a table, not an integer",
    ):
        assert any(part in line for line in lines), part


@pytest.mark.parametrize("text", [b"losses = [", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(text)
    with pytest.raises(ConfigurationError, match=r"policy\.toml"):
        load_policy(path)
    with pytest.raises(ConfigurationError, match=r"missing\.toml"):
        load_policy(tmp_path / "missing.toml")


def test_unknown_names_are_refused_in_python_too() -> None:
    with pytest.raises(ConfigurationError):
        Policy(losses={"everything"})
    with pytest.raises(ConfigurationError):
        Policy(accept={"anything"})
    for kind in ("unreadable", "deactivated", "blocked"):
        fields: dict[str, Any] = {kind: Action.CARRY}
        with pytest.raises(ConfigurationError, match=f"{kind}: must be skip or refuse"):
            Policy(**fields)


def test_every_loss_and_risk_is_one_sentence() -> None:
    for sentence in (*LOSSES.values(), *RISKS.values()):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
