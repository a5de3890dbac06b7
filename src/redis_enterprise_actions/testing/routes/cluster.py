"""Routes of the cluster's own objects: its settings and its license.

Vendor pages: requests/cluster, objects/cluster, requests/license. The answers have a part of the
fields that were seen on clusters. The license is a trial, as that of a new cluster, but for more
shards, and without a key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from redis_enterprise_actions.testing.settings import is_since


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.settings import ClusterSettings
    from redis_enterprise_actions.testing.state.databases import DatabaseRegistry

_TRIAL: Final = 30 * 86400.0  # seconds


class ClusterRoutes:
    """Routes of the cluster's settings and its license."""

    def __init__(
        self, settings: ClusterSettings, databases: DatabaseRegistry, clock: Clock
    ) -> None:
        self._settings = settings
        self._databases = databases
        self._clock = clock

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/v1/cluster", self._cluster)
        app.router.add_get("/v1/license", self._license)

    async def _cluster(self, _: web.Request) -> web.Response:
        shown: dict[str, object] = {
            "name": self._settings.name,
            "created_time": self._clock.iso_time(self._clock.started_at),
            "block_cluster_changes": False,
            "cm_port": 8443,
            "cnm_http_port": 8080,
            "cnm_https_port": 9443,
            "email_alerts": False,
            "handle_redirects": self._settings.handle_redirects,
            "http_support": True,
            "min_control_TLS_version": "1.2",
            "password_complexity": False,
            "rack_aware": False,
            "slave_ha": True,
            "upgrade_in_progress": False,
            "upgrade_mode": False,
        }
        if is_since(self._settings.version, "8.2"):
            shown["control_plane_basic_authentication"] = self._settings.basic
            shown["allow_modules_upload"] = self._settings.allow_modules_upload
        return web.json_response(shown)

    async def _license(self, _: web.Request) -> web.Response:
        now, began_at = self._clock.now(), self._clock.started_at
        return web.json_response(
            {
                "license": "",
                "key": "",
                "cluster_name": None,
                "owner": None,
                "activation_date": self._clock.iso_time(began_at),
                "expiration_date": self._clock.iso_time(began_at + _TRIAL),
                "expired": now - began_at >= _TRIAL,
                "features": ["trial", "bigstore"],
                "shards_limit": 100,
                "ram_shards_in_use": sum(
                    len(database.shard_list(now)) for database in self._databases.list_shown()
                ),
                "ram_shards_limit": None,
                "flash_shards_in_use": 0,
                "flash_shards_limit": None,
            }
        )
