"""`ActionsClient`: the public class of the client, which joins its parts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar, overload

from redis_enterprise_actions._client.asynchronous import AsyncContext, NoFor, NoWith
from redis_enterprise_actions._client.config.options import options_from_env
from redis_enterprise_actions._client.config.resolve import profile_options
from redis_enterprise_actions._client.goals import check_goal
from redis_enterprise_actions._client.http.captured import capturing
from redis_enterprise_actions._client.http.connect import transport_for
from redis_enterprise_actions._client.pacing.durations import (
    CALL_TIMEOUT,
    DEFAULT_OUTAGE_TIMEOUT,
    NOT_FOUND_GRACE,
    seconds,
)
from redis_enterprise_actions._client.pacing.retry import RetryBudget
from redis_enterprise_actions._client.polling.poller import Poller
from redis_enterprise_actions._client.resources.cluster import Cluster
from redis_enterprise_actions._client.resources.crdbs import Crdbs
from redis_enterprise_actions._client.resources.databases import Databases
from redis_enterprise_actions._client.resources.nodes import Nodes
from redis_enterprise_actions._client.resources.shards import Shards
from redis_enterprise_actions._client.sources.paths import quoted_uid
from redis_enterprise_actions._client.sources.registry import StatusSources
from redis_enterprise_actions._client.submit.submitter import Submitter
from redis_enterprise_actions._model.action import Action
from redis_enterprise_actions._model.database_names import parse_any_reference
from redis_enterprise_actions._model.errors import (
    ActionNotFound,
    RequestError,
    UnreadableReply,
    UsageError,
)
from redis_enterprise_actions._model.reference import (
    Reference,
    ReferenceKind,
    action_uid,
    is_reference,
)
from redis_enterprise_actions._model.unawaited import refuse_unawaited

from .operation import (
    ClientParts,
    Operation,
    begin,
    check_arguments,
    end_of,
    limits_of,
    operation_on,
    wait_for_all,
)


if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from contextvars import Context
    from types import TracebackType
    from typing import Self

    import aiohttp
    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions._client.goals import Until
    from redis_enterprise_actions._client.http.auth import TokenSource
    from redis_enterprise_actions._client.pacing.durations import Duration
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.objects import OperationResult
    from redis_enterprise_actions._model.record import FinishedAction, Observer, Recorder

_R = TypeVar("_R")


class ActionsClient(NoWith):
    """Client of one Redis Software cluster: lists its actions, starts work, and waits for it.

    `url` is the cluster's REST API, such as `https://cluster.example.com:9443`, or a list of the
    URLs of its nodes: the client stays with a node that answers, and asks the next one when that
    node does not. The client follows a redirect to another node if that is in the list, or if its
    host (`host` or `host:port`) is one of `trusted_hosts`; a node that redirects elsewhere is left
    for the next one.

    The client authenticates in one of these ways, and sends credentials to those nodes only:

    - `username` and `password` of a cluster user: HTTP Basic authentication, or, with
      `auth="jwt"`, tokens that the cluster grants and the client renews in time;
    - `token`: a token, or a function or coroutine function that returns one. The client calls the
      function for the first token, when a token that tells its lifetime is about to expire, and
      when the cluster refuses one. An `OSError` of the function is a failed request; any other
      exception reaches the caller of the client. The token is sent as `JWT ...`, unless it names
      another scheme;
    - `client_cert`: a PEM file with a client certificate, whose key is in the same file or in
      `client_key`.

    The client verifies the cluster's certificate against the CAs of the system, or against those in
    the PEM file `ca_cert`. With `fingerprint`, in hexadecimal digits, the client accepts the
    certificate with that SHA-256 fingerprint, and checks nothing else of it. With `verify=False`
    the client verifies nothing, and logs a warning.

    `request_timeout` is the limit of one request, from when it is sent; as long as there is another
    node to ask, each node gets only a share of it. All waits on a client share one poll loop: use
    one client for each cluster. The client closes the session that it makes, by `aclose` or at the
    end of `async with`; a `session` that is passed in stays open.

    `databases`, `nodes`, `cluster`, `shards` and `crdbs` hold the calls and the waits for one kind
    of object each.

    Raises `UsageError` for settings that cannot work.

    Source: requests/users/authorize, requests/users/refresh_jwt.
    """

    databases: Databases
    nodes: Nodes
    cluster: Cluster
    shards: Shards
    crdbs: Crdbs

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        username: str | None = None,
        password: str | None = None,
        token: str | TokenSource | None = None,
        auth: Literal["basic", "jwt"] = "basic",
        client_cert: str | os.PathLike[str] | None = None,
        client_key: str | os.PathLike[str] | None = None,
        ca_cert: str | os.PathLike[str] | None = None,
        fingerprint: str | None = None,
        verify: bool = True,
        trusted_hosts: Iterable[str] = (),
        session: aiohttp.ClientSession | None = None,
        request_timeout: Duration = 30.0,
    ) -> None:
        request_limit = seconds(request_timeout, "request_timeout")
        self._transport = transport_for(
            url,
            username=username,
            password=password,
            token=token,
            auth=auth,
            client_cert=client_cert,
            client_key=client_key,
            ca_cert=ca_cert,
            fingerprint=fingerprint,
            verify=verify,
            trusted_hosts=trusted_hosts,
            session=session,
            request_timeout=request_limit,
        )
        sources = StatusSources(self._transport)
        poller = Poller(sources.by_kind, self._transport, self._transport.home)
        submitter = Submitter(self._transport, sources, request_timeout=request_limit)
        self._parts = ClientParts(poller, submitter, sources)
        self.databases = Databases(self._parts)
        self.nodes = Nodes(self._parts)
        self.cluster = Cluster(self._parts)
        self.shards = Shards(self._parts)
        self.crdbs = Crdbs(self._parts)

    @classmethod
    def from_env(
        cls,
        *,
        url: str | Sequence[str] | None = None,
        username: str | None = None,
        password: str | None = None,
        token: str | TokenSource | None = None,
        auth: Literal["basic", "jwt"] | None = None,
        client_cert: str | os.PathLike[str] | None = None,
        client_key: str | os.PathLike[str] | None = None,
        ca_cert: str | os.PathLike[str] | None = None,
        fingerprint: str | None = None,
        verify: bool | None = None,
        trusted_hosts: Iterable[str] | None = None,
        session: aiohttp.ClientSession | None = None,
        request_timeout: Duration | None = None,
    ) -> Self:
        """Make a client from the environment. An argument takes precedence over its variable.

        Takes the arguments of `ActionsClient`. Reads `REDIS_ENTERPRISE_URL` (one or several, with
        spaces between them), `REDIS_ENTERPRISE_TRUSTED_HOSTS` (likewise), `REDIS_ENTERPRISE_USER`,
        `REDIS_ENTERPRISE_PASSWORD`, `REDIS_ENTERPRISE_AUTH` (`basic` or `jwt`),
        `REDIS_ENTERPRISE_TOKEN`, `REDIS_ENTERPRISE_CLIENT_CERT`, `REDIS_ENTERPRISE_CLIENT_KEY`,
        `REDIS_ENTERPRISE_CA_CERT` (paths of PEM files), `REDIS_ENTERPRISE_FINGERPRINT` and
        `REDIS_ENTERPRISE_INSECURE` (`true`, `1`, `yes` or `on` switches verification off; the CA
        and the fingerprint are then not used), and `REDIS_ENTERPRISE_REQUEST_TIMEOUT` (a duration
        such as `1m`; 30 s if neither is given). Raises `UsageError`, which names all variables that
        are missing.
        """
        arguments = {
            "url": url,
            "username": username,
            "password": password,
            "token": token,
            "auth": auth,
            "client_cert": client_cert,
            "client_key": client_key,
            "ca_cert": ca_cert,
            "fingerprint": fingerprint,
            "verify": verify,
            "trusted_hosts": trusted_hosts,
            "request_timeout": request_timeout,
        }
        return cls(**options_from_env(arguments), session=session)

    @classmethod
    def from_profile(
        cls,
        name: str,
        *,
        session: aiohttp.ClientSession | None = None,
        request_timeout: Duration | None = None,
        use_environment: bool = True,
    ) -> Self:
        """Make a client from a profile of the configuration file, as `--profile` does.

        Environment variables take precedence over the settings of the profile; with
        `use_environment=False`, as for the second of two clusters, they are not read. Secrets come
        from the files, the keyring or the `password_command` that the profile names; the command
        may take 30 s. Raises `UsageError`, which names all settings that are missing.
        """
        options = profile_options(
            name, {"request_timeout": request_timeout}, use_environment=use_environment
        )
        return cls(**options, session=session)

    async def __aenter__(self) -> Self:
        self._transport.home.check()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.urls))})"

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs of the cluster's nodes, as the client was given them."""
        return tuple(str(url) for url in self._transport.nodes.urls)

    @property
    def poll_context(self) -> Context:
        """The context variables that polls see: none, unless you set some in this context.

        Polls serve all waits of the client, so they do not run in the context of a task that waits.
        `client.poll_context.run(variable.set, value)` sets a variable for the polls of waits that
        begin while no other wait is under way. A function that is given as `token` sees the
        variable when a poll needs a token.
        """
        return self._parts.poller.context

    def observe(self, observer: Observer) -> None:
        """Call `observer` for each wait that begins on this client from now on.

        The client calls the observer when a wait begins, in the context of the task that waits,
        with the still empty `Record` of the wait. The observer returns a function that the client
        calls with the `Record` when the wait ends, however it ends. Exceptions of either are
        logged, and end no wait. Raises `UsageError` for what cannot be called.
        """
        refuse_unawaited(observer, argument="observer")
        if not callable(observer):
            raise UsageError(f"observer={observer!r:.100} cannot be called")
        self._parts.observers.append(observer)

    def capture(self, path: str | os.PathLike[str]) -> AbstractAsyncContextManager[None]:
        """Record what the client asks, and what the cluster answers, while the body runs.

        At the end of `async with`, also after an error or a cancellation, the file `path` has each
        exchange with its times, as JSON to look through. Shapes, numbers and the words that the
        client interprets pass; names, addresses, uids, secrets and texts are replaced by
        pseudonyms. docs/capture.md says what passes, and describes the format.

        Exchanges that end within the body are recorded, also those that failed or were cancelled.
        They are written, already replaced, by a thread to a file `.capture-*` beside `path`, which
        stays if the process is killed. An existing file is replaced at the end, and then by one
        that only its owner may read.

        The end of the body waits for what is not written yet: a minute for 64 MB. A cancellation
        is raised when the file is there; at a second one, that of the body included, the capture is
        given up, and leaves no file.

        Raises `UsageError` before the body if no file can be written there, if a capture of this
        client, or of this process to the same file, is under way, or if the context was entered
        before; and `OSError` after the body if the file could not be written. If the body raises an
        error or is cancelled, that error gets a note instead, and the log an error.
        """
        return AsyncContext(capturing(self._transport, path))

    async def aclose(self) -> None:
        """Close the client, and the session that it made.

        Waits that are still running, and later calls, raise `ClientClosed`. Raises `UsageError` if
        the client was used in another event loop that is still open.
        """
        await self._parts.poller.close()
        await self._transport.close()

    # --- actions --------------------------------------------------------------------------------

    async def list_actions(
        self, *, bdb_uid: int | str | None = None, allow_partial: bool = True
    ) -> list[Action]:
        """Return all actions that the cluster knows: running, pending and remembered ones.

        With `bdb_uid`, a uid or `name:NAME`, return only those on that database, of which v1 lists
        only the state machines. Where the cluster has /v2/actions (7.22 and newer), imports,
        exports and backups are included. If one of the two lists cannot be read, even after
        repetitions, the actions of the other one are returned, with a warning in the log; without
        `allow_partial`, that is an error, too. Raises `RequestError`, and `UsageError` for the name
        of no database, or of several.

        Source: GET /v1/actions, /v1/actions/bdb/{bdb_uid}, /v2/actions. Needs the permission
        `view_status_of_cluster_action`.
        """
        actions = self._parts.sources.actions
        uid = None if bdb_uid is None else await self._parts.database_uid(bdb_uid)
        try:
            return await self._parts.look(actions.list_actions, uid)
        except UnreadableReply:
            if not allow_partial:
                raise
        return await actions.list_actions(uid, allow_partial=True)

    async def get_action(self, uid: str) -> Action:
        """Return one action as it is now. `uid` is an `action_uid` or a `task_id`.

        Raises `ActionNotFound` if the cluster does not know the action, `RequestError`, and
        `UsageError` for a reference such as `node:1/remove`, which `get` takes.

        Source: GET /v1/actions/{uid}, /v2/actions/{uid}.
        """
        ref = _action_reference(uid, "get({!r})")
        began = asyncio.get_running_loop().time()
        tries: RetryBudget | None = None
        polls = 0
        while True:  # as in `retry_for`, without its extra coroutine
            polls += 1
            try:
                found = await self._parts.sources.actions.fetch(ref, None)
            except RequestError as error:
                tries = tries or RetryBudget(CALL_TIMEOUT, began)
                pause = tries.pause_after(error)
                if pause is None:
                    raise tries.final_error(error) from error.__cause__
            else:
                if not isinstance(found, Action):
                    elapsed = asyncio.get_running_loop().time() - began
                    raise ActionNotFound(
                        ref.uid, ref=str(ref), action=None, elapsed=elapsed, polls=polls
                    )
                return found
            await asyncio.sleep(pause)

    async def wait_for_action(
        self,
        uid: str,
        *,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = NOT_FOUND_GRACE,
        hold: Duration = 0.0,
        until: Until | None = None,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until an action has completed, and return it, with the record of the wait.

        `uid` is an `action_uid` or a `task_id`. A duration is seconds, a `timedelta` or text such
        as `"30m"`; None means no limit:

        - `timeout` covers the whole wait. At the deadline the client asks the cluster once more,
          for at most 2 s, so the wait may end up to 2 s later.
        - `stall_timeout`: how long nothing about the action may change, heartbeats included.
        - `outage_timeout`: how long there may be no usable answer, counted from the first request
          that got none. Left at its default, it is ten seconds for a cluster that was never
          reached because its URL looks wrong: give it to resume a wait of an earlier process.
        - `not_found_grace`: how long the client tolerates "not found" for an action that it has not
          seen yet.

        `until` is another end of the wait. A function is called with each changed `Action`, and
        `"state=NAME"` and `"progress=50"` (reached or passed) are looked for likewise; the wait
        then ends before the work, with the unfinished action. `"available"`, `"in-sync"`,
        `"replicating"`, `"healthy"` and `"quiet"` wait for more than the work; see
        `Operation.wait`, also for `hold`.

        `poll` is a tenacity wait strategy, by default `AimedWait()`. The waits on one client share
        their requests: three a second at most, and a rest of nine times the duration of an answer.
        `on_progress` is called, and awaited if it returns an awaitable, with the first answer, each
        change and the end; an exception of its own ends the wait. `recorder` keeps the record of a
        wait that neither returns nor raises it, because the wait is under way or was cancelled.

        Raises `ActionFailed`, `ActionCancelled`, `ActionAborted`, `ActionNotFound`,
        `ActionVanished`, `ActionStalled` and `WaitTimeout`, all `WaitError`s; `RequestError` if
        the cluster cannot be asked; `UsageError` and `ClientClosed`. Cancelling the task that
        awaits this leaves the action on the cluster alone.
        """
        # No `Operation`: a wait that lasts keeps whatever is a local here.
        limits = limits_of(timeout, stall_timeout, outage_timeout, not_found_grace, hold)
        check_arguments(poll, on_progress, recorder)
        ref = _action_reference(uid, "wait_for({!r})")
        state = begin(ref, limits, poll, check_goal(until, limits.hold, ref))
        return await end_of(state, self._parts, on_progress, recorder)

    def watch_action(
        self,
        uid: str,
        *,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = NOT_FOUND_GRACE,
        hold: Duration = 0.0,
        until: Until | None = None,
        recorder: Recorder | None = None,
    ) -> AsyncGenerator[Action, None]:
        """Iterate over the life of an action: the first answer, each change, and the end.

        Takes the arguments of `wait_for_action` and raises what it raises, but yields an action
        that failed, was cancelled or was aborted like any other. The end is a `FinishedAction`.
        """
        return self._of_action(uid, "operation({!r}).watch()").watch(
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
            hold=hold,
            until=until,
            recorder=recorder,
        )

    @overload
    async def wait_for_actions(
        self,
        uids: Iterable[str],
        *,
        settle: Literal[False] = False,
        allow_empty: bool = False,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = NOT_FOUND_GRACE,
        hold: Duration = 0.0,
        until: Until | None = None,
        recorder: Recorder | None = None,
    ) -> list[FinishedAction]: ...

    @overload
    async def wait_for_actions(
        self,
        uids: Iterable[str],
        *,
        settle: Literal[True],
        allow_empty: bool = False,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = NOT_FOUND_GRACE,
        hold: Duration = 0.0,
        until: Until | None = None,
        recorder: Recorder | None = None,
    ) -> list[FinishedAction | WaitError | RequestError]: ...

    async def wait_for_actions(
        self,
        uids: Iterable[str],
        *,
        settle: bool = False,
        allow_empty: bool = False,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration = NOT_FOUND_GRACE,
        hold: Duration = 0.0,
        until: Until | None = None,
        recorder: Recorder | None = None,
    ) -> list[FinishedAction] | list[FinishedAction | WaitError | RequestError]:
        """Wait for several actions at once; return them in the order given.

        The first failure is raised and ends the other waits, not their work on the cluster. With
        `settle=True` each wait goes on to its end, and the list holds the `FinishedAction`, or
        the `WaitError` or `RequestError` that ended the wait. No uids at all raise `UsageError`,
        unless `allow_empty=True`.

        Takes the arguments of `wait_for_action`, which hold for each wait, and raises what it
        raises. `on_progress` serves all waits; each `Action` carries its `uid`.
        """
        if isinstance(uids, str | NoFor) or not isinstance(uids, Iterable):
            refuse_unawaited(uids)
            raise UsageError(
                f"uids={uids!r} is not a list of uids; for one action there is wait_for_action"
            )
        wanted = list(uids)
        refuse_unawaited(*wanted)
        by_uid = {uid: self._of_action(uid, "wait_for({!r})") for uid in wanted}
        operations = [by_uid[uid] for uid in wanted]
        _check_some(operations, "uids", allow_empty=allow_empty)
        waiting = partial(
            Operation.wait,
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
            hold=hold,
            until=until,
            recorder=recorder,
        )
        return await wait_for_all(operations, waiting, settle=settle)

    def _of_action(self, uid: str, call: str) -> Operation:
        return Operation(self._parts, _action_reference(uid, call))

    # --- work of every kind ---------------------------------------------------------------------

    async def submit(
        self,
        method: str,
        path: str,
        json: object = None,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Literal["refused", "completed"] = "refused",
    ) -> Operation[OperationResult]:
        """Send a call that starts work, and return the `Operation` to follow.

        `path` is quoted and begins with the API's version, as in `/v1/bdbs/1`; `params` make the
        query, and `json` the body, `{}` by default. A `method` is POST, PUT, PATCH or DELETE.

        The client follows the work that the answer names: by an `action_uid`, alone or in an
        object; by the `task_id` of a node's action; by the `id` of a task of an Active-Active
        database. For an export or an import the answer names nothing: the client reads the database
        before the call and resets the last result, so that it can tell the new one from it. Where
        the answer to a call that changes a database names nothing, the client follows the database
        until it has settled; for that, too, it reads the database before the call. A cancel is
        followed until the action, or task, has ended.

        Without any of these the operation is complete only where the API says so: for a dry run,
        for a call that is documented as done when it is answered, or one that is documented to name
        an action "if it exists". Otherwise nothing can be followed, and waiting raises
        `NothingToFollow`; with `untracked="completed"` the answer counts as the end, but not one
        that names several actions. A dry run of an Active-Active database is a task like any other.

        A bootstrap goes to the first of the client's URLs only, once and without credentials, and
        that node is asked for its end; see `Cluster.create`.

        The API reads `dry_run`, `only_failovers` and `max_operations` from the query, but the
        `dry_run` of the calls for shards from the body: a setting in the wrong place raises
        `UsageError`. An error in the body of an answer whose status is a success raises
        `RequestRejected`.

        Durations are seconds, `timedelta`s or text such as `"30m"`. `busy_timeout`: how long the
        client repeats the call after a 409, "busy", and the creation of a database after the 406
        of a cluster that is not ready yet; `outage_timeout`: how long the client tries to
        get the call accepted, but only ten seconds if it is left at its default and the cluster was
        never reached; `request_timeout`: how long one request may take, by default as long
        as the client's, or as the API documents where that is longer: 15 minutes for the
        certificates of the cluster.

        The client sends the call again if no node can have executed it (none was reached, or the
        answer was 429) and after a 409. After a 503 it looks twice, at least 3 s apart, for work
        that has begun, and follows that; without any, it sends again the calls that do no harm a
        second time (docs/outages.md has the list). It honours `Retry-After`. If the answer to a
        call that the cluster may have executed is lost, the client looks for the work: for an
        Active-Active task by its `X-Task-ID`, which the client makes up unless it is in `headers`;
        for a node's action, an export or an import by a change of its state since before the call.
        The same work, started by another caller at that moment, is mistaken for it. Raises
        `AnswerLost` if that does not settle whether the work began, another `RequestError` for
        other failures, and `UsageError` for what cannot be sent.
        """
        return await self._parts.start(
            method,
            path,
            json,
            params=params,
            headers=headers,
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )

    def operation(self, ref: str) -> Operation[OperationResult]:
        """Return the work that a reference names, to await, watch or cancel. Nothing is sent.

        References are `action:UID` (or the uid alone), `node:UID/ACTION`, `cluster:ACTION`,
        `crdb:ID`, `export:BDB`, `import:BDB`, `backup:BDB`, `bdb:UID`, `bdb:UID@gone` and
        `bootstrap`; a database may be given by its name, as in `bdb:name:NAME` (see `Databases`).
        Those from `submit` may end in `@` and a text that distinguishes their run from others.
        Conditions are references, too: `bdb:UID@available`, `bdb:UID@in-sync`,
        `crdb:GUID@replicating`, `cluster@quiet`, `cluster@healthy` and `bootstrap@idle`. Raises
        `UsageError` for anything else.

        The client asks for the uid of a named database when it first needs it, and keeps that.
        """
        return Operation(self._parts, parse_any_reference(ref))

    async def get(self, ref: str) -> Action:
        """Look once: return the work that a reference names as it is now.

        Takes the references of `operation`. Raises `ActionNotFound` if the cluster does not know
        the work, `RequestError`, and `UsageError`.
        """
        return await self.operation(ref).get()

    @overload
    async def wait_for(
        self,
        *operations: Operation | str,
        settle: Literal[False] = False,
        allow_empty: bool = False,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration | None = None,
        hold: Duration = 0.0,
        until: Until | None = None,
        recorder: Recorder | None = None,
    ) -> list[FinishedAction]: ...

    @overload
    async def wait_for(
        self,
        *operations: Operation | str,
        settle: Literal[True],
        allow_empty: bool = False,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration | None = None,
        hold: Duration = 0.0,
        until: Until | None = None,
        recorder: Recorder | None = None,
    ) -> list[FinishedAction | WaitError | RequestError]: ...

    async def wait_for(
        self,
        *operations: Operation | str,
        settle: bool = False,
        allow_empty: bool = False,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration | None = None,
        hold: Duration = 0.0,
        until: Until | None = None,
        recorder: Recorder | None = None,
    ) -> list[FinishedAction] | list[FinishedAction | WaitError | RequestError]:
        """Wait for operations and for the work that references name, as `wait_for_actions` does.

        Takes one or several, each an `Operation` or a reference as `operation` takes it.
        `not_found_grace` is 10 s by default, and 60 s for an export, an import or a backup.
        """
        wanted: list[Operation] = []
        by_ref: dict[str | None, Operation] = {}
        for each in operations:
            if isinstance(each, Operation):
                wanted.append(each)
            elif isinstance(each, str):
                operation = self.operation(each)
                wanted.append(by_ref.setdefault(operation.ref, operation))
            else:
                refuse_unawaited(*operations)
                raise UsageError(f"{each!r:.100} is neither an Operation nor a reference")
        _check_some(wanted, "operations", allow_empty=allow_empty)
        waiting = partial(
            Operation.wait,
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
            hold=hold,
            until=until,
            recorder=recorder,
        )
        return await wait_for_all(wanted, waiting, settle=settle)


def moved_operation(operation: Operation[_R], client: ActionsClient) -> Operation[_R]:
    """Return an operation as one of another client of the same cluster."""
    parts = client._parts  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - of this module
    return operation_on(operation, parts)


def _action_reference(uid: str, call: str) -> Reference:
    """Return the reference to an action. Raises `UsageError`, which names the `call` to use."""
    quoted_uid(uid)
    if is_reference(uid):
        raise UsageError(
            f"{uid!r} is a reference, not the uid of an action: use {call.format(uid)}"
        )
    return Reference(ReferenceKind.ACTION, action_uid(uid))


def _check_some(wanted: Sequence[object], name: str, *, allow_empty: bool) -> None:
    """Raise `UsageError` for an empty set, unless it is allowed."""
    if not wanted and not allow_empty:
        raise UsageError(f"{name} is empty: pass allow_empty=True if that is no mistake")
