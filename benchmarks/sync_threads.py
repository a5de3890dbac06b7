"""Benchmark of threads on one synchronous client beside tasks on an asynchronous one.

Usage: python benchmarks/sync_threads.py [--waits 100] [--median 10] [--interrupt 5] [--fork 5]

Both contenders wait for the same actions at the same time, each in a process of its own and on a
server of its own. `--interrupt` sends SIGINT to both after so many seconds: the table then says how
long it took until all threads, or tasks, had ended. `--fork` forks the process of the threads: the
child waits for one action through the same client, while the threads go on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import truth
from contenders import CONTENDERS, Returned
from processes import server


if TYPE_CHECKING:
    from collections.abc import Callable

_HEADSTART: Final = 1.0  # seconds until all actions begin; so long the threads may take to start
_CONTENDERS: Final = ("threads", "tasks")
_TITLES: Final = {
    "threads": "{} threads, one synchronous client",
    "tasks": "{} tasks, one asynchronous client",
}


def main() -> None:
    """Run both contenders, and print a table; or run one, and print its figures."""
    options = _options()
    if options.contender:
        print(json.dumps(_measure(options)))
        return
    running = {
        name: subprocess.Popen(
            [sys.executable, *sys.argv, f"--contender={name}"], stdout=subprocess.PIPE, text=True
        )
        for name in _CONTENDERS
    }
    runs = {name: json.loads(each.communicate()[0]) for name, each in running.items()}
    titles = [_TITLES[name].format(options.waits) for name in _CONTENDERS]
    print("| | " + " | ".join(titles) + " |\n|---|---|---|")
    for figure, write in _FIGURES.items():
        values = [runs[name].get(figure) for name in _CONTENDERS]
        if any(value is not None for value in values):
            cells = ["not tried" if value is None else write(value) for value in values]
            print(f"| {figure} | " + " | ".join(cells) + " |")


def _seconds(value: float) -> str:
    return f"{value:.3f} s"


_FIGURES: Final[dict[str, Callable[[Any], str]]] = {
    "waits that returned": str,
    "requests": str,
    "most requests in one second": str,
    "lag, median": _seconds,
    "lag, 95 %": _seconds,
    "lag, maximum": _seconds,
    "CPU of the process": _seconds,
    "all ended after SIGINT": _seconds,
    "wait of the child after the fork": str,
}


def _measure(options: argparse.Namespace) -> dict[str, object]:
    uids = truth.uids(options.seed, options.waits)
    durations = truth.durations(options.seed, options.waits, options.median)
    ends = dict(zip(uids, durations, strict=True))
    returned: Returned = {}
    with server() as control:
        script = ("seed", "median", "latency")
        control.reset(**{name: getattr(options, name) for name in script}, n=options.waits)
        t0 = time.monotonic() + _HEADSTART
        control.start(t0)
        interrupted: list[float] = []
        if options.interrupt:
            threading.Timer(options.interrupt, _interrupt, [interrupted]).start()
        cpu = time.process_time()
        found: dict[str, object] = {}
        wait = _threads if options.contender == "threads" else _tasks
        try:
            found = wait(control.url(), uids, returned, options.fork)
        except KeyboardInterrupt:
            found = {"all ended after SIGINT": time.monotonic() - interrupted[0]}
        cpu, stats = time.process_time() - cpu, control.stats()
    lags = sorted(at - t0 - ends[uid] for uid, at in returned.items())
    return {
        "waits that returned": f"{len(lags)} of {options.waits}",
        "requests": stats["requests"],
        "most requests in one second": stats["most_in_a_second"],
        "lag, median": statistics.median(lags) if lags else None,
        "lag, 95 %": lags[math.ceil(0.95 * len(lags)) - 1] if lags else None,
        "lag, maximum": lags[-1] if lags else None,
        "CPU of the process": cpu,
        **found,
    }


def _interrupt(at: list[float]) -> None:
    at.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)


def _threads(url: str, uids: list[str], returned: Returned, fork: float) -> dict[str, object]:
    """Wait for each action in a thread of its own, through one client."""
    from redis_enterprise_actions.sync import ActionsClient

    def wait(uid: str) -> None:
        client.wait_for_action(uid)
        returned[uid] = time.monotonic()

    found: dict[str, object] = {}
    with (
        ThreadPoolExecutor(len(uids)) as pool,
        ActionsClient(url, username="u", password="p") as client,
    ):
        waits = [pool.submit(wait, uid) for uid in uids]
        if fork:
            time.sleep(fork)
            began, pid = time.monotonic(), os.fork()
            if not pid:
                done = client.wait_for_action(min(uids))
                os._exit(0 if done.phase.terminal else 1)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            took = time.monotonic() - began
            word = "completed" if not code else "failed"
            found["wait of the child after the fork"] = f"{word} after {took:.1f} s"
        for each in waits:
            each.result()
    return found


def _tasks(url: str, uids: list[str], returned: Returned, _: float) -> dict[str, object]:
    """Wait for each action in a task of its own, through one client."""
    errors = asyncio.run(CONTENDERS["ours"]()(url, uids, returned))  # type: ignore[arg-type]
    assert not errors, errors
    return {}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--waits", type=int, default=100)
    parser.add_argument("--median", type=float, default=10.0, help="seconds an action takes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.01, help="seconds an answer takes")
    parser.add_argument("--interrupt", type=float, default=0.0, help="seconds until SIGINT")
    parser.add_argument("--fork", type=float, default=0.0, help="seconds until the fork")
    parser.add_argument("--contender", choices=_CONTENDERS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
