"""Benchmark of one contender, in a process of its own; prints its cost as a line of JSON.

Usage: python benchmarks/one.py --contender NAME --waits N [--clusters K] [...]

With several clusters there are N waits on each, and one client for each cluster.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import math
import os
import statistics
import threading
import time
from bisect import bisect_left
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import truth
from contenders import CONTENDERS
from processes import many_sockets, server


if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from contenders import Returned, Way
    from processes import Server

_HEADSTART: Final = 0.2  # seconds until all actions begin
_SLACK: Final = 60.0  # seconds after the last end; a slower contender did not keep up
_MIB: Final = 1024  # KiB
_SCRIPT: Final = ("clusters", "seed", "median", "progress", "remembered", "latency")
_EARLY: Final = "returned before its action ended"


def main() -> None:
    """Measure and print."""
    options = _options()
    many_sockets()
    try:
        way = CONTENDERS[options.contender]()
    except ImportError as error:
        print(json.dumps(_identity(options) | {"left_out": f"cannot be imported: {error}"}))
        return
    with server() as control:
        _measure(control, way, options)


def _measure(control: Server, way: Way, options: argparse.Namespace) -> None:
    """Start all waits together, and print their cost; does not return.

    The process ends from another thread: a contender that does not keep up cannot be stopped on its
    event loop, and some leave threads behind.
    """
    seeds = range(options.seed, options.seed + options.clusters)
    uids = [truth.uids(seed, options.waits) for seed in seeds]
    took = [truth.durations(seed, options.waits, options.median) for seed in seeds]
    ends = dict(zip(chain(*uids), chain(*took), strict=True))
    limit = options.ahead + (options.limit or max(ends.values()) + _SLACK)
    returned: Returned = {}
    only_once = threading.Lock()
    control.reset(**{name: getattr(options, name) for name in _SCRIPT}, n=options.waits)
    before = _resident_after_rest()
    t0 = time.monotonic() + _HEADSTART + options.ahead
    control.start(t0)
    time.sleep(max(t0 - options.ahead - time.monotonic(), 0))
    cpu_before = time.process_time()

    def finish(errors: Sequence[BaseException] | None) -> None:
        """Print and exit; `errors` is None for a contender that did not keep up."""
        if not only_once.acquire(blocking=False):
            return
        cpu, wall = time.process_time() - cpu_before, time.monotonic() - t0 + options.ahead
        peak, stats = _resident("VmHWM"), control.stats()
        lags = sorted(at - t0 - ends[uid] for uid, at in returned.copy().items())
        measured = {
            "returned": len(lags),
            "kept_up": errors is not None,
            "failures": len(ends) - len(lags) if errors is not None else 0,
            "errors": _sorts(errors or (), early=bisect_left(lags, 0)),
            "lag_s": _spread(lags),
            "wall_s": wall,
            "client_cpu_s": cpu,
            "memory_mib": {"before": before / _MIB, "growth": max(peak - before, 0) / _MIB},
            "server": stats,
        }
        print(json.dumps(_identity(options) | measured), flush=True)
        os._exit(0)

    threading.Timer(limit, finish, [None]).start()
    finish(asyncio.run(_all(way(control.url(k), those, returned) for k, those in enumerate(uids))))


async def _all(ways: Iterable[Awaitable[list[BaseException]]]) -> list[BaseException]:
    """Await all; return the errors that they returned or raised."""
    results = await asyncio.gather(*ways, return_exceptions=True)
    return [
        error
        for result in results
        for error in ([result] if isinstance(result, BaseException) else result)
    ]


def _sorts(errors: Sequence[BaseException], *, early: int) -> dict[str, int]:
    """Count the errors by text, the most frequent first, and the waits that ended early."""
    texts = (f"{type(error).__name__}: {error}"[:160] for error in errors)
    return dict(Counter(texts).most_common(3)) | ({_EARLY: early} if early else {})


def _spread(lags: list[float]) -> dict[str, float] | None:
    if not lags:
        return None
    return {
        "mean": statistics.fmean(lags),
        "median": statistics.median(lags),
        "p99": lags[math.ceil(0.99 * len(lags)) - 1],
        "max": lags[-1],
    }


def _resident_after_rest() -> int:
    """Collect garbage, reset the peak, and return the memory in use, in KiB."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # see proc(5)
    return _resident("VmRSS")


def _resident(name: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name))


def _identity(options: argparse.Namespace) -> dict[str, object]:
    return {name: value for name, value in vars(options).items() if name != "limit"}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--contender", choices=CONTENDERS, required=True)
    parser.add_argument("--waits", type=int, default=100, help="on each cluster")
    parser.add_argument("--clusters", type=int, default=1)
    parser.add_argument("--median", type=float, default=30.0, help="seconds an action takes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--progress", choices=(*truth.MODES, "mixed"), default="mixed")
    parser.add_argument("--remembered", type=int, default=0, help="actions that ended before")
    parser.add_argument("--latency", type=float, default=0.01, help="seconds an answer takes")
    parser.add_argument("--ahead", type=float, default=0.0, help="seconds; the waits begin earlier")
    parser.add_argument("--limit", type=float, help="seconds; then it has not kept up")
    return parser.parse_args()


if __name__ == "__main__":
    main()
