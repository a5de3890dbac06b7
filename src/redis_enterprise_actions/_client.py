"""The desk: `ActionsClient`, which joins the rooms below and is what users hold."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal, TypedDict, TypeVar, cast, overload

from ._access import access_of, hidden
from ._environment import Masked, complete
from ._errors import ActionNotFound, RequestError, UsageError, WaitError
from ._hub import Asking, Hub
from ._nodes import Nodes
from ._pace import patiently, seconds
from ._routes import Routes, segment
from ._tls import tls
from ._transport import Transport
from ._wait import Limits, Wait
from ._watch import watch


if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import timedelta
    from types import TracebackType
    from typing import Self, Unpack

    import aiohttp
    from tenacity.wait import WaitBaseT

    from ._access import TokenSource
    from ._action import Action
    from ._environment import Arguments, Given

_T = TypeVar("_T")

_CALL_PATIENCE: Final = 10.0  # seconds for which a single call asks again


class _Durations(TypedDict, total=False):
    timeout: float | timedelta | None
    stall_timeout: float | timedelta | None
    outage_timeout: float | timedelta | None
    not_found_grace: float | timedelta


class WaitOptions(_Durations, total=False):
    """What `wait_for_actions` hands to each wait; see `ActionsClient.wait_for_action`."""

    poll: WaitBaseT | None
    on_progress: Callable[[Action], object] | None


class ActionsClient:
    """Asks one Redis Software cluster about its actions, and waits for them.

    `url` is the cluster's REST API, such as `https://cluster.example.com:9443`, or a list of the
    URLs of its nodes: the client sticks to one that answers, and turns to the next when it does
    not. A node that redirects to another is followed if that is one of them, or its host (`host` or
    `host:port`) is one of `trusted_hosts`.

    One of these proves who we are, and goes to those nodes only:

    - `username` and `password`, a cluster user's, with HTTP Basic authentication, or, with
      `auth="jwt"`, for tokens that the cluster grants and the client renews in time;
    - `token`, a token, or a function or coroutine function that returns one. It is called for
      the first token, when a token that tells its lifetime is nearing its end, and when the
      cluster refuses one, in no particular context. What it raises reaches whoever asked, but for
      an `OSError`, which is a request that failed. It is sent as `JWT ...` unless it brings another
      scheme along;
    - `client_cert`, a PEM file with a client certificate, whose key is in there or in `client_key`.

    The cluster's certificate is verified against the system's CAs, or those in the PEM file
    `ca_file`; or it must have the SHA-256 `fingerprint`, in hexadecimal digits, and nothing else
    of it matters; or, with `verify=False`, it is not verified, which is logged as a warning.

    `request_timeout` is what one request may take, in seconds; of several nodes each is given a
    share of it, as long as there is another one to ask. All waits on a client share one poll loop:
    use one client for each cluster. A `session` that is passed in stays open; one that
    the client makes is closed by `aclose`, or by leaving `async with`.

    Raises `UsageError` for settings that cannot work.

    Source: requests/users/authorize, requests/users/refresh_jwt.
    """

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
        ca_file: str | os.PathLike[str] | None = None,
        fingerprint: str | None = None,
        verify: bool = True,
        trusted_hosts: Iterable[str] = (),
        session: aiohttp.ClientSession | None = None,
        request_timeout: float | timedelta = 30.0,
    ) -> None:
        several = isinstance(url, (list, tuple))
        urls = [hidden(each) for each in cast("list[str]", url if several else [url])]
        hidden_password, hidden_token = hidden(password), hidden(token)
        del url, password, token  # which a traceback that shows variables would show
        patience = seconds(request_timeout, "request_timeout")
        self._transport = Transport(
            Nodes(urls, trusted_hosts),
            access=access_of(username, hidden_password, hidden_token, auth=auth, patience=patience),
            tls=tls(
                verify=verify,
                ca_file=ca_file,
                fingerprint=fingerprint,
                client_cert=client_cert,
                client_key=client_key,
            ),
            session=session,
            request_timeout=patience,
        )
        self._routes = Routes(self._transport)
        self._hub = Hub(
            Asking(
                one=self._routes.find_action,
                many=self._routes.find_actions,
                settle=self._routes.settle,
                sent=lambda: self._transport.sent,
            )
        )

    @classmethod
    def from_env(cls, **given: Unpack[Given]) -> Self:
        """Make a client from the environment; what is passed in goes before it.

        Takes the arguments of `ActionsClient` but for `session` and `request_timeout`. Reads
        `REDIS_ENTERPRISE_URL` (one or several, with spaces between them),
        `REDIS_ENTERPRISE_TRUSTED_HOSTS` (likewise), `REDIS_ENTERPRISE_USER`,
        `REDIS_ENTERPRISE_PASSWORD`, `REDIS_ENTERPRISE_AUTH` (`basic` or `jwt`),
        `REDIS_ENTERPRISE_TOKEN`, `REDIS_ENTERPRISE_CLIENT_CERT`, `REDIS_ENTERPRISE_CLIENT_KEY`,
        `REDIS_ENTERPRISE_CA_CERT` (paths of PEM files), `REDIS_ENTERPRISE_FINGERPRINT` and
        `REDIS_ENTERPRISE_INSECURE` (`true`, `1`, `yes` or `on` switches verification off, and
        neither the CA's file nor the fingerprint is then looked at). Raises `UsageError` where
        they do not suffice.
        """
        settings = Masked(given)
        # A traceback that shows variables would show them.
        cast("dict[str, object]", given).clear()
        complete(settings)
        return cls(**cast("Arguments", settings))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        nodes = ", ".join(repr(str(url)) for url in self._transport.nodes.urls)
        return f"{type(self).__name__}({nodes})"

    async def aclose(self) -> None:
        """Close the session that the client made. A closed client raises `ClientClosed`.

        So do the waits that are still running.
        """
        await self._hub.close()
        await self._transport.close()

    async def list_actions(self, *, bdb_uid: int | None = None) -> list[Action]:
        """Return all actions that the cluster knows: running, pending and remembered ones.

        With `bdb_uid`, only those on that database; v1 lists its state machines alone. Where
        the cluster has /v2/actions (7.22 and newer), imports, exports and backups are among
        them. Raises `RequestError`.

        Source: GET /v1/actions, /v1/actions/bdb/{bdb_uid}, /v2/actions. Needs the permission
        `view_status_of_cluster_action`.
        """
        return await patiently(_CALL_PATIENCE, self._routes.list_actions, bdb_uid)

    async def get_action(self, uid: str) -> Action:
        """Return one action as it is now. `uid` is an `action_uid` or a `task_id`.

        Raises `ActionNotFound` if the cluster does not know it, and `RequestError`.

        Source: GET /v1/actions/{uid}, /v2/actions/{uid}.
        """
        began = asyncio.get_running_loop().time()
        action = await patiently(_CALL_PATIENCE, self._routes.find_action, uid)
        if action is None:
            elapsed = asyncio.get_running_loop().time() - began
            raise ActionNotFound(uid, action=None, elapsed=elapsed, polls=1)
        return action

    def watch_action(
        self,
        uid: str,
        *,
        timeout: float | timedelta | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: float | timedelta | None = None,
        outage_timeout: float | timedelta | None = 300.0,
        not_found_grace: float | timedelta = 10.0,
    ) -> AsyncIterator[Action]:
        """Iterate over an action's life: the first answer, each change, the end last.

        Takes the arguments of `wait_for_action` and raises what it raises, except that an
        action which failed, was cancelled or was aborted is yielded like any other.
        """
        wait = self._wait(
            uid,
            poll,
            on_progress,
            timeout=timeout,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
        )
        return watch(self._hub, wait, on_progress=on_progress)

    async def wait_for_action(
        self,
        uid: str,
        *,
        timeout: float | timedelta | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: float | timedelta | None = None,
        outage_timeout: float | timedelta | None = 300.0,
        not_found_grace: float | timedelta = 10.0,
    ) -> Action:
        """Wait until the action has completed, and return it.

        `uid` is an `action_uid` or a `task_id`. Durations are seconds or `timedelta`s, and None
        is endless:

        - `timeout` covers the whole wait. At the deadline the cluster is asked once more.
        - `stall_timeout`: how long nothing about the action may move.
        - `outage_timeout`: how long there may be no usable answer, from the first request that
          got none.
        - `not_found_grace`: how long it may not know the action yet, right after it began.

        `poll` is a tenacity wait strategy, by default `AimedWait()`. Several waits on one client
        share their requests, at most three a second. `on_progress` is called, and awaited if it
        returns an awaitable, with the first answer, each change and the end; what it raises
        ends the wait.

        Raises `ActionFailed`, `ActionCancelled`, `ActionAborted`, `ActionNotFound`,
        `ActionVanished`, `ActionStalled` and `WaitTimeout`, all `WaitError`s; `RequestError` if
        the cluster cannot be asked; `UsageError` and `ClientClosed`. Cancelling the task that
        awaits this leaves the action on the cluster alone.
        """
        wait = self._wait(
            uid,
            poll,
            on_progress,
            timeout=timeout,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
        )
        async for _ in watch(self._hub, wait, on_progress=on_progress, every=False):
            pass
        return wait.result(asyncio.get_running_loop().time())

    @overload
    async def wait_for_actions(
        self,
        uids: Iterable[str],
        *,
        settle: Literal[False] = False,
        **options: Unpack[WaitOptions],
    ) -> list[Action]: ...

    @overload
    async def wait_for_actions(
        self, uids: Iterable[str], *, settle: Literal[True], **options: Unpack[WaitOptions]
    ) -> list[Action | WaitError | RequestError]: ...

    async def wait_for_actions(
        self, uids: Iterable[str], *, settle: bool = False, **options: Unpack[WaitOptions]
    ) -> list[Action] | list[Action | WaitError | RequestError]:
        """Wait for several actions at once; return them in the order given.

        The first failure is raised and ends the other waits, not their work on the cluster. With
        `settle=True` each is followed to its end, and the list holds the `Action`, or the
        `WaitError` or `RequestError` that ended its wait.

        Takes the arguments of `wait_for_action`, which hold for each wait, and raises what it
        raises. `on_progress` serves all of them; each `Action` carries its `uid`.
        """
        if isinstance(uids, str) or not isinstance(uids, Iterable):
            raise UsageError(f"uids={uids!r} is not several; for one there is wait_for_action")
        wanted = list(uids)
        for uid in wanted:
            segment(uid)
        follow = self._settled if settle else self.wait_for_action
        tasks = {
            uid: asyncio.create_task(follow(uid, **options), name=f"wait for {uid}")
            for uid in dict.fromkeys(wanted)
        }
        return await _first_failure_or_all(tasks, wanted)

    async def _settled(
        self, uid: str, **options: Unpack[WaitOptions]
    ) -> Action | WaitError | RequestError:
        try:
            return await self.wait_for_action(uid, **options)
        except (WaitError, RequestError) as error:
            return error

    def _wait(
        self,
        uid: str,
        poll: WaitBaseT | None,
        on_progress: Callable[[Action], object] | None,
        **limits: Unpack[_Durations],
    ) -> Wait:
        """Check the arguments; return a wait that begins now."""
        segment(uid)
        if poll is not None and (not callable(poll) or isinstance(poll, type)):
            raise UsageError(f"poll={poll!r} is not a tenacity wait strategy")
        if on_progress is not None and not callable(on_progress):
            raise UsageError(f"on_progress={on_progress!r} cannot be called")
        now = asyncio.get_running_loop().time()
        return Wait(uid, limits=_limits(limits), poll=poll, now=now)


async def _first_failure_or_all(tasks: dict[str, asyncio.Task[_T]], wanted: list[str]) -> list[_T]:
    """Return the results in the order wanted, or raise what failed first; leave no task."""
    try:
        if tasks:
            await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks.values():
            if task.done():
                task.result()
        return [tasks[uid].result() for uid in wanted]
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


def _limits(durations: _Durations) -> Limits:
    given = cast("dict[str, float | timedelta | None]", durations)
    return Limits(**{name: seconds(value, name) for name, value in given.items()})
