"""Entries of a scenario and calls of the control API: arguments of `FakeCluster`'s methods.

Each field has the name of an argument, and a field that is not given leaves the argument's default.
"""

from __future__ import annotations

from enum import Enum, auto
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from msgspec import UNSET, Struct, UnsetType

from redis_enterprise_actions.testing.server.faults import check_fault
from redis_enterprise_actions.testing.state.actions import (
    DEFAULT_PLAN,
    Kind,
    Outcome,
    Plan,
    Progress,
    start_action,
)
from redis_enterprise_actions.testing.state.bootstrap import BootstrapPlan, BootstrapState
from redis_enterprise_actions.testing.state.databases import Transfer, check_transfer_plan
from redis_enterprise_actions.testing.state.node_actions import ClusterActionName, NodeActionName
from redis_enterprise_actions.testing.wrong_argument import WrongArgument

from .values import (
    DowntimeArray,
    Duration,
    EpisodeCount,
    Fraction,
    HeaderName,
    HeaderText,
    Id,
    Method,
    Node,
    Path,
    Seconds,
    Seed,
    Status,
    Text,
    Times,
    Uid,
    WholeSeconds,
)


if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_DEPTH: Final = 20  # of JSON in an entry
_MAX_INTEGER: Final = 2**64 - 1


class Stage(Enum):
    """Moment at which entries take effect at the start of a cluster.

    `SETTINGS` and databases do not depend on the time; `WORK` begins before the nodes listen, and
    `NODES` are acted on when all listen, but before any of them answers.
    """

    SETTINGS = auto()
    WORK = auto()
    NODES = auto()


class PlanTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Course and outcome of one piece of work: the arguments of `Plan`."""

    duration: Seconds | UnsetType = UNSET
    queued: Seconds | UnsetType = UNSET
    progress: Progress | UnsetType = UNSET
    outcome: Outcome | UnsetType = UNSET
    error_code: Text | UnsetType = UNSET
    error: Text | UnsetType = UNSET

    @property
    def value(self) -> Plan:
        """The plan that the table describes."""
        return Plan(**dict(given(self)))


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call of a method of `FakeCluster`.

    `METHOD` is the method's name. `SUBJECT` is the field that a refusal of the cluster is about if
    its message begins with no other field. `RESULT` is the field of the control API's answer that
    has what the method returns, or None. `STAGE` is when an entry takes effect at the start.

    `at` is in seconds of the cluster's clock after its start. By default, an entry of a scenario
    takes effect at the start, and a call of the control API at once.
    """

    METHOD: ClassVar[str]
    SUBJECT: ClassVar[str]
    RESULT: ClassVar[str | None] = None
    STAGE: ClassVar[Stage] = Stage.SETTINGS

    at: Seconds | UnsetType = UNSET

    @property
    def due(self) -> float:
        """Seconds after the start at which the entry of a scenario takes effect."""
        return 0.0 if self.at is UNSET else self.at

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the method."""
        return {name: _argument(name, value) for name, value in given(self) if name != "at"}


class DatabaseEntry(Entry, frozen=True, kw_only=True):
    """A database: the arguments of `add_bdb`."""

    METHOD = "add_bdb"
    SUBJECT = "uid"
    RESULT = "uid"

    uid: Uid | UnsetType = UNSET
    name: Text | UnsetType = UNSET
    recovery: bool | UnsetType = UNSET


class CrdbEntry(Entry, frozen=True, kw_only=True):
    """An Active-Active database: the arguments of `add_crdb`."""

    METHOD = "add_crdb"
    SUBJECT = "guid"
    RESULT = "guid"

    guid: Id | UnsetType = UNSET
    name: Text | UnsetType = UNSET
    bdb_uid: Uid | UnsetType = UNSET


class BootstrapEntry(Entry, frozen=True, kw_only=True):
    """Plan of a node's next bootstrap: the arguments of `plan_bootstrap`."""

    METHOD = "plan_bootstrap"
    SUBJECT = "node"

    node: Node
    duration: Seconds | UnsetType = UNSET
    error_code: Text | UnsetType = UNSET
    error_details: dict[str, Any] | UnsetType = UNSET
    downtime: tuple[DowntimeArray, ...] | UnsetType = UNSET
    demands_credentials_at: Fraction | UnsetType = UNSET
    stays: BootstrapState | UnsetType = UNSET
    settles: Seconds | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.error_details is not UNSET:
            _check_json("error_details", self.error_details, _MAX_DEPTH)
            if self.error_code is UNSET:
                raise WrongArgument("error_details", "error_details are those of an error_code")
        for name in ("downtime", "stays"):
            value = getattr(self, name)
            if value is not UNSET:
                try:
                    BootstrapPlan(**{name: value})
                except ValueError as error:
                    raise WrongArgument(name, str(error)) from error


class PlannedCallEntry(Entry, frozen=True, kw_only=True):
    """Plan of the work that requests start: the arguments of `plan`."""

    METHOD = "plan"
    SUBJECT = "path"

    method: Method
    path: Path
    plan: PlanTable
    times: Times | UnsetType = UNSET


class ActionEntry(Entry, frozen=True, kw_only=True):
    """An action: the arguments of `add_action`."""

    METHOD = "add_action"
    SUBJECT = "uid"
    RESULT = "uid"
    STAGE = Stage.WORK

    name: Id | UnsetType = UNSET
    plan: PlanTable | UnsetType = UNSET
    uid: Id | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    bdb_uid: Uid | UnsetType = UNSET
    node_uid: Node | UnsetType = UNSET
    shards: tuple[Uid, ...] | UnsetType = UNSET
    when_asked_for: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        name = "SMUpdateBDB" if self.name is UNSET else self.name
        kind = None if self.kind is UNSET else self.kind
        start_action(name, _plan(self.plan), uid="", now=0.0, kind=kind)


class NodeActionEntry(Entry, frozen=True, kw_only=True):
    """An action on a node: the arguments of `start_node_action`."""

    METHOD = "start_node_action"
    SUBJECT = "action"
    RESULT = "task_id"
    STAGE = Stage.NODES

    node_uid: Node
    action: NodeActionName
    plan: PlanTable | UnsetType = UNSET
    task_id: Id | UnsetType = UNSET


class ClusterActionEntry(Entry, frozen=True, kw_only=True):
    """An action of the whole cluster: the arguments of `start_cluster_action`."""

    METHOD = "start_cluster_action"
    SUBJECT = "action"
    STAGE = Stage.NODES

    action: ClusterActionName
    plan: PlanTable | UnsetType = UNSET
    node_uid: Node


class TransferEntry(Entry, frozen=True, kw_only=True):
    """An export, import or backup of a database: the arguments of `start_transfer`."""

    METHOD = "start_transfer"
    SUBJECT = "bdb_uid"
    STAGE = Stage.WORK

    bdb_uid: Uid
    transfer: Transfer
    plan: PlanTable | UnsetType = UNSET

    def __post_init__(self) -> None:
        check_transfer_plan(_plan(self.plan))


class CrdbTaskEntry(Entry, frozen=True, kw_only=True):
    """An Active-Active task: the arguments of `start_crdb_task`."""

    METHOD = "start_crdb_task"
    SUBJECT = "guid"
    RESULT = "id"
    STAGE = Stage.WORK

    operation: Id | UnsetType = UNSET
    plan: PlanTable | UnsetType = UNSET
    guid: Id | UnsetType = UNSET
    id: Id | UnsetType = UNSET
    result_ttl: Seconds | UnsetType = UNSET


class FaultEntry(Entry, frozen=True, kw_only=True):
    """A fault of the next answers: the arguments of `inject`."""

    METHOD = "inject"
    SUBJECT = "node"

    times: Times | UnsetType = UNSET
    path: Path | UnsetType = UNSET
    exact: bool | UnsetType = UNSET
    method: Method | UnsetType = UNSET
    node: Node | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    body: str | UnsetType = UNSET
    headers: dict[HeaderName, HeaderText] | UnsetType = UNSET
    retry_after: WholeSeconds | Seconds | HeaderText | UnsetType = UNSET
    delay: Seconds | UnsetType = UNSET
    hang: bool | UnsetType = UNSET
    drop: bool | UnsetType = UNSET
    lose: bool | UnsetType = UNSET
    truncate: bool | UnsetType = UNSET
    empty: bool | UnsetType = UNSET
    bad_entry: bool | UnsetType = UNSET
    nan: bool | UnsetType = UNSET
    no_handle: bool | UnsetType = UNSET
    no_route: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        check_fault(self.arguments())


class RestartEntry(Entry, frozen=True, kw_only=True):
    """A restart of a node: the arguments of `restart_node`."""

    METHOD = "restart_node"
    SUBJECT = "node"
    STAGE = Stage.NODES

    node: Node
    downtime: Seconds = 30.0


class StopEntry(Entry, frozen=True, kw_only=True):
    """The stop of a node: the argument of `stop_node`."""

    METHOD = "stop_node"
    SUBJECT = "node"

    node: Node


class StartEntry(Entry, frozen=True, kw_only=True):
    """The start of a stopped node: the argument of `start_node`."""

    METHOD = "start_node"
    SUBJECT = "node"

    node: Node


class HealEntry(Entry, frozen=True, kw_only=True):
    """The end of all injected faults and of all chaos: `heal`."""

    METHOD = "heal"
    SUBJECT = "at"


class ChaosEntry(Entry, frozen=True, kw_only=True):
    """Random faults and changes of nodes: the arguments of `chaos`."""

    METHOD = "chaos"
    SUBJECT = "episodes"
    RESULT = "episodes"
    STAGE = Stage.NODES

    seed: Seed
    horizon: Duration
    episodes: EpisodeCount
    longest: Duration | UnsetType = UNSET


def given(table: Struct) -> Iterator[tuple[str, Any]]:
    """Yield the fields that have a value, by name."""
    for name in table.__struct_fields__:
        value = getattr(table, name)
        if value is not UNSET:
            yield name, value


def _argument(name: str, value: object) -> object:
    """Return the argument for the value of a field."""
    if isinstance(value, PlanTable):
        return value.value
    return None if name == "times" and value == "always" else value


def _plan(table: PlanTable | UnsetType) -> Plan:
    return DEFAULT_PLAN if table is UNSET else table.value


def _check_json(name: str, value: object, depth: int) -> None:
    """Raise `WrongArgument` for a value that JSON does not have, as TOML does, and a deep one."""
    if isinstance(value, dict):
        value = [*cast("dict[str, object]", value).values()]
    if isinstance(value, list):
        if not depth:
            raise WrongArgument(name, f"{name} are nested too deeply")
        for each in cast("list[object]", value):
            _check_json(name, each, depth - 1)
    elif isinstance(value, float):
        if not isfinite(value):
            raise WrongArgument(name, f"{name} hold {value}, which is no number of JSON")
    elif isinstance(value, int):
        if abs(value) > _MAX_INTEGER:
            raise WrongArgument(name, f"{name} hold a number that is too large")
    elif value is not None and not isinstance(value, str):
        raise WrongArgument(name, f"{name} hold a {type(value).__name__}, which JSON does not have")
