"""All interleavings keep the promises, of two buyers and of a payment, and no rule is there for nothing."""

from __future__ import annotations

import pytest

from tests.model_check.explore import PAYMENT_STORIES, STORIES, counter_example, explore
from tests.model_check.payment_rules import PAYMENT_RULES, PaymentRules, without_payment_rule
from tests.model_check.rules import NAMES, Rules, without
from tests.support.long import first


@pytest.mark.parametrize("story", first(list(STORIES)))
def test_with_all_rules_every_interleaving_keeps_the_promises(story: str) -> None:
    found = explore(STORIES[story], Rules())
    assert found.promise is None, found.trace
    assert found.states > 10_000, "the story ended before it had begun"


@pytest.mark.parametrize("rule", first(NAMES, 4))
def test_without_any_one_rule_a_promise_is_broken(rule: str) -> None:
    example = counter_example(STORIES, without(rule))
    assert example is not None, f"the model can do without {rule}"
    assert example[1].trace


@pytest.mark.parametrize("story", first(list(PAYMENT_STORIES)))
def test_with_all_rules_every_interleaving_keeps_a_payment_whole(story: str) -> None:
    exploration = explore(PAYMENT_STORIES[story], PaymentRules())
    assert exploration.promise is None, exploration.trace
    assert exploration.states > 10_000, "the story ended before it had begun"


@pytest.mark.parametrize("rule", first(PAYMENT_RULES, 4))
def test_without_any_one_rule_a_payment_breaks(rule: str) -> None:
    example = counter_example(PAYMENT_STORIES, without_payment_rule(rule))
    assert example is not None, f"the model can do without {rule}"
    assert example[1].trace
