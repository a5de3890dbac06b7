"""Identifiers that the fake cluster gives out: random ones, or those of a seed."""

from __future__ import annotations

import random
import uuid


class Identifiers:
    """Source of identifiers: with the same seed, they are the same in the same order.

    Without a seed, they are those of the operating system's random numbers.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311 - nothing here is a secret

    def uuid(self) -> str:
        """Return a UUID, version 4."""
        return str(uuid.UUID(bytes=self._bytes(16), version=4))

    def hex(self, digits: int) -> str:
        """Return an even number of hexadecimal digits."""
        return self._bytes(digits // 2).hex()

    def _bytes(self, count: int) -> bytes:
        # Of the methods of Random, random() alone promises the same numbers in each Python.
        return bytes(int(self._random.random() * 256) for _ in range(count))
