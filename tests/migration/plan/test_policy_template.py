"""A template of a policy is the strictest policy as it stands, and names everything that can be decided."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from voucher_gateway.emulation.registry import with_emulations
from voucher_gateway.migration import LOSSES, RISKS, Policy, Retire, load_policy
from voucher_gateway.migration.plan.losses import REPORTED
from voucher_gateway.migration.plan.policy import CHOICES
from voucher_gateway.migration.plan.policy_template import policy_template
from voucher_gateway.provider_api import Capabilities
from voucher_gateway_file import FileProvider
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_ticketing import TicketingProvider

JTL = with_emulations(JtlProvider.declared, ())
TICKETING = with_emulations(TicketingProvider.declared, ())
FILE = FileProvider.declared


def template(source: Capabilities = JTL, target: Capabilities = TICKETING, *, copy: bool = False) -> str:
    return policy_template("shop", "events", source, target, copy=copy)


def accept_everything(text: str) -> str:
    """Return the template with all names in its arrays, as a person would write it who accepts all of them."""
    return re.sub(r'^    # ("[a-z-]+",)$', r"    \1", text, flags=re.MULTILINE)


@pytest.mark.parametrize(("source", "target"), [(JTL, TICKETING), (JTL, JTL)], ids=["ticketing", "jtl"])
def test_as_it_stands_it_is_the_strictest_policy(source: Capabilities, target: Capabilities) -> None:
    assert load_policy(tomllib.loads(template(source, target))) == Policy()


def test_with_all_names_it_accepts_every_loss_that_must_be_named_and_every_risk() -> None:
    policy = load_policy(tomllib.loads(accept_everything(template())))
    assert policy.losses == LOSSES.keys() - REPORTED
    assert policy.accept == RISKS.keys()


def test_each_kind_has_an_entry_with_its_choices_above_it() -> None:
    lines = template().splitlines()
    for kind, choices in CHOICES.items():
        place = next(number for number, line in enumerate(lines) if line.startswith(f"{kind.value} = "))
        assert f"One of: {', '.join(choices)}." in " ".join(line.lstrip("# ") for line in lines[place - 2 : place])


@pytest.mark.parametrize("option", [Retire.KEEP_FROZEN, Retire.EMPTY, Retire.DELETE])
def test_each_way_to_retire_can_be_chosen_by_taking_a_sign_away(option: Retire) -> None:
    chosen = template().replace(f'# retire = "{option.value}"', f'retire = "{option.value}"')
    assert load_policy(tomllib.loads(chosen)).retire is option


def test_a_copy_has_nothing_to_retire() -> None:
    text = template(FILE, JTL, copy=True)
    assert "retire" not in text
    assert load_policy(tomllib.loads(text)) == Policy()


def test_a_file_makes_no_codes() -> None:
    assert "new-code." not in template(JTL, FILE, copy=True)


def test_no_line_is_wider_than_a_hundred_columns() -> None:
    assert max(map(len, template().splitlines())) <= 100


def test_a_name_cannot_end_its_comment() -> None:
    text = policy_template('a\nretire = "delete"', "events", JTL, TICKETING, copy=False)
    assert load_policy(tomllib.loads(text)) == Policy()


def test_the_page_shows_lines_of_it() -> None:
    page = (Path(__file__).parents[3] / "docs" / "migration.md").read_text()
    (block,) = re.findall(r"```text\n(# What a voucher may lose.*?)```", page, re.DOTALL)
    shown = [line for line in block.splitlines() if line != "..."]
    assert len(shown) > 5
    assert not set(shown) - set(template().splitlines())
