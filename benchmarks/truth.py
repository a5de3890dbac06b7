"""Script of the clusters: a pure function of seed, number and time.

The server and the runner both compute the script, so that they need not exchange it. All actions
begin at age 0.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from random import Random
from typing import Final
from uuid import UUID


SPREAD: Final = 0.8  # sigma of the log-normal distribution
SHORTEST: Final = 0.5  # seconds
LONGEST: Final = 8.0  # medians
STEPS: Final = 7  # as state machines have them
MODES: Final = ("none", "linear", "steps")  # of progress
TASKS: Final = 5  # every fifth action is a task, the others are state machines


@dataclass(frozen=True, kw_only=True)
class Action:
    """Action of the script; `duration` and `cuts`, the ends of its steps, are in seconds."""

    uid: str
    number: int
    duration: float
    is_task: bool
    mode: str
    cuts: tuple[float, ...]

    def progress(self, age: float) -> float | None:
        """Return the progress of a running action in percent, or None."""
        if self.mode == "none":
            return None
        if self.mode == "linear":
            return 100 * age / self.duration
        return 100 * bisect_right(self.cuts, age) / STEPS

    def moved_at(self, age: float) -> float:
        """Return the age of the last visible progress."""
        if self.mode == "linear":
            return age
        return max((cut for cut in self.cuts if cut <= age), default=0.0)


def durations(seed: int, n: int, median: float) -> list[float]:
    """Return the durations of n actions, in seconds: log-normal, and clipped."""
    chance = Random(f"durations {seed}")
    drawn = (chance.lognormvariate(math.log(median), SPREAD) for _ in range(n))
    return [min(max(seconds, SHORTEST), LONGEST * median) for seconds in drawn]


def uids(seed: int, n: int) -> list[str]:
    """Return the uids of n actions; two seeds have no uid in common."""
    chance = Random(f"uids {seed}")
    return [str(UUID(int=chance.getrandbits(128), version=4)) for _ in range(n)]


def script(seed: int, n: int, median: float, progress: str) -> list[Action]:
    """Return n actions; `progress` is one of `MODES` for all of them, or `mixed`."""
    chance = Random(f"progress {seed}")
    actions = []
    pairs = zip(uids(seed, n), durations(seed, n, median), strict=True)
    for number, (uid, duration) in enumerate(pairs):
        mode = chance.choice(MODES) if progress == "mixed" else progress
        cuts = sorted(chance.uniform(0, duration) for _ in range(STEPS - 1))
        action = Action(
            uid=uid,
            number=number,
            duration=duration,
            is_task=number % TASKS == TASKS - 1,
            mode=mode,
            cuts=tuple(cuts) if mode == "steps" else (),
        )
        actions.append(action)
    return actions
