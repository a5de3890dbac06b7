"""Which databases the fake has, and how they stand: the truth, as a function of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from redis_enterprise_actions.testing.server.requests import refusal

from .actions import FakeAction, Plan, start_action


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web


_DONE: Final = frozenset({"completed", "vanishes", "stuck"})  # outcomes of work that was done
_DIGITS: Final = 18  # of a uid at most
_BUSY: Final = {"SMCreateBDB": "pending", "SMDeleteBDB": "delete-pending"}

# Database objects hold secrets, and so must the fake's: this one may show up nowhere else.
DATABASE_SECRET: Final = "fake-database-secret"  # noqa: S105 - of a database that is not there
Transfer: TypeAlias = Literal["export", "import", "backup"]

_RUNNING: Final[Mapping[Transfer, str]] = {
    "export": "exporting",
    "import": "importing",
    "backup": "exporting",
}


def _no_transfers() -> dict[Transfer, Transfers]:
    return {kind: Transfers(kind) for kind in get_args(Transfer)}


@dataclass(kw_only=True, slots=True)
class FakeDatabase:
    """A database of the cluster: the truth that its answers are made from.

    It is there until `gone_at` (`inf` while nothing deletes it), in the loop's time. `work` has
    the actions on it in the order in which they began, but for exports, imports and backups,
    which are in `transfers`, by kind. Neither loses what the cluster forgets. `made_with` is the
    configuration that it was made with.
    """

    uid: int
    made_with: Mapping[str, object] = field(default_factory=dict[str, object])
    gone_at: float = inf
    work: list[FakeAction] = field(default_factory=list[FakeAction])
    transfers: dict[Transfer, Transfers] = field(default_factory=_no_transfers)
    _changes: list[tuple[FakeAction, dict[str, object]]] = field(
        default_factory=list[tuple[FakeAction, dict[str, object]]], init=False, repr=False
    )

    def status(self, now: float) -> str:
        """Return the word for how it stands at `now`."""
        running, failed = self.running(now), self.failed(now)
        if running is not None:
            return busy_word(running)
        if self.transfers["import"].running(now):
            return "import-pending"
        if failed is not None:
            return "creation-failed" if failed.name == "SMCreateBDB" else "active-change-pending"
        return "active"

    def running(self, now: float) -> FakeAction | None:
        """Return the action that it is busy with at `now`: a transfer is none."""
        return next((action for action in self.work if now < action.ends_at), None)

    def failed(self, now: float) -> FakeAction | None:
        """Return the state machine that failed, if it was the last thing that ended here."""
        ended = [action for action in reversed(self.work) if action.ends_at <= now]
        if not ended:
            return None
        last = max(ended, key=lambda action: action.ends_at)
        return last if last.kind == "state-machine" and last.outcome == "failed" else None

    def busy(self, now: float) -> bool:
        """Whether it takes no other work now. That exports and backups let it is a guess."""
        return self.running(now) is not None or self.transfers["import"].running(now)

    @property
    def shards(self) -> tuple[int, ...]:
        """The uids of its shards, of which each database has two: 1 has 1 and 2, 2 has 3 and 4."""
        return 2 * self.uid - 1, 2 * self.uid

    def config(self, now: float) -> dict[str, object]:
        """Return how it is configured: changes show when the action that makes them is done."""
        config: dict[str, object] = {
            "name": f"db{self.uid}",
            "version": "7.4",
            "memory_size": 1024**3,
            "shards_count": 1,
            **self.made_with,
        }
        for action, change in self._changes:
            if action.outcome in _DONE and action.ends_at <= now:
                config |= change
        return config

    def before(self, horizon: float) -> FakeDatabase | None:
        """Return it as if nothing had begun after `horizon`, or None if it was made after that."""
        work = [action for action in self.work if action.began_at <= horizon]
        if any(action.name == "SMCreateBDB" for action in self.work if action not in work):
            return None
        transfers: dict[Transfer, Transfers] = {
            kind: each.before(horizon) for kind, each in self.transfers.items()
        }
        shown = FakeDatabase(uid=self.uid, made_with=self.made_with, transfers=transfers)
        for action in work:
            shown.add(action)
        shown._changes = [change for change in self._changes if change[0] in work]
        return shown

    def add_change(self, action: FakeAction, change: dict[str, object]) -> None:
        """Let its configuration change when an action is done."""
        self._changes.append((action, change))

    def add(self, action: FakeAction) -> None:
        """Take an action from its beginning; one with the same uid is resumed, or replaced."""
        for kind, transfers in self.transfers.items():
            if (action.kind, action.name) == ("other", kind):
                transfers.add(action)
                return
        self.work = [other for other in self.work if other.uid != action.uid]
        self.work.append(action)
        if action.name == "SMDeleteBDB" and action.outcome in _DONE:
            self.gone_at = min(self.gone_at, action.ends_at)


class Databases:
    """Every database that there ever was, by uid.

    `actions` is the cluster's; `epoch` is when the loop's clock was 0, in Unix time;
    `shows_transfers` is whether exports, imports and backups are actions, too. `lateness` is how
    many seconds it takes until a database shows what has begun on it.
    """

    def __init__(self, actions: dict[str, FakeAction], *, shows_transfers: bool) -> None:
        self.epoch = 0.0
        self.lateness = 0.0
        self._actions = actions
        self._shows_transfers = shows_transfers
        self._all: dict[int, FakeDatabase] = {}

    def present(self, now: float) -> dict[int, FakeDatabase]:
        """Return those that exist at `now`, by uid."""
        return {uid: self._all[uid] for uid in sorted(self._all) if now < self._all[uid].gone_at}

    def shown(self, now: float) -> dict[int, FakeDatabase]:
        """Return those that are seen at `now`, as they are seen, by uid."""
        seen = {uid: self._as_seen(uid, now) for uid in sorted(self._all)}
        return {uid: each for uid, each in seen.items() if each is not None}

    def named(self, uid: str, now: float) -> FakeDatabase:
        """Return the one that a path names; answer 404 if there is none."""
        database = self._all.get(_number(uid))
        if database is None or now >= database.gone_at:
            raise _not_there()
        return database

    def seen(self, uid: str, now: float) -> FakeDatabase:
        """Return the one that a path names, as it is seen; answer 404 if none is."""
        database = self._as_seen(_number(uid), now)
        if database is None:
            raise _not_there()
        return database

    def _as_seen(self, uid: int, now: float) -> FakeDatabase | None:
        database = self._all.get(uid)
        if database is not None and self.lateness:
            database = database.before(now - self.lateness)
        return None if database is None or now >= database.gone_at else database

    def free(self, uid: str, now: float) -> FakeDatabase:
        """Return the one that a path names, if it takes work now; else answer 404 or 409."""
        database = self.named(uid, now)
        if database.busy(now):
            raise refusal(409, "busy", "the database is busy")
        return database

    def add(
        self, uid: int | None, now: float, config: Mapping[str, object] | None = None
    ) -> FakeDatabase:
        """Make one, under a uid that was never used if none is given.

        Raises `ValueError` if there is one of that uid.
        """
        if uid is None:
            uid = self.next_uid
        if uid < 1:
            raise ValueError("uids of databases are 1 or more")
        if uid in self.present(now):
            raise ValueError(f"there is a database {uid}")
        self._all[uid] = FakeDatabase(uid=uid, made_with=config or {})
        return self._all[uid]

    @property
    def next_uid(self) -> int:
        return max(self._all, default=0) + 1

    def take(self, action: FakeAction) -> None:
        """Take an action, and the database that it works on, from its beginning."""
        if action.bdb_uid is not None:
            now = action.began_at
            database = self.present(now).get(action.bdb_uid)
            if database is None:  # what is gone by then is made anew
                database = self._all[action.bdb_uid] = FakeDatabase(uid=action.bdb_uid)
            database.add(action)

    def start(
        self, name: str, bdb_uid: int, plan: Plan, now: float, *, shards: Sequence[int] = ()
    ) -> FakeAction:
        """Start an action on a database, as planned.

        Raises `ValueError` if it is planned to end as only tasks do.
        """
        action = start_action(name, plan, now=now, bdb_uid=bdb_uid, shards=shards)
        self.take(action)
        if action.kind != "other" or self._shows_transfers:
            self._actions[action.uid] = action
        return action


def _number(uid: str) -> int:
    """Return the number in a path, or 0, which is no uid."""
    return int(uid) if uid.isdecimal() and len(uid) <= _DIGITS else 0


def _not_there() -> web.HTTPException:
    return refusal(404, "db_not_exist", "no such database")


def busy_word(action: FakeAction) -> str:
    """Return the status of a database while an action is under way."""
    return _BUSY.get(action.name, "active-change-pending")


def bdb(database: FakeDatabase, now: float, epoch: float) -> dict[str, object]:
    """Return a database object: of its many fields those that matter here, and a secret.

    How `background_op` looks when a state machine has failed is a guess; only its fields are
    documented.
    """
    running, failed = database.running(now), database.failed(now)
    wire = database.config(now) | {
        "uid": database.uid,
        "status": database.status(now),
        "authentication_admin_pass": DATABASE_SECRET,
        "background_op": [{"status": "idle"}],
    }
    for transfers in database.transfers.values():
        wire |= transfers.fields(now, epoch)
    if running is not None:
        wire |= under_way(running)
    elif failed is not None:
        error = {"error_code": failed.error_code, "description": failed.error}
        wire["background_op"] = [{"name": failed.name, "status": "failed", "error": error}]
    return wire


def under_way(action: FakeAction) -> dict[str, object]:
    """Return what a database shows of an action on it, as was recorded after a delete."""
    return {
        "status": busy_word(action),
        "action_uid": action.uid,
        "background_op": [{"name": action.name, "progress": 0, "status": "pending"}],
    }


def pending_ops(action: FakeAction, now: float, epoch: float) -> dict[str, object]:
    if not action.runs_at <= now < action.ends_at:
        return {}
    return {
        str(shard): {
            "op_name": action.state(now),
            "status_code": "running",
            "status_description": "in progress",
            "progress": action.percent(now),
            "heartbeat": int(epoch + action.moved_at(now)),
            "last_sample_time": int(epoch + now),
            "snapshot": {},
        }
        for shard in action.shards
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
