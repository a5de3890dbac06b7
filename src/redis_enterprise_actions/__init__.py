"""Await long-running actions on a Redis Software (Redis Enterprise) cluster until they are done."""

from redis_enterprise_actions._client.client import ActionsClient
from redis_enterprise_actions._client.operation import Operation
from redis_enterprise_actions._client.pacing.schedules import AimedWait
from redis_enterprise_actions._model.action import Action, Evidence, Kind, PendingOp, Phase
from redis_enterprise_actions._model.errors import (
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
    ClusterUnreachable,
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
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.record import (
    FinishedAction,
    Observer,
    Outage,
    Record,
    Recorder,
    Transition,
)
from redis_enterprise_actions._report.write import check_report, write_report


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
    "ClusterUnreachable",
    "Evidence",
    "FinishedAction",
    "Kind",
    "NothingToFollow",
    "Observer",
    "Operation",
    "Outage",
    "Outcome",
    "PendingOp",
    "Phase",
    "Record",
    "Recorder",
    "RedisActionsError",
    "RequestError",
    "RequestRejected",
    "Transition",
    "UnreadableReply",
    "UntrustedCertificate",
    "UsageError",
    "WaitError",
    "WaitTimeout",
    "check_report",
    "write_report",
]
