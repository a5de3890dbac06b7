"""Input of `wait`: references from the command line and from standard input.

Standard input may hold lines that a person wrote, the output of `list --json`, `submit --json` and
jq, and answers of the API. Errors never quote it, as it may hold passwords: they name the line and
the kind of value there.
"""

from __future__ import annotations

import json
import re
import sys
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeGuard

import msgspec

from redis_enterprise_actions._cli.action_references import reference_text
from redis_enterprise_actions._client.wire.databases import DELETE_DATABASE
from redis_enterprise_actions._client.wire.node_actions import read_node_actions
from redis_enterprise_actions._model.action import (
    ACTION_PHASES,
    CRDB_TASK_PHASES,
    TRANSFER_PHASES,
    Kind,
    Phase,
    phase_of,
)
from redis_enterprise_actions._model.database_names import NamedReference, parse_any_reference
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.reference import Reference, ReferenceKind


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence


_JSON: Final = ("{", "[", '"')  # how a line of JSON begins, and no reference does
_WHITESPACE: Final = re.compile(r"\s*")
_LINE: Final = re.compile(r"[^\r\n]*")
_VERSION: Final = 1  # of what this package prints; what the cluster sends has none
_NO_REFERENCE: Final = "this is not a reference such as action:UID or crdb:ID"
_NO_UID: Final = "an object with no usable ref, uid, action_uid, task_id or id names nothing"

_WORDS: Final = (ACTION_PHASES, CRDB_TASK_PHASES, TRANSFER_PHASES)
_TERMINAL: Final = frozenset(phase.value for phase in Phase if phase.terminal)

# The keys of lists in answers of the API (requests/actions, nodes/actions, crdb_tasks).
_LIST_KEYS: Final = ("actions", "state-machines", "state_machines", "crdb_tasks", "tasks")
# The fields that are read of an entry of /v1/nodes/actions or /v1/cluster/actions.
_NODE_ACTION_FIELDS: Final = ("name", "status", "task_id", "node_uid")


class ParsedReferences(msgspec.Struct):
    """References in a text, and the number of list entries left out because they have ended."""

    refs: list[Reference | NamedReference] = msgspec.field(
        default_factory=list[Reference | NamedReference]
    )
    ended: int = 0


def parse_references(
    args: Iterable[str], warn: Callable[[str], object]
) -> list[Reference | NamedReference]:
    """Return the references to wait for; `-` stands for the contents of standard input.

    `warn` gets a line with the number of list entries that have ended and are left out.
    """
    refs: list[Reference | NamedReference] = []
    for text in args:
        if text == "-":
            parsed = parse_text(_read_stdin())
            refs += parsed.refs
            report_ended(parsed.ended, warn)
        else:
            refs.append(parse_any_reference(text))
    return refs


def report_ended(count: int, warn: Callable[[str], object]) -> None:
    """Warn of the number of list entries that are left out, unless it is 0."""
    if count:
        warn(
            "1 entry had already ended and is left out"
            if count == 1
            else f"{count} entries had already ended and are left out"
        )


def _read_stdin() -> str:
    if sys.stdin is None:
        raise UsageError("- cannot be read: there is no standard input")
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        pass  # the error holds the whole input, so it must not be the context of the one below
    except (OSError, ValueError) as error:
        raise UsageError(f"- cannot be read: {error}") from None
    raise UsageError("- cannot be read: it is not UTF-8")


def parse_text(text: str) -> ParsedReferences:
    """Return the references in a text: one a line, or JSON. `#` begins a line of comment."""
    parsed, line, position = ParsedReferences(), 1, 0
    while (start := _match_end(_WHITESPACE, text, position)) < len(text):
        line += text.count("\n", position, start)
        where = f"standard input, line {line}"
        if text.startswith(_JSON, start):
            value, end = _decode_json(text, start, line)
            _add_json(value, parsed, where)
        else:
            end = _match_end(_LINE, text, start)
            content = text[start:end].rstrip()
            # jq prints null where it finds nothing, also with -r.
            if not content.startswith("#") and content != "null":
                parsed.refs.append(_parse_line(content, where))
        line += text.count("\n", start, end)
        position = end
    return parsed


def _match_end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return start if match is None else match.end()


def _decode_json(text: str, start: int, line: int) -> tuple[object, int]:
    """Return the JSON value at an index of a text, and the index of its end."""
    try:
        return json.JSONDecoder().raw_decode(text, start)
    except json.JSONDecodeError as error:
        line += text[start : error.pos].rstrip().count("\n")  # not beyond the last content
        problem = "this is not JSON"
    except ValueError:
        problem = "this is not JSON: a number has too many digits"
    except RecursionError:
        problem = "this JSON is nested too deeply"
    # Outside of the handlers: their errors hold the whole text and must not be its context.
    raise UsageError(f"standard input, line {line}: {problem}")


def _parse_line(text: str, where: str) -> Reference | NamedReference:
    """Return the reference in a text. A bare uid with blanks is refused, as it may be prose."""
    blanks = {char for char in text if char.isspace()}
    ref = _parse_or_none(text) if blanks <= ({" "} if ":" in text else set()) else None
    if ref is None:
        raise UsageError(f"{where}: {_NO_REFERENCE}")
    return ref


def _parse_or_none(text: str) -> Reference | NamedReference | None:
    try:
        return parse_any_reference(text)
    except UsageError:  # which quotes the text
        return None


# --- JSON ---------------------------------------------------------------------------------------


def _add_json(value: object, parsed: ParsedReferences, line: str) -> None:
    """Add the references of a JSON value: a string, an object, or a list of these.

    Entries of a list that have ended are counted instead. A single object is always added.
    """
    for place, each in _flatten(value):
        where = f"{line}, entry {place}" if place else line
        if isinstance(each, str):
            parsed.refs.append(_parse_line(each, where))
        elif _is_object(each):
            if each.get("v", _VERSION) != _VERSION:
                raise UsageError(f"{where}: v is not {_VERSION}: another version has written this")
            if _is_event_without_reference(each):
                continue
            text = _reference_text(each)
            if text is None:
                raise UsageError(f"{where}: {_NO_UID}")
            ref = _parse_or_none(text)
            if ref is None:
                raise UsageError(f"{where}: {_NO_REFERENCE}")
            if place and _has_ended(each):
                parsed.ended += 1
            else:
                parsed.refs.append(ref)
        elif each is not None:
            kind = "true or false" if isinstance(each, bool) else "a number"
            raise UsageError(f"{where}: {kind} names nothing")


def _flatten(value: object) -> Iterator[tuple[int, object]]:
    """Yield each value that is no list, with its place in its list, or 0 outside of any list.

    Lists may be nested to any depth, so this does not recurse.
    """
    lists = [enumerate([value])]
    while lists:
        for place, each in lists[-1]:
            entries = _entries(each)
            if entries is not None:
                lists.append(enumerate(entries, 1))
                break
            yield place, each
        else:
            lists.pop()


def _entries(value: object) -> Iterable[object] | None:
    """Return the entries of a list, or of the lists in an API answer; None for other values."""
    if _is_list(value):
        return value
    if not _is_object(value):
        return None
    lists = [entries for key in _LIST_KEYS if _is_list(entries := value.get(key))]
    return chain.from_iterable(lists) if lists else None


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list)


def _is_event_without_reference(fields: Mapping[str, object]) -> bool:
    """Return True for an event of the whole command, or of a call that left nothing to follow."""
    if "ref" in fields:
        return fields["ref"] is None
    return _text_field(fields, "event") is not None


def _has_ended(fields: Mapping[str, object]) -> bool:
    """Return True for an action that has ended, False for a reference."""
    if "ref" in fields:
        return False
    phase = _text_field(fields, "phase")
    if phase is not None:
        return phase in _TERMINAL
    status = _text_field(fields, "status") or ""
    return any(phase_of(status, words).terminal for words in _WORDS)


def _reference_text(fields: Mapping[str, object]) -> str | None:
    """Return the text of the reference in an object, or to the action in an object, or None."""
    if "ref" in fields:
        return _text_field(fields, "ref")
    # Before `uid`, which in the answer to a call is that of the database, module, user ...
    action_uid = _text_field(fields, "action_uid")
    if action_uid is not None:
        return reference_text(None, action_uid, None, _deleted_database(fields))
    uid, task_id = _text_field(fields, "uid"), _text_field(fields, "task_id")
    if uid is not None:
        kind = _text_field(fields, "kind")
        return reference_text(kind, uid, task_id, _deleted_database(fields))
    crdb_task = _text_field(fields, "id")
    if crdb_task is not None:
        return reference_text(Kind.CRDB_TASK, crdb_task, None, "")
    node_action = _node_action_reference(fields)
    if node_action is not None:
        return node_action
    return None if task_id is None else reference_text(None, task_id, None, "")


def _node_action_reference(fields: Mapping[str, object]) -> str | None:
    """Return the text of a reference to a node's or the cluster's action, or None for others.

    Source: requests/nodes/actions, requests/cluster/actions.
    """
    of_node = fields.get("node_uid") is not None
    if "uid" in fields or not (of_node or fields.keys() & {"progress", "task_id"}):
        return None
    known = {name: fields.get(name) for name in _NODE_ACTION_FIELDS}
    entry = {name: value for name, value in known.items() if isinstance(value, str | int)}
    kind = ReferenceKind.NODE if of_node else ReferenceKind.CLUSTER
    for action in read_node_actions(json.dumps([entry]).encode(), kind, ""):
        return reference_text(action.kind, action.uid, action.task_id, "")
    return None


def _deleted_database(fields: Mapping[str, object]) -> str:
    """Return the database that an action deletes, as `bdb:UID`, or an empty text.

    `fields` are those of an `Action`, a state machine of /v1 or /v2, or of the database itself.
    """
    info = fields.get("additional_info")
    action = {**info, **fields} if _is_object(info) else fields
    if action.get("name") == DELETE_DATABASE:
        name = _text_field(action, "object_name")
        return name or f"{action.get('object_type')}:{action.get('object_uid')}"
    operations = fields.get("background_op")
    first = operations[0] if _is_list(operations) and operations else None
    deletes = _is_object(first) and first.get("name") == DELETE_DATABASE
    return f"bdb:{fields.get('uid')}" if deletes else ""


def _text_field(fields: Mapping[str, object], name: str) -> str | None:
    """Return a field that is a non-empty text; None for any other."""
    value = fields.get(name)
    return value if isinstance(value, str) and value else None
