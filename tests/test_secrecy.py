"""Facts about secrets: nothing that people or machines read shows one."""

from __future__ import annotations

import gc
import logging
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionsClient, UnreadableReply, UsageError
from redis_enterprise_actions._action import one_line
from redis_enterprise_actions._cli import main
from redis_enterprise_actions._wire_work import read_database
from redis_enterprise_actions.testing._cluster import DATABASE_SECRET
from tests.secrecy import SECRETS, WATCH, Watch, secrets_in


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redis_enterprise_actions.testing import FakeCluster
    from tests.kept import InMemory
    from tests.served import Served

SECRET = "hunter2-hunter2"


def reachable(root: object) -> list[object]:
    """Return the objects of ours that hang on one."""
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
    """No object that a client is made of shows a secret, before and after it was used."""
    async with ActionsClient(cluster.url, **options) as client:  # type: ignore[arg-type]
        with pytest.raises(Exception, match="401"):
            await client.get_action("x")

        parts = reachable(client)
        assert {"Transport", "Secret", "Hub"} <= {type(part).__name__ for part in parts}
        assert [part for part in parts if secrets_in(repr(part))] == []


@pytest.mark.parametrize(
    "options",
    [
        {"username": "a:b", "password": SECRET},
        {"username": "ops", "password": SECRET, "auth": "digest"},
        {"username": "ops", "password": SECRET + "\ud800"},
        {"password": SECRET},
        {"token": SECRET, "auth": "jwt"},
        {"token": SECRET + " " + SECRET + " x"},
        {"username": "ops", "password": SECRET, "ca_file": "nowhere.pem"},
        {"username": "ops", "password": SECRET, "request_timeout": -1},
        {"username": "ops", "password": SECRET, "trusted_hosts": 5},
    ],
)
@pytest.mark.parametrize("make", [ActionsClient, ActionsClient.from_env])
def test_bad_settings(make: type[ActionsClient], options: dict[str, str]) -> None:
    """A setting that cannot work does not bring a secret before anybody's eyes."""
    watch = Watch()
    options = {"url": "https://n1:9443"} | options
    with pytest.raises(UsageError) as caught:
        make(**options)  # type: ignore[arg-type]
    watch.heard_of(caught.value)
    watch.search_errors()

    assert watch.searched["variable"] > 0
    assert watch.found == []


def test_databases() -> None:
    """A database that cannot be read takes its secrets with it."""
    watch = Watch()
    body = f'{{"authentication_admin_pass": "{DATABASE_SECRET}"}}'.encode()
    with pytest.raises(UnreadableReply) as caught:
        read_database(body, "/v1/bdbs/1")
    watch.heard_of(caught.value)
    watch.search_errors()

    assert watch.searched["variable"] > 0
    assert watch.found == []


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
    served: Served,
    kept: InMemory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    """No command prints a secret of a profile, whatever becomes of it."""
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "config.toml"))
    for name in ("URL", "USER", "PASSWORD"):
        monkeypatch.delenv(f"REDIS_ENTERPRISE_{name}")
    for name, text in (("right", served.cluster.password), ("wrong", SECRET), ("open", SECRET)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o644 if name == "open" else 0o600)
    (tmp_path / "config.toml").write_text(
        'default = "right"\n[profiles.none]\npassword = "hunter2-hunter2"\n'
        + "".join(
            f'[profiles.{name}]\nurl = "{served.cluster.url}"\n'
            f'user = "{served.cluster.username}"\npassword_file = "{name}"\n'
            for name in ("right", "wrong", "open")
        )
    )
    served.add("SMUpdateBDB", duration=100)
    if command == ["login"]:
        command = ["login", "--password-file", str(tmp_path / "right")]
    code = main(command)
    printed = "".join(capsys.readouterr())

    assert code in {0, 2, 5}
    assert printed
    assert secrets_in(printed) == []


class Leaky:
    """Something that shows a secret when it is shown."""

    def __repr__(self) -> str:
        return SECRET


def raised(call: Callable[[], object]) -> Exception:
    """Return what a call raises."""
    with pytest.raises((ValueError, AttributeError)) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(
    ("what", "leak"),
    [
        ("error", lambda: int(SECRET)),
        ("variable", lambda: one_line(Leaky())),  # type: ignore[arg-type]
    ],
)
def test_search(what: str, leak: Callable[[], object]) -> None:
    """The search finds a secret in what an error says, and in the variables that it passed."""
    watch = Watch()
    watch.heard_of(raised(leak))
    watch.search_errors()

    assert {(where, secret) for where, secret, _ in watch.found} == {(what, SECRET)}


def test_search_of_logs() -> None:
    """The search finds a secret in a log record, and every secret is long enough to be found."""
    watch = Watch()
    watch.emit(logging.makeLogRecord({"msg": "it is %s", "args": (SECRET,)}))

    assert {secret for _, secret, _ in watch.found} == {SECRET}
    assert all(len(secret) > 7 for secret in SECRETS)


def test_the_whole_run() -> None:
    """No log record, error or variable in this run of the tests has shown a secret."""
    WATCH.search_errors()

    assert WATCH.found == []
    assert min(WATCH.searched.values()) > 0 or not WATCH.searched["error"]
