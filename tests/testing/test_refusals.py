"""Table of the calls that the fake cluster refuses, as the API's pages say that clusters do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.http_client import http_client

from .versions import ALL, before, since


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import Version

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


class Refusal(NamedTuple):
    """A call with one mistake, and the status and the error code of its answer.

    Databases 1 and 2 are idle, an update of database 3 never ends, a state machine has failed on
    database 4, and database 5 is to be recovered. Node 3 is down. `code` is empty where the error
    is a problem+json, as those of CRDBs are.
    """

    call: str
    body: Any
    mistake: str
    status: int
    code: str
    versions: tuple[Version, ...] = ALL


NEW: Final[dict[str, object]] = {"name": "x", "memory_size": 1}
MODULES: Final = {"modules": [{"module_name": "ReJSON", "new_module": "aa36"}]}
EXPORT: Final = {"export_location": {"type": "url", "url": "ftp://x"}}
IMPORT: Final = {"dataset_import_sources": [{"type": "url", "url": "ftp://x"}]}
SHARD: Final = {"shard_uids": ["1"]}
MOVE: Final = {"shard_uids": ["1"], "target_node_uid": 2}
CHANGE_MASTER: Final = "POST /v1/cluster/actions/change_master"
MIGRATE: Final = "POST /v1/shards/actions/migrate"
FAIL_OVER: Final = "POST /v1/shards/actions/failover"
MAINTENANCE: Final = "POST /v1/nodes/{}/actions/maintenance_on"

# Calls on a database with a body that is in order, and the versions that have them.
ON_DATABASES: Final[list[tuple[str, Any, tuple[Version, ...]]]] = [
    ("PUT /v1/bdbs/{}", {"memory_size": 7}, ALL),
    ("PUT /v1/bdbs/{}/flush", {}, ALL),
    ("PUT /v1/bdbs/{}/reset_admin_pass", {}, ALL),
    ("DELETE /v1/bdbs/{}", None, ALL),
    ("POST /v1/bdbs/{}/upgrade", {}, ALL),
    ("POST /v1/bdbs/{}/modules/upgrade", MODULES, ALL),
    ("POST /v1/modules/upgrade/bdb/{}", MODULES, before("8.0")),
    ("PUT /v1/bdbs/{}/actions/rebalance", None, since("7.8")),
    ("PUT /v1/bdbs/{}/actions/revamp", {}, since("7.22")),
    ("POST /v1/bdbs/{}/actions/recover", None, ALL),
    ("POST /v1/bdbs/{}/actions/stop_traffic", None, since("7.8")),
    ("POST /v1/bdbs/{}/actions/resume_traffic", None, since("7.8")),
    ("POST /v1/bdbs/{}/actions/export", EXPORT, ALL),
    ("POST /v1/bdbs/{}/actions/import", IMPORT, ALL),
    ("PUT /v1/bdbs/{}/actions/export_reset_status", None, ALL),
    ("PUT /v1/bdbs/{}/actions/import_reset_status", None, ALL),
    ("PUT /v1/bdbs/{}/actions/backup_reset_status", None, ALL),
]
ON_SHARDS: Final = [
    ("POST /v1/shards/{}/actions/migrate", {"target_node_uid": 2}, ALL),
    ("POST /v1/shards/{}/actions/failover", {}, since("7.8")),
]

REFUSALS: Final = [
    *(
        Refusal(call.format(3), body, "busy", 409, "db_busy", versions)
        for call, body, versions in ON_DATABASES
    ),
    *(
        Refusal(call.format(9), body, "unknown database", 404, "db_not_exist", versions)
        for call, body, versions in ON_DATABASES
    ),
    Refusal("GET /v1/bdbs/9", None, "unknown database", 404, "db_not_exist"),
    Refusal("GET /v1/bdbs/9/actions/recover", None, "unknown database", 404, "db_not_exist"),
    Refusal("GET /v1/actions/bdb/9", None, "unknown database", 404, "db_not_exist"),
    Refusal(
        "GET /v1/bdbs/9/availability", None, "unknown database", 404, "db_not_found", since("7.8")
    ),
    Refusal(
        "GET /v1/bdbs/5/availability",
        None,
        "not available",
        503,
        "bdb_endpoint_unavailable",
        since("7.8"),
    ),
    Refusal(
        "GET /v1/bdbs/1/availability?availability_lag_tolerance_ms=some",
        None,
        "no number",
        400,
        "invalid_request",
        since("7.8"),
    ),
    Refusal("GET /v1/bdbs/9/shards", None, "unknown database", 404, "db_not_exist"),
    Refusal("GET /v1/shards/99", None, "unknown shard", 404, "shard_not_exist"),
    Refusal("GET /v4/db/9/health", None, "unknown database", 404, "db_not_exist", since("8.0.16")),
    # requests/bdbs: databases
    Refusal("POST /v1/bdbs", {"memory_size": 1}, "no name", 406, "missing_db_name"),
    Refusal("POST /v1/bdbs", {"name": "x"}, "no size", 406, "missing_memory_size"),
    Refusal("POST /v2/bdbs", {"bdb": {"name": "x"}}, "no size", 406, "missing_memory_size"),
    Refusal("POST /v2/bdbs", NEW, "no bdb", 400, "invalid_request"),
    Refusal("POST /v1/bdbs", NEW | {"uid": 1}, "uid in use", 409, "uid_exists"),
    Refusal("POST /v1/bdbs", NEW | {"port": 12000}, "port in use", 406, "port_unavailable"),
    Refusal("POST /v1/bdbs", NEW | {"port": 9443}, "the API's", 406, "port_unavailable"),
    Refusal("PUT /v1/bdbs/1", {"port": 12000}, "port in use", 406, "port_unavailable"),
    *(
        Refusal(call, body | {field: value}, f"{field}={value}", 406, code)
        for call, body in (("POST /v1/bdbs", NEW), ("PUT /v1/bdbs/1", {}))
        for field, value, code in (
            ("memory_size", -1, "invalid_memory_size"),
            ("port", -5, "invalid_port"),
            ("port", 70000, "invalid_port"),
            ("port", "12001", "invalid_port"),
            ("port", True, "invalid_port"),
            ("port", [], "invalid_port"),
            ("shards_count", 0, "invalid_shards_count"),
            ("shards_count", 513, "insufficient_resources"),
            ("data_persistence", "some", "invalid_data_persistence"),
            ("proxy_policy", "many", "invalid_proxy_policy"),
            ("sharding", True, "invalid_sharding"),
            ("backup", True, "missing_backup_interval"),
        )
    ),
    Refusal(
        "PUT /v1/bdbs/1/actions/revamp",
        {"shards_count": 513},
        "too many shards",
        406,
        "insufficient_resources",
        since("7.22"),
    ),
    Refusal("DELETE /v1/bdbs/4", None, "not active", 409, "db_not_active"),
    Refusal("DELETE /v1/bdbs/5", None, "not active", 409, "db_not_active"),
    Refusal("POST /v1/bdbs/1/modules/upgrade", {}, "no modules", 400, "invalid_request"),
    Refusal(
        "POST /v1/bdbs/1/modules/upgrade",
        {"modules": [{"module_name": "ReJSON"}]},
        "no new module",
        400,
        "invalid_request",
    ),
    # requests/bdbs/actions
    Refusal("POST /v1/bdbs/1/actions/recover", None, "active", 409, "db_not_recoverable"),
    Refusal("POST /v1/bdbs/1/actions/export", {}, "no place", 406, "missing_export_location"),
    Refusal("POST /v1/bdbs/1/actions/import", {}, "none", 406, "missing_dataset_import_sources"),
    Refusal(
        "POST /v1/bdbs/1/actions/import",
        IMPORT | {"name": "x"},
        "another attribute",
        406,
        "invalid_attribute",
    ),
    Refusal(
        "PUT /v1/bdbs/1/actions/rebalance?max_operations=x",
        None,
        "no number",
        400,
        "invalid_request",
        since("7.8"),
    ),
    # requests/shards/actions
    *(
        Refusal(call.format(5), body, "busy", 409, "db_busy", versions)
        for call, body, versions in ON_SHARDS
    ),
    *(
        Refusal(call.format(uid), body, "unknown shard", 404, "shard_not_exist", versions)
        for call, body, versions in ON_SHARDS
        for uid in (0, 99, "x")
    ),
    Refusal(FAIL_OVER, {"shard_uids": ["5"]}, "busy", 409, "db_busy", since("7.8")),
    Refusal(MIGRATE, MOVE | {"shard_uids": ["1", "5"]}, "one is busy", 409, "db_busy"),
    Refusal(MIGRATE, {"target_node_uid": 2}, "no shards", 404, "shard_uids_required"),
    Refusal(MIGRATE, MOVE | {"shard_uids": "1"}, "no list", 404, "shard_uids_required"),
    Refusal(MIGRATE, MOVE | {"shard_uids": ["1", "99"]}, "unknown shard", 404, "shard_not_exist"),
    Refusal(MIGRATE, SHARD, "no node", 404, "node_uid_required"),
    Refusal(MIGRATE, SHARD | {"target_node_uid": 9}, "unknown node", 404, "node_not_found"),
    Refusal("POST /v1/shards/1/actions/migrate", {}, "no node", 404, "node_uid_required"),
    Refusal(FAIL_OVER, {}, "no shards", 404, "shard_uids_required", since("7.8")),
    Refusal(FAIL_OVER, {"shard_uids": []}, "no shards", 404, "shard_uids_required", since("7.8")),
    Refusal(FAIL_OVER, {"shard_uids": ["99"]}, "unknown", 404, "shard_not_exist", since("7.8")),
    Refusal(FAIL_OVER, {"shard_uids": ["2"]}, "a replica", 400, "shard_is_slave", since("7.8")),
    Refusal(
        "POST /v1/shards/2/actions/failover", {}, "a replica", 400, "shard_is_slave", since("7.8")
    ),
    Refusal(
        FAIL_OVER,
        {"shard_uids": ["1", "3"]},
        "two databases",
        400,
        "failover_shards_different_bdb",
        since("7.8"),
    ),
    # requests/nodes, requests/nodes/actions
    *(
        Refusal(call.format(9), body, "unknown node", 404, "node_not_found")
        for call, body in (
            ("GET /v1/nodes/{}", None),
            ("GET /v1/nodes/{}/status", None),
            ("GET /v1/nodes/{}/actions", None),
            ("GET /v1/nodes/{}/actions/remove", None),
            ("DELETE /v1/nodes/{}/actions/remove", None),
            (MAINTENANCE, {}),
        )
    ),
    Refusal("GET /v1/nodes/1/actions/remove", None, "no such run", 404, "action_not_found"),
    Refusal("DELETE /v1/nodes/1/actions/remove", None, "no such run", 404, "action_not_found"),
    Refusal("POST /v1/nodes/1/actions/rest", {}, "unknown action", 404, "action_not_found"),
    Refusal(MAINTENANCE.format(2), {}, "one is running", 409, "action_already_running"),
    # requests/cluster/actions
    Refusal(CHANGE_MASTER, {}, "no node", 400, "invalid_request"),
    Refusal(CHANGE_MASTER, {"node_uid": "two"}, "no uid", 400, "invalid_request"),
    Refusal(CHANGE_MASTER, {"node_uid": True}, "no uid", 400, "invalid_request"),
    Refusal(CHANGE_MASTER, {"node_uid": "9" * 5000}, "no uid", 400, "invalid_request"),
    Refusal(f"GET /v1/nodes/{'9' * 5000}", None, "unknown node", 404, "node_not_found"),
    Refusal(
        MIGRATE, SHARD | {"target_node_uid": "9" * 5000}, "unknown node", 404, "node_not_found"
    ),
    *(
        Refusal(
            CHANGE_MASTER, {"node_uid": uid}, "unknown node", status, "node_not_found", versions
        )
        for uid in ("9", 9)
        for status, versions in ((400, before("8.0")), (404, since("8.0")))
    ),
    Refusal(CHANGE_MASTER, {"node_uid": 3}, "down", 400, "invalid_node", before("8.0")),
    Refusal(CHANGE_MASTER, {"node_uid": 3}, "down", 406, "invalid_node", since("8.0")),
    Refusal("POST /v1/cluster/actions/rest", {}, "unknown action", 400, "invalid_action"),
    Refusal("GET /v1/cluster/actions/rest", None, "no such run", 404, "action_not_found"),
    Refusal("DELETE /v1/cluster/actions/change_master", None, "never", 404, "action_not_found"),
    # requests/actions, requests/crdbs, requests/crdb_tasks
    Refusal("GET /v1/actions/a9", None, "unknown action", 404, "action_not_found"),
    Refusal("GET /v2/actions/a9", None, "unknown action", 404, "action_not_found", since("7.22")),
    Refusal("DELETE /v1/actions/a9", None, "no such route", 405, ""),
    Refusal("PUT /v1/crdbs/g1", {}, "PATCH is the method", 405, ""),
    Refusal("PATCH /v1/crdbs/g9", {}, "unknown CRDB", 404, ""),
    Refusal("DELETE /v1/crdbs/g9", None, "unknown CRDB", 404, ""),
    Refusal("DELETE /v1/crdbs/g0", None, "already deleted", 406, ""),
    Refusal("POST /v1/crdbs/g9/updates", {}, "unknown CRDB", 404, ""),
    Refusal("PUT /v1/crdbs/g9/flush", {}, "unknown CRDB", 404, ""),
    Refusal("PUT /v1/crdbs/g9/purge", {}, "unknown CRDB", 404, ""),
    Refusal("POST /v1/crdbs/g9/upgrade", {}, "unknown CRDB", 404, "", since("8.0")),
    Refusal("GET /v1/crdb_tasks/t9", None, "unknown task", 404, ""),
    Refusal("POST /v1/crdb_tasks/t9/actions/cancel", None, "unknown task", 404, ""),
]


async def prepare(cluster: FakeCluster) -> None:
    """Bring a cluster of three nodes into the state that `Refusal` describes."""
    cluster.add_bdb(1)
    cluster.add_bdb(2)
    cluster.add_action(bdb_uid=3, plan=Plan(outcome="never"))
    cluster.add_action(bdb_uid=4, plan=Plan(duration=0, outcome="failed"))
    cluster.add_bdb(5, recovery=True)
    cluster.add_crdb("g1")
    cluster.add_crdb("g0")
    cluster.start_crdb_task("delete_crdb", Plan(duration=0), guid="g0")
    cluster.start_node_action(2, "maintenance_on", Plan(outcome="never"))
    await cluster.stop_node(3)


@pytest.mark.parametrize("version", ALL)
async def test_refused(version: Version) -> None:
    """A call with a mistake is answered with its page's status and code, and starts nothing."""
    async with FakeCluster(version=version, nodes=3) as cluster, http_client(cluster) as call:
        await prepare(cluster)
        taken = await call.ok("POST", "/v1/bdbs", NEW | {"name": "port", "port": 12000})
        state = set(cluster.actions), set(cluster.crdb_tasks), len(cluster.bdbs)
        wrong = []
        for refusal in REFUSALS:
            if version in refusal.versions:
                status, error = await call(*refusal.call.split(), refusal.body)
                code = error.get("error_code", "") if isinstance(error, dict) else ""
                if (status, code) != (refusal.status, refusal.code):
                    wrong.append((refusal, status, code))

        assert wrong == []
        assert (set(cluster.actions), set(cluster.crdb_tasks), len(cluster.bdbs)) == state
        assert taken["action_uid"] in cluster.actions


ACCEPTED: Final[list[tuple[str, Any, tuple[Version, ...]]]] = [
    *(
        (call.format(1), body, versions)
        for call, body, versions in ON_DATABASES
        if "recover" not in call
    ),
    ("POST /v1/bdbs/5/actions/recover", None, ALL),
    ("POST /v1/bdbs", NEW, ALL),
    ("POST /v2/bdbs", {"bdb": NEW}, ALL),
    ("PUT /v1/bdbs/1", {"sharding": True, "oss_sharding": True}, ALL),
    ("PUT /v1/bdbs/1", {"backup": True, "backup_interval": 3600}, ALL),
    ("PUT /v1/bdbs/1", {"port": 12000}, ALL),
    *((call.format(1), body, versions) for call, body, versions in ON_SHARDS),
    (MIGRATE, {"shard_uids": ["1", 3], "target_node_uid": "2"}, ALL),
    (FAIL_OVER, {"shard_uids": ["1", 1]}, since("7.8")),
    (CHANGE_MASTER, {"node_uid": "2"}, ALL),
    (CHANGE_MASTER, {"node_uid": 2}, ALL),
    (MAINTENANCE.format(1), {}, ALL),
]


@pytest.mark.parametrize(("call", "body", "versions"), ACCEPTED)
async def test_accepted(call: str, body: object, versions: tuple[Version, ...]) -> None:
    """The same calls without a mistake are accepted."""
    for version in ALL:
        async with FakeCluster(version=version, nodes=3) as cluster, http_client(cluster) as client:
            await prepare(cluster)
            status, _ = await client(*call.split(), body)

            assert status == (200 if version in versions else 404)
