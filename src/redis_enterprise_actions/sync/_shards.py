"""Synchronous `Shards`. `python -m tests.sync_classes` writes this module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions._client.pacing.durations import DEFAULT_OUTAGE_TIMEOUT

from ._operation import Operation


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from redis_enterprise_actions import Database, Duration
    from redis_enterprise_actions._client.operation import Untracked

    from ._link import Link


class Shards:
    """Shards of a cluster: `client.shards`. See `Databases` for the arguments."""

    __slots__ = ("_link",)

    def __init__(self, link: Link) -> None:
        self._link = link

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def migrate(
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
        return Operation(
            self._link.start(
                lambda client, _: client.shards.migrate(
                    shard_uids,
                    target_node_uid,
                    settings,
                    dry_run=dry_run,
                    params=params,
                    headers=headers,
                    busy_timeout=busy_timeout,
                    outage_timeout=outage_timeout,
                    request_timeout=request_timeout,
                    untracked=untracked,
                )
            )
        )

    def fail_over(
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
        return Operation(
            self._link.start(
                lambda client, _: client.shards.fail_over(
                    shard_uids,
                    settings,
                    dry_run=dry_run,
                    params=params,
                    headers=headers,
                    busy_timeout=busy_timeout,
                    outage_timeout=outage_timeout,
                    request_timeout=request_timeout,
                    untracked=untracked,
                )
            )
        )
