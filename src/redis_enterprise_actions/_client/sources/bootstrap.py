"""Endpoint of the bootstrap of a node: the installed machine becomes part of a cluster.

Each node answers for itself, without credentials until it is part of an active cluster.

Vendor pages: requests/bootstrap, objects/bootstrap.
"""

from __future__ import annotations

from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from redis_enterprise_actions._client.http.node_requests import NodeRequests
from redis_enterprise_actions._client.http.nodes import find_node, host_of
from redis_enterprise_actions._client.http.redaction import without_secrets
from redis_enterprise_actions._client.protocols import NO_LIST
from redis_enterprise_actions._client.wire.bootstrap import read_bootstrap
from redis_enterprise_actions._client.wire.conditions import condition_action
from redis_enterprise_actions._model.action import Phase
from redis_enterprise_actions._model.errors import UntrustedCertificate, UsageError
from redis_enterprise_actions._model.reference import Reference, ReferenceKind

from .bootstrap_runs import is_idle, match_run
from .not_found import is_missing


if TYPE_CHECKING:
    from datetime import datetime

    from yarl import URL

    from redis_enterprise_actions._client.http.messages import Reply, Request
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import Gate, ListResult, Wanted
    from redis_enterprise_actions._model.action import Action, AmbiguousAnswer
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.secret import Secret

PATH: Final = "/v1/bootstrap"  # the page's table has a typo: /v1/boostrap is answered 404
_GOES_ON: Final = (
    "The node had another certificate before; its bootstrap goes on, and a new wait can follow it"
)


class BootstrapApi:
    """Status source for the bootstraps of nodes. No list holds them."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.requests = NodeRequests(transport)
        self._idle_at: dict[URL, datetime] = {}  # by the clock of the node
        self._secrets: dict[URL, tuple[Secret, ...]] = {}  # in the body of the last call

    def path(self, _: Reference) -> str:
        """Return the path of a node's bootstrap, the same on all nodes."""
        return PATH

    def node_of(self, ref: Reference) -> URL:
        """Return the node that a reference names: by the host of its URL, or the first one.

        Raises `UsageError` unless exactly one URL of the client fits.
        """
        urls = self.transport.nodes.urls
        return find_node(urls, ref.uid) if ref.uid else urls[0]

    def reference(self, node: str | None) -> Reference:
        """Return the reference of the bootstrap of a node. Raises `UsageError`.

        Without one, that is the first node, by its name if the client has several.
        """
        if node is None:
            return Reference(ReferenceKind.BOOTSTRAP, self._first_name())
        if not isinstance(node, str):
            raise UsageError(f"node={node!r:.100} is not the host of one of the client's URLs")
        ref = Reference(ReferenceKind.BOOTSTRAP, node.strip())
        if not ref.uid:
            raise UsageError("node= is empty")
        self.node_of(ref)
        return ref

    def _first_name(self) -> str:
        """Return the name of the first node, or "" if it is the only one, or has no name alone."""
        first, *others = self.transport.nodes.urls
        name, other_names = host_of(first), {host_of(url) for url in others}
        if name in other_names:
            name, other_names = f"{name}:{first.port}", {f"{host_of(u)}:{u.port}" for u in others}
        return "" if not others or name in other_names else name

    async def post(self, ref: Reference | None, request: Request) -> Reply:
        """Send a call about the bootstrap of a node, once; see `NodeRequests.post`.

        What the node says from then on is shown without the secrets in the body.
        """
        node = self.node_of(ref or Reference(ReferenceKind.BOOTSTRAP, ""))
        self._secrets[node] = request.secrets
        return await self.requests.post(node, request)

    async def fetch(
        self, ref: Reference, last: Action | None, gate: Gate | None = None
    ) -> Action | AmbiguousAnswer | None:
        """Return the state of a node's bootstrap; that it is idle is ambiguous."""
        found = await self.look(ref, last, gate)
        if found is None:
            return None
        if ref.condition is not None:
            state = f"its bootstrap is in the state {found.status}"
            return condition_action(ref, [] if is_idle(found) else [state])
        return match_run(found, ref, last, self._idle_at.get(self.node_of(ref)))

    async def look(
        self, ref: Reference, last: Action | None = None, gate: Gate | None = None
    ) -> Action | None:
        """Return the state of a node's bootstrap, or None if the node has no such route.

        Raises `UntrustedCertificate` with a hint if the certificate has changed since `last`.
        """
        node = self.node_of(ref)
        try:
            found, date = await self.requests.get(
                node, PATH, decode=partial(_decode, ref), gate=gate
            )
        except UntrustedCertificate as error:
            if last is None:
                raise
            changed, cause = copy(error), error.__cause__
            changed.hint = _GOES_ON
        else:
            if found is None:
                return None
            if is_idle(found):
                self.requests.forget_demand(node)
                if date is not None:
                    self._idle_at[node] = date
            return _redacted(found, self._secrets.get(node, ()))
        raise changed from cause

    async def fetch_many(self, _: Wanted, __: Gate | None) -> ListResult:
        """Return that there is no list."""
        return NO_LIST

    async def verify(self, _: Reference, __: WaitError, ___: Gate | None) -> Action | None:
        """Return None: nothing else tells how a bootstrap has ended."""
        return None


def _decode(ref: Reference, reply: Reply) -> tuple[Action | None, datetime | None]:
    found = None if is_missing(reply, PATH) else read_bootstrap(reply.body, ref, PATH)
    return found, reply.date


def _redacted(action: Action, secrets: tuple[Secret, ...]) -> Action:
    """Return a bootstrap without secrets in the node's words."""
    is_known = action.phase is not Phase.UNKNOWN
    return replace(
        action,
        status=action.status if is_known else without_secrets(secrets, action.status) or "",
        error_code=without_secrets(secrets, action.error_code),
        error=without_secrets(secrets, action.error),
    )
