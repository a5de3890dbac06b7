"""Bodies of the control API: the calls, one Struct for each path, and the answers.

Each answer has `v`, the version of the format. Within a version, fields may be added to answers,
and calls may take more fields and words; nothing is removed or changes its meaning.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from redis_enterprise_actions.testing.scenario.entries import (
    ActionEntry,
    BootstrapEntry,
    ChaosEntry,
    ClusterActionEntry,
    CrdbEntry,
    CrdbTaskEntry,
    DatabaseEntry,
    Entry,
    FaultEntry,
    HealEntry,
    NodeActionEntry,
    PlannedCallEntry,
    RestartEntry,
    StartEntry,
    StopEntry,
    TransferEntry,
)
from redis_enterprise_actions.testing.scenario.values import Seconds, Speed
from redis_enterprise_actions.testing.server.chaos import ChaosEpisode


if TYPE_CHECKING:
    from collections.abc import Mapping

# Calls of a method of `FakeCluster`, by the last part of their paths.
CALLS: Final[Mapping[str, type[Entry]]] = {
    "databases": DatabaseEntry,
    "crdbs": CrdbEntry,
    "bootstraps": BootstrapEntry,
    "plan": PlannedCallEntry,
    "actions": ActionEntry,
    "node_actions": NodeActionEntry,
    "cluster_actions": ClusterActionEntry,
    "transfers": TransferEntry,
    "crdb_tasks": CrdbTaskEntry,
    "inject": FaultEntry,
    "heal": HealEntry,
    "restart": RestartEntry,
    "stop": StopEntry,
    "start": StartEntry,
    "chaos": ChaosEntry,
}

_Time = Annotated[datetime, Meta(tz=True, description="of the cluster's clock, RFC 3339")]
_Elapsed = Annotated[float, Meta(description="seconds of the cluster's clock since its start")]


class ClockCall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change of the clock: exactly one of `set`, a time, `jump`, in seconds, and `speed`.

    The clock only goes forward, and `speed` is in seconds of the cluster per second.
    """

    set: Annotated[datetime, Meta(tz=True)] | UnsetType = UNSET
    jump: Seconds | UnsetType = UNSET
    speed: Speed | UnsetType = UNSET

    def __post_init__(self) -> None:
        given = [value for value in (self.set, self.jump, self.speed) if value is not UNSET]
        if len(given) != 1:
            raise ValueError("exactly one of `set`, `jump` and `speed` is needed")


class EmptyCall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call without fields, whose body may be empty, too."""


class Answer(Struct, frozen=True, kw_only=True):
    """Fields that all answers have."""

    v: Literal[1] = 1


class ErrorAnswer(Answer, frozen=True, kw_only=True):
    """Refusal of a call: `field` is the field of the call that is wrong, `$` for the whole."""

    error: str
    field: str | None = None


class CallAnswer(Answer, frozen=True, kw_only=True):
    """The call was accepted. It has what the method returned, unless the call is for later."""

    uid: int | str | UnsetType = UNSET
    guid: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    episodes: list[ChaosEpisode] | UnsetType = UNSET


class ClockAnswer(Answer, frozen=True, kw_only=True):
    """The cluster's clock, whose `speed` is in seconds of the cluster per second."""

    time: _Time
    elapsed: _Elapsed
    speed: float


class StateAnswer(Answer, frozen=True, kw_only=True):
    """Address and credentials of the cluster, and its clock.

    `ca_pem` is the certificate to trust, as PEM, or null for plain HTTP. `requests` is the number
    of requests so far. `problems` has the errors of entries whose time has
    come, and which the cluster refused then.
    """

    url: str
    urls: list[str]
    username: str
    password: str
    ca_pem: str | None
    version: str
    clock: ClockAnswer
    requests: int
    problems: list[str]


class RequestItem(Struct, frozen=True, kw_only=True):
    """A request that the cluster received; the first one after the start has the `number` 0.

    `path` is as sent, with its query. `status` is None before the answer, and for ever if there is
    none. `has_credentials` is true if it came with an Authorization header or a certificate.
    """

    number: int
    time: _Time
    elapsed: _Elapsed
    method: str
    path: str
    node: int
    status: int | None
    has_credentials: bool


class RequestsAnswer(Answer, frozen=True, kw_only=True):
    """The requests from the number `since` on; `total` is the number of all so far."""

    total: int
    requests: list[RequestItem]
