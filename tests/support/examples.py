"""How many examples Hypothesis tries: `make test` tries a fifth of those of `make test-all`."""

from __future__ import annotations

import hypothesis

_ALL = 100


def register_profiles() -> None:
    """Register the profiles `test` and `all`, and load `test`.

    `pytest --hypothesis-profile all` loads the other one. Neither has a deadline: a machine under load may take longer
    over an example than Hypothesis allows, and no such test measures time.
    """
    hypothesis.settings.register_profile("test", deadline=None, max_examples=_ALL // 5)
    hypothesis.settings.register_profile("all", deadline=None, max_examples=_ALL)
    hypothesis.settings.load_profile("test")


def examples(count: int) -> int:
    """Return how many examples to try in this run, where `make test-all` tries `count`."""
    return max(1, count * hypothesis.settings().max_examples // _ALL)


def choose_size(quick: int, thorough: int) -> int:
    """Return the number for this run: `make test` takes `quick`, `make test-all` takes `thorough`."""
    return thorough if is_thorough() else quick


def is_thorough() -> bool:
    """Return whether this run is that of `make test-all`."""
    return hypothesis.settings().max_examples >= _ALL
