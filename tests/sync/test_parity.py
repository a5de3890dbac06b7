"""Tests that both clients have the same interface, but for what an event loop makes of it."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

import redis_enterprise_actions as asynchronous
from redis_enterprise_actions import sync
from redis_enterprise_actions.sync import _crdbs, _link
from redis_enterprise_actions.sync._link import Link, Work
from tests import sync_classes, typing_api
from tests.sync_classes import LEFT_OUT, RENAMED, SOURCES, TYPES


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

CLASSES: Final = tuple(source.name for source in SOURCES)
# The mappings of types; `TYPES` are those of results.
OWN_VALUES: Final = frozenset({*CLASSES, "Recorder", "TokenSource"})
SPECIAL: Final = ("__init__", "__enter__", "__exit__", "__iter__", "__repr__")
ASYNC_NAMES: Final = {new: old for old, new in RENAMED.items()}


def members(kind: type) -> set[str]:
    """Return the names of the public members of a class."""
    return {name for name in dir(kind) if not name.startswith("_")}


def pairs() -> Iterator[tuple[str, object, object]]:
    """Yield each public method, and each special one, of both clients."""
    for name in CLASSES:
        ours, theirs = getattr(sync, name), getattr(asynchronous, name)
        for each in sorted(members(theirs)):
            method = inspect.getattr_static(theirs, each)
            if not isinstance(method, property) and callable(getattr(theirs, each)):
                own = RENAMED.get(each, each)
                yield f"{name}.{own}", getattr(ours, own), getattr(theirs, each)
    yield "ActionsClient.__init__", sync.ActionsClient.__init__, asynchronous.ActionsClient.__init__
    for own, other in (("__enter__", "__aenter__"), ("__exit__", "__aexit__")):
        ours, theirs = getattr(sync.ActionsClient, own), getattr(asynchronous.ActionsClient, other)
        yield f"ActionsClient.{own}", ours, theirs
    yield "Operation.__iter__", sync.Operation.__iter__, asynchronous.Operation.__aiter__


PAIRS: Final = [pytest.param(ours, theirs, id=name) for name, ours, theirs in pairs()]


def test_names() -> None:
    """Both packages have the same names, and the same values but for those of clients."""
    assert sync.__all__ == asynchronous.__all__
    differing = {
        name for name in sync.__all__ if getattr(sync, name) is not getattr(asynchronous, name)
    }

    assert differing == OWN_VALUES


@pytest.mark.parametrize("name", CLASSES)
def test_members(name: str) -> None:
    """Both classes have the same methods and properties; none of the special ones is async."""
    ours, theirs = getattr(sync, name), getattr(asynchronous, name)

    assert members(ours) - {"answer"} == {
        RENAMED.get(each, each) for each in members(theirs) - {"answer"}
    }
    assert hasattr(ours, "answer") == hasattr(theirs, "answer")
    assert not hasattr(ours, "__await__")
    assert typing.get_type_hints(sync.ActionsClient) == {
        source.target.partition(".")[2]: getattr(sync, source.name)
        for source in SOURCES
        if "." in source.target
    }


def translated(annotation: object) -> object:
    """Return the annotation of a result as the synchronous client has it."""
    text = str(annotation)
    for old, new in TYPES:
        text = re.sub(old, new, text)
    return text


def parameters(function: object) -> list[tuple[str, object, object, object]]:
    """Return the names, kinds, defaults and types of the parameters that both clients have."""
    signature = inspect.signature(cast("Callable[..., object]", function))
    return [
        (each.name, each.kind, each.default, each.annotation)
        for each in signature.parameters.values()
        if each.name not in LEFT_OUT
    ]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_signature(ours: object, theirs: object) -> None:
    """Both methods have the same parameters, defaults and types; what was awaited returns."""
    our_overloads = typing.get_overloads(cast("Callable[..., object]", ours))
    their_overloads = typing.get_overloads(cast("Callable[..., object]", theirs))

    for our, their in zip((ours, *our_overloads), (theirs, *their_overloads), strict=True):
        assert parameters(our) == parameters(their)
        assert inspect.signature(our).return_annotation == translated(  # type: ignore[arg-type]
            inspect.signature(their).return_annotation  # type: ignore[arg-type]
        )
        assert not inspect.iscoroutinefunction(our)
        for each in inspect.signature(our).parameters.values():  # type: ignore[arg-type]
            # The default of a limit is told from the same number by its type.
            default = inspect.signature(their).parameters[each.name].default  # type: ignore[arg-type]
            assert type(each.default) is type(default)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_docstring(ours: object, theirs: object) -> None:
    """Both methods have a docstring, without the grammar of the other world."""
    text, other = getattr(ours, "__doc__", None), getattr(theirs, "__doc__", None)

    assert (text is None) == (other is None)
    assert not re.search(r"\b(await|async|coroutine|aclose)\b", text or "")
    assert all(len(line) <= 100 for line in (text or "").splitlines())


def test_sessions() -> None:
    """The one parameter that is left out is `session`, which belongs to an event loop."""
    for name in ("__init__", "from_env", "from_profile"):
        theirs = inspect.signature(getattr(asynchronous.ActionsClient, name)).parameters
        ours = inspect.signature(getattr(sync.ActionsClient, name)).parameters
        assert theirs.keys() - ours.keys() == {"session"} == LEFT_OUT
    with pytest.raises(TypeError, match="session"):
        sync.ActionsClient("http://n1", session=None)  # type: ignore[call-arg]


class Imports(ast.NodeTransformer):
    """Remover of imports, whose order is a matter of style, and of white space in docstrings."""

    def __init__(self) -> None:
        self.names: set[tuple[str, str]] = set()

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.Pass:
        place = "." * node.level + (node.module or "")
        self.names |= {(place, ast.unparse(each)) for each in node.names}
        return ast.Pass()

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value.value = inspect.cleandoc(node.value.value)
        return node


def content(text: str) -> tuple[str, set[tuple[str, str]]]:
    """Return what a formatter does not change: the code without its imports, and these."""
    imports = Imports()
    tree = imports.visit(ast.parse(text))
    return ast.unparse(tree).replace("pass\n", ""), imports.names


@pytest.mark.parametrize("name", sync_classes.modules())
def test_generated_modules(name: str) -> None:
    """The generated modules are up to date with the asynchronous classes."""
    path = sync_classes.TARGET / f"{name}.py"
    hint = f"{path.name} is out of date: run python -m tests.sync_classes"

    assert content(sync_classes.modules()[name]) == content(path.read_text("utf-8")), hint


def test_generated_typing_api() -> None:
    """So is the file that type checkers read."""
    path = Path(typing_api.__file__).with_name("typing_api_sync.py")

    assert content(sync_classes.typing_api()) == content(path.read_text("utf-8"))


class Recording:
    """Asynchronous object that records how its methods are called."""

    def __init__(self, calls: list[tuple[str, tuple[object, ...], dict[str, object]]]) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> object:
        if name in {"databases", "nodes", "cluster", "shards", "crdbs"}:
            return self

        def call(*arguments: object, **options: object) -> str:
            self._calls.append((name, arguments, options))
            return name

        return call


class Untouched:
    """Thread that makes a call; callbacks are taken as they are."""

    def callback(self, function: object, argument: str) -> object:
        assert argument == "on_progress"
        return function

    def until(self, until: object) -> object:
        return until


class LinkToRecording:
    """Link, or work, whose asynchronous object records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[object, ...], dict[str, object]]] = []
        self.operation = Recording(self.calls)

    def call(self, function: Callable[[object, object], object]) -> object:
        return function(self.operation, Untouched())

    def make(self, function: Callable[[object], object]) -> object:
        return function(self.operation)

    start = iterate = enter = call
    work = make


FORWARDED: Final = [
    pytest.param(name, method.name, id=f"{source.name}.{method.name}")
    for source in SOURCES
    for name, method in [
        (source.name, each)
        for node in ast.parse(inspect.getsource(getattr(asynchronous, source.name))).body
        if isinstance(node, ast.ClassDef)
        for each in node.body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        and not each.name.startswith("_")
        and not any(ast.unparse(mark) in {"property", "overload", "classmethod"}
                    for mark in each.decorator_list)
        and each.name not in {"aclose", "observe"}
    ]
]  # fmt: skip


@pytest.mark.parametrize(("name", "method"), FORWARDED)
def test_arguments(name: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each method passes each argument on, under its name, to the method of the same name."""
    link = LinkToRecording()
    kind: Any = getattr(sync, name)
    twin = object.__new__(kind)
    setattr(twin, "_work" if name == "Operation" else "_link", link)
    monkeypatch.setattr(f"{_crdbs.__name__}.clients_of", lambda others: others)
    monkeypatch.setattr(f"{sync.__name__}._client.operations_on", lambda _, them: them)
    signature = inspect.signature(getattr(kind, method))
    given: dict[str, object] = {}
    positional: list[object] = []
    for each in list(signature.parameters.values())[1:]:
        value = f"the {each.name}"
        if each.kind is each.VAR_POSITIONAL:
            positional += [value]
        elif each.kind is each.KEYWORD_ONLY:
            given[each.name] = value
        else:
            positional.append(value)

    getattr(twin, method)(*positional, **given)

    ((called, arguments, options),) = link.calls
    assert called == method
    theirs = inspect.signature(getattr(getattr(asynchronous, name), method))
    bound = theirs.bind(None, *arguments, **options).arguments
    expected = signature.bind(None, *positional, **given).arguments
    assert dict(bound) | {"self": None} == dict(expected) | {"self": None}


def test_classes_of_the_link() -> None:
    """What the generated modules call exists."""
    assert {"call", "start", "make", "work", "iterate", "enter"} <= set(dir(Link))
    assert {"call", "iterate", "operation"} <= {*dir(Work), "operation"}
    assert callable(_link.operations_on)


async def with_async(thing: object) -> None:
    """Use something in `async with`."""
    async with thing:  # type: ignore[attr-defined]
        pytest.fail("there is no body")


async def for_async(thing: object) -> None:
    """Use something in `async for`."""
    async for _ in thing:  # type: ignore[attr-defined]
        pytest.fail("there is no body")


@pytest.mark.parametrize(
    ("use", "make", "message"),
    [
        (with_async, lambda client: client, "use `with` instead of `async with`, or for "),
        (
            with_async,
            lambda client: client.nodes.maintenance(1),
            "use `with` instead of `async with`, or for ",
        ),
        (
            for_async,
            lambda client: client.operation("a1"),
            "use `for` instead of `async for`, or for ",
        ),
    ],
)
def test_asynchronous_use(
    client: sync.ActionsClient,
    use: Callable[[object], Coroutine[object, object, None]],
    make: Callable[[sync.ActionsClient], object],
    message: str,
) -> None:
    """What belongs into asynchronous code is an error that names the cure."""
    thing = make(client)

    with pytest.raises(sync.UsageError, match=message) as caught:
        asyncio.run(use(thing))

    assert isinstance(caught.value, TypeError)
    assert "redis_enterprise_actions" in str(caught.value)
