"""Configurations of databases in requests: what is refused, and what is set.

Vendor pages: requests/bdbs, objects/bdb. The codes `invalid_memory_size`, `invalid_shards_count`,
`invalid_port` and `invalid_uid` are guesses, the others stand on those pages. A change may set any
other field: the value is stored, and shown when the action is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions.testing.server.requests import MAX_UID, error_response


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping


# Fields that the cluster alone sets, and those that only the query of a request has.
_READ_ONLY: Final = frozenset({
    "uid",
    "action_uid",
    "status",
    "background_op",
    "created_time",
    "last_changed_time",
    "endpoints",
    "shard_list",
})  # fmt: skip
_MAX_SHARDS: Final = 512
_MAX_PORT: Final = 65535
# Ports of the cluster's own services, as a real cluster lists them (`system_reserved_ports`).
_RESERVED_PORTS: Final = (8080, 8443, 9081, 9443)
_PERSISTENCE: Final = ("disabled", "snapshot", "aof")
_PROXY_POLICIES: Final = ("single", "all-master-shards", "all-nodes")

# Error codes, and the condition that a configuration, with its defaults, has to meet.
_RULES: Final[tuple[tuple[str, Callable[[Mapping[str, object]], bool]], ...]] = (
    ("invalid_memory_size", lambda config: _is_integer(config["memory_size"], minimum=0)),
    ("invalid_shards_count", lambda config: _is_integer(config["shards_count"], minimum=1)),
    ("insufficient_resources", lambda config: config["shards_count"] in range(_MAX_SHARDS + 1)),
    ("invalid_data_persistence", lambda config: config["data_persistence"] in _PERSISTENCE),
    ("invalid_proxy_policy", lambda config: config["proxy_policy"] in _PROXY_POLICIES),
    (
        "invalid_sharding",
        lambda config: bool(
            not config["sharding"] or config.get("oss_sharding") or config.get("shard_key_regex")
        ),
    ),
    (
        "missing_backup_interval",
        lambda config: not config["backup"] or "backup_interval" in config,
    ),
)


def check_new(config: Mapping[str, object]) -> None:
    """Answer 406 to the configuration of a new database that lacks a required field."""
    if not (isinstance(config.get("name"), str) and config["name"]):
        raise error_response(406, "missing_db_name", "name is required")
    if "memory_size" not in config:
        raise error_response(406, "missing_memory_size", "memory_size is required")
    uid = config.get("uid", 1)
    if not (type(uid) is int and 0 < uid <= MAX_UID):
        raise error_response(406, "invalid_uid", f"uid is an integer, 1 to {MAX_UID}")


def check(config: Mapping[str, object], *, taken_ports: Collection[int]) -> None:
    """Answer 406 to a whole configuration that no database can have."""
    port = config["port"]
    if type(port) is not int or not 0 <= port <= _MAX_PORT:
        raise error_response(406, "invalid_port", f"port is an integer, 0 to {_MAX_PORT}")
    if port in _RESERVED_PORTS or port in taken_ports:
        raise error_response(406, "port_unavailable", f"port {port} is in use or reserved")
    for code, is_met in _RULES:
        if not is_met(config):
            raise error_response(406, code, "the configuration is invalid")


def settable(config: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a configuration that requests can set."""
    return {name: value for name, value in config.items() if name not in _READ_ONLY}


def _is_integer(value: object, *, minimum: int) -> bool:
    return type(value) is int and value >= minimum
