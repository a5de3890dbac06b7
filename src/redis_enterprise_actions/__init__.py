"""Await long-running actions on a Redis Software (Redis Enterprise) cluster until they are done."""

from ._action import Action, Evidence, Kind, PendingOp, Phase
from ._client import ActionsClient
from ._errors import (
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
from ._operation import Operation
from ._pace import AimedWait
from ._record import FinishedAction, Observer, Outage, Outcome, Record, Recorder, Transition
from ._report_file import check_report, write_report


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
