"""Simulation of the schedules without a cluster: number of requests, and detection lag.

Usage: python benchmarks/simulate.py

The simulation uses `_client.pacing` without sockets and clocks, and a fixed seed. An action is its
duration and its progress; an answer takes no time.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from report import row

from redis_enterprise_actions import AimedWait
from redis_enterprise_actions._client.pacing.rate_limit import PollGate, RateLimiter
from redis_enterprise_actions._client.pacing.schedules import schedule_for
from redis_enterprise_actions._client.pacing.shared_schedule import GAP, SharedSchedule


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions._client.pacing.schedules import Schedule

    Progress: TypeAlias = Callable[[float], float | None]

_ENTRY: Final = 300  # bytes of a list
_WORTH_A_REQUEST: Final = 2**15  # bytes, as `_client.protocols` has it
_SPREAD: Final = 0.8  # of the logarithms of durations
_STEPS: Final = 7


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Action that takes `length` seconds; `progress` maps an age to percent."""

    length: float
    progress: Progress

    def at(self, age: float) -> Answer:
        """Return the answer at an age."""
        return Answer(self.progress(age))


class Answer(NamedTuple):
    """The part of an answer that schedules use."""

    progress: float | None


class Outcome(NamedTuple):
    """Cost of waiting: requests, and the mean detection lag in seconds."""

    requests: float
    lag: float


def lengths(count: int, *, median: float = 30.0, seed: int = 0) -> list[float]:
    """Return durations in seconds, log-normally distributed."""
    rng = random.Random(seed)
    return [median * math.exp(rng.gauss(0, _SPREAD)) for _ in range(count)]


def silent(length: float) -> Progress:
    """Return no progress."""
    del length
    return lambda _: None


def linear(length: float) -> Progress:
    """Return progress that is proportional to time."""
    return lambda age: round(100 * age / length, 2)


def steps(length: float) -> Progress:
    """Return progress in equal steps."""
    return lambda age: round(100 * math.floor(age / length * _STEPS) / _STEPS, 2)


KINDS: Final = {"none": silent, "linear": linear, "steps": steps}


def jobs(kind: str, sizes: Sequence[float]) -> list[Job]:
    """Return an action of each size; `kind` is one of `KINDS`, or `mixed`."""
    ways = [*KINDS.values()] if kind == "mixed" else [KINDS[kind]]
    return [Job(size, ways[n % len(ways)](size)) for n, size in enumerate(sizes)]


def alone(job: Job, strategy: WaitBaseT, gap: float = GAP) -> list[float]:
    """Return the times of the polls of a lone wait, in seconds; the last finds the end."""
    schedule = schedule_for(strategy, 0.0)
    polled_at = [0.0]
    while polled_at[-1] < job.length:
        schedule.on_answer(job.at(polled_at[-1]), polled_at[-1], polled_at[-1])
        polled_at.append(max(schedule.due_after(polled_at[-1]), polled_at[-1] + gap))
    return polled_at


def each_alone(work: Sequence[Job], strategy: WaitBaseT, gap: float = GAP) -> Outcome:
    """Wait for each job with a client of its own. Return the mean cost of one wait."""
    polls = [alone(job, strategy, gap) for job in work]
    late = fmean(polled_at[-1] - job.length for polled_at, job in zip(polls, work, strict=True))
    return Outcome(fmean(map(len, polls)), late)


def fixed(work: Sequence[Job], pause: float) -> Outcome:
    """Wait for each job in a loop with a fixed pause. Return the mean cost of one wait."""
    polls = [math.ceil(job.length / pause) for job in work]
    late = fmean(count * pause - job.length for count, job in zip(polls, work, strict=True))
    return Outcome(fmean(polls) + 1, late)


def together(work: Sequence[Job], price: float = 0.1) -> Outcome:
    """Wait for all jobs at once on one client. Return the requests of all waits together.

    All jobs begin at the same time, and those that have ended stay in the list.
    """
    cost = max(1.0, _ENTRY * len(work) / _WORTH_A_REQUEST)
    left = {job: schedule_for(AimedWait(price), 0.0) for job in work}
    polled, polled_at, now = [*left], dict.fromkeys(left, 0.0), 0.0
    limiter, requests, late = RateLimiter(), 0, 0.0
    while left:
        limiter.record_start(now)
        limiter.record_end(PollGate(limiter, now), now, 0.0, is_answered=True)
        requests += 1
        for job in polled:
            polled_at[job] = now
            if now >= job.length:
                late += now - job.length
                del left[job]
            else:
                left[job].on_answer(job.at(now), now, now, shared=len(polled) > 1)
        if left:
            due, polled = _next(left, polled_at, now, cost)
            now = max(due, limiter.earliest)
    return Outcome(requests, late / len(work))


def _next(
    left: dict[Job, Schedule], polled_at: dict[Job, float], now: float, cost: float
) -> tuple[float, list[Job]]:
    shared = SharedSchedule(left.values(), now)
    if len(left) > 1 and shared.is_cheaper(cost, len(left)):
        latest = min([polled_at[job] for job in left]) + shared.cap
        return min(shared.due(now, cost), latest), [*left]
    dues = {job: schedule.due_after(polled_at[job]) for job, schedule in left.items()}
    first = min(dues, key=dues.__getitem__)
    return dues[first], [first]


def main() -> None:
    """Print how waits on one client compare with a loop of one second for each."""
    heads = ["waits", "progress", "requests", "of the loops'", "mean lag", "of the loops'"]
    print(row(heads))
    print(row(["--:", "---", "--:", "--:", "--:", "--:"]))
    for count in (1, 10, 100, 1000, 10_000):
        for kind in (*KINDS, "mixed"):
            runs = max(1, 300 // count)
            ours, loops = [], []
            for seed in range(runs):
                work = jobs(kind, lengths(count, seed=seed))
                ours.append(together(work))
                loops.append(fixed(work, 1.0))
            requests, lag = (fmean(values) for values in zip(*ours, strict=True))
            usual, usual_lag = (fmean(values) for values in zip(*loops, strict=True))
            share = f"1/{usual * count / requests:.3g}"
            cells = [f"{count:,}", kind, f"{requests:.0f}", share, f"{lag:.2f} s"]
            print(row([*cells, f"{lag / usual_lag:.2f}"]))


if __name__ == "__main__":
    main()
