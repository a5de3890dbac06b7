"""Tests of modules that are run in this process, mainly with options that are wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils import basic
from ansible_collections.redis_enterprise.actions.plugins.modules import operation


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.threaded_cluster import ThreadedCluster

SECRET, OTHER = "s3cr3t-one", "s3cr3t-two"
BODY = {"authentication_redis_pass": SECRET}
UPDATE = {"call": "databases.update", "arguments": {"uid": 1, "changes": {"memory_size": 5}}}


@pytest.fixture
def run(
    server: ThreadedCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., dict[str, Any]]:
    """Run the module `operation`, and return what it prints for Ansible."""
    cluster = server.cluster
    server.do(lambda cluster: cluster.add_bdb(1))
    monkeypatch.setenv("REDIS_ENTERPRISE_URL", cluster.url)
    monkeypatch.setenv("REDIS_ENTERPRISE_USER", cluster.username)
    monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", cluster.password)

    def run(*, check: bool = False, **options: object) -> dict[str, Any]:
        internal = {"_ansible_remote_tmp": str(tmp_path), "_ansible_check_mode": check}
        arguments = {"ANSIBLE_MODULE_ARGS": {**options, **internal}}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps(arguments).encode())
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy")
        with pytest.raises(SystemExit):
            operation.main()
        printed: dict[str, Any] = json.loads(capsys.readouterr().out)
        return printed

    return run


def sent(server: ThreadedCluster) -> list[str]:
    """Return the paths of the requests that are no GET."""
    return server.do(
        lambda cluster: [each.path for each in cluster.requests if each.method != "GET"]
    )


@pytest.mark.parametrize(
    "options",
    [
        {"method": "GET", "path": "/v1/bdbs/1", "json": BODY, "headers": {"X-Note": OTHER}},
        {"call": "databases.update", "method": "PUT", "path": "/v1/bdbs/1", "json": BODY},
        {"method": "PUT", "path": "/v1/bdbs/1", "wait": "maybe", "json": BODY, "token": OTHER},
        {"method": "PUT", "path": "/v1/bdbs/1", "jsn": BODY, "pasword": OTHER},
        {"method": "PUT", "path": "/v1/bdbs/1", "json": f"[{SECRET}"},
        {"method": "PUT", "path": "/v1/bdbs/1", "headers": [f"X-Note: {SECRET}"]},
        {"method": "PUT", "path": f"/v1/bdbs/77?token={SECRET}"},
        {"method": "PUT", "path": "/v1/bdbs/77", "json": {"password": {"value": SECRET}}},
        {**UPDATE, "url": f"https://u:{SECRET}@127.0.0.1:1", "outage_timeout": "0"},
        {**UPDATE, "password": SECRET, "profile": "", "token": OTHER},
    ],
)
def test_secrets(run: Callable[..., dict[str, Any]], options: dict[str, object]) -> None:
    """No failure shows a secret, also if an option is wrong."""
    result = run(**options)

    assert result["failed"]
    assert "path" not in options or "path" in result["invocation"]["module_args"]
    for secret in (SECRET, OTHER, "fake-password"):
        assert secret not in json.dumps(result)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({**UPDATE, "state_file": ""}, "state_file"),
        ({**UPDATE, "ref": " "}, "ref"),
        ({**UPDATE, "url": []}, "url"),
        ({**UPDATE, "password": ""}, "password"),
        ({"call": ""}, "call"),
        ({"method": "POST", "path": ""}, "path"),
    ],
)
def test_empty(
    run: Callable[..., dict[str, Any]],
    server: ThreadedCluster,
    options: dict[str, object],
    name: str,
) -> None:
    """An empty option is an error, as it would otherwise count as not given."""
    result = run(**options)

    assert result["msg"].startswith(f"{name}: given, but empty; ")
    assert (result["outcome"], result["call_started"]) == ("wrong usage", "no")
    assert sent(server) == []


@pytest.mark.parametrize("check", [False, True])
def test_missing_folder(
    run: Callable[..., dict[str, Any]], server: ThreadedCluster, tmp_path: Path, *, check: bool
) -> None:
    """A state file in a folder that does not exist is an error, also in check mode."""
    result = run(check=check, state_file=str(tmp_path / "none" / "file"), **UPDATE)

    assert result["msg"].endswith("file cannot be used: No such file or directory")
    assert result["call_started"] == "no"
    assert sent(server) == []


def test_damaged(run: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """After a damaged state file, it is not known whether the call was executed."""
    (tmp_path / "file").write_text("{}", "utf-8")

    result = run(state_file=str(tmp_path / "file"), **UPDATE)

    assert (result["outcome"], result["call_started"]) == ("wrong usage", "unknown")
    assert "cannot be read" in result["msg"]
