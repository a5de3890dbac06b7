"""Await long-running actions on a Redis Software (Redis Enterprise) cluster until they are done.

The names of `__all__` are the public interface, with `sync`, `otel`, `airflow` and `testing`.
Each is loaded when it is first used (PEP 562), so that `redis-actions --help` loads no HTTP client.
"""

from __future__ import annotations

import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._client.client import ActionsClient
    from ._client.http.auth import TokenSource
    from ._client.operation import Operation
    from ._client.pacing.durations import Duration
    from ._client.pacing.schedules import AimedWait
    from ._client.resources.cluster import Cluster
    from ._client.resources.crdbs import Crdbs
    from ._client.resources.databases import Databases
    from ._client.resources.nodes import Nodes
    from ._client.resources.shards import Shards
    from ._model.action import Action, Evidence, Kind, PendingOp, Phase
    from ._model.cluster_check import ClusterCheck, Finding, FindingKind
    from ._model.errors import (
        ActionAborted,
        ActionCancelled,
        ActionFailed,
        ActionNotFound,
        ActionStalled,
        ActionVanished,
        AnswerLost,
        AuthenticationError,
        CancelNotSupported,
        ClientCertificateRefused,
        ClientClosed,
        ClusterUnhealthy,
        ClusterUnreachable,
        DatabaseNotFound,
        NothingToFollow,
        RedisActionsError,
        RequestError,
        RequestRejected,
        UnreadableReply,
        UntrustedCertificate,
        UsageError,
        WaitError,
        WaitTimeout,
    )
    from ._model.objects import (
        Crdb,
        CrdbInstance,
        Database,
        Endpoint,
        Node,
        OperationResult,
    )
    from ._model.outcome import Outcome
    from ._model.record import (
        FinishedAction,
        Observer,
        Outage,
        Record,
        Recorder,
        Transition,
    )
    from ._model.secret import Secret
    from ._report.write import check_report, write_report

    __version__: str


__all__ = [
    "Action",
    "ActionAborted",
    "ActionCancelled",
    "ActionFailed",
    "ActionNotFound",
    "ActionStalled",
    "ActionVanished",
    "ActionsClient",
    "AimedWait",
    "AnswerLost",
    "AuthenticationError",
    "CancelNotSupported",
    "ClientCertificateRefused",
    "ClientClosed",
    "Cluster",
    "ClusterCheck",
    "ClusterUnhealthy",
    "ClusterUnreachable",
    "Crdb",
    "CrdbInstance",
    "Crdbs",
    "Database",
    "DatabaseNotFound",
    "Databases",
    "Duration",
    "Endpoint",
    "Evidence",
    "Finding",
    "FindingKind",
    "FinishedAction",
    "Kind",
    "Node",
    "Nodes",
    "NothingToFollow",
    "Observer",
    "Operation",
    "OperationResult",
    "Outage",
    "Outcome",
    "PendingOp",
    "Phase",
    "Record",
    "Recorder",
    "RedisActionsError",
    "RequestError",
    "RequestRejected",
    "Secret",
    "Shards",
    "TokenSource",
    "Transition",
    "UnreadableReply",
    "UntrustedCertificate",
    "UsageError",
    "WaitError",
    "WaitTimeout",
    "__version__",
    "check_report",
    "write_report",
]

_MODULES: Final[Mapping[str, str]] = MappingProxyType({
    "Action": "_model.action",
    "ActionAborted": "_model.errors",
    "ActionCancelled": "_model.errors",
    "ActionFailed": "_model.errors",
    "ActionNotFound": "_model.errors",
    "ActionStalled": "_model.errors",
    "ActionVanished": "_model.errors",
    "ActionsClient": "_client.client",
    "AimedWait": "_client.pacing.schedules",
    "AnswerLost": "_model.errors",
    "AuthenticationError": "_model.errors",
    "CancelNotSupported": "_model.errors",
    "ClientCertificateRefused": "_model.errors",
    "ClientClosed": "_model.errors",
    "Cluster": "_client.resources.cluster",
    "ClusterCheck": "_model.cluster_check",
    "ClusterUnhealthy": "_model.errors",
    "ClusterUnreachable": "_model.errors",
    "Crdb": "_model.objects",
    "CrdbInstance": "_model.objects",
    "Crdbs": "_client.resources.crdbs",
    "Database": "_model.objects",
    "DatabaseNotFound": "_model.errors",
    "Databases": "_client.resources.databases",
    "Duration": "_client.pacing.durations",
    "Endpoint": "_model.objects",
    "Evidence": "_model.action",
    "Finding": "_model.cluster_check",
    "FindingKind": "_model.cluster_check",
    "FinishedAction": "_model.record",
    "Kind": "_model.action",
    "Node": "_model.objects",
    "Nodes": "_client.resources.nodes",
    "NothingToFollow": "_model.errors",
    "Observer": "_model.record",
    "Operation": "_client.operation",
    "OperationResult": "_model.objects",
    "Outage": "_model.record",
    "Outcome": "_model.outcome",
    "PendingOp": "_model.action",
    "Phase": "_model.action",
    "Record": "_model.record",
    "Recorder": "_model.record",
    "RedisActionsError": "_model.errors",
    "RequestError": "_model.errors",
    "RequestRejected": "_model.errors",
    "Secret": "_model.secret",
    "Shards": "_client.resources.shards",
    "TokenSource": "_client.http.auth",
    "Transition": "_model.record",
    "UnreadableReply": "_model.errors",
    "UntrustedCertificate": "_model.errors",
    "UsageError": "_model.errors",
    "WaitError": "_model.errors",
    "WaitTimeout": "_model.errors",
    "check_report": "_report.write",
    "write_report": "_report.write",
})  # fmt: skip


def __getattr__(name: str) -> object:
    if name == "__version__":
        value: object = importlib.import_module("importlib.metadata").version(
            "redis-enterprise-actions"
        )
    elif name in _MODULES:
        value = getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
