"""Routes that tell whether a database, or its endpoint on a node, is available.

Vendor pages: requests/bdbs/availability, monitoring/db-availability. The code of a lag-aware check
that fails is that of its page, `bdb_unavailable`; a client's developers saw it on 8.0.22, and that
only members of an Active-Active database pass such a check there, which is not so here. That the
endpoint's route is as old as the database's is a guess.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import error_response, query_number
from redis_enterprise_actions.testing.settings import is_since
from redis_enterprise_actions.testing.state.availability import LAG_TOLERANCE, UNAVAILABLE


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.server.nodes import NodeServers
    from redis_enterprise_actions.testing.settings import Version
    from redis_enterprise_actions.testing.state.availability import Availability
    from redis_enterprise_actions.testing.state.databases import DatabaseRegistry

_LAGGING: Final = "bdb_unavailable"


class AvailabilityRoutes:
    """Routes of the availability of databases."""

    def __init__(
        self,
        databases: DatabaseRegistry,
        availability: Availability,
        nodes: NodeServers,
        *,
        version: Version,
    ) -> None:
        self._databases = databases
        self._availability = availability
        self._nodes = nodes
        self._version = version

    def add_to(self, app: web.Application) -> None:
        if is_since(self._version, "7.8"):
            path = "/v1/bdbs/{bdb_uid}/availability"
            app.router.add_get(path, partial(self._check, _LAGGING))
            path = "/v1/local/bdbs/{bdb_uid}/endpoint/availability"
            app.router.add_get(path, partial(self._check, UNAVAILABLE))

    async def _check(self, lagging: str, request: web.Request) -> web.Response:
        """Answer with an empty body if the database is available, as seen on clusters.

        It is unknown until the cluster shows it; its availability shows without delay.
        """
        tolerance = query_number(request, "availability_lag_tolerance_ms")
        if self._nodes.primary is None:
            raise error_response(503, "no_quorum", "there is no quorum in the cluster")
        try:
            database = self._databases.get_shown(request.match_info["bdb_uid"])
        except web.HTTPNotFound:
            raise error_response(404, "db_not_found", "no such database") from None
        error = self._availability.error(database.uid)
        if error is not None:
            raise error_response(503, error, "the database is not available")
        extended = "lag" in request.query.get("extend_check", "").split(",")
        allowed = LAG_TOLERANCE if tolerance is None else tolerance
        if extended and self._availability.is_lagging(database.uid, allowed):
            raise error_response(503, lagging, "the replicas of the database lag")
        return web.Response(content_type="text/html")
