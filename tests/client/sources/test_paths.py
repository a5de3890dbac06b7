"""Tests of `_client.sources.paths`."""

from __future__ import annotations

import pytest

from redis_enterprise_actions import (
    UsageError,
)
from redis_enterprise_actions._client.sources.paths import quoted_uid


@pytest.mark.parametrize("uid", ["", ".", "..", "\udc80", None, 5])
def test_no_uid(uid: str) -> None:
    """A value that cannot be a uid is rejected."""
    with pytest.raises(UsageError, match="not the uid"):
        quoted_uid(uid)
