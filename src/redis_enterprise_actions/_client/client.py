"""The desk: `ActionsClient`, which joins the rooms below and is what users hold."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal, cast

from redis_enterprise_actions._client.config.environment import options_from_env
from redis_enterprise_actions._client.http.auth import as_secret, authenticator_for
from redis_enterprise_actions._client.http.nodes import NodePool
from redis_enterprise_actions._client.http.tls import tls_settings
from redis_enterprise_actions._client.http.transport import Transport
from redis_enterprise_actions._client.pacing.durations import seconds
from redis_enterprise_actions._client.pacing.retry import RetryBudget, retry_for
from redis_enterprise_actions._client.polling.poller import Poller
from redis_enterprise_actions._client.resources.calls import Calls
from redis_enterprise_actions._client.resources.waits import Waits
from redis_enterprise_actions._client.sources.paths import checked_uid, quoted_uid
from redis_enterprise_actions._client.sources.registry import StatusSources
from redis_enterprise_actions._client.submit.submitter import Submitter
from redis_enterprise_actions._model.errors import ActionNotFound, RequestError
from redis_enterprise_actions._model.reference import Reference, ReferenceKind, parse_reference

from .operation import Desk


if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence
    from datetime import timedelta
    from types import TracebackType
    from typing import Self

    import aiohttp

    from redis_enterprise_actions._client.http.auth import TokenSource
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.record import Observer


_CALL_PATIENCE: Final = 10.0  # seconds for which a single call asks again


class ActionsClient(Waits, Calls):
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
    `ca_cert`; or it must have the SHA-256 `fingerprint`, in hexadecimal digits, and nothing else
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
        ca_cert: str | os.PathLike[str] | None = None,
        fingerprint: str | None = None,
        verify: bool = True,
        trusted_hosts: Iterable[str] = (),
        session: aiohttp.ClientSession | None = None,
        request_timeout: float | timedelta = 30.0,
    ) -> None:
        several = isinstance(url, (list, tuple))
        urls = [as_secret(each) for each in cast("list[str]", url if several else [url])]
        patience = seconds(request_timeout, "request_timeout")
        self._transport = Transport(
            NodePool(urls, trusted_hosts),
            authenticator=authenticator_for(
                username, as_secret(password), as_secret(token), auth=auth, timeout=patience
            ),
            tls=tls_settings(
                verify=verify,
                ca_cert=ca_cert,
                fingerprint=fingerprint,
                client_cert=client_cert,
                client_key=client_key,
            ),
            session=session,
            request_timeout=patience,
        )
        self._sources = StatusSources(self._transport)
        self._poller = Poller(self._sources, requests_sent=lambda: self._transport.requests_sent)
        self._submitter = Submitter(self._transport, self._sources)
        self._desk = Desk(self._poller, self._submitter)

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
        request_timeout: float | timedelta = 30.0,
    ) -> Self:
        """Make a client from the environment; what is passed in goes before it.

        Takes the arguments of `ActionsClient`. Reads `REDIS_ENTERPRISE_URL` (one or several, with
        spaces between them), `REDIS_ENTERPRISE_TRUSTED_HOSTS` (likewise), `REDIS_ENTERPRISE_USER`,
        `REDIS_ENTERPRISE_PASSWORD`, `REDIS_ENTERPRISE_AUTH` (`basic` or `jwt`),
        `REDIS_ENTERPRISE_TOKEN`, `REDIS_ENTERPRISE_CLIENT_CERT`, `REDIS_ENTERPRISE_CLIENT_KEY`,
        `REDIS_ENTERPRISE_CA_CERT` (paths of PEM files), `REDIS_ENTERPRISE_FINGERPRINT` and
        `REDIS_ENTERPRISE_INSECURE` (`true`, `1`, `yes` or `on` switches verification off; the CA
        and the fingerprint are then not used). Raises `UsageError` if they do not suffice.
        """
        given = {
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
        }
        options = options_from_env(given)
        return cls(**options, session=session, request_timeout=request_timeout)

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
        return f"{type(self).__name__}({', '.join(map(repr, self.urls))})"

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs of the cluster's nodes, as the client was given them."""
        return tuple(str(url) for url in self._transport.nodes.urls)

    def observe(self, observer: Observer) -> None:
        """Tell `observer` of each wait that begins on this client from now on.

        It is called as a wait begins, in the context of whoever waits, with its `Record`, which is
        still empty, and returns a function, which is called with the `Record` as it ends, however
        that is. What either raises is logged, and ends no wait.
        """
        self._desk.observers.append(observer)

    async def aclose(self) -> None:
        """Close the session that the client made. A closed client raises `ClientClosed`.

        So do the waits that are still running.
        """
        await self._poller.close()
        await self._transport.close()

    async def list_actions(self, *, bdb_uid: int | None = None) -> list[Action]:
        """Return all actions that the cluster knows: running, pending and remembered ones.

        With `bdb_uid`, only those on that database; v1 lists its state machines alone. Where
        the cluster has /v2/actions (7.22 and newer), imports, exports and backups are among
        them. Raises `RequestError`.

        Source: GET /v1/actions, /v1/actions/bdb/{bdb_uid}, /v2/actions. Needs the permission
        `view_status_of_cluster_action`.
        """
        return await retry_for(_CALL_PATIENCE, self._sources.actions.list_actions, bdb_uid)

    async def get_action(self, uid: str) -> Action:
        """Return one action as it is now. `uid` is an `action_uid` or a `task_id`.

        Raises `ActionNotFound` if the cluster does not know it, and `RequestError`.

        Source: GET /v1/actions/{uid}, /v2/actions/{uid}.
        """
        quoted_uid(uid)
        began = asyncio.get_running_loop().time()
        tries: RetryBudget | None = None
        while True:  # as `patiently` does, with one step less
            try:
                found = await self._sources.actions.find_action(uid)
            except RequestError as error:
                tries = tries or RetryBudget(_CALL_PATIENCE, began)
                pause = tries.pause_after(error)
                if pause is None:
                    raise
            else:
                return _known(found, Reference(ReferenceKind.ACTION, uid), began)
            await asyncio.sleep(pause)

    async def list_node_actions(self, *, node_uid: int | None = None) -> list[Action]:
        """Return the actions of all nodes, or of one: those that run, and remembered results.

        Their `uid` is a reference, as they have none of their own. Raises `RequestError`.

        Source: GET /v1/nodes/actions, /v1/nodes/{uid}/actions. Needs the permission
        `view_status_of_all_node_actions`, or `view_status_of_node_action`.
        """
        uid = None if node_uid is None else checked_uid(node_uid, "node")
        return await retry_for(
            _CALL_PATIENCE, self._sources.node_actions.list_actions, ReferenceKind.NODE, uid
        )

    async def get_node_action(self, node_uid: int, action: str) -> Action:
        """Return an action of a node as it is now, or the result of its last run.

        Raises `ActionNotFound` if there is neither, and `RequestError`.

        Source: GET /v1/nodes/{uid}/actions/{action}. Needs the permission
        `view_status_of_node_action`.
        """
        return await self._get_by(parse_reference(f"node:{checked_uid(node_uid, 'node')}/{action}"))

    async def list_cluster_actions(self) -> list[Action]:
        """Return the actions of the cluster, such as `change_master`; as `list_node_actions`.

        Source: GET /v1/cluster/actions. Needs the permission `view_status_of_cluster_action`.
        """
        return await retry_for(
            _CALL_PATIENCE, self._sources.node_actions.list_actions, ReferenceKind.CLUSTER
        )

    async def get_cluster_action(self, action: str) -> Action:
        """Return an action of the cluster as it is now; as `get_node_action`.

        Source: GET /v1/cluster/actions/{action}.
        """
        return await self._get_by(parse_reference(f"cluster:{action}"))

    async def list_crdb_tasks(self) -> list[Action]:
        """Return the tasks of Active-Active databases: those that run, at least.

        Raises `RequestError`.

        Source: GET /v1/crdb_tasks. Needs the permission `view_crdb_task_list`.
        """
        return await retry_for(_CALL_PATIENCE, self._sources.crdb_tasks.list_tasks)

    async def get_crdb_task(self, task_id: str) -> Action:
        """Return one task of an Active-Active database as it is now.

        Raises `ActionNotFound` if the cluster does not know it, or not any more (results are kept
        for 500 s unless told otherwise), and `RequestError`.

        Source: GET /v1/crdb_tasks/{id}. Needs the permission `view_crdb_task`.
        """
        quoted_uid(task_id)
        return await self._get_by(Reference(ReferenceKind.CRDB, task_id))

    async def _get_by(self, ref: Reference) -> Action:
        began = asyncio.get_running_loop().time()
        found = await retry_for(_CALL_PATIENCE, self._sources.fetch_certain, ref)
        return _known(found, ref, began)


def _known(found: Action | None, ref: Reference, began: float) -> Action:
    if found is None:
        elapsed = asyncio.get_running_loop().time() - began
        raise ActionNotFound(ref.name, ref=str(ref), action=None, elapsed=elapsed, polls=1)
    return found
