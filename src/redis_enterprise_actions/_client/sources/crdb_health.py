"""Replication of Active-Active databases, from the health reports of one or several clusters.

Vendor page: requests/crdbs/health_report.
"""

from __future__ import annotations

from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.protocols import NO_LIST
from redis_enterprise_actions._client.wire.conditions import condition_action
from redis_enterprise_actions._client.wire.crdb_health import read_health, replication_findings
from redis_enterprise_actions._model.errors import ClientClosed, RequestRejected, UsageError
from redis_enterprise_actions._model.reference import Condition, Reference, ReferenceKind

from .not_found import is_missing
from .paths import quoted_uid


if TYPE_CHECKING:
    from collections.abc import Iterable

    from yarl import URL

    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import Gate, ListResult, Wanted
    from redis_enterprise_actions._client.wire.crdb_health import HealthReport
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.errors import WaitError

_VIEW_CRDB: Final = "view_crdb"
_WITH: Final = "with="
_NUMBERED: Final = "~"
_MISSING: Final = "does not know the database"


class CrdbHealthApi:
    """Status source for the condition `replicating` of Active-Active databases."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._others: dict[str, Transport] = {}  # by the name in references

    def path(self, ref: Reference) -> str:
        """Return the path of the health report of a database."""
        return f"/v1/crdbs/{quoted_uid(ref.uid)}/health_report"

    def reference(self, guid: str, others: Iterable[Transport]) -> Reference:
        """Return the reference of a database that replicates, as these other clusters see it, too.

        Their transports are kept for the references that name their hosts. The second client of
        one host gets a number, so that each wait keeps its own client.
        """
        transports = list(others)
        hosts = {_host(each.nodes.urls[0]) for each in transports}
        own = next((host for host in map(_host, self.transport.nodes.urls) if host in hosts), None)
        if own is not None:
            raise UsageError(f"others= has a client of this cluster: {own}")
        names = list(dict.fromkeys(map(self._keep, transports)))
        settings = f",{_WITH}{'+'.join(names)}" if names else ""
        run = f"{Condition.REPLICATING.value}{settings}"
        return Reference(ReferenceKind.CRDB, guid, run)

    async def fetch(self, ref: Reference, _: Action | None, gate: Gate | None) -> Action | None:
        """Return the state of a database, or None if no cluster knows it.

        All clusters are asked for it. Raises `UsageError` for one that this client does not know,
        or whose client is closed.
        """
        others = self._others_of(ref)
        path = self.path(ref)
        answers = [await self._ask(self.transport, path, gate)]
        for name, transport in others.items():
            host = _host_in(name)
            try:
                answers.append(await self._ask(transport, path, gate))
            except ClientClosed:
                raise UsageError(f"the client of {host}, of others=, is closed") from None
            except RequestRejected as error:
                refused = copy(error)
                refused.hint = ". ".join(
                    filter(None, (f"This is the cluster at {host}", error.hint))
                )
                raise refused from error.__cause__
        missing = [
            f"{host} {_MISSING}"
            for host, answer in zip(["this cluster", *map(_host_in, others)], answers, strict=True)
            if answer is None
        ]
        if len(missing) == len(answers):
            return None
        known = [answer for answer in answers if answer is not None]
        return condition_action(ref, [*missing, *replication_findings(known)])

    async def fetch_many(self, _: Wanted, __: Gate | None) -> ListResult:
        """Return `NO_LIST`: no list shows the health of databases."""
        return NO_LIST

    async def verify(self, _: Reference, __: WaitError, ___: Gate | None) -> None:
        """Return None: only the health report tells."""

    def _keep(self, transport: Transport) -> str:
        """Keep a transport, in the place of a closed one. Return its name in references."""
        host = name = _host(transport.nodes.urls[0])
        number = 1
        while (known := self._others.get(name, transport)) is not transport and not known.is_closed:
            number += 1
            name = f"{host}{_NUMBERED}{number}"
        self._others[name] = transport
        return name

    def _others_of(self, ref: Reference) -> dict[str, Transport]:
        hosts = ref.settings.removeprefix(_WITH).split("+") if ref.settings else []
        unknown = [host for host in hosts if host not in self._others]
        if unknown:
            raise UsageError(
                f"this client has no credentials of {', '.join(unknown)}: use "
                "client.crdbs.wait_replicating(guid, others=[client of each other cluster])"
            )
        return {host: self._others[host] for host in hosts}

    async def _ask(
        self, transport: Transport, path: str, gate: Gate | None
    ) -> list[HealthReport] | None:
        decode = partial(_decode_health, path)
        return await transport.get(path, permission=_VIEW_CRDB, decode=decode, gate=gate)


def _decode_health(path: str, reply: Reply) -> list[HealthReport] | None:
    return None if is_missing(reply, path) else read_health(reply.body, path)


def _host(url: URL) -> str:
    """Return the host of a cluster, and its port, as references have them."""
    host = url.host or ""
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{url.port}"


def _host_in(name: str) -> str:
    """Return the host of a client that a reference names."""
    return name.partition(_NUMBERED)[0]
