"""JSON text with its values replaced, token by token.

The text is never decoded as a whole: this takes no more stack for deep bodies, keeps numbers as
they are written, and holds up an event loop in another thread for one token at most.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from redis_enterprise_actions._client.wire.reasons import SECRET_KEYS

from .pseudonyms import quoted


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .pseudonyms import Pseudonyms

MAX_DEPTH: Final = 100  # of a body that is written as JSON; readers have limits of their own
_MAX_LEVELS: Final = 1000  # of a body that is read as JSON; the client refuses it before
_MAX_NAME: Final = 1000  # characters of the name of a field
_MAX_DIGITS: Final = 300  # characters of a number, likewise
_MAX_CACHED: Final = 10_000  # replacements
_MAX_CACHED_TOKEN: Final = 100  # characters
_TOKEN: Final = re.compile(
    r"[ \t\r\n]*+(?:"
    r'(?P<text>"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)"
    r"|(?P<word>true|false|null)"
    r"|(?P<constant>NaN|-?Infinity)"  # Python's, which the client reads as null
    r"|(?P<mark>[\[\]{},:]))"
)
_BLANKS: Final = re.compile(r"[ \t\r\n]*+")
_INDENT: Final = "  "
_MAX_PIECES: Final = 5000


class ReplacedJson(NamedTuple):
    """JSON text with pseudonyms, in parts of some kilobytes, as joining a large one takes long.

    `is_strict` is False if not every reader of JSON would take it.
    """

    parts: list[str]
    is_strict: bool

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.parts)


class _Container(NamedTuple):
    """Open object or array, with the field that it is the value of."""

    end: str
    field: str
    is_secret: bool


class JsonReplacer:
    """Replacement of the values in JSON texts by the pseudonyms of one capture.

    If another thread sets `is_stopped`, a large text counts as none soon.
    """

    def __init__(self, names: Pseudonyms) -> None:
        self.is_stopped = False
        self._names = names
        self._cache: dict[tuple[str, str, bool], str] = {}

    def replace(self, text: str, indent: int, *, is_strict: bool = True) -> ReplacedJson | None:
        """Return a JSON text with its values replaced; None if it is not JSON.

        Strict JSON is indented, its first line by nothing and the others by `indent` steps more.
        `is_strict=False` says that the text is none.
        """
        run = _Run(self, text, is_strict=is_strict)
        if not run.read():
            return None
        steps = [f"\n{_INDENT * (indent + depth)}" for depth in range(MAX_DEPTH + 2)]
        if not run.is_strict:
            steps = [" "] * len(steps)
        return ReplacedJson(list(run.parts(steps)), run.is_strict)

    def scalar(self, kind: str, token: str, field: str, *, is_secret: bool) -> str:
        """Return the replacement of a token that is a text or a number."""
        place = (token, field, is_secret)
        found = self._cache.get(place)
        if found is None:
            if kind == "text":
                found = quoted(self._names.text(unquoted(token), field, is_secret=is_secret))
            else:
                found = self._names.number(token, field, is_secret=is_secret)
            if len(token) <= _MAX_CACHED_TOKEN:
                if len(self._cache) >= _MAX_CACHED:
                    self._cache.clear()
                self._cache[place] = found
        return found

    def key(self, name: str) -> str:
        """Return the replacement of a key."""
        return self._names.key(name)


class _Run:
    """Reading of one JSON text.

    `_pieces` are texts, and depths in place of the ends of lines. There may be millions: a list of
    all would hold up the event loop when it is freed.
    """

    def __init__(self, replacer: JsonReplacer, text: str, *, is_strict: bool) -> None:
        self.is_strict = is_strict
        self._pieces: list[str | int] = []
        self._full: deque[list[str | int]] = deque()  # the lists before `_pieces`
        self._replacer = replacer
        self._text = text
        self._open: list[_Container] = []
        self._field, self._is_secret = "", False
        self._step: Callable[[str, str], bool] = self._value

    def read(self) -> bool:
        """Replace the whole text; return False if it is not JSON."""
        position, text = 0, self._text
        while (match := _TOKEN.match(text, position)) is not None:
            position = match.end()
            kind = match.lastgroup or ""
            if not self._step(kind, match[kind]):
                return False
            if len(self._pieces) > _MAX_PIECES and isinstance(self._pieces[-1], str):
                if self._replacer.is_stopped:
                    return False
                self._full.append(self._pieces)
                self._pieces = []
        end = _BLANKS.match(text, position)
        is_whole = end is not None and end.end() == len(text)
        return is_whole and self._step == self._nothing

    def parts(self, steps: list[str]) -> Iterator[str]:
        """Yield the replaced text; `steps` are the ends of lines by depth."""
        self._full.append(self._pieces)
        while self._full:
            pieces = self._full.popleft()
            yield "".join([each if isinstance(each, str) else steps[each] for each in pieces])

    def _value(self, kind: str, part: str) -> bool:
        if part in {"{", "["}:
            return self._begin(part)
        if kind == "mark":
            return False
        if kind in {"text", "number"}:
            if kind == "number" and _is_beyond_range(part):
                self.is_strict = False
            part = self._replacer.scalar(kind, part, self._field, is_secret=self._is_secret)
        elif kind == "constant":
            self.is_strict = False
        self._pieces.append(part)
        self._step = self._after_value if self._open else self._nothing
        return True

    def _begin(self, part: str) -> bool:
        end = "}" if part == "{" else "]"
        self._open.append(_Container(end, self._field, self._is_secret))
        if len(self._open) > MAX_DEPTH:
            self.is_strict = False
        self._pieces += [part, min(len(self._open), MAX_DEPTH)]
        self._step = self._first_key if part == "{" else self._first_entry
        return len(self._open) <= _MAX_LEVELS

    def _first_key(self, kind: str, part: str) -> bool:
        return self._end_empty() if part == "}" else self._key(kind, part)

    def _first_entry(self, kind: str, part: str) -> bool:
        return self._end_empty() if part == "]" else self._value(kind, part)

    def _end_empty(self) -> bool:
        self._pieces.pop()
        return self._end()

    def _key(self, kind: str, part: str) -> bool:
        if kind != "text":
            return False
        name, container = unquoted(part), self._open[-1]
        is_long = len(name) > _MAX_NAME  # it would be searched for each value
        self._field = "" if is_long else name
        self._is_secret = container.is_secret or is_long or SECRET_KEYS.search(name) is not None
        self._pieces.append(f"{quoted(self._replacer.key(name))}: ")
        self._step = self._colon
        return True

    def _colon(self, _: str, part: str) -> bool:
        self._step = self._value
        return part == ":"

    def _after_value(self, _: str, part: str) -> bool:
        container = self._open[-1]
        if part == container.end:
            self._pieces.append(min(len(self._open) - 1, MAX_DEPTH))
            return self._end()
        self._pieces += [",", min(len(self._open), MAX_DEPTH)]
        self._step = self._key if container.end == "}" else self._value
        if container.end == "]":
            self._field, self._is_secret = container.field, container.is_secret
        return part == ","

    def _end(self) -> bool:
        container = self._open.pop()
        self._pieces.append(container.end)
        self._step = self._after_value if self._open else self._nothing
        return True

    def _nothing(self, _: str, __: str) -> bool:
        return False


def unquoted(token: str) -> str:
    """Return the text of a token of JSON."""
    if "\\" not in token:
        return token[1:-1]
    text: str = json.loads(token)
    return text


def _is_beyond_range(token: str) -> bool:
    """Return True if readers of JSON may refuse a number."""
    if len(token) > _MAX_DIGITS:
        return True
    return ("e" in token or "E" in token) and math.isinf(float(token))
