"""Exceptions that this package raises, in one tree.

A `UsageError` is the caller's mistake. A `RequestError` means that the client got no usable answer.
A `WaitError` means that the cluster answered, and that the work did not succeed. Each error carries
as attributes what its message says, and survives pickling, since orchestrators pass errors between
processes.
"""

from __future__ import annotations

import re
from copy import copy
from typing import TYPE_CHECKING, ClassVar, Final, Self

from .action import Kind, Phase, last_seen_text
from .outcome import Outcome
from .record import already_ended_text
from .text import count_text, duration_text, one_line


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .action import Action
    from .cluster_check import ClusterCheck
    from .record import Record


_SHOWN: Final = 5  # findings in a message
# Names of work without a uid of its own, by the kind of its reference.
_WORK: Final[Mapping[str, str]] = {
    "node": "{1} of node {0}",
    "cluster": "{0} of the cluster",
    "export": "export of database {0}",
    "import": "import of database {0}",
    "backup": "backup of database {0}",
    "bdb": "database {0}",
}

# The values of `Condition`, whose module imports this one
_CONDITIONS: Final = frozenset({"available", "in-sync", "replicating", "quiet", "healthy", "idle"})


class RedisActionsError(Exception):
    """Base of every error that this package raises on purpose.

    `outcome` is the `Outcome` of a wait or call that ends with the error. The message is one
    printable line, whatever the cluster sent.
    """

    outcome: ClassVar[Outcome] = Outcome.WRONG_USAGE

    def __str__(self) -> str:
        return one_line(self._message())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return _unpickle, (type(self), self.__dict__.copy())

    def _message(self) -> str:
        raise NotImplementedError


def _unpickle(cls: type[RedisActionsError], attributes: dict[str, object]) -> RedisActionsError:
    error = cls.__new__(cls)
    error.__dict__.update(attributes)
    return error


class UsageError(RedisActionsError, ValueError):
    """An argument or a setting that cannot work. Nothing was sent.

    `problem` is the message.
    """

    def __init__(self, problem: str) -> None:
        super().__init__()
        self.problem = problem

    def _message(self) -> str:
        return self.problem


class DatabaseNotFound(UsageError):
    """No database of the cluster has the name that was given in place of a uid.

    No call was made, and nothing is waited for. `name` is the name.
    """

    outcome = Outcome.NOT_FOUND

    def __init__(self, name: str) -> None:
        super().__init__(f"no database of the cluster has the name {name!r}")
        self.name = name


class ClientClosed(RedisActionsError, RuntimeError):
    """The client, or the session that it was given, is closed."""

    def _message(self) -> str:
        return "the client is closed"


class CancelNotSupported(RedisActionsError):
    """The API documents no way to cancel this work. Nothing was sent.

    `ref` is the reference of the work, which goes on.
    """

    def __init__(self, ref: str) -> None:
        super().__init__()
        self.ref = ref

    def _message(self) -> str:
        return f"{self.ref} cannot be cancelled: the API has no such call, and the work goes on"


class ClusterUnhealthy(RedisActionsError):
    """A check of the cluster found reasons not to put a node into maintenance mode.

    `problem` says what was not done, or undone. `check` is the `ClusterCheck` with the findings.
    """

    outcome = Outcome.UNHEALTHY

    def __init__(self, problem: str, check: ClusterCheck) -> None:
        super().__init__()
        self.problem = problem
        self.check = check

    def _message(self) -> str:
        findings = self.check.findings
        more = f", +{len(findings) - _SHOWN} more" if len(findings) > _SHOWN else ""
        return f"{self.problem}: {', '.join(map(str, findings[:_SHOWN]))}{more}"


class RequestError(RedisActionsError):
    """The client could not get a usable answer.

    `method` and `path` name the request. `attempts` is the number of requests in a row that
    failed, `nodes` the URLs of the nodes that were asked, and `retry_after` the pause in seconds
    that the cluster asked for, or None. `sent` is False if no node can have executed the request.
    `advice` says what to do if the cluster has never answered, or is None.

    Where the error ended a wait, `ref` is the reference waited for, `uid` the uid of its action,
    `action` the `Action` last seen (or None), `elapsed` the seconds waited, `polls` the number of
    requests and `record` the record of the wait. They are None outside a wait.
    """

    outcome = Outcome.UNREACHABLE
    transient: ClassVar[bool] = False
    record: Record | None = None

    def __init__(
        self,
        method: str,
        path: str,
        *,
        attempts: int = 1,
        nodes: Iterable[str] = (),
        retry_after: float | None = None,
        sent: bool = True,
        advice: str | None = None,
    ) -> None:
        super().__init__()
        self.method = method
        self.path = path
        self.attempts = attempts
        self.nodes = tuple(nodes)
        self.retry_after = retry_after
        self.sent = sent
        self.advice = advice
        self.ref: str | None = None
        self.uid: str | None = None
        self.action: Action | None = None
        self.elapsed: float | None = None
        self.polls: int | None = None

    def with_history(
        self,
        *,
        attempts: int,
        nodes: Iterable[str],
        retry_after: float | None = None,
        sent: bool | None = None,
    ) -> Self:
        """Return a copy that counts these requests and names these nodes, with the same cause."""
        other = copy(self)
        other.__cause__ = self.__cause__
        other.attempts, other.nodes = attempts, tuple(nodes)
        other.retry_after = retry_after
        if sent is not None:
            other.sent = sent
        return other

    @property
    def detail(self) -> str:
        """The message without the request."""
        raise NotImplementedError

    def _message(self) -> str:
        message = f"{self.method} {self.path}: {self.detail}"
        if self.elapsed is None:
            return message
        work = _subject(self.ref, self.uid or "", self.action)
        return f"{work}: {self.outcome} {_ended(self.elapsed, self.action)}: {message}"


class ClusterUnreachable(RequestError, ConnectionError):
    """The cluster gave no answer, or one that asks for a retry (429, 5xx), until time ran out.

    `reason` is the last problem. `status` is the HTTP status, if there was one, `error_code` the
    cluster's code, and `hint` says what to do about it (or is None).
    """

    transient = True

    def __init__(
        self,
        method: str,
        path: str,
        *,
        reason: str,
        attempts: int = 1,
        nodes: Iterable[str] = (),
        status: int | None = None,
        error_code: str | None = None,
        retry_after: float | None = None,
        ref: str | None = None,
        sent: bool = True,
        advice: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(
            method,
            path,
            attempts=attempts,
            nodes=nodes,
            retry_after=retry_after,
            sent=sent,
            advice=advice,
        )
        self.reason = reason
        self.status = status
        self.error_code = error_code
        self.ref = ref
        self.hint = hint

    @property
    def detail(self) -> str:
        tried = count_text(self.attempts, "attempt")
        if self.nodes:
            tried += f" at {', '.join(self.nodes)}"
        hint = f". {self.hint}" if self.hint else ""
        return f"no usable answer from the cluster: {one_line(self.reason)} ({tried}){hint}"


class AnswerLost(ClusterUnreachable):
    """A call that starts work was sent, and its answer was lost.

    The cluster may have executed it. `ref` is the reference of the work that the call would have
    started, or None; `ActionsClient.operation` follows it. An export, an Active-Active task, or an
    action of a node or the cluster that is not found was never started, and the call may be
    repeated. After other calls to a database `ref` is the database, and a wait for it completes
    only if work was seen on it. That may be the work of another user: compare the database with the
    intended state. `command` is a command of the shell that shows whether the call was executed, or
    None.
    """

    transient = False

    def __init__(
        self,
        method: str,
        path: str,
        *,
        reason: str,
        attempts: int = 1,
        nodes: Iterable[str] = (),
        status: int | None = None,
        error_code: str | None = None,
        retry_after: float | None = None,
        ref: str | None = None,
        command: str | None = None,
    ) -> None:
        super().__init__(
            method,
            path,
            reason=reason,
            attempts=attempts,
            nodes=nodes,
            status=status,
            error_code=error_code,
            retry_after=retry_after,
            ref=ref,
        )
        self.command = command

    @property
    def detail(self) -> str:
        # Other work on a database may be seen, too; but a database that is gone was deleted.
        tells = self.ref and (not self.ref.startswith("bdb:") or "@gone" in self.ref)
        hint = f"; follow {one_line(self.ref)} to find out" if self.ref and tells else ""
        if self.command:
            hint += f"{', or' if hint else '; to find out,'} run: {one_line(self.command)}"
        return f"{super().detail}. The cluster may have executed it{hint}"


class UntrustedCertificate(ClusterUnreachable):
    """The cluster's TLS certificate does not verify. A retry does not help.

    `fingerprint` is the SHA-256 fingerprint of the certificate, where another one was pinned.
    During a bootstrap, `hint` says that it goes on.
    """

    transient = False

    def __init__(
        self,
        method: str,
        path: str,
        *,
        reason: str,
        nodes: Iterable[str] = (),
        fingerprint: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(method, path, reason=reason, nodes=nodes, sent=False, hint=hint)
        self.fingerprint = fingerprint

    @property
    def detail(self) -> str:
        hint = f". {self.hint}" if self.hint else ""
        return f"{self._problem}{hint}"

    @property
    def _problem(self) -> str:
        whose = f"the certificate of {', '.join(self.nodes) or 'the cluster'}"
        if self.fingerprint is not None:
            return (
                f"{whose} is not the pinned one: its fingerprint is "
                f"{self.fingerprint}. If the cluster's certificate was changed, pin the new one "
                "with fingerprint= (--fingerprint, REDIS_ENTERPRISE_FINGERPRINT)"
            )
        return (
            f"{whose} is not trusted: {one_line(self.reason)}. "
            "Pass the certificate of its CA as ca_cert= (--ca-cert, REDIS_ENTERPRISE_CA_CERT) and "
            "use a name that the certificate has, or pin it with fingerprint= (--fingerprint, "
            "REDIS_ENTERPRISE_FINGERPRINT)"
        )


class ClientCertificateRefused(ClusterUnreachable):
    """The cluster requires a client certificate, or refuses this one. A retry does not help."""

    transient = False

    @property
    def detail(self) -> str:
        at = f" at {', '.join(self.nodes)}" if self.nodes else ""
        return (
            f"the cluster{at} does not accept the client certificate: {one_line(self.reason)}. "
            "Pass the one of a cluster user as client_cert= (--client-cert, "
            "REDIS_ENTERPRISE_CLIENT_CERT)"
        )


class RequestRejected(RequestError):
    """The cluster answered with an HTTP status that is not worth a retry.

    `status` is that status, `error_code` and `description` are the cluster's own words (or None),
    and `hint` says what to do about it (or is None).
    """

    outcome = Outcome.REJECTED

    def __init__(
        self,
        method: str,
        path: str,
        *,
        status: int,
        error_code: str | None = None,
        description: str | None = None,
        hint: str | None = None,
        retry_after: float | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(method, path, retry_after=retry_after, advice=advice)
        self.status = status
        self.error_code = error_code
        self.description = description
        self.hint = hint

    @property
    def detail(self) -> str:
        parts = (f"the cluster answered {self.status}", self.error_code, self.description)
        answer = one_line(": ".join(filter(None, parts)))
        return f"{answer}. {self.hint}" if self.hint else answer


class AuthenticationError(RequestRejected):
    """The cluster does not accept the credentials (401), or they do not allow the request (403)."""


class UnreadableReply(RequestError):
    """The body is not what the API documents: not JSON, cut off, or of another shape.

    `problem` says in what way. `excerpt` is the beginning of the body, at most 200 characters, and
    empty for bodies that may hold secrets.
    """

    transient = True

    def __init__(
        self,
        method: str,
        path: str,
        *,
        problem: str,
        excerpt: str = "",
        sent: bool = True,
        advice: str | None = None,
    ) -> None:
        super().__init__(method, path, sent=sent, advice=advice)
        self.problem = problem
        self.excerpt = excerpt

    @property
    def detail(self) -> str:
        problem = f"the answer cannot be read: {one_line(self.problem)}"
        return f"{problem}; it begins {self.excerpt!r}" if self.excerpt else problem


class WaitError(RedisActionsError):
    """The cluster answered, and the work did not succeed, or its end was not seen.

    `ref` is the reference waited for (None where there was none), `uid` the uid of its action,
    `action` the `Action` last seen (None if never), `elapsed` the seconds since the wait began and
    `polls` the number of requests. `record` is the record of the wait, None where there was none.
    """

    record: Record | None = None

    def __init__(
        self,
        uid: str,
        *,
        action: Action | None,
        elapsed: float,
        polls: int,
        ref: str | None = None,
    ) -> None:
        super().__init__()
        self.ref = ref
        self.uid = uid
        self.action = action
        self.elapsed = elapsed
        self.polls = polls

    @property
    def _subject(self) -> str:
        return _subject(self.ref, self.uid, self.action)

    @property
    def _after(self) -> str:
        return f"after {duration_text(self.elapsed)}"

    @property
    def _nothing_seen(self) -> str:
        """Message of a wait for a change of a database that may not have been executed."""
        return (
            f"{self._subject}: no work of the call was seen {self._after}: the cluster may not "
            "have executed the call, the call may have changed nothing, or its work had ended "
            "before. Compare the database with the intended state"
        )

    @property
    def _already_ended(self) -> str | None:
        return None if self.record is None else already_ended_text(self.record)

    @property
    def _ended(self) -> str:
        return _ended(self.elapsed, self.action)


class ActionFailed(WaitError):
    """The action ended in failure. `error_code` and `error` are the cluster's words, or None."""

    outcome = Outcome.FAILED

    @property
    def error_code(self) -> str | None:
        """The cluster's code for the failure, such as `insufficient_resources`."""
        return None if self.action is None else self.action.error_code

    @property
    def error(self) -> str | None:
        """The cluster's description of the failure."""
        return None if self.action is None else self.action.error

    def _message(self) -> str:
        reason = None if self.action is None else self.action.reason
        end = self._already_ended or f"failed {self._after}"
        return f"{self._subject} {end}: {reason or 'the cluster gave no reason'}"


class ActionCancelled(WaitError):
    """The action was cancelled on the cluster."""

    outcome = Outcome.CANCELLED

    def _message(self) -> str:
        end = self._already_ended or f"was cancelled on the cluster {self._after}"
        return f"{self._subject} {end}"


class ActionAborted(WaitError):
    """The cluster gave the action up before it really ran."""

    outcome = Outcome.ABORTED

    def _message(self) -> str:
        end = self._already_ended or f"was aborted by the cluster {self._after}"
        return f"{self._subject} {end}"


class ActionNotFound(WaitError):
    """The cluster does not know the action, and did not at any time during the wait."""

    outcome = Outcome.NOT_FOUND

    def _message(self) -> str:
        seen = f"{self._subject} was not found {self._after}"
        is_lost = "@lost" in (self.ref or "")
        is_database = self.uid.startswith("bdb:") or _is_condition(self.uid)
        if _is_bootstrap(self.ref, self.uid):
            return self._not_begun(is_lost=is_lost)
        if is_database and is_lost:
            return self._nothing_seen
        if is_lost:
            return f"{seen}: the cluster may not have executed the call"
        if is_database:
            return f"{seen}: it does not exist, or it is hidden from the user"
        return f"{seen}: it never existed, or it ended so long ago that the cluster forgot it"

    def _not_begun(self, *, is_lost: bool) -> str:
        """Return the message of a wait for a bootstrap that did not begin."""
        seen = f"{self._subject}: no bootstrap has begun {self._after}"
        if is_lost:
            return f"{seen}: the node may not have executed the call"
        began = "start one, or"
        if "@after" in (self.ref or ""):
            began = "the node accepted the call, and shows none;"
        return f"{seen}: {began} wait longer with not_found_grace= (--not-found-grace)"


class ActionVanished(WaitError):
    """The action was seen and then was gone, or another run took its place.

    How it ended is unknown. Either the cluster has forgotten it; or the same action of a node was
    started again; or a later export or import of that database was started, by this client or, as
    /v2/actions shows from 7.22 on, by another one; or the status of an export was reset.
    """

    outcome = Outcome.VANISHED

    def _message(self) -> str:
        if self.uid.startswith("bdb:") and "@lost" in (self.ref or ""):
            return self._nothing_seen
        if _is_condition(self.uid):
            return f"{self._subject} vanished {self._ended}; the database does not exist any more"
        return f"{self._subject} vanished {self._ended}; how it ended is unknown"


class ActionStalled(WaitError):
    """Nothing about the action moved for `stall_timeout` seconds; it may be stuck."""

    outcome = Outcome.STALLED

    def __init__(
        self,
        uid: str,
        *,
        action: Action | None,
        elapsed: float,
        polls: int,
        stall_timeout: float,
        ref: str | None = None,
    ) -> None:
        super().__init__(uid, action=action, elapsed=elapsed, polls=polls, ref=ref)
        self.stall_timeout = stall_timeout

    def _message(self) -> str:
        still = duration_text(self.stall_timeout)
        return f"{self._subject} stalled {self._ended}; nothing moved for {still}"


class NothingToFollow(WaitError):
    """The answer to a call names nothing to follow, so that the end of the work cannot be known.

    The call was made. `uid` is the call, and `reason` says why its end cannot be known. Pass
    `untracked="completed"` to `submit` where it is enough that the call was answered.
    """

    outcome = Outcome.NOT_FOLLOWED

    def __init__(
        self, uid: str, *, action: Action | None, elapsed: float, polls: int, reason: str
    ) -> None:
        super().__init__(uid, action=action, elapsed=elapsed, polls=polls)
        self.reason = reason

    def _message(self) -> str:
        return f"{self.uid} was answered, but cannot be followed: {self.reason}"


class WaitTimeout(WaitError, TimeoutError):
    """The work had not ended after `timeout` seconds. It goes on running on the cluster."""

    outcome = Outcome.TIMED_OUT

    def __init__(
        self,
        uid: str,
        *,
        action: Action | None,
        elapsed: float,
        polls: int,
        timeout: float,
        ref: str | None = None,
    ) -> None:
        super().__init__(uid, action=action, elapsed=elapsed, polls=polls, ref=ref)
        self.timeout = timeout

    def _message(self) -> str:
        goes_on = ""
        if self.action is not None and self.action.kind is not Kind.CONDITION:
            is_unknown = self.action.phase is Phase.UNKNOWN
            goes_on = f"; the work {'may go on' if is_unknown else 'goes on'}"
        return f"{self._subject} timed out {_ended(self.timeout, self.action)}{goes_on}"


def _is_condition(uid: str) -> bool:
    """Return True for the uid of a state that a wait is for: its reference."""
    kind, _, run = uid.rpartition("@")
    is_condition = run.partition(",")[0] in _CONDITIONS
    return is_condition and kind.partition(":")[0] in {"bdb", "crdb", "cluster", "bootstrap"}


def _work(ref: str | None, uid: str) -> str:
    """Return the name of the work that a reference names; `uid` is that of its `Action`."""
    name = uid
    if _is_condition(uid):
        return one_line(uid)
    kind = (ref or uid).partition(":")[0]
    if _is_bootstrap(ref, uid):
        return uid
    if kind == "crdb":
        return f"CRDB task {name}"
    if kind not in _WORK:
        return f"action {name}"
    owner, _, action = name.partition(":")[2].partition("/")
    return _WORK[kind].format(owner, action)


def _is_bootstrap(ref: str | None, uid: str) -> bool:
    return re.split("[:@]", ref or uid, maxsplit=1)[0] == "bootstrap"


def _subject(ref: str | None, uid: str, action: Action | None) -> str:
    """Return the title of an action with its uid, or the work that a reference names."""
    work = _work(ref, uid)
    if action is None or action.kind is Kind.CONDITION or action.title == uid:
        return work
    # The title names the same object, unless the work has a uid of its own.
    return f"{action.title} [{one_line(uid)}]" if work.endswith(uid) else action.title


def _ended(elapsed: float, action: Action | None) -> str:
    """Return when a wait ended, and what was seen last: `after 36s, last seen running`."""
    seen = last_seen_text(action)
    return f"after {duration_text(elapsed)}{' ' if seen.startswith(('at ', 'in ')) else ', '}{seen}"
