"""Tests of the modules, run by Ansible."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible_collections.redis_enterprise.actions.plugins.doc_fragments.connection import (
    ModuleDocFragment,
)
from ansible_collections.redis_enterprise.actions.plugins.module_utils.options import CONNECTION
from ansible_collections.redis_enterprise.actions.plugins.modules import check, operation, wait

from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from tests.ansible.playbooks import Playbooks

MODULES = {"operation": operation, "wait": wait, "check": check}
SECRET, IN_URL = "a-secret-of-a-database", "a-secret-in-a-url"


def task(module: str, *, name: str = "", **options: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return a task whose failure does not end the play."""
    full = f"redis_enterprise.actions.{module}"
    return {"name": name or module, full: options, "ignore_errors": True}


def writes(playbooks: Playbooks) -> list[str]:
    """Return the requests that are no GET."""
    return playbooks.server.do(
        lambda cluster: [f"{r.method} {r.path}" for r in cluster.requests if r.method != "GET"]
    )


@pytest.mark.parametrize("name", MODULES)
def test_documentation(collections: Path, name: str) -> None:
    """`ansible-doc` shows each option of a module as its specification has it."""
    program = str(Path(sys.executable).with_name("ansible-doc"))
    done = subprocess.run(
        [program, "--json", "-t", "module", f"redis_enterprise.actions.{name}"],
        env={"ANSIBLE_COLLECTIONS_PATH": str(collections), "HOME": str(collections)},
        capture_output=True,
        text=True,
        check=True,
    )
    documented = json.loads(done.stdout)[f"redis_enterprise.actions.{name}"]
    options = documented["doc"]["options"]
    specified = {**CONNECTION, **MODULES[name].ARGUMENTS}

    assert options.keys() == specified.keys()
    for option, specification in specified.items():
        found = options[option]
        kept = ("type", "elements", "default", "choices", "required")
        expected = {key: specification[key] for key in kept if key in specification}
        assert {key: found[key] for key in kept if found.get(key) not in (None, False)} == {
            key: value for key, value in expected.items() if value is not False
        }, option
        assert found["description"]
    assert yaml.safe_load(documented["examples"])
    assert documented["return"]["outcome"]


def test_fragment() -> None:
    """The fragment has the options that all modules share, and no others."""
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]

    assert documented.keys() == CONNECTION.keys()


def test_secrets(playbooks: Playbooks) -> None:
    """No output has a secret of a body, a header or the environment, with or without a failure."""
    playbooks.environment |= {"SECRET": SECRET, "IN_URL": IN_URL}  # Ansible shows the playbook
    config = {
        "name": "cache",
        "memory_size": 1000,
        "authentication_redis_pass": "{{ lookup('env', 'SECRET') }}",
        "sync_sources": [{"uri": "redis://admin:{{ lookup('env', 'IN_URL') }}@host:1"}],
    }
    headers = {"X-Note": "Bearer header-{{ lookup('env', 'SECRET') }}"}
    body = {"authentication_redis_pass": "{{ lookup('env', 'SECRET') }}"}
    site = playbooks.tasks(
        task("operation", call="databases.create", arguments={"config": config}, headers=headers),
        task("operation", method="PUT", path="/v1/bdbs/1", json=body),
        task("operation", method="PUT", path="/v1/bdbs/77", json=body),
        task("operation", call="databases.update", arguments={"uid": 1, "chnges": body}),
        task(
            "operation",
            method="PUT",
            path="/v1/bdbs/1",
            json=body,
            password="another-{{ lookup('env', 'SECRET') }}",
        ),
    )

    run = playbooks.run(site, "-vvvv")

    outcomes = [each["outcome"] for each in run.tasks]
    assert outcomes == ["completed", "completed", "rejected", "wrong usage", "rejected"]
    assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in run.output
    for secret in (SECRET, IN_URL, "fake-password"):
        assert secret not in run.output, secret
        assert secret not in json.dumps(run.tasks), secret
    assert '"memory_size": 1000' in run.output
    assert '"name": "cache"' in run.output


def test_check_mode(playbooks: Playbooks) -> None:
    """Check mode sends dry runs only, and says where nothing would change."""
    playbooks.server.do(lambda cluster: cluster.add_bdb(1))
    config, same, other = {"name": "a", "memory_size": 9}, {"name": "db1"}, {"memory_size": 5}
    state = playbooks.state / "s.json"
    site = playbooks.tasks(
        task("operation", call="databases.create", arguments={"config": config}),
        task("operation", call="databases.update", arguments={"uid": 1, "changes": same}),
        task("operation", call="databases.update", arguments={"uid": 1, "changes": other}),
        task("operation", method="PUT", path="/v1/bdbs/1", json=same),
        task("operation", call="databases.upgrade", arguments={"uid": 1}, state_file=str(state)),
        task(
            "operation",
            method="POST",
            path="/v1/shards/actions/failover",
            json={"shard_uids": ["1"]},
        ),
        task("operation", ref="action:a"),
        task("wait", refs=["bdb:1@available"]),
        task("check"),
        task("operation", call="databases.create", arguments={"config": {"name": 5}}),
    )

    run = playbooks.run(site, "--check")

    assert [each["changed"] for each in run.tasks] == [
        *(True, False, True, False, True, True, False, False, False, False),
    ]
    assert [each["failed"] for each in run.tasks] == [False] * 9 + [True]
    messages = [each.get("msg") for each in run.tasks]
    assert messages[0] == "would make the call databases.create, which the cluster has checked"
    assert messages[1] == "databases.update of 1: there is nothing to change"
    assert messages[4] == (
        "would make the call databases.upgrade of 1; the API has no dry run of it"
    )
    assert messages[7] == "would wait for bdb:1@available"
    assert all("dry_run" in each or "shards" in each for each in writes(playbooks))
    assert playbooks.server.do(lambda cluster: (len(cluster.bdbs), len(cluster.actions))) == (1, 0)
    assert not state.exists()


def test_check_mode_with_state(playbooks: Playbooks) -> None:
    """In check mode, a state file tells what the task would do; it stays as it is."""
    playbooks.server.do(lambda cluster: cluster.add_bdb(1))
    options = {"arguments": {"uid": 1}, "state_file": str(playbooks.state / "s.json")}
    site = playbooks.operation(call="databases.upgrade", **options)
    playbooks.run(site)
    before = (playbooks.state / "s.json").read_bytes()

    run = playbooks.run(site, "--check")

    result = run.task("it")
    assert (result["changed"], result["outcome"], run.code) == (False, "completed", 0)
    assert (playbooks.state / "s.json").read_bytes() == before
    assert len(writes(playbooks)) == 1


def test_failures(playbooks: Playbooks) -> None:
    """Failures have the outcome, the cluster's words, and whether the call was executed."""
    playbooks.server.do(lambda cluster: cluster.add_bdb(1))
    failed = Plan(duration=0.2, outcome="failed", error="too little")
    slow = Plan(duration=60.0)
    server = playbooks.server
    server.do(lambda cluster: cluster._planned_calls._planned.clear())
    server.do(lambda cluster: cluster.plan("POST", "/v1/bdbs/1/upgrade", failed))
    server.do(lambda cluster: cluster.plan("POST", "/v1/bdbs/1/upgrade", slow))
    upgrade = {"call": "databases.upgrade", "arguments": {"uid": 1}}
    site = playbooks.tasks(
        task("operation", name="failed", **upgrade),
        task("operation", name="slow", timeout="500ms", **upgrade),
        task("operation", name="busy", **upgrade),
        task("operation", name="name", call="databases.upgrade", arguments={"uid": "name:none"}),
        task("operation", name="nothing", timeout="1m"),
        task("operation", name="two", method="POST", path="/v1/bdbs", **upgrade),
        task("operation", name="timeout", timeout="soon", **upgrade),
        task(
            "operation", name="until", until="available", call="nodes.remove", arguments={"uid": 1}
        ),
        task("operation", name="file", state_file="/dev/null", **upgrade),
        task("operation", name="profile", profile="prod", username="a", **upgrade),
        task("operation", name="url", url=["http://127.0.0.1:1"], outage_timeout="1s", **upgrade),
        task("operation", name="arguments", arguments={"uid": 1}, ref="bdb:1"),
        task("operation", name="reference", ref="bdb:x"),
    )

    run = playbooks.run(site)

    got = [
        (each["task"], each.get("outcome"), each.get("call_started"), each["changed"])
        for each in run.tasks
    ]
    assert got == [
        ("failed", "failed", "yes", True),
        ("slow", "timed out", "yes", True),
        ("busy", "rejected", "no", False),
        ("name", "not found", "no", False),
        ("nothing", None, None, False),  # by Ansible
        ("two", None, None, False),  # by Ansible
        ("timeout", "wrong usage", "no", False),
        ("until", "wrong usage", "no", False),
        ("file", "wrong usage", "no", False),
        ("profile", "wrong usage", "no", False),
        ("url", "unreachable", "no", False),
        ("arguments", "wrong usage", "no", False),
        ("reference", "wrong usage", "no", False),
    ]
    first = run.task("failed")
    assert first["action"]["status"] == "failed"
    assert "too little" in first["msg"]
    assert first["ref"].startswith("action:")
    assert run.task("busy")["status"] == 409
    assert len(writes(playbooks)) == 3


def test_wait(playbooks: Playbooks) -> None:
    """`wait` returns the end of each reference; an empty list has to be allowed."""
    playbooks.server.do(lambda cluster: cluster.add_bdb(1))
    good = playbooks.server.add(plan=Plan(duration=0.5), bdb_uid=1)
    bad = playbooks.server.add(plan=Plan(duration=0.2, outcome="failed", error="no"), bdb_uid=1)
    refs = [f"action:{good}", f"action:{bad}", "bdb:9@available"]
    site = playbooks.tasks(
        task("wait", name="settle", refs=refs, settle=True, timeout="30s"),
        task("wait", name="first", refs=refs[:2]),
        task("wait", name="good", refs=refs[:1]),
        task("wait", name="hold", refs=["bdb:1@available"], hold="1s"),
        task("wait", name="empty", refs=[]),
        task("wait", name="allowed", refs=[], allow_empty=True),
        task("wait", name="wrong", refs=["bdb:x"]),
    )

    run = playbooks.run(site)

    ends = {
        each["task"]: (each["failed"], each["outcome"], len(each.get("results", ())))
        for each in run.tasks
    }
    assert ends == {
        "settle": (True, "failed", 3),
        "first": (True, "failed", 1),
        "good": (False, "completed", 1),
        "hold": (False, "completed", 1),
        "empty": (True, "wrong usage", 0),
        "allowed": (False, "completed", 0),
        "wrong": (True, "wrong usage", 1),
    }
    results = run.task("settle")["results"]
    assert [each["outcome"] for each in results] == ["completed", "failed", "not found"]
    assert "(and 1 more of 3 failed)" in run.task("settle")["msg"]
    assert not any(each["changed"] for each in run.tasks)


def test_check(playbooks: Playbooks) -> None:
    """`check` fails with the findings, unless they are ignored or wanted."""
    server = playbooks.server
    server.do(lambda cluster: cluster.start_node_action(2, "maintenance_on", Plan(duration=0.0)))
    site = playbooks.tasks(
        task("check", name="fails"),
        task("check", name="returns", fail=False),
        task("check", name="ignores", ignore=[2]),
        task("check", name="url", url=["http://127.0.0.1:1"]),
    )

    run = playbooks.run(site)

    ends = [(each["failed"], each["outcome"], each.get("healthy")) for each in run.tasks]
    assert ends == [
        *((True, "not healthy", False), (False, "not healthy", False)),
        *((False, "completed", True), (True, "unreachable", None)),
    ]
    findings = run.task("fails")["findings"]
    assert [(each["kind"], each["object"]) for each in findings] == [("maintenance", "node 2")]
    assert "node 2" in run.task("fails")["msg"]
    assert not any(each["changed"] for each in run.tasks)


def test_missing_package(playbooks: Playbooks, tmp_path: Path) -> None:
    """Without the package, a task says what to install, and where."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    playbooks.environment.pop("PYTHONPATH", None)
    site = playbooks.tasks(task("check"))

    run = playbooks.run(site, "-e", f"ansible_python_interpreter={venv}/bin/python")

    message = run.task("check")["msg"]
    assert re.search(r"Failed to import .*\(redis-enterprise-actions \(for Python 3\.11", message)
    assert str(venv) in message


def test_asynchronous(playbooks: Playbooks) -> None:
    """A task that Ansible runs in the background and asks for its end has the usual result."""
    playbooks.server.do(lambda cluster: cluster.add_bdb(1))
    playbooks.environment["ANSIBLE_ASYNC_DIR"] = str(playbooks.folder / "async")
    upgrade = task("operation", name="it", call="databases.upgrade", arguments={"uid": 1})

    run = playbooks.run(playbooks.tasks({**upgrade, "async": 100, "poll": 1}))

    result = run.task("it")
    assert (result["outcome"], result["call_started"], run.changed) == ("completed", "yes", 1)
