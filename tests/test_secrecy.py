"""Tests that no message, `repr`, log record or output shows a secret."""

from __future__ import annotations

import gc
import os
import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionsClient, UnreadableReply, UsageError
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions._client.wire.databases import read_database
from redis_enterprise_actions.testing import Plan
from redis_enterprise_actions.testing.state.databases import DATABASE_SECRET
from tests.secrecy import SECRETS, leaks_of, secrets_in


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import FakeCluster
    from tests.memory_keyring import MemoryKeyring
    from tests.threaded_cluster import ThreadedCluster

pytest_plugins = ["pytester"]

SECRET = "hunter2-hunter2"


def reachable(root: object) -> list[object]:
    """Return the package's objects that are reachable from one."""
    found, todo = {id(root): root}, [root]
    while todo:
        for each in gc.get_referents(todo.pop()):
            ours = type(each).__module__.startswith("redis_enterprise_actions")
            if id(each) not in found and (ours or type(each) in {dict, list, tuple, set}):
                found[id(each)] = each
                todo.append(each)
    return [each for each in found.values() if type(each).__module__ != "builtins"]


@pytest.mark.parametrize(
    "options",
    [
        {"username": "ops", "password": SECRET},
        {"username": "ops", "password": SECRET, "auth": "jwt"},
        {"token": SECRET},
    ],
)
async def test_repr(cluster: FakeCluster, options: dict[str, str]) -> None:
    """No part of a client shows a secret in its `repr`."""
    async with ActionsClient(cluster.url, **options) as client:  # type: ignore[arg-type]
        with pytest.raises(Exception, match="401"):
            await client.get_action("x")

        parts = reachable(client)
        assert {"Transport", "Secret", "Poller"} <= {type(part).__name__ for part in parts}
        assert [part for part in parts if secrets_in(repr(part))] == []


async def test_database_password(
    cluster: FakeCluster, client: ActionsClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Only `reveal` shows the password of a database: no text, JSON, pickle or log record does."""
    caplog.set_level(0)
    config = {"name": "cache", "memory_size": 2**30, "authentication_redis_pass": DATABASE_SECRET}
    database = await (await client.databases.create(config)).result()
    found = [database, *await client.databases.list_all(), await client.databases.get("name:cache")]
    texts = [f"{each!r} {each} {each.to_json()} {each.to_dict()}" for each in found]

    assert {each.password and each.password.reveal() for each in found} == {DATABASE_SECRET}
    assert secrets_in("".join(texts) + caplog.text + repr(pickle.dumps(found))) == []
    assert all("***" in text for text in texts)


@pytest.mark.parametrize(
    "options",
    [
        {"username": "a:b", "password": SECRET},
        {"username": "ops", "password": SECRET, "auth": "digest"},
        {"username": "ops", "password": SECRET + "\ud800"},
        {"password": SECRET},
        {"token": SECRET, "auth": "jwt"},
        {"token": SECRET + " " + SECRET + " x"},
        {"username": "ops", "password": SECRET, "ca_cert": "nowhere.pem"},
        {"username": "ops", "password": SECRET, "request_timeout": -1},
        {"username": "ops", "password": SECRET, "trusted_hosts": 5},
    ],
)
@pytest.mark.parametrize("make", [ActionsClient, ActionsClient.from_env])
def test_bad_settings(make: type[ActionsClient], options: dict[str, str]) -> None:
    """The error of an invalid argument does not show a secret."""
    options = {"url": "https://n1:9443"} | options
    with pytest.raises(UsageError) as caught:
        make(**options)  # type: ignore[arg-type]

    assert leaks_of(caught.value) == []


def test_databases() -> None:
    """The error of an unreadable database does not show its secrets."""
    body = f'{{"authentication_admin_pass": "{DATABASE_SECRET}"}}'.encode()
    with pytest.raises(UnreadableReply) as caught:
        read_database(body, "/v1/bdbs/1")

    assert leaks_of(caught.value) == []


@pytest.mark.parametrize(
    "command",
    [
        ["list"], ["list", "--json"], ["watch", "--once"], ["profiles"], ["login"], ["logout"],
        *(["list", "--profile", name] for name in ("wrong", "open", "none")),
        ["list", "--ca-cert", "nowhere.pem"], ["list", "--url", "https://127.0.0.1:1"],
        ["completion", "bash"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_output(
    threaded: ThreadedCluster,
    memory_keyring: MemoryKeyring,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    """No command prints a secret of a profile, however it ends."""
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "config.toml"))
    for name in ("URL", "USER", "PASSWORD"):
        monkeypatch.delenv(f"REDIS_ENTERPRISE_{name}")
    for name, text in (("right", threaded.cluster.password), ("wrong", SECRET), ("open", SECRET)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o644 if name == "open" else 0o600)
    (tmp_path / "config.toml").write_text(
        'default = "right"\n[profiles.none]\npassword = "hunter2-hunter2"\n'
        + "".join(
            f'[profiles.{name}]\nurl = "{threaded.cluster.url}"\n'
            f'user = "{threaded.cluster.username}"\npassword_file = "{name}"\n'
            for name in ("right", "wrong", "open")
        )
    )
    threaded.add("SMUpdateBDB", Plan(duration=100))
    if command == ["login"]:
        command = ["login", "--password-file", str(tmp_path / "right")]
    code = main(command)
    printed = "".join(capsys.readouterr())

    assert code in {0, 2, 5}
    assert printed
    assert secrets_in(printed) == []


LEAKS = """
import logging, pickle, subprocess, sys
import pytest
from redis_enterprise_actions import UsageError

SECRET = "-".join(["hunter2"] * 2)

def test_log():
    logging.getLogger("redis_enterprise_actions.x").debug("it is %s", SECRET)

def test_log_traceback():
    try:
        int(SECRET)
    except ValueError:
        logging.exception("no number")

def test_error():
    UsageError(SECRET)

def test_cause():
    UsageError("no number").__cause__ = ValueError(SECRET)

def test_group():
    UsageError("several").exceptions = [ValueError(SECRET)]

def test_attribute():
    UsageError("no more").detail = SECRET

def test_revived():
    harmless = "x" * len(SECRET)
    pickle.loads(pickle.dumps(UsageError(harmless)).replace(harmless.encode(), SECRET.encode()))

def test_output():
    print(SECRET)

def test_error_output():
    print(SECRET, file=sys.stderr)

def test_output_that_is_read(capsys):
    print(SECRET)
    capsys.readouterr()

def test_output_that_is_not_read(capsys):
    print(SECRET)

def test_program():
    subprocess.run([sys.executable, "-c", f"print('{SECRET}')"], capture_output=True)

@pytest.fixture
def leaky():
    yield
    print(SECRET)

def test_teardown(leaky):
    pass
"""
HARMLESS = """
@pytest.mark.prints_password
def test_command():
    print(SECRET)

def test_nothing():
    UsageError("no more")
"""


@pytest.mark.enable_socket
@pytest.mark.prints_password
def test_a_leak_fails_its_test(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that shows a secret anywhere fails, and no other test does."""
    root = Path(__file__).parent.parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), str(root / "src")]))
    pytester.makeini("[pytest]")
    pytester.makepyfile(LEAKS + HARMLESS)
    result = pytester.runpytest_subprocess("-p", "tests.secrecy", "-p", "no:cacheprovider", "-rfE")
    failed = re.findall(r"^(?:FAILED|ERROR) \S+::(\w+)", result.stdout.str(), re.MULTILINE)

    assert sorted(failed) == sorted(re.findall(r"^def (test_\w+)", LEAKS, re.MULTILINE))
    assert result.outlines.count("A secret is shown.") == len(failed)


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_long(secret: str) -> None:
    """Each secret is too long to be found by chance."""
    assert len(secret) > 7
