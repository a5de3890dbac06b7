"""Writer of the table of named calls, from the signatures of the resources.

`python -m tests.named_calls` writes it to `_cli/calls/table.py`, so that Tab and the help of a call
need not load the resources. A test fails if the table is out of date.

A method that returns an `Operation` is a call. Its uids are positional, a mapping is `--data`, and
all else is an option. The arguments that every call shares are those of `submit`, and are not part
of the specification.
"""

from __future__ import annotations

import inspect
import re
import subprocess
from pathlib import Path
from typing import Final

import redis_enterprise_actions
from redis_enterprise_actions import Cluster, Crdbs, Databases, Nodes, Shards
from redis_enterprise_actions._cli.calls.signatures import ArgumentKind, CallArgument, NamedCall


RESOURCES: Final[dict[str, type]] = {
    "databases": Databases,
    "nodes": Nodes,
    "cluster": Cluster,
    "shards": Shards,
    "crdbs": Crdbs,
}
TABLE: Final = Path(redis_enterprise_actions.__file__).parent / "_cli" / "calls" / "table.py"
_HEAD: Final = '''"""Table of the named calls. `python -m tests.named_calls` writes it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from .signatures import ArgumentKind, CallArgument, NamedCall


if TYPE_CHECKING:
    from collections.abc import Mapping

'''

# The arguments of `ActionsClient.submit`, which has options of its own for them.
SHARED: Final = frozenset({
    *("params", "headers", "busy_timeout", "outage_timeout", "request_timeout", "untracked"),
})  # fmt: skip
_DATA: Final = frozenset({"config", "changes", "settings"})  # the arguments that `--data` gives
# Arguments that the command takes several of, to make as many calls.
_EACH: Final = frozenset({("join", "node")})
_LITERAL: Final = re.compile(r"Literal\[(.*)\]")
_VERBS: Final = {"delete": "deletes", "flush": "deletes all data of", "remove": "removes"}
_KINDS: Final = {
    "int": ArgumentKind.NUMBER,
    "int | str": ArgumentKind.DATABASE,
    "str": ArgumentKind.TEXT,
    "Iterable[int | str]": ArgumentKind.TEXTS,
    "Iterable[str]": ArgumentKind.TEXTS,
    "Mapping[str, object]": ArgumentKind.OBJECT,
    "Iterable[Mapping[str, object]]": ArgumentKind.OBJECTS,
    "Duration": ArgumentKind.DURATION,
    "bool": ArgumentKind.SWITCH,
    "str | os.PathLike[str] | bytes": ArgumentKind.FILE,
}


def named_calls(resource: type) -> list[NamedCall]:
    """Return the calls of a resource, in the order of their definition."""
    methods = [each for each in vars(resource).values() if inspect.iscoroutinefunction(each)]
    signatures = {method: inspect.signature(method) for method in methods}
    return [
        NamedCall(
            name=method.__name__.strip("_").replace("_", "-"),
            method=method.__name__,
            summary=_first_sentence(inspect.getdoc(method) or ""),
            arguments=tuple(_arguments(method.__name__, signature)),
            verb=_VERBS.get(method.__name__),
        )
        for method, signature in signatures.items()
        if re.match(r"Operation\b", signature.return_annotation)
    ]


def _first_sentence(text: str) -> str:
    """Return the first sentence of a docstring, on one line."""
    first = re.split(r"(?<=[.;])\s", text, maxsplit=1)[0]
    return " ".join(first.replace("`", "").split()).rstrip(".;")


def _arguments(method: str, signature: inspect.Signature) -> list[CallArgument]:
    """Return the arguments of a call. A list takes all positions: after it come only options."""
    arguments: list[CallArgument] = []
    positional = True
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.name not in SHARED:
            positional = positional and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            argument = _argument(parameter, positional=positional)
            if (method, parameter.name) in _EACH:
                argument = argument._replace(kind=ArgumentKind.EACH)
            arguments.append(argument)
            positional = positional and arguments[-1].kind is not ArgumentKind.TEXTS
    return arguments


def _argument(parameter: inspect.Parameter, *, positional: bool) -> CallArgument:
    annotation = parameter.annotation.removesuffix(" | None")
    literal = _LITERAL.fullmatch(annotation)
    kind = ArgumentKind.CHOICE if literal else _KINDS[annotation]
    is_json = kind in {ArgumentKind.OBJECT, ArgumentKind.OBJECTS}
    name = "data" if parameter.name in _DATA else _without_uid(parameter.name)
    if kind is ArgumentKind.OBJECTS:
        name = name.removesuffix("s")  # the option is repeated
    return CallArgument(
        name=parameter.name,
        kind=kind,
        option=None if positional and not is_json else f"--{name.replace('_', '-')}",
        required=parameter.default is parameter.empty,
        choices=tuple(re.findall(r"[\w-]+", literal[1])) if literal else (),
        is_on=parameter.default is True,
    )


def _without_uid(name: str) -> str:
    return re.sub("_uids?$", "", name)


def table() -> str:
    """Return the module with the table, not formatted yet."""
    found = {name: tuple(named_calls(resource)) for name, resource in RESOURCES.items()}
    text = re.sub(r"<(ArgumentKind\.\w+): \d+>", r"\1", repr(found))
    text = re.sub(r"CallArgument\(name=(.*?), kind=(.*?), option=", r"CallArgument(\1, \2, ", text)
    text = text.replace(", choices=()", "").replace(", is_on=False", "").replace(", verb=None", "")
    return f"{_HEAD}CALLS: Final[Mapping[str, tuple[NamedCall, ...]]] = MappingProxyType({text})\n"


if __name__ == "__main__":
    TABLE.write_text(table(), "utf-8")
    subprocess.run(["ruff", "format", TABLE], check=True)
