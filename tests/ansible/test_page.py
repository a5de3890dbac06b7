"""Tests of the playbooks on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.ansible.playbooks import page_blocks


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import FakeCluster
    from tests.ansible.playbooks import Playbooks


def calls(cluster: FakeCluster) -> list[str]:
    """Return the requests that start work."""
    return [f"{each.method} {each.path}" for each in cluster.requests if each.method != "GET"]


def test_site(first_playbooks: Playbooks) -> None:
    """The playbook builds the cluster and the database; the second run sends no call.

    Before the first run, and after it, check mode says so.
    """
    site = first_playbooks.site()
    server = first_playbooks.server

    checked = first_playbooks.run(site, "--check")

    assert checked.code == 0, checked.output
    assert checked.changed == 4
    assert {each.partition("?")[2] for each in server.do(calls)} == {"dry_run=true"}
    server.do(lambda cluster: cluster.requests.clear())

    first = first_playbooks.run(site)

    assert first.code == 0, first.output
    assert first.changed == 4
    assert server.do(calls) == [
        "POST /v1/bootstrap/create_cluster",
        "POST /v1/bootstrap/join_cluster",
        "POST /v1/bootstrap/join_cluster",
        "POST /v1/bdbs",
        "POST /v1/bdbs/1/upgrade",
    ]
    assert first.task("Create the database")["action"]["object_uid"] == "1"
    assert {each["outcome"] for each in first.tasks} == {"completed"}

    checked = first_playbooks.run(site, "--check")
    second = first_playbooks.run(site)

    assert (checked.code, checked.changed) == (0, 0), checked.output
    assert (second.code, second.changed) == (0, 0), second.output
    assert len(server.do(calls)) == 5
    assert second.task("Upgrade the database")["ref"] == first.task("Upgrade the database")["ref"]


def test_tasks(playbooks: Playbooks) -> None:
    """The other tasks of the page run, one after another."""
    tasks = [task for block in page_blocks()[1:] for task in block]
    tasks[-1]["redis_enterprise.actions.check"]["ignore"].append(1)

    run = playbooks.run(playbooks.tasks(*tasks))

    assert run.code == 0, run.output
    assert [each["changed"] for each in run.tasks] == [True, False, False]
    assert run.tasks[0]["outcome"] is None
    assert [each["outcome"] for each in run.tasks[1]["results"]] == ["completed", "completed"]
