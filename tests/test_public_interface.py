"""Tests of the public interface: its names, kinds of functions, types and completion."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import jedi
import pytest

import redis_enterprise_actions
from redis_enterprise_actions import (
    ActionsClient,
    Cluster,
    Crdbs,
    Databases,
    Nodes,
    Operation,
    Shards,
    sync,
)


PACKAGE = Path(redis_enterprise_actions.__file__).parent
NAMES = Path(__file__).parent / "golden" / "public-names.txt"
CLASSES = [ActionsClient, Operation, Databases, Nodes, Cluster, Shards, Crdbs]
RESOURCES = {
    "databases": Databases,
    "nodes": Nodes,
    "cluster": Cluster,
    "shards": Shards,
    "crdbs": Crdbs,
}
# Methods that send nothing, or return an asynchronous iterator or context manager.
NOT_AWAITED = {
    *("ActionsClient.from_env", "ActionsClient.from_profile", "ActionsClient.observe"),
    *("ActionsClient.operation", "ActionsClient.watch_action", "Nodes.maintenance"),
    *("ActionsClient.capture", "Crdbs.replicating", "Operation.watch"),
}


def public_methods() -> dict[str, object]:
    """Return the public methods of the client, its resources and its operations."""
    return {
        f"{kind.__name__}.{name}": method
        for kind in CLASSES
        for name, method in inspect.getmembers(kind, inspect.isroutine)
        if not name.startswith("_")
    }


def described() -> list[str]:
    """Return a line for each public name: methods with their parameters."""
    lines = list(redis_enterprise_actions.__all__)
    for name, method in public_methods().items():
        parameters = inspect.signature(method).parameters  # type: ignore[arg-type]
        lines.append(f"{name}({', '.join(each for each in parameters if each != 'self')})")
    return sorted([*lines, *described_sync()])


def described_sync() -> list[str]:
    """Return the same for the synchronous client."""
    lines = [f"sync.{name}" for name in sync.__all__]
    for kind in CLASSES:
        twin = getattr(sync, kind.__name__)
        for name, method in inspect.getmembers(twin, inspect.isroutine):
            if not name.startswith("_"):
                parameters = list(inspect.signature(method).parameters)
                given = ", ".join(each for each in parameters if each != "self")
                lines.append(f"sync.{kind.__name__}.{name}({given})")
    return lines


def test_names() -> None:
    """Public names and parameters are those of the golden file, so that a change shows there."""
    assert described() == NAMES.read_text("utf-8").splitlines()


def test_one_list_of_names() -> None:
    """`__all__`, the table of modules and the imports for type checkers have the same names."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    typed: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level and node.module:
            typed |= {alias.name: node.module for alias in node.names}
    names = redis_enterprise_actions.__all__

    assert names == sorted(names)
    assert typed == dict(redis_enterprise_actions._MODULES)
    assert {*typed, "__version__"} == set(names)
    assert set(names) <= set(dir(redis_enterprise_actions))


@pytest.mark.parametrize("name", redis_enterprise_actions.__all__)
def test_name_is_there(name: str) -> None:
    """Each name is loaded when it is first used, and is the same object afterwards."""
    first = getattr(redis_enterprise_actions, name)

    assert first is getattr(redis_enterprise_actions, name)


def test_unknown_name() -> None:
    """A name that is not public is an `AttributeError` like that of any module."""
    with pytest.raises(
        AttributeError, match=r"^module 'redis_enterprise_actions' has no attribute 'x'"
    ):
        redis_enterprise_actions.x  # noqa: B018 - the look is the test


@pytest.mark.enable_socket
def test_lazy() -> None:
    """Importing the package loads none of its modules."""
    code = "import sys, redis_enterprise_actions; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    ours = [name for name in run.stdout.split() if name.startswith("redis_enterprise_actions")]

    assert ours == ["redis_enterprise_actions"]
    assert not {"aiohttp", "msgspec", "tenacity"} & set(run.stdout.split())


@pytest.mark.parametrize("name", public_methods())
def test_coroutine_functions(name: str) -> None:
    """Each method that is awaited is a coroutine function."""
    assert inspect.iscoroutinefunction(public_methods()[name]) is (name not in NOT_AWAITED)


@pytest.mark.parametrize("name", public_methods())
def test_parameters_are_spelled_out(name: str) -> None:
    """No public method takes `**options`, and each parameter and result has a type."""
    signature = inspect.signature(public_methods()[name])  # type: ignore[arg-type]

    for each in signature.parameters.values():
        assert each.kind is not inspect.Parameter.VAR_KEYWORD
        assert each.name == "self" or each.annotation is not inspect.Parameter.empty
    assert signature.return_annotation is not inspect.Signature.empty
    assert "Any" not in re.findall(r"\w+", str(signature))


def test_every_method_is_typed() -> None:
    """`typing_api.py` asserts the type of each public method that returns something."""
    tree = ast.parse((Path(__file__).parent / "typing_api.py").read_text("utf-8"))
    typed: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "assert_type":
            calls = [each for each in ast.walk(node.args[0]) if isinstance(each, ast.Call)]
            typed |= {ast.unparse(call.func) for call in calls}
    owners = {"ActionsClient": ("client", "ActionsClient"), "Operation": ("operation",)}
    owners |= {kind.__name__: (f"client.{name}",) for name, kind in RESOURCES.items()}
    missing = []
    for name, function in public_methods().items():
        kind, _, method = name.partition(".")
        returned = inspect.signature(function).return_annotation  # type: ignore[arg-type]
        if returned != "None" and not {f"{owner}.{method}" for owner in owners[kind]} & typed:
            missing.append(name)

    assert missing == []


SCRIPT = """
from redis_enterprise_actions import ActionsClient

async def main(client: ActionsClient):
    op = await client.databases.upgrade(1)
    op.
"""


def completions(line: str) -> set[str]:
    """Return what an editor offers at the end of a line of the script."""
    lines = SCRIPT.splitlines()
    lines[-1] = f"    {line}"
    found = jedi.Script("\n".join(lines)).complete(len(lines), len(lines[-1]))
    return {each.name for each in found}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep jedi's cache apart from those of other processes, which write to it at the same time."""
    cache = tmp_path_factory.getbasetemp() / "jedi"
    monkeypatch.setattr(jedi.settings, "cache_directory", str(cache))


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("op.", {"wait", "watch", "get", "cancel", "ref", "done", "answer"}),
        ("client.", {"databases", "nodes", "cluster", "shards", "crdbs", "wait_for_action"}),
        ("client.nodes.", {"maintenance_on", "maintenance_off", "remove", "wait", "actions"}),
        ("client.databases.upgrade(1, bu", {"busy_timeout="}),
    ],
)
def test_completion(line: str, offered: set[str]) -> None:
    """An editor offers what there is: on the client, its resources and an operation."""
    assert offered <= completions(line)
