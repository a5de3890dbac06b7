"""Tests of `_client.wire.crdb_health`."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from redis_enterprise_actions import UnreadableReply
from redis_enterprise_actions._client.wire.crdb_health import read_health, replication_findings


if TYPE_CHECKING:
    from collections.abc import Callable

    Edit = Callable[[list[dict[str, Any]]], object]

NAMES = ("c1", "c2")


def healthy(names: tuple[str, ...] = NAMES) -> list[dict[str, Any]]:
    """Return the health report of an Active-Active database that replicates."""
    instances = [{"id": n, "cluster": {"name": name}} for n, name in enumerate(names, 1)]
    return [
        {
            "cluster_name": own,
            "active_config_version": 2,
            "configurations": [
                {"version": 1, "status": "failed", "instances": []},
                {"version": 2, "status": "commit-completed", "instances": deepcopy(instances)},
            ],
            "connections": [
                {
                    "name": other,
                    "status": "ok",
                    "replication_links": [{"link_uid": "1:2", "status": "up"}],
                }
                if other != own
                else {"name": own, "status": "ok"}
                for other in names
            ],
        }
        for own in names
    ]


def findings_of(*answers: object) -> list[str]:
    """Return the findings of the reports of one or several clusters."""
    return replication_findings([read_health(json.dumps(each).encode(), "/p") for each in answers])


def edit(change: Edit) -> list[dict[str, Any]]:
    """Return a report of two clusters after a change."""
    report = healthy()
    change(report)
    return report


@pytest.mark.parametrize("names", [("c1",), NAMES, ("c1", "c2", "c3")])
def test_healthy(names: tuple[str, ...]) -> None:
    """Nothing is found against an Active-Active database that replicates."""
    assert findings_of(healthy(names)) == []
    assert findings_of(healthy(names), healthy(names)) == []


def test_spelling() -> None:
    """Names, words and versions may be spelled otherwise."""
    report = edit(lambda it: it[0]["connections"][1].update(name=" C2", status="OK"))
    report[0]["configurations"][1].update(version="2", status="Commit-Completed ")
    report[0]["connections"][1]["replication_links"][0]["status"] = "UP"

    assert findings_of(report) == []


@pytest.mark.parametrize(
    ("change", "findings"),
    [
        (lambda it: it.clear(), ["the health report is empty"]),
        (lambda it: it.pop(), ["there is no report of c2"]),
        (
            lambda it: it[1].update(connection_error="timed out"),
            ["c2 cannot be reached: timed out"],
        ),
        (lambda it: it[0].update(active_config_version=None), ["c1 has no active version"]),
        (
            lambda it: it[0].update(active_config_version=1),
            [
                "the configuration 1 of c1 is failed",
                "the configuration 1 of c1 names no instances",
                "the active versions 1, 2 differ",
            ],
        ),
        (
            lambda it: it[0].update(configurations=None),
            [
                "the configuration 2 of c1 is missing",
                "the configuration 2 of c1 names no instances",
            ],
        ),
        (
            lambda it: it[0]["configurations"][1].update(status="committed"),
            ["the configuration 2 of c1 is committed"],
        ),
        (
            lambda it: it[0].update(connections=None),
            ["c1 has no connection to c2"],
        ),
        (
            lambda it: it[0]["connections"][1].update(status="error"),
            ["the connection of c1 to c2 is error"],
        ),
        (
            lambda it: it[0]["connections"][1].update(replication_links=[]),
            ["c1 has no replication link to c2"],
        ),
        (
            lambda it: it[0]["connections"][1].pop("replication_links"),
            ["c1 has no replication link to c2"],
        ),
        (
            lambda it: it[0]["connections"][1].update(
                replication_links=[{"link_uid": "1:2", "status": "up"}, {"link_uid": "1:3"}, 5]
            ),
            ["link 1:3 of c1 is without a status", "link ? of c1 is without a status"],
        ),
        (
            lambda it: it[1]["connections"][0]["replication_links"][0].update(status="down"),
            ["link 1:2 of c2 is down"],
        ),
        (
            lambda it: it[0]["connections"].append({"replication_links": []}),
            ["c1 has no replication link to a cluster without a name"],
        ),
        (
            lambda it: it[0]["configurations"][1]["instances"].append({"id": 7}),
            ["there is no report of instance 7", "c1 has no connection to instance 7"],
        ),
        (
            lambda it: it[0]["configurations"][1]["instances"].append(5),
            ["there is no report of instance ?", "c1 has no connection to instance ?"],
        ),
        (
            lambda it: it[0].update(cluster_name=None, active_config_version=None),
            ["a cluster without a name has no active version", "there is no report of c1"],
        ),
    ],
)
def test_findings(change: Edit, findings: list[str]) -> None:
    """Each thing that is missing or wrong is found, and named."""
    assert findings_of(edit(change)) == findings


@pytest.mark.parametrize("field", ["connection_error", "status"])
@pytest.mark.parametrize(
    ("value", "word"),
    [
        ({"message": "x", "password": "s3cret"}, None),
        (["x"], '["x"]'),
        (True, "true"),
        (False, "false"),
        (1.5, "1.5"),
        (0, "0"),
        ("null", None),
        ("", ""),
        (" ", ""),
        (None, ""),
    ],
)
def test_type(field: str, value: object, word: str | None) -> None:
    """An error or a status of any type is a finding, unless it is absent, null or blank."""
    report = healthy()
    place = report[1] if field == "connection_error" else report[1]["connections"][0]
    place[field] = value
    findings = findings_of(report)

    assert len(findings) == (0 if word == "" else 1)
    assert "s3cret" not in "".join(findings)
    assert (word or "") in "".join(findings)


@pytest.mark.parametrize("is_first", [True, False])
def test_configuration_twice(is_first: bool) -> None:
    """Each configuration with the active version has to be committed everywhere."""
    report = healthy()
    failed = {"version": "2", "status": "failed", "instances": []}
    report[0]["configurations"].insert(0 if is_first else 9, failed)

    assert findings_of(report) == ["the configuration 2 of c1 is failed"]


def test_clusters_of_one_name() -> None:
    """Each of two clusters with the same name has to have a report and a connection."""
    report = healthy(("c1", "c1"))
    for each in report:
        each["connections"][1]["replication_links"] = [{"link_uid": "1:2", "status": "up"}]
    assert findings_of(report) == []
    report[0]["connections"] = [{"name": "c1", "status": "ok"}]
    assert findings_of(report) == ["c1 has no connection to c1"]

    assert findings_of(report[1:]) == ["there is no report of c1"]


def test_one_report() -> None:
    """A report of one instance without connections is none of an Active-Active database."""
    report = edit(lambda it: it.pop())
    report[0]["connections"] = []

    assert findings_of(report) == ["there is no report of c2", "c1 has no connection to c2"]


def test_several_clusters() -> None:
    """All have to see it so, and to agree on the version; a finding of both is named once."""
    other = healthy()
    for report in other:
        report["active_config_version"] = 3
        report["configurations"][1]["version"] = 3
    down = edit(lambda it: it[0]["connections"][1]["replication_links"][0].update(status="down"))

    assert findings_of(healthy(), other) == ["the active versions 2, 3 differ"]
    assert findings_of(healthy(), down) == findings_of(down, down) == ["link 1:2 of c1 is down"]
    assert findings_of(healthy(), []) == ["the health report is empty"]


@pytest.mark.parametrize("body", [b"{}", b"[5]", b"<html>", b""])
def test_unreadable(body: bytes) -> None:
    """Another answer is unreadable: also a list with an entry that is, as nothing may be missed."""
    with pytest.raises(UnreadableReply):
        read_health(body, "/p")
