"""How the exports, imports and backups of a database stand: the truth, as a function of time.

A cluster shows how the last one stands in fields of the database (objects/bdb), and goes on
showing that until the next one runs: one that is queued leaves the result of the one before in
sight, which is easily taken for its own. Nothing tells how long that is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias


if TYPE_CHECKING:
    from collections.abc import Mapping

    from .actions import FakeAction

Transfer: TypeAlias = Literal["export", "import", "backup"]

_RUNNING: Final[Mapping[Transfer, str]] = {
    "export": "exporting",
    "import": "importing",
    "backup": "exporting",
}


class Transfers:
    """The transfers of one kind, on one database, in the order in which they began."""

    def __init__(self, kind: Transfer) -> None:
        self._kind: Transfer = kind
        self._runs: list[FakeAction] = []
        self._resets: list[tuple[float, int]] = []  # when, and how many runs there had been

    def add(self, run: FakeAction) -> None:
        self._runs.append(run)

    def running(self, now: float) -> bool:
        """Whether one is queued or runs."""
        return any(now < run.ends_at for run in self._runs)

    def reset(self, now: float) -> None:
        """Show none of them any more, but when the last one succeeded."""
        self._resets.append((now, len(self._runs)))

    def before(self, horizon: float) -> Transfers:
        """Return them as if none had begun or been reset after `horizon`."""
        seen = Transfers(self._kind)
        seen._runs = [run for run in self._runs if run.began_at <= horizon]
        seen._resets = [reset for reset in self._resets if reset[0] <= horizon]
        return seen

    def status(self, now: float) -> str:
        """Return the word for how the last one stands; it is empty if there was none.

        "initializing" is said of an import that is queued and has no result before it to show.
        """
        run = self._shown(now)
        if run is None:
            return "initializing" if self._kind == "import" and self._since_reset() else ""
        if now < run.ends_at:
            return _RUNNING[self._kind]
        return "failed" if run.outcome == "failed" else "succeeded"

    def fields(self, now: float, epoch: float) -> dict[str, object]:
        """Return what a database shows of them. Imports have no time of the last success."""
        run, kind = self._shown(now), self._kind
        failed = run is not None and self.status(now) == "failed"
        wire: dict[str, object] = {
            f"{kind}_status": self.status(now),
            f"{kind}_failure_reason": run.error if run is not None and failed else "",
        }
        percent = None if run is None or now >= run.ends_at else run.percent(now)
        if percent is not None:
            wire[f"{kind}_progress"] = percent
        done_at = self._last_success(now)
        if done_at is not None and kind != "import":
            wire[f"last_{kind}_time"] = _iso(epoch + done_at)
        return wire

    def _shown(self, now: float) -> FakeAction | None:
        """Return the last one that has left its queue."""
        return next((run for run in reversed(self._since_reset()) if run.runs_at <= now), None)

    def _since_reset(self) -> list[FakeAction]:
        return self._runs[self._resets[-1][1] :] if self._resets else self._runs

    def _last_success(self, now: float) -> float | None:
        ends = [run.ends_at for run in self._runs if run.ends_at <= now and run.outcome != "failed"]
        return max(ends, default=None)


def _iso(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"
