"""Results as Markdown: one table for each number of waits.

After each figure stands its ratio to that of the base, by default the plain loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Run: TypeAlias = dict[str, Any]  # output of one.py


class Column(NamedTuple):
    """Column of a table: its title, its value in a run, and its format."""

    title: str
    read: Callable[[Run], float]
    write: Callable[[float], str]


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"


def _count(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def size(value: float) -> str:
    """Format a number of bytes."""
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} GB"


COLUMNS: Final = (
    Column("requests", lambda run: run["server"]["requests"] / run["clusters"], _count),
    Column("bytes", lambda run: run["server"]["bytes"] / run["clusters"], size),
    Column("client CPU", lambda run: run["client_cpu_s"] / run["clusters"], _seconds),
    Column(
        "memory",
        lambda run: run["memory_mib"]["growth"] / run["clusters"] * 2**20,
        size,
    ),
    Column("mean lag", lambda run: run["lag_s"]["mean"], _seconds),
    Column("median lag", lambda run: run["lag_s"]["median"], _seconds),
    Column("lag, 99 %", lambda run: run["lag_s"]["p99"], _seconds),
)
_PLAIN: Final = (  # without a ratio
    Column("most at once", lambda run: run["server"]["most_under_way"], _count),
    Column("most in 1 s", lambda run: run["server"]["most_in_a_second"], _count),
    Column("busy", lambda run: run["server"]["busy_s"] / run["wall_s"], "{:.0%}".format),
)

_SETTING: Final = """\
Made by `{command}` on {machine} with Python {python}, {versions}. Actions take {median:g} s in the
median, an answer {latency:g} s; progress: {progress}; seed {seed}. In parentheses: the figure by
that of the {base}.
"""


def report(results: dict[str, Any]) -> str:
    """Return the whole page."""
    packages = ", ".join(f"{name} {what}" for name, what in results["packages"].items() if what)
    parts = [
        "# Waits compared\n",
        _SETTING.format(versions=packages, **results),
    ]
    for waits in dict.fromkeys(run["waits"] for run in results["runs"]):
        runs = [run for run in results["runs"] if run["waits"] == waits]
        parts += _section(waits, runs, results["base"])
    return "\n".join(parts)


def ratio(value: float, base: float) -> str:
    """Format value / base as `3.1` or, where it is small, as `1/16`."""
    if not base or not value:
        return "-"
    by = value / base
    if by < 0.67:
        return f"1/{_sparing(1 / by)}"
    return _sparing(by)


def _sparing(by: float) -> str:
    return f"{by:.0f}" if by >= 10 else f"{by:.2g}"


def _section(waits: int, runs: list[Run], contender: str) -> Iterable[str]:
    clusters = max(run["clusters"] for run in runs)
    each = f", each on one of {clusters} clusters, figures for one of them" if clusters > 1 else ""
    base = next((run for run in runs if run["contender"] == contender and run.get("lag_s")), None)
    titles = ["", *(column.title for column in (*COLUMNS, *_PLAIN))]
    yield f"## {waits:,} {'waits' if waits > 1 else 'wait'}{each}\n"
    yield row(titles)
    yield row(["---", *["--:"] * (len(titles) - 1)])
    for run in runs:
        if run.get("lag_s"):
            yield row([run["contender"], *_cells(run, base)])
    yield ""
    for run in runs:
        yield from (f"- {run['contender']}: {remark}" for remark in _remarks(run))
    yield ""


def _cells(run: Run, base: Run | None) -> Iterable[str]:
    for column in COLUMNS:
        value = column.read(run)
        by = f" ({ratio(value, column.read(base))})" if base and base is not run else ""
        yield column.write(value) + by
    for column in _PLAIN:
        yield column.write(column.read(run))


def _remarks(run: Run) -> Iterable[str]:
    """Return remarks on a run: that it was left out or did not keep up, and its errors."""
    if "left_out" in run:
        yield f"left out: {run['left_out']}"
        return
    waits = run["waits"] * run["clusters"]
    if not run["kept_up"]:
        yield f"did not keep up: {run['returned']:,} of {waits:,} waits returned in time"
    if run["failures"]:
        yield f"{run['failures']:,} of {waits:,} waits failed"
    for error, times in run["errors"].items():
        yield f"{times:,} times: {error}"


def row(cells: Iterable[str]) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"
