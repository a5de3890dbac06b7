"""Databases of the fake cluster, and work on them, as functions of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from redis_enterprise_actions.testing.server.requests import MAX_UID, error_response, parse_uid
from redis_enterprise_actions.testing.wrong_argument import WrongArgument

from .actions import SUCCESSES, FakeAction, start_action


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiohttp import web

    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.identifiers import Identifiers

    from .actions import Plan


_FIRST_PORT: Final = 10000  # of the range in which the cluster chooses ports of endpoints
# The secret of every database object: it may show up in no message and no log.
DATABASE_SECRET: Final = "fake-database-secret"  # noqa: S105 - of a database that is not there
Transfer: TypeAlias = Literal["export", "import", "backup"]
SyncStatus: TypeAlias = Literal["out-of-sync", "syncing", "in-sync"]

# Configuration of a database that sets nothing: the API's defaults (objects/bdb), but for
# `memory_size` and `replication`. Every version of the cluster has databases of version 7.2.
_DEFAULTS: Final[Mapping[str, object]] = {
    "type": "redis",
    "version": "7.2.4",
    "redis_version": "7.2",
    "memory_size": 1024**3,
    "shards_count": 1,
    "sharding": False,
    "shards_placement": "dense",
    "replication": True,
    "data_persistence": "disabled",
    "aof_policy": "appendfsync-every-sec",
    "eviction_policy": "volatile-lru",
    "port": 0,
    "proxy_policy": "single",
    "oss_cluster": False,
    "rack_aware": False,
    "tls_mode": "disabled",
    "max_connections": 0,
    "backup": False,
    "crdt": False,
    "replica_sync": "disabled",
    "replica_sources": [],
    "module_list": [],
}

_TRANSFER_STATUSES: Final[Mapping[Transfer, str]] = {
    "export": "exporting",
    "import": "importing",
    "backup": "exporting",
}


def busy_status(action: FakeAction) -> str:
    """Return the status of a database on which an action has not ended."""
    return {"SMCreateBDB": "pending", "SMDeleteBDB": "delete-pending"}.get(
        action.name, "active-change-pending"
    )


def check_transfer_plan(plan: Plan) -> None:
    """Raise `ValueError` if a plan has an outcome that no export, import or backup has."""
    if plan.outcome not in {None, "completed", "failed", "never"}:
        problem = f"outcome={plan.outcome!r} is none of completed, failed, never"
        raise WrongArgument("plan.outcome", problem)


def check_uid(name: str, uid: int, *, least: int = 1) -> None:
    """Raise `ValueError` if an argument of that name is the uid of no possible database."""
    if uid < least:
        raise WrongArgument(name, f"uids of databases are {least} or more")
    if uid > MAX_UID:
        raise WrongArgument(name, f"uids of databases are {MAX_UID} at most")


def _no_transfers() -> dict[Transfer, TransferHistory]:
    return {kind: TransferHistory(kind) for kind in get_args(Transfer)}


@dataclass(kw_only=True, slots=True)
class FakeDatabase:
    """A database of the fake cluster, from which its answers are made.

    The database exists until `gone_at` (`inf` while nothing deletes it), by the cluster's clock.
    `work` has the actions on it, the oldest first; `transfers` has its exports, imports and
    backups by kind. Both keep what the cluster forgets. `made_with` is its first configuration.
    With `recovery`, it waits to be recovered, as databases do after the recovery of a cluster.
    `created_at` is None if it is as old as the cluster.
    `source_statuses` has the statuses that a test has set for sources that it replicates, by index.
    `revision` is the number of changes, and `changed_at` the time of the last one.
    """

    uid: int
    made_with: Mapping[str, object] = field(default_factory=dict[str, object])
    recovery: bool = False
    created_at: float | None = None
    gone_at: float = inf
    work: list[FakeAction] = field(default_factory=list[FakeAction])
    transfers: dict[Transfer, TransferHistory] = field(default_factory=_no_transfers)
    source_statuses: dict[int, SyncStatus] = field(default_factory=dict[int, SyncStatus])
    revision: int = field(default=0, init=False)
    changed_at: float = field(default=-inf, init=False)
    _changes: list[tuple[FakeAction, dict[str, object]]] = field(
        default_factory=list[tuple[FakeAction, dict[str, object]]], init=False, repr=False
    )

    def status(self, now: float) -> str:
        """Return the status at `now`, in the API's words."""
        running, failed = self.running(now), self.failed(now)
        if running is not None:
            return busy_status(running)
        if self.transfers["import"].running(now):
            return "import-pending"
        if self.recoverable(now):
            return "recovery"
        if failed is not None:
            return "creation-failed" if failed.name == "SMCreateBDB" else "active-change-pending"
        return "active"

    def running(self, now: float) -> FakeAction | None:
        """Return the action, other than a transfer, that has not ended at `now`."""
        return next((action for action in self.work if now < action.ends_at), None)

    def failed(self, now: float) -> FakeAction | None:
        """Return the action that ended last, if that is a state machine that failed."""
        ended = [action for action in reversed(self.work) if action.ends_at <= now]
        if not ended:
            return None
        last = max(ended, key=lambda action: action.ends_at)
        return last if last.kind == "state-machine" and last.outcome == "failed" else None

    def busy(self, now: float) -> bool:
        """Return True if other work is refused at `now`. Exports and backups allow it: a guess."""
        return self.running(now) is not None or self.transfers["import"].running(now)

    def recoverable(self, now: float) -> bool:
        """Return True if the database waits at `now` to be recovered."""
        return self.recovery and not any(
            action.name == "SMRecoverBDB" and action.outcome in SUCCESSES and action.ends_at <= now
            for action in self.work
        )

    @property
    def shards(self) -> tuple[int, ...]:
        """Uids of its primary and its replica: 1 and 2 of database 1, 3 and 4 of database 2, ..."""
        return 2 * self.uid - 1, 2 * self.uid

    def shard_list(self, now: float) -> tuple[int, ...]:
        """Return the uids of its shards at `now`: without replication there is no replica."""
        return self.shards if self.config(now)["replication"] else self.shards[:1]

    def endpoint_port(self, now: float) -> int:
        """Return the port of its endpoint at `now`: the cluster chooses one if none is set."""
        port = self.config(now)["port"]
        return port if isinstance(port, int) and port else _FIRST_PORT + self.uid % _FIRST_PORT

    def config(self, now: float) -> dict[str, object]:
        """Return the configuration at `now`: a change shows when its action is done."""
        config: dict[str, object] = {"name": f"db{self.uid}", **_DEFAULTS, **self.made_with}
        for action, change in self._changes:
            if action.outcome in SUCCESSES and action.ends_at <= now:
                config |= change
        return config

    @property
    def has_sources(self) -> bool:
        """True if the database may be a replica of others (Replica Of)."""
        configs = [self.made_with, *(change for _, change in self._changes)]
        return bool(self.source_statuses) or any("replica_sources" in each for each in configs)

    def sources_set_at(self, now: float) -> float:
        """Return the end of the state machine that set the sources, or -inf if none did.

        While the database is created, that time is still to come.
        """
        times = [
            action.ends_at
            for action, change in self._changes
            if "replica_sources" in change and action.outcome in SUCCESSES and action.ends_at <= now
        ]
        created = [action.ends_at for action in self.work if action.name == "SMCreateBDB"]
        return max(times or created, default=-inf)

    def steady_until(self, now: float) -> float:
        """Return until when answers stay as they are at `now`, or `now` if time changes them."""
        if self.has_sources or any(transfers.running(now) for transfers in self.transfers.values()):
            return now
        return min((work.ends_at for work in self.work if work.ends_at > now), default=inf)

    def before(self, horizon: float) -> FakeDatabase | None:
        """Return the database without actions begun after `horizon`; None if one created it."""
        if self.changed_at <= horizon:
            return self
        work = [action for action in self.work if action.began_at <= horizon]
        if any(action.name == "SMCreateBDB" for action in self.work if action not in work):
            return None
        transfers: dict[Transfer, TransferHistory] = {
            kind: each.before(horizon) for kind, each in self.transfers.items()
        }
        shown = FakeDatabase(
            uid=self.uid,
            made_with=self.made_with,
            recovery=self.recovery,
            created_at=self.created_at,
            transfers=transfers,
            source_statuses=self.source_statuses,
        )
        for action in work:
            shown.add(action)
        shown._changes = [change for change in self._changes if change[0] in work]
        return shown

    def add_change(self, action: FakeAction, change: dict[str, object]) -> None:
        """Change the configuration when an action is done."""
        self._changes.append((action, change))
        self._count_change(action.began_at)

    def add(self, action: FakeAction) -> None:
        """Add an action, in place of one with the same uid."""
        self._count_change(action.began_at)
        for kind, transfers in self.transfers.items():
            if (action.kind, action.name) == ("other", kind):
                transfers.add(action)
                return
        self.work = [other for other in self.work if other.uid != action.uid]
        self.work.append(action)
        if action.name == "SMDeleteBDB" and action.outcome in SUCCESSES:
            self.gone_at = min(self.gone_at, action.ends_at)

    def reset(self, transfer: Transfer, now: float) -> None:
        """Hide the results so far of one kind of transfer, but for the time of the last success."""
        self.transfers[transfer].reset(now)
        self._count_change(now)

    def _count_change(self, at: float) -> None:
        self.revision += 1
        if at < inf:  # it has begun
            self.changed_at = max(self.changed_at, at)


class TransferHistory:
    """Runs of one kind of transfer on one database, the oldest first."""

    def __init__(self, kind: Transfer) -> None:
        self._kind: Transfer = kind
        self._runs: list[FakeAction] = []
        self._resets: list[tuple[float, int]] = []  # time, and number of runs until then

    def add(self, run: FakeAction) -> None:
        """Add a run, in place of one with the same uid."""
        for number, other in enumerate(self._runs):
            if other.uid == run.uid:
                self._runs[number] = run
                return
        self._runs.append(run)

    def running(self, now: float) -> bool:
        """Return True if a transfer is queued or runs at `now`."""
        return any(now < run.ends_at for run in self._runs)

    def reset(self, now: float) -> None:
        """Hide the results so far, but for the time of the last success."""
        self._resets.append((now, len(self._runs)))

    def before(self, horizon: float) -> TransferHistory:
        """Return the history without what began, or was reset, after `horizon`."""
        seen = TransferHistory(self._kind)
        seen._runs = [run for run in self._runs if run.began_at <= horizon]
        seen._resets = [reset for reset in self._resets if reset[0] <= horizon]
        return seen

    def status(self, now: float) -> str:
        """Return the status of the last transfer at `now`; it is empty if there was none.

        "initializing" is the status of a queued import without an earlier result.
        """
        run = self._last_started(now)
        if run is None:
            return "initializing" if self._kind == "import" and self._since_reset() else ""
        if now < run.ends_at:
            return _TRANSFER_STATUSES[self._kind]
        return "failed" if run.outcome == "failed" else "succeeded"

    def to_json(self, now: float, clock: Clock) -> dict[str, object]:
        """Return the fields of the database object that show the transfers.

        An import has no time of the last success.
        """
        run, kind, status = self._last_started(now), self._kind, self.status(now)
        fields: dict[str, object] = {
            f"{kind}_status": status,
            f"{kind}_failure_reason": run.error if run is not None and status == "failed" else "",
        }
        percent = None if run is None or now >= run.ends_at else run.percent(now)
        if percent is not None:
            fields[f"{kind}_progress"] = percent
        successes = [
            run.ends_at for run in self._runs if run.ends_at <= now and run.outcome != "failed"
        ]
        if successes and kind != "import":
            fields[f"last_{kind}_time"] = clock.iso_time(max(successes))
        return fields

    def _last_started(self, now: float) -> FakeAction | None:
        return next((run for run in reversed(self._since_reset()) if run.runs_at <= now), None)

    def _since_reset(self) -> list[FakeAction]:
        return self._runs[self._resets[-1][1] :] if self._resets else self._runs


class DatabaseRegistry:
    """Registry of all databases that ever existed, by uid.

    `actions` are the cluster's. With `shows_transfers`, exports, imports and backups are added to
    them, too. A database shows what has begun on it `lateness` seconds later. It is in sync with
    the sources that it replicates `sync_delay` seconds after these were set. `waiting` has, by uid,
    a function for each action that begins when a request asks for it; the function gets that time,
    and returns the action.
    """

    def __init__(
        self,
        clock: Clock,
        identifiers: Identifiers,
        actions: dict[str, FakeAction],
        *,
        shows_transfers: bool,
    ) -> None:
        self._clock = clock
        self._identifiers = identifiers
        self.lateness = 0.0
        self.sync_delay = 0.0
        self.waiting: dict[str, Callable[[float], FakeAction]] = {}
        self._actions = actions
        self._shows_transfers = shows_transfers
        self._all: dict[int, FakeDatabase] = {}

    def existing(self) -> dict[int, FakeDatabase]:
        """Return the databases that exist, by uid."""
        found = {uid: self.find(uid) for uid in sorted(self._all)}
        return {uid: database for uid, database in found.items() if database is not None}

    def find(self, uid: int) -> FakeDatabase | None:
        """Return the database of a uid, if it exists."""
        database = self._all.get(uid)
        return database if database is not None and self._clock.now() < database.gone_at else None

    def list_shown(self) -> list[FakeDatabase]:
        """Return the databases as the cluster shows them, by uid."""
        shown = [self._shown(uid) for uid in sorted(self._all)]
        return [database for database in shown if database is not None]

    def get(self, uid: str) -> FakeDatabase:
        """Return the database of a path; answer 404 if there is none."""
        database = self.find(parse_uid(uid) or 0)
        if database is None:
            raise _not_found()
        self._begin_work(database)
        return database

    def get_shown(self, uid: str) -> FakeDatabase:
        """Return the database of a path as the cluster shows it; answer 404 if there is none."""
        database = self._shown(parse_uid(uid) or 0)
        if database is None:
            raise _not_found()
        return database

    def get_idle(self, uid: str) -> FakeDatabase:
        """Return the database of a path; answer 404 if there is none, or 409 if it is busy."""
        database = self.get(uid)
        if database.busy(self._clock.now()):
            raise busy()
        return database

    def get_of_shard(self, uid: str) -> FakeDatabase:
        """Return the database that a shard is of; answer 404 if there is no such shard."""
        shard = parse_uid(uid) or 0
        database = self.find((shard + 1) // 2)
        if database is None or shard not in database.shard_list(self._clock.now()):
            raise error_response(404, "shard_not_exist", f"there is no shard {uid}")
        return database

    def add(self, database: FakeDatabase) -> None:
        """Add a database. Raises `ValueError` if there is one of its uid, or can be none."""
        check_uid("uid", database.uid)
        if self.find(database.uid):
            raise WrongArgument("uid", f"there is a database {database.uid}")
        self._all[database.uid] = database

    def taken_ports(self, *, but: int) -> set[int]:
        """Return the ports of all databases but one."""
        now = self._clock.now()
        return {
            database.endpoint_port(now) for uid, database in self.existing().items() if uid != but
        }

    @property
    def next_uid(self) -> int:
        """Uid that was never used: the next one or, if the largest was used, the lowest."""
        following = max(self._all, default=0) + 1
        if following <= MAX_UID:
            return following
        return next(uid for uid in count(1) if uid not in self._all)

    def asked_for(self, action: FakeAction) -> FakeAction:
        """Return an action that a request asks for. It begins now if it has waited for that."""
        begin = self.waiting.pop(action.uid, None)
        if begin is None:
            return action
        begun = self._actions[action.uid] = begin(self._clock.now())
        self.add_action(begun)
        return begun

    def add_action(self, action: FakeAction) -> None:
        """Add an action to its database, which is made if it does not exist."""
        if action.bdb_uid is not None:
            database = self.find(action.bdb_uid)
            if database is None:
                database = self._all[action.bdb_uid] = FakeDatabase(uid=action.bdb_uid)
            database.add(action)

    def start(
        self, name: str, bdb_uids: int | Sequence[int], plan: Plan, *, shards: Sequence[int] = ()
    ) -> FakeAction:
        """Start an action on a database, or on several that exist, as planned.

        Raises `ValueError` if it is planned to end as only tasks do.
        """
        first, *others = [bdb_uids] if isinstance(bdb_uids, int) else bdb_uids
        action = start_action(
            name,
            plan,
            uid=self._identifiers.uuid(),
            now=self._clock.now(),
            bdb_uid=first,
            shards=shards,
        )
        self.add_action(action)
        for uid in others:
            self._all[uid].add(action)
        if action.kind != "other" or self._shows_transfers:
            self._actions[action.uid] = action
        return action

    def _begin_work(self, database: FakeDatabase) -> None:
        """Begin the actions on a database that a request asks for."""
        for uid in list(self.waiting):
            if self._actions[uid].bdb_uid == database.uid:
                self.asked_for(self._actions[uid])

    def _shown(self, uid: int) -> FakeDatabase | None:
        now, database = self._clock.now(), self._all.get(uid)
        if database is not None:
            self._begin_work(database)
        if database is not None and self.lateness:
            database = database.before(now - self.lateness)
        return None if database is None or now >= database.gone_at else database


def busy() -> web.HTTPException:
    """Return the answer to a call on a busy database.

    Only the page of shard failovers has the code. That an upgrade, which documents no 409, is
    answered so, too, is a guess.
    """
    return error_response(409, "db_busy", "the database is busy")


def _not_found() -> web.HTTPException:
    # No page has the code.
    return error_response(404, "db_not_exist", "no such database")
