"""Words that pass into a capture: those of the API's routes, and those that the client interprets.

A word that the client compares with a table passes in the fields where it does so, as a replay
would mean something else without it.
Vendor pages: objects/action, objects/state-machine, objects/bdb, objects/bootstrap, objects/shard,
objects/node, requests/monitoring/health-report.
"""

from __future__ import annotations

import re
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.wire.bootstrap import BOOTSTRAP_PHASES
from redis_enterprise_actions._model.action import (
    ACTION_PHASES,
    CRDB_TASK_PHASES,
    DATABASE_PHASES,
    TRANSFER_PHASES,
)


if TYPE_CHECKING:
    from collections.abc import Mapping

FIELD_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,40}")
# Fields in which an unknown word passes, too, if it has the form of a field name.
OPEN_FIELDS: Final = frozenset({"status", "state", "action_type", "op_name", "error_code"})
# Fields whose numbers are renumbered, in snake case.
_UID_FIELD: Final = re.compile(
    r"(?:.*_)?(?:uids?|ids?|ports?|port_range"
    r"|(?:bdb|crdb|database|endpoint|instance|node|proxy|shard)(?:s|_list)?|proxies)"
)
_NEW_WORD: Final = re.compile("-|(?<=[a-z0-9])(?=[A-Z])")
VERSION_FIELD: Final = re.compile(r"(?:.*_)?versions?")
PROGRESS_FIELD: Final = re.compile(r"(?:.*_)?progress")
# Other fields with a number that the client reads also if a cluster sends it as text, and the most
# digits that pass.
QUANTITY_FIELDS: Final = MappingProxyType({
    "status_code": 6, "error_code": 6, "shard_count": 6, "shards_count": 6,
    "memory_size": 18, "total_memory": 18,
})  # fmt: skip
# Fields with seconds since the epoch, which some clusters send as text.
TIME_FIELDS: Final = frozenset({
    "creation_time", "heartbeat", "last_sample_time", "start_time", "end_time",
})  # fmt: skip
URL_SCHEMES: Final = frozenset({
    "http", "https", "ftp", "ftps", "sftp", "file", "s3", "gs", "abs", "swift", "nfs",
    "redis", "rediss", "ldap", "ldaps",
})  # fmt: skip
# Types of objects in texts such as "bdb:1".
OBJECTS: Final = ("bdb", "node", "shard", "crdb", "cluster", "endpoint", "proxy", "crdb_worker")
# Texts of gateways that the client looks for in a body that is no JSON (wire/error_body.py).
PHRASES: Final = ("plain HTTP request was sent to HTTPS port",)

_TRANSFERS: Final = frozenset({*TRANSFER_PHASES, "idle"})
_NODES: Final = frozenset({"active", "decommissioning", "down", "provisioning"})
_HEALTH: Final = frozenset({
    "ok", "warning", "error", "up", "down", "unknown", "active", "inactive", "trimming", "busy",
    "importing", "loading", "timeout", *_NODES, *DATABASE_PHASES,
})  # fmt: skip
_STATUSES: Final = frozenset({
    *ACTION_PHASES, *CRDB_TASK_PHASES, *_TRANSFERS, *_HEALTH,
    "posted", "ready", "committed", "commit-completed",  # of a configuration (crdb/health_report)
    "out-of-sync", "syncing", "in-sync",  # of a Replica Of source
})  # fmt: skip
# The present step of a state machine, as far as pages and captures name it.
_STEPS: Final = frozenset({
    "init", "provision", "create_redis", "bind_endpoint", "update_dmc", "config_redis_acl",
    "created", "config_security", "undo_stuck_sm", "stop_syncer", "unbind_endpoints",
    "delete_redis", "delete_bdb", "prepare", "restart", "flush", "pause_persistence",
    "replication", "update_redis", "shards_placement", "proxy_policy", "reshard",
    "resume_persistence", "updated",
})  # fmt: skip
_ERROR_CODES: Final = frozenset({
    "action_not_found", "db_not_found", "bdb_not_found", "node_not_found", "no_primary",
    "invalid_version", "invalid_schema", "internal_error", "insufficient_resources", "busy",
    "db_busy", "wrong_cluster_state_id", "password_expired", "no_quorum",
    "bdb_endpoint_unavailable", "config_error", "connect_error",
    "access_denied", "invalid_license", "repair_required",
    "insufficient_node_memory", "insufficient_node_flash", "failover_shards_different_bdb",
    "shard_uids_required", "module_exists",
})  # fmt: skip
# Names of actions and operations in the API's pages and in captures.
ACTION_NAMES: Final = frozenset({
    "SMCreateBDB", "SMUpdateBDB", "SMDeleteBDB", "SMUpgradeBDB", "SMRecoverBDB",
    "SMRedisFailover", "SMStandaloneRedisMigrate", "SMBindEndpoint", "SMRedisACL",
    "retry_bdb", "module_installation", "maintenance_on", "maintenance_off", "remove",
    "remove_node", "enslave_node", "change_master", "create_crdb", "update_crdb", "delete_crdb",
    "flush_crdb", "purge_instances", "upgrade_crdb", "export", "import", "backup",
})  # fmt: skip

# Fields that the client reads, and those that the fake cluster sends besides.
KNOWN_FIELDS: Final = frozenset({
    "accept_servers", "access_token", "action", "action_type", "action_uid", "actions",
    "active_config_version", "additional_info", "addr", "addr_type", "address", "aof_policy",
    "architecture", "assigned_slots", "authentication_admin_pass", "authentication_redis_pass",
    "available_addrs", "background_op", "backup", "backup_failure_reason", "backup_progress",
    "backup_status", "bdb_uid", "bdbs", "bigstore_enabled", "bootstrap_status",
    "causal_consistency", "cluster", "cluster_name", "cluster_test_result", "clusters",
    "configurations", "connection_error", "connections", "cores", "crdb_guid", "crdb_tasks",
    "crdt", "crdt_guid", "created_time", "creation_time", "credentials", "data_persistence",
    "database_infos", "dataset_import_sources", "db_id", "db_type", "db_uid", "description",
    "detail", "detailed_status", "dns_name", "dry_run", "encryption", "end_time", "ended",
    "endpoints", "ephemeral_path", "ephemeral_storage_path", "ephemeral_storage_size", "error",
    "error_code", "error_details", "error_message", "errors", "eviction_policy",
    "export_failure_reason", "export_location", "export_progress", "export_status",
    "extend_check", "external_addr", "featureset_version", "fields", "flash_shard_count", "force",
    "format", "guid", "heartbeat", "high_availability", "hostname", "id", "if_name",
    "import_failure_reason", "import_progress", "import_status", "in_maintenance", "instances",
    "last_backup_time", "last_changed_time", "last_export_time", "last_sample_time", "last_time",
    "link_uid", "loading", "local_databases", "local_node_info", "maintenance_snapshot",
    "master_shards", "max_connections", "max_listeners", "max_operations", "max_redis_servers",
    "memory_size", "message", "module_list", "name", "node", "node_status", "node_uid", "nodes",
    "object_name", "object_type", "object_uid", "op_name", "operation", "os_family", "os_name",
    "os_semantic_version", "os_version", "oss_cluster", "oss_cluster_api_preferred_ip_type",
    "password", "paths", "pending_ops", "persistent_path", "persistent_storage_path",
    "persistent_storage_size", "port", "private", "progress", "protocol_version", "proxy_policy",
    "rack_aware", "rack_id", "ram_shard_count", "redis_version", "replica_sources",
    "replica_sync", "replication", "replication_links", "report_timestamp", "result", "role",
    "second_rack_id", "shard_count", "shard_list", "sharding", "shards", "shards_count",
    "shards_placement", "slave_shards", "software_version", "start_time", "started", "state",
    "state-machines", "state_machines", "status", "status_code", "status_description",
    "supported_database_versions", "task_id", "tasks", "title", "tls_mode", "total_memory",
    "type", "uid", "uptime", "url", "use_internal_ipv6", "username", "version", "worker",
    "worker_name",
})  # fmt: skip

# The words that the client knows, by field; it ignores case and blanks around them.
KNOWN: Final[Mapping[str, frozenset[str]]] = MappingProxyType({
    "status": _STATUSES,
    "state": frozenset({*BOOTSTRAP_PHASES, *_STEPS}),
    "action_type": frozenset({"task", "state-machine", "other"}),
    "op_name": frozenset(),
    "error_code": _ERROR_CODES,
    "name": ACTION_NAMES,
    "operation": ACTION_NAMES,
    "action": frozenset({"create_cluster", "join_cluster", "recover_cluster"}),
    "export_status": _TRANSFERS,
    "import_status": _TRANSFERS,
    "backup_status": _TRANSFERS,
    "node_status": _NODES,
    "detailed_status": _HEALTH,
    "availability": _HEALTH,
    "replication": _HEALTH,
    "role": frozenset({"master", "slave", "leader", "follower"}),
    "replica_sync": frozenset({"enabled", "disabled", "paused", "stopped"}),
    "object_type": frozenset(OBJECTS),
    "extend_check": frozenset({"lag"}),  # in the query of availability
})  # fmt: skip

# Words of paths, from `CALL_RULES` of submit and from the paths that sources ask.
ROUTE_WORDS: Final = frozenset({
    "actions", "alerts", "artifacts", "authorize", "availability", "backup_reset_status", "bdb",
    "bdbs", "bootstrap", "cancel", "certificates", "change_master", "check", "cluster", "config",
    "crdb_tasks", "crdbs", "create_cluster", "db", "endpoint", "endpoints", "enslave_node",
    "export", "export_reset_status", "failover", "flush", "health", "health_report", "import",
    "import_reset_status", "join_cluster", "jsonschema", "ldap_mappings", "license", "local",
    "logs", "maintenance_off", "maintenance_on", "master_healthcheck", "migrate", "migrations",
    "modules", "node", "nodes", "policy", "proxies", "purge", "rebalance", "recover",
    "recover_cluster", "redis-actions-doctor", "redis_acls", "refresh_jwt", "remove",
    "reset_admin_pass", "resume_traffic", "retry", "revamp", "roles", "rotate", "services",
    "shards", "stats", "status", "stop_traffic", "update_cert", "updates", "upgrade",
    "user-defined", "users", "v1", "v2", "v3", "v4", "validate",
})  # fmt: skip


@lru_cache(2**10)
def is_uid_field(name: str) -> bool:
    """Return True for a field whose numbers are uids or ports, such as `bdb_uid` or `nodeId`."""
    return _UID_FIELD.fullmatch(_NEW_WORD.sub("_", name).casefold()) is not None
