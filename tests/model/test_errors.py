"""Tests of `_model.errors`: the table holds each message in full."""

from __future__ import annotations

import copy
import pickle

import pytest

from redis_enterprise_actions import (
    Action,
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
    ClusterCheck,
    ClusterUnhealthy,
    ClusterUnreachable,
    DatabaseNotFound,
    Finding,
    FindingKind,
    Kind,
    NothingToFollow,
    Phase,
    RedisActionsError,
    RequestError,
    RequestRejected,
    Transition,
    UnreadableReply,
    UntrustedCertificate,
    UsageError,
    WaitError,
    WaitTimeout,
)
from tests.records import make_record


RUNNING = Action(
    uid="a1",
    name="SMUpdateBDB",
    kind=Kind.STATE_MACHINE,
    status="active",
    phase=Phase.RUNNING,
    progress=50.0,
    object_type="bdb",
    object_uid="1",
)
FAILED = Action(
    uid="a1",
    name="retry_bdb",
    kind=Kind.TASK,
    status="failed",
    phase=Phase.FAILED,
    error_code="internal_error",
    error="disk full",
)
SILENT = Action(uid="a1", name="retry_bdb", kind=Kind.TASK, status="failed", phase=Phase.FAILED)
STRANGE = Action(uid="a1", name="retry_bdb", kind=Kind.TASK, status="done", phase=Phase.UNKNOWN)


def pin_mismatch() -> UntrustedCertificate:
    """Return the error for a certificate that is not the pinned one."""
    error = UntrustedCertificate("GET", "/v1/actions", reason="other", nodes=("https://n1:9443",))
    error.fingerprint = "AB:CD"
    return error


def in_wait(error: RequestError, action: Action | None = RUNNING) -> RequestError:
    """Return an error of a request as a wait raises it."""
    error.ref, error.uid = "action:a1", "a1"
    error.action, error.elapsed, error.polls = action, 12.34, 7
    return error


def already_ended(error: WaitError, seen_at: float = 0.02) -> WaitError:
    """Return the error of a wait for an action that had ended when it was first seen."""
    phase = Phase(error.outcome.value)
    error.record = make_record(
        elapsed=seen_at,
        outcome=error.outcome,
        transitions=(Transition(at=seen_at, status=phase.value, phase=phase),),
    )
    return error


ERRORS: list[tuple[RedisActionsError, str]] = [
    (
        already_ended(ActionFailed("a1", action=FAILED, elapsed=0.02, polls=1)),
        "retry_bdb [a1] had already failed: internal_error: disk full",
    ),
    (
        already_ended(ActionFailed("a1", action=SILENT, elapsed=0.02, polls=1)),
        "retry_bdb [a1] had already failed: the cluster gave no reason",
    ),
    (
        already_ended(ActionFailed("a1", action=FAILED, elapsed=90, polls=5), 90.0),
        "retry_bdb [a1] had already failed when first seen, after 1m 30s: "
        "internal_error: disk full",
    ),
    (
        already_ended(ActionCancelled("a1", action=RUNNING, elapsed=0.02, polls=1)),
        "SMUpdateBDB on bdb:1 [a1] had already been cancelled",
    ),
    (
        already_ended(ActionAborted("a1", action=RUNNING, elapsed=0.02, polls=1)),
        "SMUpdateBDB on bdb:1 [a1] had already been aborted",
    ),
    (
        ActionFailed("a1", action=FAILED, elapsed=12.34, polls=7),
        "retry_bdb [a1] failed after 12s: internal_error: disk full",
    ),
    (
        ActionFailed("a1", action=SILENT, elapsed=0.0, polls=1),
        "retry_bdb [a1] failed after 0.0s: the cluster gave no reason",
    ),
    (
        ActionCancelled("a1", action=RUNNING, elapsed=3, polls=2),
        "SMUpdateBDB on bdb:1 [a1] was cancelled on the cluster after 3.0s",
    ),
    (
        ActionAborted("a1", action=RUNNING, elapsed=3, polls=2),
        "SMUpdateBDB on bdb:1 [a1] was aborted by the cluster after 3.0s",
    ),
    (
        AnswerLost("PUT", "/v1/crdbs/g", reason="it hung up", nodes=("https://a",), ref="crdb:t"),
        "PUT /v1/crdbs/g: no usable answer from the cluster: it hung up (1 attempt at https://a). "
        "The cluster may have executed it; follow crdb:t to find out",
    ),
    (
        AnswerLost("PUT", "/v1/bdbs/1", reason="it hung up", ref="bdb:1@lost"),
        "PUT /v1/bdbs/1: no usable answer from the cluster: it hung up (1 attempt). "
        "The cluster may have executed it",
    ),
    (
        AnswerLost(
            "DELETE", "/v1/bdbs/1", reason="it hung up", ref="bdb:1@gone", command="redis-actions x"
        ),
        "DELETE /v1/bdbs/1: no usable answer from the cluster: it hung up (1 attempt). "
        "The cluster may have executed it; follow bdb:1@gone to find out, or run: redis-actions x",
    ),
    (
        AnswerLost("POST", "/v1/bdbs", reason="it hung up", command="redis-actions list"),
        "POST /v1/bdbs: no usable answer from the cluster: it hung up (1 attempt). "
        "The cluster may have executed it; to find out, run: redis-actions list",
    ),
    (
        AnswerLost("POST", "/v1/bdbs", reason="it hung up"),
        "POST /v1/bdbs: no usable answer from the cluster: it hung up (1 attempt). "
        "The cluster may have executed it",
    ),
    (
        ClusterUnhealthy(
            "node 2 was not put into maintenance",
            ClusterCheck(findings=(Finding(FindingKind.NODE, "node 3", "down"),)),
        ),
        "node 2 was not put into maintenance: node 3: down",
    ),
    (
        CancelNotSupported("action:a1"),
        "action:a1 cannot be cancelled: the API has no such call, and the work goes on",
    ),
    (
        ActionNotFound("a\n1", action=None, elapsed=10, polls=5),
        "action a 1 was not found after 10s: it never existed, or it ended "
        "so long ago that the cluster forgot it",
    ),
    (
        ActionNotFound("bdb:99", action=None, elapsed=0, polls=3, ref="bdb:99@after"),
        "database 99 was not found after 0.0s: it does not exist, or it is hidden from the user",
    ),
    (
        ActionNotFound("bdb:9", action=None, elapsed=10, polls=3, ref="bdb:9@lost"),
        "database 9: no work of the call was seen after 10s: the cluster may not have executed the "
        "call, the call may have changed nothing, or its work had ended before. Compare the "
        "database with the intended state",
    ),
    (
        ActionNotFound("node:1/x", action=None, elapsed=10, polls=3, ref="node:1/x@lost,completed"),
        "x of node 1 was not found after 10s: the cluster may not have executed the call",
    ),
    (
        WaitTimeout("export:3", action=None, elapsed=5, polls=3, timeout=5, ref="export:3@idle"),
        "export of database 3 timed out after 5.0s, never seen",
    ),
    (
        WaitTimeout("node:1/remove", action=None, elapsed=5, polls=3, timeout=5),
        "remove of node 1 timed out after 5.0s, never seen",
    ),
    (
        WaitTimeout("cluster:change_master", action=None, elapsed=5, polls=3, timeout=5),
        "change_master of the cluster timed out after 5.0s, never seen",
    ),
    (
        ActionNotFound("T1", action=None, elapsed=10, polls=5, ref="crdb:T1"),
        "CRDB task T1 was not found after 10s: it never existed, or it "
        "ended so long ago that the cluster forgot it",
    ),
    (
        ActionStalled("a1", action=STRANGE, elapsed=70, polls=9, stall_timeout=60),
        "retry_bdb [a1] stalled after 1m 10s, last seen with the unknown status "
        "'done'; nothing moved for 1m 00s",
    ),
    (
        WaitTimeout("a1", action=STRANGE, elapsed=30, polls=9, timeout=30),
        "retry_bdb [a1] timed out after 30s, last seen with the unknown status "
        "'done'; the work may go on",
    ),
    (
        ActionVanished("a1", action=RUNNING, elapsed=10, polls=5),
        "SMUpdateBDB on bdb:1 [a1] vanished after 10s at 50 %, last seen running; how it ended "
        "is unknown",
    ),
    (
        NothingToFollow("PUT /v1/x", action=None, elapsed=0, polls=0, reason="nothing is named"),
        "PUT /v1/x was answered, but cannot be followed: nothing is named",
    ),
    (
        ActionStalled("a1", action=RUNNING, elapsed=70, polls=9, stall_timeout=60),
        "SMUpdateBDB on bdb:1 [a1] stalled after 1m 10s at 50 %, last seen running; "
        "nothing moved for 1m 00s",
    ),
    (
        WaitTimeout("a1", action=RUNNING, elapsed=30, polls=9, timeout=30),
        "SMUpdateBDB on bdb:1 [a1] timed out after 30s at 50 %, last seen running; "
        "the work goes on",
    ),
    (
        WaitTimeout("a1", action=None, elapsed=5, polls=3, timeout=5),
        "action a1 timed out after 5.0s, never seen",
    ),
    (
        ClusterUnreachable("GET", "/v1/actions/a1", reason="Connect call failed"),
        "GET /v1/actions/a1: no usable answer from the cluster: Connect call failed (1 attempt)",
    ),
    (
        in_wait(
            ClusterUnreachable(
                "GET",
                "/v1/actions/a1",
                reason="it answered 503: busy",
                attempts=4,
                status=503,
                error_code="busy",
                retry_after=3.0,
            )
        ),
        "SMUpdateBDB on bdb:1 [a1]: unreachable after 12s at 50 %, last seen running: "
        "GET /v1/actions/a1: no usable answer from the cluster: it answered 503: busy (4 attempts)",
    ),
    (
        ClusterUnreachable(
            "GET", "/v1/actions/a1", reason="refused", nodes=["http://n1"], hint="Check the port"
        ),
        "GET /v1/actions/a1: no usable answer from the cluster: refused (1 attempt at http://n1). "
        "Check the port",
    ),
    (
        UntrustedCertificate("GET", "/v1/actions", reason="self-signed certificate"),
        "GET /v1/actions: the certificate of the cluster is not trusted: self-signed certificate. "
        "Pass the certificate of its CA as ca_cert= (--ca-cert, REDIS_ENTERPRISE_CA_CERT) and use "
        "a name that the certificate has, or pin it with fingerprint= (--fingerprint, "
        "REDIS_ENTERPRISE_FINGERPRINT)",
    ),
    (
        pin_mismatch(),
        "GET /v1/actions: the certificate of https://n1:9443 is not the pinned one: its "
        "fingerprint is AB:CD. If the cluster's certificate was changed, pin the new one with "
        "fingerprint= (--fingerprint, REDIS_ENTERPRISE_FINGERPRINT)",
    ),
    (
        ClientCertificateRefused(
            "GET", "/v1/actions", reason="CERTIFICATE_REQUIRED", nodes=("https://n1:9443",)
        ),
        "GET /v1/actions: the cluster at https://n1:9443 does not accept the client certificate: "
        "CERTIFICATE_REQUIRED. Pass the one of a cluster user as client_cert= "
        "(--client-cert, REDIS_ENTERPRISE_CLIENT_CERT)",
    ),
    (
        ClusterUnreachable(
            "GET", "/v1/x", reason="refused", attempts=7, nodes=("http://n1:8080", "http://n2:8080")
        ),
        "GET /v1/x: no usable answer from the cluster: refused "
        "(7 attempts at http://n1:8080, http://n2:8080)",
    ),
    (
        RequestRejected("GET", "/v1/actions", status=406),
        "GET /v1/actions: the cluster answered 406",
    ),
    (
        in_wait(
            AuthenticationError(
                "GET",
                "/v1/actions/a1",
                status=403,
                error_code="insufficient_permissions",
                description="not\nallowed",
                hint="The user's role needs the permission view_status_of_cluster_action",
            ),
            action=None,
        ),
        "action a1: rejected after 12s, never seen: "
        "GET /v1/actions/a1: the cluster answered 403: insufficient_permissions: not allowed. "
        "The user's role needs the permission view_status_of_cluster_action",
    ),
    (
        UnreadableReply("GET", "/v1/actions", problem="JSON is malformed", excerpt="<html>"),
        "GET /v1/actions: the answer cannot be read: JSON is malformed; it begins '<html>'",
    ),
    (
        UnreadableReply("GET", "/v1/bdbs/1", problem="not a database object"),
        "GET /v1/bdbs/1: the answer cannot be read: not a database object",
    ),
    (UsageError("no cluster is given"), "no cluster is given"),
    (DatabaseNotFound("cache"), "no database of the cluster has the name 'cache'"),
    (ClientClosed(), "the client is closed"),
]


@pytest.mark.parametrize(("error", "message"), ERRORS, ids=[type(e).__name__ for e, _ in ERRORS])
def test_message(error: RedisActionsError, message: str) -> None:
    """Each error has its message, in one printable line."""
    assert str(error) == message
    assert repr(error) == f"{type(error).__name__}({message!r})"
    assert message.isprintable()


def test_hostile_names() -> None:
    """A message is one printable line, also where a uid or a reference holds other characters."""
    rejected = RequestRejected("GET", "/v1/actions/x", status=400)
    rejected.uid, rejected.elapsed = "a\x1b[2J\nb", 1.0
    errors = [
        rejected,
        CancelNotSupported("action:a\x1b[2J\nb"),
        AnswerLost("POST", "/v1/bdbs", reason="it hung up", ref="crdb:a\x1b[2J\nb"),
        ActionNotFound("a\x1b[2J\nb", action=None, elapsed=1.0, polls=1),
        NothingToFollow(
            "POST /v1", action=None, elapsed=0.0, polls=0, reason="it names a\x1b[2J\nb"
        ),
        RequestRejected("GET", "/v1/a\x1b[2J\nb", status=400),
        RequestRejected("GET", "/v1/actions", status=400, hint="Ask a\x1b[2J\nb"),
        UsageError("there is no file a\x1b[2J\nb"),
    ]

    assert all(str(error).isprintable() and "a [2J b" in str(error) for error in errors)


@pytest.mark.parametrize("error", [e for e, _ in ERRORS], ids=[type(e).__name__ for e, _ in ERRORS])
def test_pickle(error: RedisActionsError) -> None:
    """Each error keeps type, message and attributes in a pickle and a copy."""
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


def test_every_error_is_in_the_table() -> None:
    """The table of this file lists every error of the tree."""

    def below(kind: type[RedisActionsError]) -> set[type[RedisActionsError]]:
        return {kind}.union(*(below(sub) for sub in kind.__subclasses__()))

    bases = {RedisActionsError, RequestError, WaitError}
    tree = {each for each in below(RedisActionsError) if each.__module__ == WaitError.__module__}
    assert {type(error) for error, _ in ERRORS} == tree - bases


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (ClusterUnreachable, ConnectionError),
        (WaitTimeout, TimeoutError),
        (UsageError, ValueError),
        (ClientClosed, RuntimeError),
    ],
)
def test_builtin_bases(error: type[Exception], builtin: type[Exception]) -> None:
    """Code that catches the built-in errors catches ours."""
    assert issubclass(error, builtin)
    assert issubclass(error, RedisActionsError)


def test_failed_attributes() -> None:
    """`ActionFailed` has the cluster's words as data."""
    error = ActionFailed("a1", action=FAILED, elapsed=1, polls=1)

    assert (error.error_code, error.error) == ("internal_error", "disk full")
    assert (error.uid, error.action, error.elapsed, error.polls) == ("a1", FAILED, 1, 1)


@pytest.mark.parametrize(
    "error",
    [
        ActionNotFound("a1", action=None, elapsed=1, polls=1, ref="action:a1"),
        ActionStalled("a1", action=None, elapsed=1, polls=1, stall_timeout=1, ref="action:a1"),
        WaitTimeout("a1", action=None, elapsed=1, polls=1, timeout=1, ref="action:a1"),
        in_wait(ClusterUnreachable("GET", "/v1/actions/a1", reason="refused")),
        in_wait(RequestRejected("GET", "/v1/actions/a1", status=403)),
        in_wait(UnreadableReply("GET", "/v1/actions/a1", problem="cut off")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_ref(error: WaitError | RequestError) -> None:
    """Each error that ends a wait has the reference, before and after a pickle."""
    for twin in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (twin.ref, twin.uid) == ("action:a1", "a1")


def test_no_ref() -> None:
    """An error outside a wait, and a call that names nothing to follow, have no reference."""
    call = NothingToFollow("PUT /v1/x", action=None, elapsed=0, polls=0, reason="nothing")

    assert call.ref is None
    assert ClusterUnreachable("GET", "/v1/actions", reason="refused").ref is None
    assert RequestRejected("GET", "/v1/actions", status=403).ref is None


def test_failed_without_action() -> None:
    """An `ActionFailed` that users make for their own tests needs no action."""
    error = ActionFailed("a1", action=None, elapsed=1, polls=1)

    assert (error.error_code, error.error) == (None, None)
    assert "gave no reason" in str(error)


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (ClusterUnreachable, True),
        (UnreadableReply, True),
        (UntrustedCertificate, False),
        (ClientCertificateRefused, False),
        (RequestRejected, False),
        (AuthenticationError, False),
    ],
)
def test_transient(error: type[RequestError], transient: bool) -> None:
    """Outages are worth a retry, rejections are not."""
    assert error.transient is transient


@pytest.mark.parametrize(
    "error",
    [
        ClusterUnreachable("GET", "/", reason="x", status=503, retry_after=9.0, advice="a"),
        UnreadableReply("GET", "/", problem="x", excerpt="y"),
        RequestRejected("GET", "/", status=409, hint="z", retry_after=9.0),
        UntrustedCertificate("GET", "/", reason="x", fingerprint="AB"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_with_history(error: RequestError) -> None:
    """A history is that of a copy, which has the same cause; the error stays as it is."""
    error.__cause__ = OSError("no route")
    before = dict(vars(error))
    other = error.with_history(attempts=3, nodes=["n1", "n2"], retry_after=5.0, sent=False)

    assert type(other) is type(error)
    assert (other.attempts, other.nodes, other.retry_after, other.sent) == (
        *(3, ("n1", "n2"), 5.0, False),
    )
    assert other.__cause__ is error.__cause__
    assert vars(error) == before
    same = {"attempts", "nodes", "retry_after", "sent"}
    assert {k: v for k, v in vars(other).items() if k not in same} == {
        k: v for k, v in before.items() if k not in same
    }
