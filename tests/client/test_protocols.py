"""Tests of `_client.protocols`."""

from __future__ import annotations

import pytest

from redis_enterprise_actions._client.protocols import list_cost


@pytest.mark.parametrize(
    ("sizes", "cost"),
    [([], 0), ([2], 1), ([2**15], 1), ([2**16], 2), ([2, 2], 2), ([2**16, 2**16], 4)],
    ids=str,
)
def test_list_cost(sizes: list[int], cost: float) -> None:
    """A list costs one request for each 32 KiB, and at least one for each answer."""
    assert list_cost(*(b" " * size for size in sizes)) == cost
