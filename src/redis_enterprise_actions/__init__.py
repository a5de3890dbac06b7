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
    AuthenticationError,
    ClientCertificateRefused,
    ClientClosed,
    ClusterUnreachable,
    RedisActionsError,
    RequestError,
    RequestRejected,
    UnreadableReply,
    UntrustedCertificate,
    UsageError,
    WaitError,
    WaitTimeout,
)
from ._pace import AimedWait


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
    "AuthenticationError",
    "ClientCertificateRefused",
    "ClientClosed",
    "ClusterUnreachable",
    "Evidence",
    "Kind",
    "PendingOp",
    "Phase",
    "RedisActionsError",
    "RequestError",
    "RequestRejected",
    "UnreadableReply",
    "UntrustedCertificate",
    "UsageError",
    "WaitError",
    "WaitTimeout",
]
