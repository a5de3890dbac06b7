"""Writer of the synchronous classes, from the source of the asynchronous ones.

`python -m tests.sync_classes` writes the modules of `redis_enterprise_actions.sync` whose first
lines say so, and `tests/typing_api_sync.py`. A test fails if one of them is out of date.

Signatures are taken over as they are, but for the types in `_TYPES` and the parameters in
`LEFT_OUT`. Docstrings are taken over with the `_WORDS` replaced, each of which has to occur. The
body of a method calls the asynchronous method through a `Link` or a `Work`.
"""

from __future__ import annotations

import ast
import copy
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import redis_enterprise_actions


PACKAGE: Final = Path(redis_enterprise_actions.__file__).parent
TARGET: Final = PACKAGE / "sync"
TESTS: Final = Path(__file__).parent
# A session belongs to an event loop, and the synchronous client has one of its own.
LEFT_OUT: Final = frozenset({"session"})
RENAMED: Final = {
    "aclose": "close",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
}
# Special methods that are taken over; an `Operation` is not awaited.
_SPECIAL: Final = frozenset({"__init__", "__repr__", *RENAMED})

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class Source(NamedTuple):
    """Asynchronous class, its module, and how its synchronous twin reaches it."""

    name: str
    module: str
    target: str  # an asynchronous object, as the lambda expressions name it
    link: str  # the attribute that calls them


SOURCES: Final = (
    Source("ActionsClient", "client", "client", "_link"),
    Source("Operation", "operation", "operation", "_work"),
    Source("Databases", "resources/databases", "client.databases", "_link"),
    Source("Nodes", "resources/nodes", "client.nodes", "_link"),
    Source("Cluster", "resources/cluster", "client.cluster", "_link"),
    Source("Shards", "resources/shards", "client.shards", "_link"),
    Source("Crdbs", "resources/crdbs", "client.crdbs", "_link"),
)
RESOURCES: Final = tuple(source.name for source in SOURCES if "." in source.target)

TYPES: Final = (
    (r"\bAsyncGenerator\[(\w+), None\]", r"Generator[\1, None, None]"),
    (r"\bAbstractAsyncContextManager\[", "AbstractContextManager["),
    (r"\bAsyncIterator\[", "Iterator["),
)

# Pairs of words in docstrings; blanks stand for any white space.
_WORDS: Final = (
    (
        "`token`: a token, or a function or coroutine function that returns one. The client calls "
        "the\n      function",
        "`token`: a token, or a function that returns one. The client calls the function, in a "
        "thread\n      of its own,",
    ),
    (
        "The client closes the session that it makes, by `aclose` or at the\n    end of `async "
        "with`; a `session` that is passed in stays open.",
        "The client closes its connections by `close`, or at the end of `with`.\n\n    All "
        "clients of a process share one thread with an event loop. Threads may share a client. In "
        "the\n    child of a fork a client is as if just made.",
    ),
    ("when a wait begins, in the context of the task that waits,", "when a wait begins, in the "
     "thread that serves all clients,\n        which it must not delay, and in the context of the "
     "thread that waits,"),
    (
        "Close the client, and the session that it made.\n\n        Waits that are still running, "
        "and later calls, raise `ClientClosed`. Raises `UsageError` if\n        the client was "
        "used in another event loop that is still open.",
        "Close the client, and its connections.\n\n        Waits that are still running, and later "
        "calls, raise `ClientClosed`.",
    ),
    ("do not run in the context of a task that waits", "do not run in the context of a thread that "
     "waits"),
    ("A function that is given as `token` sees the\n        variable when a poll needs a token.",
     "A function that is given as `token` sees the\n        variable when a poll needs a token. In "
     "the child of a fork, the variables are the same."),
    (
        "is called, and awaited if it returns an awaitable, with the first answer, each\n        "
        "change and the end",
        "is called, in the thread that waits, with the first answer, each change and the\n        "
        "end",
    ),
    (
        "Cancelling the task that\n        awaits this leaves the action on the cluster alone.",
        "An exception\n        that ends this early, such as `KeyboardInterrupt`, leaves the "
        "action on the cluster alone.",
    ),
    ("to await, watch or cancel", "to wait for, watch or cancel"),
    ("`await operation` waits with the default settings and returns the `FinishedAction`; `wait` "
     "takes\n    the settings; `async for action in operation` yields each change, and failures "
     "like any other\n    end. `await operation.result()` returns",
     "`wait` waits and returns the `FinishedAction`; `for action in operation` yields each change, "
     "and\n    failures like any other end. `operation.result()` returns"),
    ("Await one export before", "Wait for one export before"),
    ("Await one import before", "Wait for one import before"),
    ("the body of `async with` runs", "the body of `with` runs"),
    ("after an error or a cancellation at any time", "after an exception at any time"),
    ("has failed or was cancelled", "has failed or was interrupted"),
    ("That is the first error, or the\n        cancellation if the task is cancelled later.",
     "That is the first error.\n        A first `KeyboardInterrupt` does not cut that short."),
    ("At the end of `async with`, also after an error or a cancellation,",
     "At the end of `with`, also after an exception,"),
    ("up: await `Cluster.wait_healthy`", "up: call `Cluster.wait_healthy`"),
)  # fmt: skip

_PUBLIC: Final = frozenset(redis_enterprise_actions.__all__)
_PLACES: Final = {
    **dict.fromkeys(
        ("Callable", "Generator", "Iterable", "Iterator", "Mapping", "Sequence"), "collections.abc"
    ),
    "AbstractContextManager": "contextlib",
    "TracebackType": "types",
    "Context": "contextvars",
    **dict.fromkeys(("Literal", "Self"), "typing"),
    "WaitBaseT": "tenacity.wait",
    "Until": "redis_enterprise_actions._client.goals",
    "Untracked": "redis_enterprise_actions._client.operation",
    **{name: f"._{name.lower()}" for name in ("Operation", *RESOURCES)},
    "TokenSource": "._tokens",
    **dict.fromkeys(("Generic", "Protocol", "cast", "overload"), "typing"),
    **dict.fromkeys(
        ("DEFAULT_OUTAGE_TIMEOUT", "NOT_FOUND_GRACE", "TRANSFER_GRACE"),
        "redis_enterprise_actions._client.pacing.durations",
    ),
    **dict.fromkeys(("kept", "plain_token"), "._arguments"),
    **dict.fromkeys(("Link", "Work", "clients_of", "operations_on"), "._link"),
    **dict.fromkeys(("NoAsyncFor", "NoAsyncWith"), "._misuse"),
    **dict.fromkeys(("AsyncOptions", "options_of"), "._options"),
    "AsyncActionsClient": "redis_enterprise_actions",
}
_ALIASES: Final = {"AsyncActionsClient": "ActionsClient as AsyncActionsClient"}
_VARIABLES: Final = """
    _R_co = DefaultTypeVar("_R_co", covariant=True, default=OperationResult)
else:
    _R_co = TypeVar("_R_co", covariant=True)
"""
_WIDTH: Final = 100
_GRAMMAR: Final = re.compile(r"\b(?:await\w*|async\w*|coroutine|aclose|session)\b", re.IGNORECASE)


def modules() -> dict[str, str]:
    """Return the text of each generated module, not formatted yet, by its name."""
    used: set[str] = set()
    found = {f"_{source.name.lower()}": _module(source, used) for source in SOURCES}
    found["_client"] = found.pop("_actionsclient")
    assert {old for old, _ in _WORDS} == used, {old for old, _ in _WORDS} - used
    return found


def _module(source: Source, used: set[str]) -> str:
    path = PACKAGE / "_client" / f"{source.module}.py"
    tree = ast.parse(path.read_text("utf-8"))
    classes = {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
    body = ""
    if source.name == "Crdbs":
        body += f"{ast.unparse(classes['ClusterClient'])}\n\n\n"
    body += _class(source, classes[source.name], used)
    return _head(source, body) + body


def _class(source: Source, node: ast.ClassDef, used: set[str]) -> str:
    base = _BASES.get(source.name, "")
    lines = [f"class {source.name}{base}:", f'    """{_docstring(node, used)}"""', ""]
    lines += [f"    {line}" for line in _BEGINNINGS.get(source.name, _OF_RESOURCE)]
    for each in node.body:
        if isinstance(each, _Function) and _is_taken(each):
            method = ast.unparse(_method(source, each, used))
            lines += ["", *(f"    {line}" if line else "" for line in method.splitlines())]
    return "\n".join(lines) + "\n"


def _is_taken(function: _Function) -> bool:
    return (
        not function.name.startswith("_")
        or function.name in _SPECIAL - {"__init__"}
        or (
            function.name == "__init__" and len(function.args.kwonlyargs) > 9  # that of the client
        )
    )


_LINKED: Final = ["__slots__ = ('_link',)", "", "def __init__(self, link: Link) -> None:"]
_OF_RESOURCE: Final = [
    *_LINKED,
    "    self._link = link",
    "",
    "def __repr__(self) -> str:",
    "    return f'<{type(self).__name__}>'",
]
_BASES: Final = {
    "ActionsClient": "(NoAsyncWith)",
    "Operation": "(NoAsyncFor, Generic[_R_co])",
}
_BEGINNINGS: Final = {
    "ActionsClient": [f"{name.lower()}: {name}" for name in RESOURCES],
    "Operation": [
        "__slots__ = ('_work',)",
        "",
        "def __init__(self, work: Work[_R_co]) -> None:",
        "    self._work = work",
        "",
        "@property",
        "def answer(self) -> object:",
        "    '''The decoded answer of the cluster to the call that started the work.'''",
        "    return self._work.operation.answer",
    ],
}


def _docstring(node: ast.ClassDef | _Function, used: set[str]) -> str:
    text = ast.get_docstring(node, clean=False) or ""
    for old, new in _WORDS:
        pattern = re.sub(r"(?:\\?\s)+", lambda _: r"\s+", re.escape(old))
        text, count = re.subn(pattern, lambda _, new=new: new, text)  # type: ignore[misc]
        if count:
            used.add(old)
    rest = _GRAMMAR.search(text)
    assert rest is None, f"{node.name}: {rest and rest.group()} is not for synchronous callers"
    return _filled(text)


def _filled(text: str) -> str:
    """Return a text whose too long paragraphs are filled anew."""
    parts = re.split(r"(\n(?= *\n)|\n(?= *- )|\n(?=Source: ))", text)
    return "".join(_fill(part) if _longest(part) > _WIDTH else part for part in parts)


def _longest(text: str) -> int:
    return max(len(line) for line in text.splitlines()) if text.strip() else 0


def _fill(paragraph: str) -> str:
    end = "\n    " if paragraph.endswith(("\n    ", "\n        ")) else ""
    first, *rest = paragraph.strip("\n").splitlines()
    begin = paragraph[: len(paragraph) - len(paragraph.lstrip("\n"))]
    indents = [re.match(" *", line) for line in (first, *(rest or [first]))][:2]
    first_indent, next_indent = (match.group() for match in indents if match)
    return (
        begin
        + textwrap.fill(
            " ".join(paragraph.split()),
            _WIDTH,
            initial_indent=first_indent,
            subsequent_indent=next_indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        + end
    )


def _method(source: Source, function: _Function, used: set[str]) -> ast.FunctionDef:
    """Return the synchronous twin of a method."""
    made = copy.deepcopy(function)
    keywords = [each.arg not in LEFT_OUT for each in made.args.kwonlyargs]
    made.args.kw_defaults = [
        each for each, is_kept in zip(made.args.kw_defaults, keywords, strict=True) if is_kept
    ]
    made.args.kwonlyargs = [each for each in made.args.kwonlyargs if each.arg not in LEFT_OUT]
    returns = ast.unparse(made.returns) if made.returns is not None else "None"
    for old, new in TYPES:
        returns = re.sub(old, new, returns)
    name = RENAMED.get(made.name, made.name)
    is_overload = any(ast.unparse(each) == "overload" for each in made.decorator_list)
    text = "..." if is_overload else _body(source, made, returns)
    body = ast.parse(text).body
    if ast.get_docstring(made):
        body = [ast.Expr(ast.Constant(_docstring(made, used))), *body]
    return ast.FunctionDef(
        name=name,
        args=made.args,
        body=body,
        decorator_list=made.decorator_list,
        returns=ast.parse(returns, mode="eval").body,
        lineno=0,
    )


def _body(source: Source, function: _Function, returns: str) -> str:
    """Return the statements of a synchronous method."""
    special = _BODIES.get(f"{source.name}.{function.name}")
    if special is not None:
        return special.replace("ARGUMENTS", _arguments(function))
    if any(ast.unparse(each) == "property" for each in function.decorator_list):
        return f"return self._work.operation.{function.name}"
    arguments = _arguments(function)
    caller = "caller" if "caller." in arguments else "_"
    first = source.target.split(".")[0]
    call = f"lambda {first}, {caller}: {source.target}.{function.name}({arguments})"
    if returns.startswith("Generator"):
        return f"return self.{source.link}.iterate({call})"
    if returns.startswith("AbstractContextManager"):
        return f"return self.{source.link}.enter({call})"
    if returns.startswith("Operation"):
        return f"return Operation(self.{source.link}.start({call}))"
    return f"{'' if returns == 'None' else 'return '}self.{source.link}.call({call})"


_BODIES: Final = {
    "ActionsClient.__init__": (
        "trusted_hosts = kept(trusted_hosts)\n"
        "self._link = Link(lambda: AsyncActionsClient(ARGUMENTS))\n"
        + "\n".join(f"self.{name.lower()} = {name}(self._link)" for name in RESOURCES)
    ),
    "ActionsClient.from_env": "return cls(**options_of(AsyncOptions.from_env(ARGUMENTS)))",
    "ActionsClient.from_profile": "return cls(**options_of(AsyncOptions.from_profile(ARGUMENTS)))",
    "ActionsClient.__aenter__": "return self",
    "ActionsClient.__aexit__": "self.close()",
    "ActionsClient.__repr__": (
        "return f\"{type(self).__name__}({', '.join(map(repr, self.urls))})\""
    ),
    "ActionsClient.urls": "return self._link.urls",
    "ActionsClient.poll_context": "return self._link.poll_context",
    "ActionsClient.observe": "self._link.observe(observer)",
    "ActionsClient.aclose": "self._link.close()",
    "ActionsClient.operation": (
        "return Operation(self._link.work(lambda client: client.operation(ref)))"
    ),
    "Operation.__repr__": "return repr(self._work.operation)",
    "Operation.__aiter__": "return self.watch()",
    "Crdbs.replicating": (
        "return Operation(self._link.make("
        "lambda client: client.crdbs.replicating(guid, others=clients_of(others))))"
    ),
}


def _arguments(function: _Function) -> str:
    """Return the arguments with which the asynchronous method is called."""
    given = [_argument(each.arg, each.arg) for each in function.args.args[1:]]
    if function.args.vararg is not None:
        given.append("*operations_on(client, operations)")
    is_settled = any(each.arg == "settle" for each in function.args.kwonlyargs)
    for each in function.args.kwonlyargs:
        value = _argument(each.arg, each.arg)
        if is_settled and each.arg == "settle":
            value = "cast('Literal[True]', settle)"  # mypy takes no bool for the two overloads
        given.append(f"{each.arg}={value}")
    return ", ".join(given)


def _argument(name: str, value: str) -> str:
    return {
        "on_progress": "caller.callback(on_progress, 'on_progress')",
        "until": "caller.until(until)",
        "token": "plain_token(token)",
        "others": "clients_of(others)",
    }.get(name, value)


def _head(source: Source, body: str) -> str:
    """Return the beginning of a module: its docstring and its imports."""
    tree = ast.parse(body)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names -= {source.name, "ClusterClient"}
    at_runtime = _names_at_runtime(tree)
    runtime: dict[str, set[str]] = {"typing": {"TYPE_CHECKING"}}
    typed: dict[str, set[str]] = {}
    for name in names:
        place = _PLACES.get(name) or ("redis_enterprise_actions" if name in _PUBLIC else None)
        if place is not None:
            imports = runtime if name in at_runtime else typed
            imports.setdefault(place, set()).add(_ALIASES.get(name, name))
    variables = ""
    if source.name == "Operation":
        runtime["typing"].add("TypeVar")
        typed.setdefault("typing_extensions", set()).add("TypeVar as DefaultTypeVar")
        typed["redis_enterprise_actions"].add("OperationResult")
        variables = _VARIABLES
    lines = _imports(typed) if "os" not in names else ["import os", *_imports(typed)]
    typing = "\n".join(f"    {line}" for line in lines)
    return (
        f'"""Synchronous `{source.name}`. `python -m tests.sync_classes` writes this module."""\n\n'
        "from __future__ import annotations\n\n"
        + "\n".join(_imports(runtime))
        + f"\n\n\nif TYPE_CHECKING:\n{typing}\n{variables}\n\n"
    )


def _names_at_runtime(tree: ast.Module) -> set[str]:
    """Return the names that are not part of an annotation."""
    tree = copy.deepcopy(tree)
    for node in ast.walk(tree):
        if isinstance(node, _Function):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(value=None)
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _imports(places: dict[str, set[str]]) -> list[str]:
    """Return import statements in three groups: other packages, this one, and this folder."""
    lines: list[str] = []
    standard = {"collections.abc", "contextlib", "contextvars", "types", "typing"}
    groups = (
        standard,
        {"tenacity.wait", "typing_extensions"},
        {each for each in places if each.startswith("redis")},
        {each for each in places if each.startswith(".")},
    )
    for group in groups:
        found = sorted(group & set(places))
        if found and lines:
            lines.append("")
        lines += [f"from {place} import {', '.join(sorted(places[place]))}" for place in found]
    return lines


def typing_api() -> str:
    """Return `typing_api_sync.py`, not formatted yet."""
    text = (TESTS / "typing_api.py").read_text("utf-8")
    ours, fake = text.split("async def fake_api")
    for old, new in _TYPING:
        ours, count = re.subn(old, new, ours)
        assert count, f"{old} is not in typing_api.py"
    return f"{ours}async def fake_api{fake}"


_TYPING: Final = (
    (
        r"^.*\n",
        '"""`typing_api.py` for the synchronous client, written by `python -m '
        'tests.sync_classes`."""\n',
    ),
    (r"import asyncio\n", ""),
    (r"from redis_enterprise_actions import", "from redis_enterprise_actions.sync import"),
    # What the synchronous client has no need of, or no place for.
    (r"async def show_async(?:.*\n)+?\n\n", ""),
    (r"show_async", "show"),
    (r"task = asyncio.create_task\((.*)\)\n    assert_type\(await task", r"assert_type(\1"),
    (r"await asyncio.create_task\(coming\)", "coming"),
    (r"assert_type\(await operation, FinishedAction\)\n    ", ""),
    # The rest is grammar.
    (r"AsyncGenerator\[Action, None\]", "Generator[Action, None, None]"),
    (r"Async(Generator|Iterator|ContextManager)", r"\1"),
    (r"anext\(", "next("),
    (r"aclose", "close"),
    (r"\(await (client\.\w+\.\w+\([^()]*(?:\{[^{}]*\})?\))\)\.", r"\1."),
    (r"\b(?:await|async) ", ""),
)


def write() -> None:
    """Write all files."""
    files = []
    for name, text in modules().items():
        files.append(TARGET / f"{name}.py")
        files[-1].write_text(text, "utf-8")
    files.append(TESTS / "typing_api_sync.py")
    files[-1].write_text(typing_api(), "utf-8")
    subprocess.run(["ruff", "check", "--quiet", "--fix", "--select", "I", *files], check=True)
    subprocess.run(["ruff", "format", "--quiet", *files], check=True)


if __name__ == "__main__":
    write()
