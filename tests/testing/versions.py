"""Versions of the fake cluster, for tables of tests."""

from __future__ import annotations

from typing import Final, get_args

from redis_enterprise_actions.testing import Version


ALL: Final[tuple[Version, ...]] = get_args(Version)


def since(version: Version) -> tuple[Version, ...]:
    """Return a version and the later ones."""
    return ALL[ALL.index(version) :]


def before(version: Version) -> tuple[Version, ...]:
    """Return the versions before one."""
    return ALL[: ALL.index(version)]
