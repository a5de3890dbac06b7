"""How long work is started: the call, and what in its answer, or its path, is to be followed.

A call that changes something is sent again only where it cannot have been taken, or was
answered "busy". Where its answer is lost, the work is looked for: by the id that we gave to it,
or by how things stood before.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, cast
from urllib.parse import urlencode

import msgspec

from redis_enterprise_actions._client.http.auth import Secret
from redis_enterprise_actions._client.http.failover import moving_on
from redis_enterprise_actions._client.http.transport import Call
from redis_enterprise_actions._client.pacing.retry import Round, patiently
from redis_enterprise_actions._client.sources.databases import was_under_way
from redis_enterprise_actions._client.sources.node_actions import (
    UNSEEN,
    Run,
    lost,
    path_of,
    run_after,
    run_of,
)
from redis_enterprise_actions._client.sources.paths import segment
from redis_enterprise_actions._client.wire.error_body import words_of
from redis_enterprise_actions._client.wire.lenient_json import decode
from redis_enterprise_actions._model.errors import (
    AnswerLost,
    ClusterUnreachable,
    RequestError,
    RequestRejected,
    UsageError,
)
from redis_enterprise_actions._model.reference import TRANSFERS, Reference, Track

from .handle import Follow, Target, error_in, handle_of, is_dry_run, target


if TYPE_CHECKING:
    from redis_enterprise_actions._client.http.transport import Reply, Transport
    from redis_enterprise_actions._client.sources.registry import StatusSources

_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_PATH: Final = re.compile(r"/v\d+(?:/(?!\.{1,2}(?:/|$))[\w.~%@:,+-]+)+", re.ASCII)
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~\w-]+", re.ASCII)
_VALUE: Final = re.compile(r"[\t -~]*")
_OURS: Final = frozenset({
    *("authorization", "content-type", "content-length", "host", "cookie", "transfer-encoding"),
    "connection",
})  # fmt: skip
_TELLING: Final = re.compile("pass|secret|token|credential|private|key(?:$|_id)", re.IGNORECASE)
_IN_URL: Final = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")  # such as sftp://user:password@host
_SHORTEST: Final = 4  # characters of a secret that can be told from other text
_TASK_ID: Final = "X-Task-ID"
_TAKES_NO_ID: Final = "/purge"  # the call whose page does not have it

_PATIENCE: Final = 10.0  # seconds for which a cancel that nobody has taken is sent again
_SEARCH: Final = 30.0  # seconds for which the work is looked for whose answer was lost
_LOOKS: Final = 5  # how often, once the cluster answers
_BETWEEN: Final = 1.0  # seconds between two looks
_NOT_NOW: Final = frozenset({429, 503})  # answers by which a call has ended
_BUSY: Final = 409
_NOT_FOUND: Final = 404
_SOUGHT: Final = frozenset({Follow.HOST, Follow.TRANSFER, Follow.CRDB})
_HOSTS: Final = frozenset({Track.NODE, Track.CLUSTER})


class Order(NamedTuple):
    """A call that is to start something.

    `target` is what it is about, and `ref` what its path tells of what it starts. `secrets` are
    those in its body.
    """

    call: Call
    target: Target
    ref: Reference | None = None
    dry_run: bool = False
    secrets: tuple[Secret, ...] = ()


class Started(NamedTuple):
    """What a call has started: `ref`, or, without one, why that cannot be followed.

    Without either, the call was over with its answer. `refused` says that an answer can be no end.
    """

    ref: Reference | None
    answer: object
    problem: str | None = None
    refused: bool = False

    def __repr__(self) -> str:
        return f"<started {self.ref}>"  # answers hold secrets


def order(
    method: str,
    path: str,
    json: object,
    params: Mapping[str, object] | None,
    headers: Mapping[str, str] | None,
    *,
    patience: float | None,
) -> Order:
    """Check a call, and read off what it is to start. Raises `UsageError`."""
    if not isinstance(method, str) or method.upper() not in _METHODS:
        raise UsageError(f"{method!r} starts nothing: there are {', '.join(sorted(_METHODS))}")
    method = method.upper()
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise UsageError(
            f"{path!r} is not a path of the API, such as /v1/bdbs/1: quoted, and without a query"
        )
    sent = headers_of(headers)
    about = target(method, path)
    query = _query(params)
    dry_run = is_dry_run(about.call, json, params)
    ref = about.ref
    if about.call.follow is Follow.CRDB:
        ref = _task_of(path, sent)
    call = Call(
        method,
        path,
        query,
        body=_body(method, json),
        headers=sent,
        patience=patience,
    )
    secrets = tuple(sorted(_secrets(json), key=_length, reverse=True))
    return Order(call, about, ref, dry_run, secrets)


class Submission:
    """Starts long work on one cluster."""

    def __init__(self, transport: Transport, sources: StatusSources) -> None:
        self.transport = transport
        self.sources = sources

    async def start(self, order: Order, *, busy_timeout: float, outage_timeout: float) -> Started:
        """Send a call and find out what it has started.

        Raises `RequestError`: `AnswerLost` where that may have been something.
        """
        before = await self._before(order, outage_timeout)
        clock = asyncio.get_running_loop().time
        began = clock()
        round_ = Round(began)
        tries = 0
        error: RequestError
        came: RequestError
        while True:
            try:
                reply = await patiently(outage_timeout, self._send_or_wonder, order)
            except _Unsure as unsure:
                came, until = unsure.error, began + outage_timeout
                tries += 1
                found = await self._found_or_lost(order, before, came, tries)
                if isinstance(found, Started):
                    return found
                error = found
            except RequestRejected as rejected:
                if rejected.status != _BUSY:
                    raise
                error, came, until = rejected, rejected, began + busy_timeout
            else:
                return await self._started(order, before, reply, outage_timeout)
            left = until - clock()
            if left <= 0:
                raise error
            await asyncio.sleep(min(round_.pause_after(came, clock()), left))
            if isinstance(error, RequestRejected):  # what was in the way may have ended since
                before = await self._before(order, outage_timeout)

    async def cancel(self, ref: Reference, *, force: bool) -> None:
        """Cancel what the API can cancel; anything else is the caller's to refuse."""
        run: str | None = None
        if ref.track is Track.CRDB:
            path = f"/v1/crdb_tasks/{segment(ref.uid)}/actions/cancel"
            call = Call("POST", path, "?force=true" if force else "", body=Secret("{}"))
        else:
            permission = f"cancel_{ref.track}_action"
            call = Call("DELETE", path_of(ref), permission=permission)
            # Of one that has ended, the call would remove the result.
            found = await patiently(_PATIENCE, self.sources.fetch_certain, ref)
            if (found is None and ref.run) or (found is not None and found.phase.terminal):
                raise _rejected(call, None, "This run has ended, or another one has begun since")
            run = None if found is None else found.task_id
        cancel = Order(call, target(call.method, call.path), ref)
        try:
            reply = await patiently(_PATIENCE, self._send_or_wonder, cancel)
        except _Unsure as unsure:
            raise _lost(unsure.error, cancel, ref) from unsure.error.__cause__
        if reply.status == _NOT_FOUND:
            raise _rejected(call, reply)
        if ref.track is not Track.CRDB:
            self.sources.node_actions.record_cancel(ref, run)

    # --- before ---------------------------------------------------------------------------------

    async def _before(self, order: Order, patience: float) -> Reference | None:
        """Return what the call is to start, with how things stand before it does.

        Where we may not look, the call itself may be allowed all the same.
        """
        ref = order.ref
        if ref is None or ref.track is Track.CRDB or order.dry_run:
            return ref
        if ref.track not in _HOSTS:
            try:
                ref = await patiently(patience, self.sources.databases.with_baseline, ref)
                return await self._reset(ref, patience)
            except RequestRejected:
                return ref
        try:
            found = await patiently(patience, self.sources.fetch_certain, ref)
        except RequestRejected:
            return msgspec.structs.replace(ref, run=str(Run(UNSEEN, "", "")))
        cancels = order.target.call.follow is Follow.CANCELLED
        if cancels and found is not None and not found.phase.terminal:
            return msgspec.structs.replace(ref, run=found.task_id or "")
        return msgspec.structs.replace(ref, run=str(run_after(found)))

    async def _reset(self, ref: Reference, patience: float) -> Reference:
        """Clear the result of the last transfer, which might be taken for that of the next.

        The call is accepted, and takes effect when it does: so we look again, and what is still
        there then is known for an old result.
        """
        if ref.track not in TRANSFERS or not ref.run.startswith(("succeeded", "failed")):
            return ref
        path = f"/v1/bdbs/{ref.number}/actions/{ref.track}_reset_status"
        call = Call("PUT", path, body=Secret("{}"))
        try:
            reply = await patiently(patience, self._send, Order(call, target("PUT", path)))
        except RequestRejected:
            return ref
        if reply.status == _NOT_FOUND:
            return ref
        return await patiently(patience, self.sources.databases.with_baseline, ref)

    # --- the call -------------------------------------------------------------------------------

    async def _send_or_wonder(self, order: Order) -> Reply:
        """Send it; raise `_Unsure` where it may have been taken, and there is no answer."""
        try:
            return await self._send(order)
        except RequestError as error:
            if error.transient and getattr(error, "sent", True):
                raise _Unsure(error) from None
            raise

    @moving_on
    async def _send(self, order: Order) -> Reply:
        try:
            return await self.transport.send(order.call)
        except RequestRejected as error:
            error.error_code = _scrubbed(error.error_code, order.secrets)
            error.description = _scrubbed(error.description, order.secrets)
            raise
        except ClusterUnreachable as error:
            error.error_code = _scrubbed(error.error_code, order.secrets)
            error.reason = _scrubbed(error.reason, order.secrets) or ""
            raise

    async def _found_or_lost(
        self, order: Order, before: Reference | None, came: RequestError, tries: int
    ) -> Started | AnswerLost:
        """Return what was started by a call whose answer is lost, or the error if it was not taken.

        Raises that error if it may have been.
        """
        if before is not None and before.track in TRANSFERS:
            self.sources.databases.record_call(before)
        lost = _lost(came, order, before, tries)
        try:
            ref = await self._found(order, before, came)
        except RequestError:  # nobody can tell
            raise lost from came.__cause__
        if ref is not None:
            return Started(ref, None)
        if was_under_way(before) or not _is_sought(order, before) or not _has_answered(came):
            raise lost from came.__cause__
        return lost

    async def _found(
        self, order: Order, before: Reference | None, error: RequestError
    ) -> Reference | None:
        """Look for what was started by a call whose answer we do not have.

        Raises `RequestError` where one cannot look.
        """
        if before is None or not _is_sought(order, before) or was_under_way(before):
            return None
        looks = 1 if _has_answered(error) else _LOOKS
        for look in range(looks):
            if look:
                await asyncio.sleep(_BETWEEN)
            found = await patiently(_SEARCH, self.sources.fetch_certain, before)
            if found is not None and before.track in _HOSTS:
                run = run_of(before)._replace(new=found.task_id or "")
                return msgspec.structs.replace(before, run=str(run))
            if found is not None:
                return before
        return None

    async def _started(
        self, order: Order, before: Reference | None, reply: Reply, patience: float
    ) -> Started:
        """Return what a call has started, by its answer."""
        if reply.status == _NOT_FOUND:
            raise _rejected(order.call, reply)
        readable, answer = _read(reply.body)
        if not readable and not _is_sought(order, before):  # where the path tells enough
            call = order.call
            said = ClusterUnreachable(call.method, call.path, reason="its answer cannot be read")
            raise _lost(said, order, before)
        error = error_in(answer)
        if error is not None:
            code, description = (_scrubbed(text, order.secrets) for text in error)
            raise _rejected_as(order.call, reply.status, code, description)
        if before is not None and before.track in TRANSFERS:
            before = await self._transfer_started(before, reply, patience)
        follow = order.target.call.follow
        if follow is Follow.HOST and before is not None:
            self.sources.node_actions.forget_cancel(before)
        elif follow is Follow.CANCELLED and before is not None:
            self.sources.node_actions.record_cancel(before, run_of(before).new or None)
        handle = handle_of(order.target, before, reply.status, answer, dry_run=order.dry_run)
        return Started(handle.ref, answer, handle.problem, handle.refused)

    async def _transfer_started(
        self, before: Reference, reply: Reply, patience: float
    ) -> Reference:
        """Return a transfer as it was called for, with the result that an older run left."""
        databases = self.sources.databases
        if was_under_way(before):  # it has ended, as the call was taken
            with contextlib.suppress(RequestError):
                before = await patiently(patience, databases.with_baseline, before)
        if not before.run:  # we could not look, so that the answer has to tell the time
            before = databases.with_call_time(before, reply)
        databases.record_call(before)
        return before


class _Unsure(Exception):
    """A call was sent, and whether it was taken is not known."""

    def __init__(self, error: RequestError) -> None:
        super().__init__()
        self.error = error


def _has_answered(error: RequestError) -> bool:
    """Whether the cluster has said that it does not do it, and is not still at it."""
    return isinstance(error, ClusterUnreachable) and error.status in _NOT_NOW


def _is_sought(order: Order, before: Reference | None) -> bool:
    """Return True for what can be told to have begun by how it stood before."""
    return before is not None and order.target.call.follow in _SOUGHT


def _lost(
    error: RequestError, order: Order, before: Reference | None, tries: int = 1
) -> AnswerLost:
    """Return the error for a call that may have been taken, with where to look."""
    ref = order.ref if before is None else before
    if order.dry_run and order.target.call.follow is not Follow.CRDB:
        ref = None
    if ref is not None and order.target.call.follow is Follow.HOST:
        ref = lost(ref)
    known = error if isinstance(error, ClusterUnreachable) else None
    return AnswerLost(
        error.method,
        error.path,
        reason=known.reason if known else error.said,
        attempts=tries,
        nodes=error.nodes,
        status=known.status if known else None,
        error_code=known.error_code if known else None,
        ref=None if ref is None else str(ref),
    )


def _rejected(call: Call, reply: Reply | None, hint: str | None = None) -> RequestRejected:
    code, description = words_of(reply.body) if reply else (None, None)
    return _rejected_as(call, _NOT_FOUND, code, description, hint)


def _rejected_as(
    call: Call, status: int, code: str | None, description: str | None, hint: str | None = None
) -> RequestRejected:
    return RequestRejected(
        call.method,
        call.path,
        status=status,
        error_code=code,
        description=description,
        hint=hint,
    )


def _read(body: bytes) -> tuple[bool, object]:
    """Return whether an answer can be read, and what it says."""
    if not body.strip():
        return True, None
    try:
        return True, decode(body, object)
    except ValueError:
        return False, None


# --- what is sent -------------------------------------------------------------------------------


def _body(method: str, json: object) -> Secret | None:
    """Return the body: an empty object where there is none, as these calls want one."""
    if json is None:
        return None if method == "DELETE" else Secret("{}")
    try:
        return Secret(msgspec.json.encode(json).decode())
    except (TypeError, ValueError, RecursionError):
        pass
    raise UsageError("json= is nothing that JSON can hold")


def _task_of(path: str, headers: dict[str, str]) -> Reference | None:
    """Return the task that a call starts, by the id that it is to have.

    Adds one to the headers if there is none. None where the cluster makes up its own.
    """
    given = next((name for name in headers if name.casefold() == _TASK_ID.casefold()), None)
    if given is not None:
        segment(headers[given])
    if path.endswith(_TAKES_NO_ID):
        return None
    return Reference(Track.CRDB, headers.setdefault(given or _TASK_ID, str(uuid.uuid4())))


def _query(params: Mapping[str, object] | None) -> str:
    if params is None:
        return ""
    if not isinstance(params, Mapping):
        raise UsageError("params= is not a mapping of names to values")
    said = {
        str(key): str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in params.items()
    }
    try:
        return f"?{urlencode(said)}" if said else ""
    except UnicodeEncodeError:
        raise UsageError("params= holds what cannot be sent") from None


def headers_of(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Check headers; return them."""
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise UsageError("headers= is not a mapping of names to values")
    for key, value in headers.items():
        if not isinstance(key, str) or not _HEADER.fullmatch(key):
            raise UsageError(f"{key!r} is not the name of a header")
        if key.casefold() in _OURS:
            raise UsageError(f"the header {key} is not for headers= to set")
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise UsageError(f"the value of the header {key} cannot be sent")
    if len({key.casefold() for key in headers}) < len(headers):
        raise UsageError("headers= has a header twice")
    return dict(headers)


def _secrets(json: object) -> list[Secret]:
    """Return the texts in a body that are not to be shown."""
    found: list[Secret] = []
    left: list[tuple[object, bool]] = [(json, False)]
    while left:  # as a body may be nested deeper than functions can
        value, telling = left.pop()
        if isinstance(value, str):
            texts = [value] if telling else _IN_URL.findall(value)
            found += [Secret(text) for text in texts if len(text) >= _SHORTEST]
        elif isinstance(value, Mapping):
            items = cast("Mapping[object, object]", value).items()
            left += [(each, telling or bool(_TELLING.search(str(key)))) for key, each in items]
        elif isinstance(value, list | tuple):
            left += [(each, telling) for each in cast("list[object]", value)]
    return found


def _length(secret: Secret) -> int:
    return len(secret.reveal())


def _scrubbed(text: str | None, secrets: tuple[Secret, ...]) -> str | None:
    """Return what the cluster says without what we have told it."""
    for secret in secrets:
        text = text and text.replace(secret.reveal(), "***")
    return text
