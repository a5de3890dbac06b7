"""Shards: calls that move them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions._client.pacing.durations import DEFAULT_OUTAGE_TIMEOUT
from redis_enterprise_actions._client.sources.paths import checked_uid
from redis_enterprise_actions._model.errors import UsageError

from .resource import Resource, as_list, merge


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from redis_enterprise_actions._client.operation import Operation, Untracked
    from redis_enterprise_actions._client.pacing.durations import Duration
    from redis_enterprise_actions._model.objects import Database


class Shards(Resource):
    """Shards of a cluster: `client.shards`. See `Databases` for the arguments."""

    async def migrate(
        self,
        shard_uids: Iterable[int | str],
        target_node_uid: int,
        settings: Mapping[str, object] | None = None,
        *,
        dry_run: bool = False,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[Database | None]:
        """Move shards to a node.

        Source: POST /v1/shards/actions/migrate (shards/actions/migrate). Needs the permission
        `migrate_shard`.
        """
        return await self._parts.start(
            "POST",
            "/v1/shards/actions/migrate",
            _body(
                settings,
                shard_uids,
                {"target_node_uid": checked_uid(target_node_uid, "node")},
                dry_run=dry_run,
            ),
            params=params,
            headers=headers,
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )

    async def fail_over(
        self,
        shard_uids: Iterable[int | str],
        settings: Mapping[str, object] | None = None,
        *,
        dry_run: bool = False,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        busy_timeout: Duration | None = 0.0,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        request_timeout: Duration | None = None,
        untracked: Untracked = "refused",
    ) -> Operation[Database | None]:
        """Make the replicas of primary shards, all of one database, the primaries. Since 7.8.2.

        Source: POST /v1/shards/actions/failover (shards/actions/failover). Needs the permission
        `failover_shard`.
        """
        return await self._parts.start(
            "POST",
            "/v1/shards/actions/failover",
            _body(settings, shard_uids, {}, dry_run=dry_run),
            params=params,
            headers=headers,
            busy_timeout=busy_timeout,
            outage_timeout=outage_timeout,
            request_timeout=request_timeout,
            untracked=untracked,
        )


def _body(
    settings: Mapping[str, object] | None,
    shard_uids: Iterable[int | str],
    own: Mapping[str, object],
    *,
    dry_run: bool,
) -> dict[str, object]:
    """Return the body of a call, which has the uids of shards as strings."""
    uids = [_uid_text(uid) for uid in as_list(shard_uids, "shard_uids")]
    dry = {"dry_run": True} if dry_run else {}
    return merge(settings, "settings", {"shard_uids": uids, **own, **dry})


def _uid_text(uid: int | str) -> str:
    text = str(uid).strip() if isinstance(uid, int | str) and not isinstance(uid, bool) else ""
    if not text:
        raise UsageError(f"{uid!r:.100} is not the uid of a shard, such as 1")
    return text
