"""A set of digests holds exactly what was added, in few bytes."""

from __future__ import annotations

import random
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.listing.digest_set import DigestSet

DIGESTS = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 256, 512, 2**64 - 1])


@given(st.lists(DIGESTS), st.lists(DIGESTS))
def test_it_has_what_was_added_and_nothing_else(added: list[int], others: list[int]) -> None:
    digests = DigestSet(added)
    assert len(digests) == len(set(added))
    assert bool(digests) is bool(added)
    assert all(digest in digests for digest in added)
    assert [digest in digests for digest in others] == [digest in set(added) for digest in others]


def test_it_takes_few_bytes_for_each() -> None:
    rng = random.Random(7)
    numbers = [rng.getrandbits(64) for _ in range(20_000)]
    tracemalloc.start()
    try:
        digests = DigestSet(numbers)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(digests) == len(set(numbers))
    assert size / len(digests) < 30
