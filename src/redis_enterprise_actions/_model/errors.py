"""What can go wrong: one tree.

`UsageError` is the caller's mistake, `RequestError` means that we got no usable answer, and
`WaitError` that we got one and it is not success. Every error carries as attributes what its
message says in words, and survives pickling, as orchestrators pass errors between processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .outcome import Outcome
from .record import already_ended_text
from .text import one_line


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .action import Action
    from .record import Record


class RedisActionsError(Exception):
    """Base of every error that this package raises on purpose.

    `outcome` is the `Outcome` of a wait or call that ends with the error.
    """

    outcome: ClassVar[Outcome] = Outcome.WRONG_USAGE

    def __str__(self) -> str:
        return self._message()

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

    `problem` is what is wrong with it.
    """

    def __init__(self, problem: str) -> None:
        super().__init__()
        self.problem = problem

    def _message(self) -> str:
        return self.problem


class ClientClosed(RedisActionsError, RuntimeError):
    """The client, or the session that it was given, is closed."""

    def _message(self) -> str:
        return "the client is closed"


class CancelNotSupported(RedisActionsError):
    """The API documents no way to cancel this. Nothing was sent.

    `ref` is the reference of what goes on.
    """

    def __init__(self, ref: str) -> None:
        super().__init__()
        self.ref = ref

    def _message(self) -> str:
        ref = one_line(self.ref)
        return f"{ref} cannot be cancelled: the API has no such call, and it goes on"


class RequestError(RedisActionsError):
    """We could not get a usable answer.

    `method` and `path` say to what. When it ended a wait, `uid` is the action waited for,
    `action` the `Action` last seen (or None), `elapsed` the seconds waited and `polls` how
    often the cluster was asked, and `record` what the wait has been through; outside a wait these
    are None. `outcome` is the word for how such a wait has ended.
    """

    outcome = Outcome.UNREACHABLE
    transient: ClassVar[bool] = False
    record: Record | None = None
    retry_after: float | None = None
    nodes: tuple[str, ...] = ()  # the URLs of those that were asked
    has_alternative: bool = False  # whether there is another one, to be asked at once

    def __init__(self, method: str, path: str) -> None:
        super().__init__()
        self.method = method
        self.path = path
        self.uid: str | None = None
        self.action: Action | None = None
        self.elapsed: float | None = None
        self.polls: int | None = None

    @property
    def detail(self) -> str:
        """What came back, in words, without the request that it came back to."""
        raise NotImplementedError

    def _message(self) -> str:
        said = f"{self.method} {self.path}: {self.detail}"
        if self.elapsed is None:
            return said
        waited = _spent(self.elapsed, self.polls or 0)
        seen = "never seen" if self.action is None else f"last seen: {self.action}"
        uid = one_line(self.uid or "")
        return f"{said} (while waiting for action {uid}, after {waited}; {seen})"


class ClusterUnreachable(RequestError, ConnectionError):
    """No answer, or one that says "not now" (429, 5xx), for as long as we were allowed to try.

    `reason` is what happened last, `attempts` how often it was tried in a row and `nodes` the
    URLs at which it was, `status` the HTTP status if there was one, `error_code` the cluster's own
    word for it, `retry_after` the seconds that the cluster asked us to stay away, and `sent`
    whether the last try can have reached the cluster.
    """

    transient = True
    sent = True

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
    ) -> None:
        super().__init__(method, path)
        self.reason = reason
        self.attempts = attempts
        self.nodes = tuple(nodes)
        self.status = status
        self.error_code = error_code
        self.retry_after = retry_after

    @property
    def detail(self) -> str:
        tried = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        if self.nodes:
            tried += f" at {', '.join(self.nodes)}"
        return f"no usable answer from the cluster: {one_line(self.reason)} ({tried})"


class AnswerLost(ClusterUnreachable):
    """A call that starts something was sent, and what came of it is not known.

    It may have been taken. `ref` refers to what it would have started, if anything shows that, and
    `ActionsClient.operation` follows it: an export, an Active-Active task, or an action of a node
    or the cluster that is not found was never begun, and may be called for again. Of other calls
    to a database it refers to the database, which settles whether or not the call was taken: see
    whether it is as it was to be.
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
        )
        self.ref = ref

    @property
    def detail(self) -> str:
        where = f"; {one_line(self.ref)} may tell" if self.ref else ""
        return f"{super().detail}. It was sent, and may have been taken all the same{where}"


class UntrustedCertificate(ClusterUnreachable):
    """The cluster's TLS certificate does not verify. Trying again will not help.

    `fingerprint` is the SHA-256 fingerprint that it has, where one was pinned that it has not.
    """

    transient = False
    fingerprint: str | None = None

    @property
    def detail(self) -> str:
        whose = f"the certificate of {', '.join(self.nodes) or 'the cluster'}"
        if self.fingerprint is not None:
            return (
                f"{whose} is not the pinned one: its fingerprint is "
                f"{self.fingerprint}. If the cluster's certificate was changed, pin the new one "
                "with fingerprint= (REDIS_ENTERPRISE_FINGERPRINT)"
            )
        return (
            f"{whose} is not trusted: {one_line(self.reason)}. "
            "Pass the certificate of its CA as ca_cert= (REDIS_ENTERPRISE_CA_CERT) and use a name "
            "that the certificate has, or pin it with fingerprint= (REDIS_ENTERPRISE_FINGERPRINT)"
        )


class ClientCertificateRefused(ClusterUnreachable):
    """The cluster wants a client certificate, or not this one. Trying again will not help."""

    transient = False

    @property
    def detail(self) -> str:
        at = f" at {', '.join(self.nodes)}" if self.nodes else ""
        return (
            f"the cluster{at} does not accept our client certificate: {one_line(self.reason)}. "
            "Pass the one of a cluster user as client_cert= (REDIS_ENTERPRISE_CLIENT_CERT)"
        )


class RequestRejected(RequestError):
    """The cluster answered with an HTTP status that is not worth a retry.

    `status` is that status, `error_code` and `description` are the cluster's own words (or
    None), and `hint` is what to do about it (or None).
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
    ) -> None:
        super().__init__(method, path)
        self.status = status
        self.error_code = error_code
        self.description = description
        self.hint = hint

    @property
    def detail(self) -> str:
        words = [f"the cluster answered {self.status}"]
        words += [word for word in (self.error_code, self.description) if word]
        said = one_line(": ".join(words))
        return f"{said}. {self.hint}" if self.hint else said


class AuthenticationError(RequestRejected):
    """The cluster does not accept our credentials (401), or they do not allow this (403)."""


class UnreadableReply(RequestError):
    """The answer is not what the API documents: not JSON, cut off, or of another shape.

    `problem` says in what way and `excerpt` is how the answer begins, at most 200 characters;
    it is empty for answers that may hold secrets.
    """

    transient = True

    def __init__(self, method: str, path: str, *, problem: str, excerpt: str = "") -> None:
        super().__init__(method, path)
        self.problem = problem
        self.excerpt = excerpt

    @property
    def detail(self) -> str:
        said = f"the answer cannot be read: {one_line(self.problem)}"
        return f"{said}; it begins {self.excerpt!r}" if self.excerpt else said


class WaitError(RedisActionsError):
    """We asked, we were answered, and it is not success.

    `uid` is the action waited for, `action` the `Action` last seen (None if never), `elapsed`
    the seconds since the wait began and `polls` how often the cluster was asked. `record` is what
    the wait has been through, None where there was none, and `outcome` the word for how it ended.
    """

    record: Record | None = None

    def __init__(self, uid: str, *, action: Action | None, elapsed: float, polls: int) -> None:
        super().__init__()
        self.uid = uid
        self.action = action
        self.elapsed = elapsed
        self.polls = polls

    @property
    def _subject(self) -> str:
        title = f" ({self.action.title})" if self.action is not None else ""
        return f"action {one_line(self.uid)}{title}"

    @property
    def _after(self) -> str:
        return f"after waiting {_spent(self.elapsed, self.polls)}"

    @property
    def _already(self) -> str | None:
        return None if self.record is None else already_ended_text(self.record)

    @property
    def _last_seen(self) -> str:
        return "it was never seen" if self.action is None else f"last seen: {self.action}"


class ActionFailed(WaitError):
    """The action ended in failure. `error_code` and `error` are the cluster's words, or None."""

    outcome = Outcome.FAILED

    @property
    def error_code(self) -> str | None:
        """The cluster's code for the failure, such as `insufficient_resources`."""
        return None if self.action is None else self.action.error_code

    @property
    def error(self) -> str | None:
        """The cluster's account of the failure."""
        return None if self.action is None else self.action.error

    def _message(self) -> str:
        reason = None if self.action is None else self.action.reason
        how = self._already or f"failed {self._after}"
        return f"{self._subject} {how}: {reason or 'the cluster gave no reason'}"


class ActionCancelled(WaitError):
    """Somebody cancelled the action on the cluster."""

    outcome = Outcome.CANCELLED

    def _message(self) -> str:
        how = self._already or f"was cancelled on the cluster, seen {self._after}"
        return f"{self._subject} {how}"


class ActionAborted(WaitError):
    """The cluster gave the action up before it really ran."""

    outcome = Outcome.ABORTED

    def _message(self) -> str:
        how = self._already or f"was aborted by the cluster, seen {self._after}"
        return f"{self._subject} {how}"


class ActionNotFound(WaitError):
    """The cluster does not know the action, and did not at any time during the wait."""

    outcome = Outcome.NOT_FOUND

    def _message(self) -> str:
        return (
            f"{self._subject} was not found {self._after}: it never existed, "
            "or it ended so long ago that the cluster forgot it"
        )


class ActionVanished(WaitError):
    """The action was there and then was not, or another run took its place.

    How it ended is unknown. The cluster has forgotten it; or the same action of a node was started
    again; or a later export or import of that database was called for, by this client, or, as
    /v2/actions tells from 7.22 on, by another one; or the status of an export was reset.
    """

    outcome = Outcome.VANISHED

    def _message(self) -> str:
        return f"{self._subject} vanished {self._after}; how it ended is unknown; {self._last_seen}"


class ActionStalled(WaitError):
    """Nothing about the action moved for `stall_timeout` seconds; it may be stuck."""

    outcome = Outcome.STALLED

    def __init__(
        self, uid: str, *, action: Action | None, elapsed: float, polls: int, stall_timeout: float
    ) -> None:
        super().__init__(uid, action=action, elapsed=elapsed, polls=polls)
        self.stall_timeout = stall_timeout

    def _message(self) -> str:
        return (
            f"{self._subject} has not moved for {self.stall_timeout:g} s, "
            f"seen {self._after}; {self._last_seen}"
        )


class NothingToFollow(WaitError):
    """The answer to a call names nothing to follow, so that its end cannot be known.

    The call was made. `reason` says why nothing tells its end, and `uid` is the call. Pass
    `untracked="completed"` to `submit` where it is enough that the call was answered.
    """

    outcome = Outcome.NOT_FOLLOWED

    def __init__(
        self, uid: str, *, action: Action | None, elapsed: float, polls: int, reason: str
    ) -> None:
        super().__init__(uid, action=action, elapsed=elapsed, polls=polls)
        self.reason = reason

    def _message(self) -> str:
        return f"{one_line(self.uid)} was answered, but cannot be followed: {self.reason}"


class WaitTimeout(WaitError, TimeoutError):
    """`timeout` seconds were over first. The action itself goes on running on the cluster."""

    outcome = Outcome.TIMED_OUT

    def __init__(
        self, uid: str, *, action: Action | None, elapsed: float, polls: int, timeout: float
    ) -> None:
        super().__init__(uid, action=action, elapsed=elapsed, polls=polls)
        self.timeout = timeout

    def _message(self) -> str:
        limit = f"the timeout of {self.timeout:g} s was over, {self._after}"
        if self.action is None:
            return f"{self._subject} had not been seen when {limit}"
        return (
            f"{self._subject} had not ended when {limit}; "
            f"the action itself goes on; {self._last_seen}"
        )


def _spent(elapsed: float, polls: int) -> str:
    return f"{elapsed:.1f} s and {polls} {'poll' if polls == 1 else 'polls'}"
