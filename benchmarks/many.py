"""Benchmark of 100,000 waits over 100 clusters in one client process.

Usage: python benchmarks/many.py [--quick] [--clusters 100] [--waits 1000] [--median 30] [--out DIR]

One server process simulates all clusters. The client process has one client for each cluster. The
waits begin some seconds before the actions, as 100,000 of them take seconds to begin.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import truth
from contenders import CONTENDERS
from processes import in_its_own_process
from report import row, size


def main() -> None:
    """Run, print a table, write the figures."""
    options = _options()
    limit = options.slack + truth.LONGEST * options.median
    names = ("contender", "waits", "clusters", "median", "seed", "progress", "latency", "ahead")
    run = in_its_own_process({name: getattr(options, name) for name in names}, limit)
    print(_page(run))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "many.json").write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")


def _page(run: dict[str, Any]) -> str:
    title = f"{run['contender']}: {run['waits']:,} waits on each of {run['clusters']:,} clusters"
    lines = [row([title, ""]), row(["---", "--:"])]
    if "left_out" in run:
        return "\n".join([*lines, row(["left out", run["left_out"]])])
    return "\n".join([*lines, *map(row, _figures(run).items())])


def _figures(run: dict[str, Any]) -> dict[str, str]:
    server, memory, lag = run["server"], run["memory_mib"], run["lag_s"] or {}
    waits = run["waits"] * run["clusters"]
    rate = server["requests"] / run["clusters"] / run["wall_s"]
    return {
        "returned": f"{run['returned']:,} of {waits:,}",
        "kept up": "yes" if run["kept_up"] else "no",
        "errors": json.dumps(run["errors"]) if run["errors"] else "none",
        "wall time": f"{run['wall_s']:.1f} s",
        "client CPU": f"{run['client_cpu_s']:.1f} s",
        "client CPU of a second": f"{run['client_cpu_s'] / run['wall_s'] * 1000:.0f} ms",
        "client CPU of a request": f"{run['client_cpu_s'] / server['requests'] * 1000:.2f} ms",
        "client CPU of a wait": f"{run['client_cpu_s'] / waits * 1e6:,.0f} µs",
        "peak memory": f"{memory['before'] + memory['growth']:,.0f} MiB",
        "memory of a wait": f"{memory['growth'] / waits * 1024:.1f} KiB",
        "requests": f"{server['requests']:,}",
        "requests a second": f"{rate * run['clusters']:,.0f}",
        "requests a second of a cluster": f"{rate:.2f}",
        "most in one second at a cluster": f"{server['most_in_a_second']:,}",
        "most at once at a cluster": f"{server['most_under_way']:,}",
        "bytes": size(server["bytes"]),
        **{f"lag, {name}": f"{seconds:.3f} s" for name, seconds in lag.items()},
        "server CPU": f"{server['cpu_s']:.1f} s",
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="20 x 500 waits, median 8 s")
    parser.add_argument("--contender", choices=CONTENDERS, default="ours")
    parser.add_argument("--clusters", type=int, default=100)
    parser.add_argument("--waits", type=int, default=1000, help="on each cluster")
    parser.add_argument("--median", type=float, default=30.0, help="seconds an action takes")
    parser.add_argument("--progress", choices=(*truth.MODES, "mixed"), default="mixed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.01, help="seconds an answer takes")
    parser.add_argument(
        "--ahead", type=float, default=15.0, help="seconds; the waits begin earlier"
    )
    parser.add_argument("--slack", type=float, default=60.0, help="seconds to keep up within")
    parser.add_argument("--out", type=Path)
    if parser.parse_known_args()[0].quick:
        parser.set_defaults(clusters=20, waits=500, median=8.0, ahead=3.0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
