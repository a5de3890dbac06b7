"""Benchmark of all contenders on the same actions, one after the other.

Usage: python benchmarks/run.py [--quick] [--waits 1 100 ...] [--limit 100] [--out DIR] [...]

Writes `results.json` after each contender, and `results.md` from it at the end, which it prints. A
single wait is made on several clusters at once, each with a client of its own, to get a stable
figure. Contenders with few waits, which leave the machine idle nearly all the time, run at the same
time, each against a server of its own. With `--limit` all are stopped so many seconds after the
beginning, and their figures are of what had happened by then.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import truth
from contenders import BASE, CONTENDERS
from processes import in_its_own_process
from report import report


_LONE: Final = 50  # clusters with one wait each
_LIGHT: Final = 100  # waits; up to here all contenders run at the same time
_QUICK: Final = {"waits": [1, 100], "median": 5.0}
_PACKAGES: Final = (
    "redis-enterprise-actions",
    "aiohttp",
    "msgspec",
    "tenacity",
    "redis-enterprise",
)


def main() -> None:
    """Run the chosen contenders, and write the results."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    results = _setting(options)
    runs = results["runs"] = []
    for waits in options.waits:
        together = options.together or waits <= _LIGHT
        with ThreadPoolExecutor(len(options.contenders) if together else 1) as pool:
            for run in pool.map(partial(_one, waits, options), options.contenders):
                print(_line(run), flush=True)
                runs.append(run)
                _write(options.out / "results.json", json.dumps(results, indent=1) + "\n")
    page = report(results)
    _write(options.out / "results.md", page)
    print(page)


def _one(waits: int, options: argparse.Namespace, contender: str) -> dict[str, object]:
    """Run one contender in a process of its own; return its output, or the reason of a failure."""
    clusters = _LONE if waits == 1 else 1
    limit = options.limit or options.slack + max(
        max(truth.durations(options.seed + k, waits, options.median)) for k in range(clusters)
    )
    arguments = {
        "contender": contender,
        "waits": waits,
        "clusters": clusters,
        "median": options.median,
        "seed": options.seed,
        "progress": options.progress,
        "latency": options.latency,
        "remembered": options.remembered,
    }
    return in_its_own_process(arguments, limit)


def _line(run: dict[str, object]) -> str:
    head = f"{run['waits']} x {run['contender']}: "
    if "left_out" in run:
        return f"{head}left out: {run['left_out']}"
    printed = ("returned", "kept_up", "failures", "wall_s", "client_cpu_s", "lag_s", "server")
    return head + json.dumps({name: run[name] for name in printed})


def _setting(options: argparse.Namespace) -> dict[str, object]:
    return {
        "command": " ".join(["python benchmarks/run.py", *sys.argv[1:]]),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in _PACKAGES},
    } | {name: getattr(options, name) for name in ("base", "median", "seed", "progress", "latency")}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="1 and 100 waits, median 5 s")
    parser.add_argument("--waits", type=int, nargs="+", default=[1, 100, 1000, 10_000])
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=[*CONTENDERS])
    parser.add_argument("--base", choices=CONTENDERS, default=BASE, help="of the ratios")
    parser.add_argument("--together", action="store_true", help="run all contenders at once")
    parser.add_argument("--limit", type=float, help="seconds; then all are stopped")
    parser.add_argument("--median", type=float, default=30.0, help="seconds an action takes")
    parser.add_argument("--progress", choices=(*truth.MODES, "mixed"), default="mixed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.01, help="seconds an answer takes")
    parser.add_argument("--remembered", type=int, default=0, help="actions that ended before")
    parser.add_argument("--slack", type=float, default=60.0, help="seconds to keep up within")
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    quick, _ = parser.parse_known_args()
    if quick.quick:
        parser.set_defaults(**_QUICK)
    return parser.parse_args()


if __name__ == "__main__":
    main()
