"""Named calls and their arguments, read from the signatures of the resources.

A method that returns an `Operation` is a call. Its uids are positional, a mapping is `--data`, and
all else is an option. The arguments that every call shares are those of `submit`, and are not part
of the specification.
"""

from __future__ import annotations

import enum
import inspect
import re
from typing import Final, NamedTuple


# The arguments of `ActionsClient.submit`, which has options of its own for them.
SHARED: Final = frozenset({
    *("params", "headers", "busy_timeout", "outage_timeout", "request_timeout", "untracked"),
})  # fmt: skip
_DATA: Final = frozenset({"config", "changes", "settings"})  # the arguments that `--data` gives
_LITERAL: Final = re.compile(r"Literal\[(.*)\]")
_VERBS: Final = {"delete": "deletes", "flush": "deletes all data of", "remove": "removes"}


class ArgumentKind(enum.Enum):
    """Type of an argument on the command line."""

    NUMBER = enum.auto()
    TEXT = enum.auto()
    TEXTS = enum.auto()
    OBJECT = enum.auto()  # JSON
    OBJECTS = enum.auto()
    DURATION = enum.auto()
    SWITCH = enum.auto()
    CHOICE = enum.auto()


_KINDS: Final = {
    "int": ArgumentKind.NUMBER,
    "str": ArgumentKind.TEXT,
    "Iterable[int | str]": ArgumentKind.TEXTS,
    "Iterable[str]": ArgumentKind.TEXTS,
    "Mapping[str, object]": ArgumentKind.OBJECT,
    "Iterable[Mapping[str, object]]": ArgumentKind.OBJECTS,
    "Duration": ArgumentKind.DURATION,
    "bool": ArgumentKind.SWITCH,
}


class CallArgument(NamedTuple):
    """Argument of a call. `option` is None for a positional one; `choices` are those of a CHOICE.

    `is_on` is the default of a SWITCH.
    """

    name: str
    kind: ArgumentKind
    option: str | None
    required: bool
    choices: tuple[str, ...] = ()
    is_on: bool = False


class NamedCall(NamedTuple):
    """Call of a resource.

    `method` is the name in Python, `summary` the first sentence of its docstring. `verb` says what
    the call destroys, as in "deletes"; None for other calls.
    """

    name: str
    method: str
    summary: str
    arguments: tuple[CallArgument, ...]
    verb: str | None


def named_calls(resource: type) -> list[NamedCall]:
    """Return the calls of a resource, in the order of their definition."""
    methods = [each for each in vars(resource).values() if inspect.iscoroutinefunction(each)]
    signatures = {method: inspect.signature(method) for method in methods}
    return [
        NamedCall(
            name=method.__name__.strip("_").replace("_", "-"),
            method=method.__name__,
            summary=_first_sentence(inspect.getdoc(method) or ""),
            arguments=tuple(_arguments(signature)),
            verb=_VERBS.get(method.__name__),
        )
        for method, signature in signatures.items()
        if signature.return_annotation == "Operation"
    ]


def _first_sentence(text: str) -> str:
    """Return the first sentence of a docstring, on one line."""
    first = re.split(r"(?<=[.;])\s", text, maxsplit=1)[0]
    return " ".join(first.replace("`", "").split()).rstrip(".;")


def _arguments(signature: inspect.Signature) -> list[CallArgument]:
    """Return the arguments of a call. A list takes all positions: after it come only options."""
    arguments: list[CallArgument] = []
    positional = True
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.name not in SHARED:
            positional = positional and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            arguments.append(_argument(parameter, positional=positional))
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
