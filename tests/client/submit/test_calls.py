"""Tests of `_client.submit.calls`."""

from __future__ import annotations

import shlex
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._client.submit.calls import (
    CALL_RULES,
    Follow,
    command_that_finds_out,
    find_rule,
)
from redis_enterprise_actions._model.reference import Reference, ReferenceKind
from tests.client.submit.handles import BDB, NODE, handle_of, rule_of, summary
from tests.conftest import examples


pytestmark = pytest.mark.core

V74: Final = ("7.4", "7.8", "7.22", "8.0", "latest")  # and every later version
V78: Final = V74[1:]
V722: Final = V74[2:]
V80: Final = V74[3:]
UP_TO_722: Final = V74[:3]

# Calls of the vendor's pages that start long work, section by section: the versions that have
# them, and the reference to follow if the answer is `{}`. `done`: the API documents that the work
# is done when it answers. `no`: the handle has a problem instead.
DOCUMENTED: Final = (
    ("POST", "/v1/bdbs", V74, "no"),
    ("POST", "/v2/bdbs", V74, "no"),
    ("PUT", BDB, V74, "bdb:7@after"),
    ("PUT", f"{BDB}/flush", V74, "bdb:7@after"),
    ("PUT", f"{BDB}/reset_admin_pass", V74, "bdb:7@after"),
    ("POST", f"{BDB}/upgrade", V74, "bdb:7@after"),
    ("DELETE", BDB, V74, "bdb:7@gone,after"),
    ("POST", f"{BDB}/modules/upgrade", V74, "bdb:7@after"),
    ("POST", "/v1/modules/upgrade/bdb/7", UP_TO_722, "bdb:7@after"),
    ("POST", f"{BDB}/modules/config", V74, "bdb:7@after"),
    ("POST", "/v1/modules/config/bdb/7", V74, "bdb:7@after"),
    ("PUT", f"{BDB}/actions/rebalance", V78, "bdb:7@after"),
    ("PUT", f"{BDB}/actions/revamp", V722, "bdb:7@after"),
    ("POST", f"{BDB}/actions/recover", V74, "bdb:7@after"),
    ("POST", f"{BDB}/actions/retry", V74, "bdb:7@after"),
    ("POST", f"{BDB}/actions/stop_traffic", V78, "bdb:7@after"),
    ("POST", f"{BDB}/actions/resume_traffic", V78, "bdb:7@after"),
    ("POST", f"{BDB}/actions/export", V74, "export:7@idle,,1"),
    ("POST", f"{BDB}/actions/import", V74, "import:7@idle,,1"),
    ("PUT", f"{BDB}/actions/export_reset_status", V74, "bdb:7@after"),
    ("PUT", f"{BDB}/actions/import_reset_status", V74, "bdb:7@after"),
    ("PUT", f"{BDB}/actions/backup_reset_status", V74, "bdb:7@after"),
    ("POST", "/v1/shards/actions/migrate", V74, "no"),
    ("POST", "/v1/shards/3/actions/migrate", V74, "no"),
    ("POST", "/v1/shards/actions/failover", V78, "no"),
    ("POST", "/v1/shards/3/actions/failover", V78, "no"),
    ("POST", f"{NODE}/maintenance_on", V74, "node:2/maintenance_on@after"),
    ("POST", f"{NODE}/maintenance_off", V74, "node:2/maintenance_off@after"),
    ("POST", f"{NODE}/remove", V74, "node:2/remove@after"),
    ("POST", f"{NODE}/enslave_node", V74, "node:2/enslave_node@after"),
    ("DELETE", f"{NODE}/maintenance_on", V74, "node:2/maintenance_on@after"),
    ("POST", "/v1/nodes/2", V74, "no"),
    ("POST", "/v1/cluster/actions/change_master", V74, "cluster:change_master@after"),
    ("DELETE", "/v1/cluster/actions/change_master", V74, "cluster:change_master@after"),
    ("POST", "/v1/cluster/actions/other", V74, "cluster:other@after"),  # of a later version
    ("POST", "/v1/bootstrap/create_cluster", V74, "bootstrap"),
    ("POST", "/v1/bootstrap/join_cluster", V74, "bootstrap"),
    ("POST", "/v1/bootstrap/recover_cluster", V74, "bootstrap"),
    ("POST", "/v1/bootstrap/validate/join_cluster", V74, "done"),
    ("POST", "/v1/crdbs", V74, "crdb:sent"),
    ("PATCH", "/v1/crdbs/g", V74, "crdb:sent"),
    ("DELETE", "/v1/crdbs/g", V74, "crdb:sent"),
    ("POST", "/v1/crdbs/g/updates", V74, "crdb:sent"),
    ("PUT", "/v1/crdbs/g/flush", V74, "crdb:sent"),
    ("PUT", "/v1/crdbs/g/purge", V74, "no"),
    ("POST", "/v1/crdbs/g/upgrade", V80, "crdb:sent"),
    ("POST", "/v1/crdb_tasks/t1/actions/cancel", V74, "crdb:t1"),
    ("POST", "/v1/crdb_tasks/My%20t%C3%A4sk/actions/cancel", V74, "crdb:My täsk"),
    *(
        (method, f"/v1/{kind}{'' if method == 'POST' else '/5'}", V74, "done")
        for kind in ("users", "roles", "redis_acls", "ldap_mappings")
        for method in ("POST", "PUT", "DELETE")
    ),
    ("POST", "/v2/modules", UP_TO_722, "no"),
    ("DELETE", "/v2/modules/ab12", UP_TO_722, "no"),
    ("POST", "/v2/modules/user-defined", V80, "done"),
    ("PUT", "/v1/cluster/certificates", V74, "done"),
    ("POST", "/v1/cluster/certificates/rotate", V74, "done"),
    ("PUT", "/v1/cluster/update_cert", V74, "done"),
    ("POST", "/v1/services", V78, "no"),
    ("POST", "/v1/local/services", V78, "no"),
)
# The calls that are sent again after a 503, if the cluster shows nothing that they have begun.
REPEATABLE: Final = {
    ("PUT", BDB),
    ("DELETE", BDB),
    ("POST", f"{BDB}/upgrade"),
    ("POST", f"{BDB}/modules/upgrade"),
    ("POST", "/v1/modules/upgrade/bdb/7"),
    ("POST", f"{BDB}/modules/config"),
    ("POST", "/v1/modules/config/bdb/7"),
    ("PUT", f"{BDB}/actions/rebalance"),
    ("PUT", f"{BDB}/actions/revamp"),
    ("POST", f"{BDB}/actions/stop_traffic"),
    ("POST", f"{BDB}/actions/resume_traffic"),
    ("POST", f"{BDB}/actions/export"),
    ("PUT", f"{BDB}/actions/export_reset_status"),
    ("PUT", f"{BDB}/actions/import_reset_status"),
    ("PUT", f"{BDB}/actions/backup_reset_status"),
    ("POST", "/v1/cluster/actions/change_master"),
    ("POST", "/v1/crdbs"),
    ("PATCH", "/v1/crdbs/g"),
    ("DELETE", "/v1/crdbs/g"),
    ("POST", "/v1/crdbs/g/updates"),
    ("POST", "/v1/crdbs/g/upgrade"),
}
SEGMENTS: Final = (
    *("bdbs", "nodes", "cluster", "actions", "crdbs", "users", "shards", "modules"),
    *("certificates", "1", "2", "x"),
)
UNDOCUMENTED: Final = (
    ("PUT", "/v1/cluster"),
    ("PUT", "/v1/cluster/policy"),
    ("PUT", "/v1/nodes/2"),
    ("PUT", "/v1/users/password"),
    ("POST", "/v1/users/authorize"),
    ("PATCH", "/v1/bdbs"),
    ("PUT", "/v1/crdbs_like"),
    ("POST", "/v3/what/ever"),
)


class TestCallRules:
    """Documented calls, on each version that has them."""

    @pytest.mark.parametrize(
        ("method", "path", "version", "expected"),
        [
            (method, path, version, expected)
            for method, path, versions, expected in DOCUMENTED
            for version in versions
        ],
    )
    def test_documented(self, method: str, path: str, version: str, expected: str) -> None:
        """A documented call is followed, is documented as done when answered, or has a problem."""
        for answer in ({}, None, [], "ok", True, {"action_uid": None}, {"action_uid": ""}):
            assert summary(handle_of(method, path, answer)) == expected

        assert summary(handle_of(method, path, {"action_uid": "a1"})).startswith("action:a1") or (
            rule_of(method, path).follow
            in {
                Follow.NODE_ACTION_CANCEL,
                Follow.BOOTSTRAP,
                Follow.CRDB_TASK_CANCEL,
                Follow.TRANSFER,
                Follow.CRDB_TASK,
            }
        )
        assert version in V74

    def test_each_rule_applies(self) -> None:
        """Each row of the table applies to a documented call."""
        rows = {rule_of(method, path) for method, path, *_ in DOCUMENTED}

        assert rows >= set(CALL_RULES)

    @pytest.mark.parametrize(
        ("method", "path"), [*((method, path) for method, path, *_ in DOCUMENTED), *UNDOCUMENTED]
    )
    def test_repeatable(self, method: str, path: str) -> None:
        """A call is sent again after a 503 only if the table says so; an unknown one is not."""
        assert rule_of(method, path).repeatable is ((method, path) in REPEATABLE)

    @pytest.mark.parametrize(
        ("method", "path"), [*((method, path) for method, path, *_ in DOCUMENTED), *UNDOCUMENTED]
    )
    def test_command(self, method: str, path: str) -> None:
        """The command that shows what came of a call is one that exists."""
        rule, ref = find_rule(method, path)
        if rule.follow is Follow.CRDB_TASK:
            ref = Reference(ReferenceKind.CRDB, "it's mine")
        name, *words = shlex.split(command_that_finds_out(rule.follow, ref))

        assert name == "redis-actions"
        assert parse_arguments(words).run in {"list", "wait"}

    @pytest.mark.parametrize(
        ("method", "path", "command"),
        [
            ("POST", "/v1/bdbs", "list --name SMCreateBDB"),
            ("PUT", BDB, "list --bdb 7"),
            ("POST", f"{BDB}/actions/import", "list --bdb 7"),
            ("POST", f"{NODE}/maintenance_on", "list --node 2"),
            ("POST", "/v1/cluster/actions/change_master", "list --name change_master"),
            ("POST", "/v1/crdb_tasks/t1/actions/cancel", "wait crdb:t1"),
            ("POST", "/v1/shards/actions/migrate", "list"),
        ],
    )
    def test_command_by_kind(self, method: str, path: str, command: str) -> None:
        """The command asks for what the call works on."""
        rule, ref = find_rule(method, path)

        assert command_that_finds_out(rule.follow, ref) == f"redis-actions {command}"

    @pytest.mark.parametrize(("method", "path"), UNDOCUMENTED)
    def test_undocumented(self, method: str, path: str) -> None:
        """Any other call without a handle in its answer is never complete."""
        assert summary(handle_of(method, path, {})) == "no"
        assert summary(handle_of(method, path, {"action_uid": "a1"})) == "action:a1"
        assert summary(handle_of(method, path, {"task_id": "t1"})) == "action:t1"

    @settings(max_examples=examples(300))
    @given(
        st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]),
        st.lists(
            st.sampled_from(SEGMENTS),
            min_size=1,
            max_size=5,
        ),
        st.sampled_from([None, {}, [], {"status": "active"}, {"message": "accepted"}]),
    )
    def test_any_path(self, method: str, words: list[str], answer: object) -> None:
        """No call is complete unless the table says so."""
        path = "/v1/" + "/".join(words)
        if summary(handle_of(method, path, answer)) == "done":
            assert rule_of(method, path).follow in {Follow.OPTIONAL_ACTION, Follow.SYNCHRONOUS}
