"""The desk: `ActionsClient`, which joins the rooms below and is what users hold."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal, TypedDict, TypeVar, cast, overload

from ._errors import ActionNotFound, RequestError, UsageError, WaitError
from ._hub import Asking, Hub
from ._pace import patiently, seconds
from ._routes import Routes, segment
from ._transport import Credentials, Transport
from ._wait import Limits, Wait
from ._watch import watch


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import timedelta
    from types import TracebackType
    from typing import Self, Unpack

    import aiohttp
    from tenacity.wait import WaitBaseT

    from ._action import Action

_T = TypeVar("_T")

_CALL_PATIENCE: Final = 10.0  # seconds for which a single call asks again
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"", "0", "false", "no", "off"})


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

    `url` is the cluster's REST API, such as `https://cluster.example.com:9443`. `username` and
    `password` are a cluster user's, sent with HTTP Basic authentication to that URL only. The
    certificate is verified against the system's CAs, against those in the PEM file `ca_file`,
    or, with `verify=False`, not at all, which is logged as a warning. `request_timeout` is what
    one request may take, in seconds.

    All waits on a client share one poll loop: use one client for each cluster.

    A `session` that is passed in stays open; one that the client makes is closed by `aclose`,
    or by leaving `async with`.

    Raises `UsageError` for settings that cannot work.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        verify: bool = True,
        session: aiohttp.ClientSession | None = None,
        request_timeout: float | timedelta = 30.0,
    ) -> None:
        self._transport = Transport(
            url,
            credentials=_credentials(username, password),
            verify=verify,
            ca_file=ca_file,
            session=session,
            request_timeout=seconds(request_timeout, "request_timeout"),
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
    def from_env(
        cls,
        *,
        url: str | None = None,
        username: str | None = None,
        password: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        verify: bool | None = None,
    ) -> Self:
        """Make a client from the environment; what is passed in goes before it.

        Reads `REDIS_ENTERPRISE_URL`, `REDIS_ENTERPRISE_USER`, `REDIS_ENTERPRISE_PASSWORD`,
        `REDIS_ENTERPRISE_CA_CERT` (the path of a PEM file) and `REDIS_ENTERPRISE_INSECURE`
        (`true`, `1`, `yes` or `on` switches verification off, and the PEM file is then not
        looked at). Raises `UsageError` where they do not suffice.
        """
        url = url or os.environ.get("REDIS_ENTERPRISE_URL")
        if not url:
            raise UsageError("no cluster is given: REDIS_ENTERPRISE_URL is not set")
        if verify is None:
            verify = ca_file is not None or not _insecure_from_env()
        if verify and ca_file is None:
            ca_file = os.environ.get("REDIS_ENTERPRISE_CA_CERT") or None
        return cls(
            url,
            username=username or os.environ.get("REDIS_ENTERPRISE_USER") or None,
            password=password or os.environ.get("REDIS_ENTERPRISE_PASSWORD") or None,
            ca_file=ca_file,
            verify=verify,
        )

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
        return f"{type(self).__name__}({str(self._transport.url)!r})"

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
        - `outage_timeout`: how long the cluster may give no usable answer.
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


def _credentials(username: str | None, password: str | None) -> Credentials | None:
    if username is None and password is None:
        return None
    if username is None or password is None:
        raise UsageError("a user name and a password go together")
    return Credentials(username, password)


def _limits(durations: _Durations) -> Limits:
    given = cast("dict[str, float | timedelta | None]", durations)
    return Limits(**{name: seconds(value, name) for name, value in given.items()})


def _insecure_from_env() -> bool:
    said = os.environ.get("REDIS_ENTERPRISE_INSECURE", "").strip().casefold()
    if said not in _YES | _NO:
        raise UsageError(f"REDIS_ENTERPRISE_INSECURE={said!r} is neither true nor false")
    return said in _YES
