"""Tests of the schedules by simulation: number of requests, and detection lag."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tenacity import wait_exponential

from redis_enterprise_actions import AimedWait


if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.system

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def simulate() -> ModuleType:
    """Return the simulation, a script beside the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        spec = importlib.util.spec_from_file_location("simulate", BENCHMARKS / "simulate.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, "simulate", module)
        spec.loader.exec_module(module)
    return module


@pytest.mark.timeout(300)  # 35 s of computing on an idle machine
@pytest.mark.parametrize(
    ("count", "kind", "seeds", "share"),
    [
        *((100, kind, 10, 15) for kind in ("none", "linear", "steps", "mixed")),
        *((1000, kind, 3, 60) for kind in ("none", "linear", "steps", "mixed")),
        (10_000, "mixed", 1, 500),
    ],
)
def test_many(simulate: ModuleType, count: int, seeds: int, share: int, kind: str) -> None:
    """Many waits take a fraction of the requests of one-second loops, at no more lag."""
    for seed in range(seeds):
        work = simulate.jobs(kind, simulate.lengths(count, seed=seed))
        ours, loops = simulate.together(work), simulate.fixed(work, 1.0)

        assert ours.requests * share <= loops.requests * count
        assert ours.lag <= loops.lag


def test_alone_without_progress(simulate: ModuleType) -> None:
    """Lag times polls is at most 1.5 times that of a fixed pause tuned in hindsight."""
    work = simulate.jobs("none", simulate.lengths(3000))
    ours = simulate.each_alone(work, AimedWait())
    tuned = simulate.fixed(work, 2 * ours.lag)

    assert tuned.lag == pytest.approx(ours.lag, rel=0.05)
    assert ours.lag * ours.requests <= 1.5 * tuned.lag * tuned.requests


def test_alone_with_progress(simulate: ModuleType) -> None:
    """Linear progress saves three quarters of the requests, at equal mean lag."""
    work = simulate.jobs("linear", simulate.lengths(300))
    ours = simulate.each_alone(work, AimedWait())
    capped = wait_exponential(multiplier=0.01, max=2 * ours.lag)
    rivals = [simulate.fixed(work, 2 * ours.lag), simulate.each_alone(work, capped, gap=0.0)]

    for rival in rivals:
        assert rival.lag >= 0.9 * ours.lag
        assert ours.requests <= rival.requests / 4
