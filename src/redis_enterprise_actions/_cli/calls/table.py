"""Table of the named calls. `python -m tests.named_calls` writes it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from .signatures import ArgumentKind, CallArgument, NamedCall


if TYPE_CHECKING:
    from collections.abc import Mapping

CALLS: Final[Mapping[str, tuple[NamedCall, ...]]] = MappingProxyType(
    {
        "databases": (
            NamedCall(
                name="create",
                method="create",
                summary="Create a database",
                arguments=(
                    CallArgument("config", ArgumentKind.OBJECT, "--data", required=True),
                    CallArgument("dry_run", ArgumentKind.SWITCH, "--dry-run", required=False),
                ),
            ),
            NamedCall(
                name="update",
                method="update",
                summary="Change settings of a database",
                arguments=(
                    CallArgument("bdb_uid", ArgumentKind.DATABASE, None, required=True),
                    CallArgument("changes", ArgumentKind.OBJECT, "--data", required=True),
                    CallArgument("dry_run", ArgumentKind.SWITCH, "--dry-run", required=False),
                ),
            ),
            NamedCall(
                name="delete",
                method="delete",
                summary="Delete a database",
                arguments=(CallArgument("bdb_uid", ArgumentKind.DATABASE, None, required=True),),
                verb="deletes",
            ),
            NamedCall(
                name="upgrade",
                method="upgrade",
                summary="Upgrade a database, by default to the latest version",
                arguments=(
                    CallArgument("bdb_uid", ArgumentKind.DATABASE, None, required=True),
                    CallArgument("settings", ArgumentKind.OBJECT, "--data", required=False),
                ),
            ),
            NamedCall(
                name="rebalance",
                method="rebalance",
                summary="Distribute the shards of a database evenly over the nodes",
                arguments=(
                    CallArgument("bdb_uid", ArgumentKind.DATABASE, None, required=True),
                    CallArgument("settings", ArgumentKind.OBJECT, "--data", required=False),
                    CallArgument("dry_run", ArgumentKind.SWITCH, "--dry-run", required=False),
                ),
            ),
            NamedCall(
                name="export",
                method="export",
                summary="Export a database",
                arguments=(
                    CallArgument("bdb_uid", ArgumentKind.DATABASE, None, required=True),
                    CallArgument("location", ArgumentKind.OBJECT, "--location", required=True),
                    CallArgument("settings", ArgumentKind.OBJECT, "--data", required=False),
                ),
            ),
            NamedCall(
                name="import",
                method="import_",
                summary="Import data into a database",
                arguments=(
                    CallArgument("bdb_uid", ArgumentKind.DATABASE, None, required=True),
                    CallArgument("sources", ArgumentKind.OBJECTS, "--source", required=True),
                    CallArgument("settings", ArgumentKind.OBJECT, "--data", required=False),
                ),
            ),
        ),
        "nodes": (
            NamedCall(
                name="maintenance-on",
                method="maintenance_on",
                summary="Put a node into maintenance mode",
                arguments=(
                    CallArgument("node_uid", ArgumentKind.NUMBER, None, required=True),
                    CallArgument("settings", ArgumentKind.OBJECT, "--data", required=False),
                    CallArgument("check", ArgumentKind.SWITCH, "--check", required=False),
                ),
            ),
            NamedCall(
                name="maintenance-off",
                method="maintenance_off",
                summary="Take a node out of maintenance mode, once",
                arguments=(
                    CallArgument("node_uid", ArgumentKind.NUMBER, None, required=True),
                    CallArgument("settings", ArgumentKind.OBJECT, "--data", required=False),
                ),
            ),
            NamedCall(
                name="remove",
                method="remove",
                summary="Move everything off a node and remove the node from the cluster",
                arguments=(
                    CallArgument("node_uid", ArgumentKind.NUMBER, None, required=True),
                    CallArgument("settings", ArgumentKind.OBJECT, "--data", required=False),
                ),
                verb="removes",
            ),
        ),
        "cluster": (
            NamedCall(
                name="create",
                method="create",
                summary="Create a cluster of one installed node",
                arguments=(
                    CallArgument("config", ArgumentKind.OBJECT, "--data", required=True),
                    CallArgument("node", ArgumentKind.TEXT, "--node", required=False),
                ),
            ),
            NamedCall(
                name="join",
                method="join",
                summary="Join an installed node to a cluster",
                arguments=(
                    CallArgument("config", ArgumentKind.OBJECT, "--data", required=True),
                    CallArgument("node", ArgumentKind.EACH, "--node", required=False),
                ),
            ),
            NamedCall(
                name="recover",
                method="recover",
                summary="Recover a cluster on an installed node",
                arguments=(
                    CallArgument("config", ArgumentKind.OBJECT, "--data", required=True),
                    CallArgument("node", ArgumentKind.TEXT, "--node", required=False),
                ),
            ),
            NamedCall(
                name="change-primary",
                method="change_primary",
                summary="Make a node the primary of the cluster",
                arguments=(CallArgument("node_uid", ArgumentKind.NUMBER, None, required=True),),
            ),
            NamedCall(
                name="upload-module",
                method="upload_module",
                summary="Upload a module, and install it on all nodes",
                arguments=(
                    CallArgument("file", ArgumentKind.FILE, None, required=True),
                    CallArgument("config", ArgumentKind.OBJECT, "--data", required=False),
                    CallArgument("name", ArgumentKind.TEXT, "--name", required=False),
                ),
            ),
        ),
        "shards": (
            NamedCall(
                name="migrate",
                method="migrate",
                summary="Move shards to a node",
                arguments=(
                    CallArgument("shard_uids", ArgumentKind.TEXTS, None, required=True),
                    CallArgument(
                        "target_node_uid", ArgumentKind.NUMBER, "--target-node", required=True
                    ),
                    CallArgument("settings", ArgumentKind.OBJECT, "--data", required=False),
                    CallArgument("dry_run", ArgumentKind.SWITCH, "--dry-run", required=False),
                ),
            ),
            NamedCall(
                name="fail-over",
                method="fail_over",
                summary="Make the replicas of primary shards, all of one database, the primaries",
                arguments=(
                    CallArgument("shard_uids", ArgumentKind.TEXTS, None, required=True),
                    CallArgument("settings", ArgumentKind.OBJECT, "--data", required=False),
                    CallArgument("dry_run", ArgumentKind.SWITCH, "--dry-run", required=False),
                ),
            ),
        ),
        "crdbs": (
            NamedCall(
                name="create",
                method="create",
                summary="Create an Active-Active database",
                arguments=(
                    CallArgument("config", ArgumentKind.OBJECT, "--data", required=True),
                    CallArgument("dry_run", ArgumentKind.SWITCH, "--dry-run", required=False),
                    CallArgument("task_id", ArgumentKind.TEXT, "--task-id", required=False),
                    CallArgument("result_ttl", ArgumentKind.NUMBER, "--result-ttl", required=False),
                ),
            ),
            NamedCall(
                name="update",
                method="update",
                summary="Change the configuration of an Active-Active database",
                arguments=(
                    CallArgument("guid", ArgumentKind.TEXT, None, required=True),
                    CallArgument("changes", ArgumentKind.OBJECT, "--data", required=True),
                    CallArgument("task_id", ArgumentKind.TEXT, "--task-id", required=False),
                    CallArgument("result_ttl", ArgumentKind.NUMBER, "--result-ttl", required=False),
                ),
            ),
            NamedCall(
                name="flush",
                method="flush",
                summary="Delete all data of an Active-Active database, on all of its clusters",
                arguments=(
                    CallArgument("guid", ArgumentKind.TEXT, None, required=True),
                    CallArgument("task_id", ArgumentKind.TEXT, "--task-id", required=False),
                    CallArgument("result_ttl", ArgumentKind.NUMBER, "--result-ttl", required=False),
                ),
                verb="deletes all data of",
            ),
            NamedCall(
                name="delete",
                method="delete",
                summary="Delete an Active-Active database, on all of its clusters",
                arguments=(
                    CallArgument("guid", ArgumentKind.TEXT, None, required=True),
                    CallArgument("task_id", ArgumentKind.TEXT, "--task-id", required=False),
                    CallArgument("result_ttl", ArgumentKind.NUMBER, "--result-ttl", required=False),
                ),
                verb="deletes",
            ),
        ),
    }
)
