"""Input of `wait`: references, and the contents of standard input.

Standard input may hold what a person writes into a file, the output of `list --json`, `submit
--json` and jq, and answers of the API. Errors never quote it, as it may hold passwords: they name
the line and the kind of thing that stands there.
"""

from __future__ import annotations

import json
import re
import sys
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeGuard

import msgspec

from redis_enterprise_actions._client.wire.databases import DELETE_DATABASE
from redis_enterprise_actions._client.wire.node_actions import read_node_actions
from redis_enterprise_actions._model.action import Kind, Phase, phase_of
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.reference import Reference, ReferenceKind, parse_reference


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from redis_enterprise_actions._model.action import Action

_JSON: Final = ("{", "[", '"')  # how a line of it begins, and no reference does
_WHITESPACE: Final = re.compile(r"\s*")
_LINE: Final = re.compile(r"[^\r\n]*")
_NO_REFERENCE: Final = "this is no reference such as action:UID or crdb:ID"
_NO_UID: Final = "an object with no usable ref, uid, action_uid, task_id or id names nothing"

_WITH_RUN: Final = frozenset({Kind.NODE_ACTION, Kind.CLUSTER_ACTION})  # whose uid has a run besides
_WITH_PREFIXED_UID: Final = _WITH_RUN | {
    Kind.EXPORT,
    Kind.IMPORT,
    Kind.BACKUP,
    Kind.DATABASE,
}  # whose uid says all
_ENDED: Final = frozenset(phase.value for phase in Phase if phase.terminal)
_BDB: Final = re.compile(r"bdb:\d{1,18}", re.ASCII)

# The keys under which lists of the API stand (requests/actions, nodes/actions, crdb_tasks).
_LISTS: Final = ("actions", "state-machines", "state_machines", "crdb_tasks", "tasks")
# What is read of an entry of /v1/nodes/actions or /v1/cluster/actions.
_NODE_ACTION_FIELDS: Final = ("name", "status", "task_id", "node_uid")


class ParsedReferences(msgspec.Struct):
    """References that a text holds, and the number of list entries left out as ended."""

    refs: list[Reference] = msgspec.field(default_factory=list[Reference])
    ended: int = 0


def parse_references(given: Iterable[str], complain: Callable[[str], object]) -> list[Reference]:
    """Return the references to wait for; `-` stands for the contents of standard input.

    `complain` gets a line with the number of list entries that had ended and are left out.
    """
    refs: list[Reference] = []
    for text in given:
        if text == "-":
            read_in = parse_text(_read_stdin())
            refs += read_in.refs
            report_ended(read_in.ended, complain)
        else:
            refs.append(parse_reference(text))
    return refs


def reference_to(action: Action) -> Reference:
    """Return the reference to an action, with its run where the cluster tells it."""
    database = f"{action.object_type}:{action.object_uid}" if action.name == DELETE_DATABASE else ""
    return parse_reference(_action_reference(action.kind, action.uid, action.task_id, database))


def report_ended(count: int, complain: Callable[[str], object]) -> None:
    """Report the number of list entries that are left out, unless it is 0."""
    if count:
        complain(
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
        pass  # it holds the whole input, so it must not be the context of the error below
    except (OSError, ValueError) as error:
        raise UsageError(f"- cannot be read: {error}") from None
    raise UsageError("- cannot be read: it is not UTF-8")


def parse_text(text: str) -> ParsedReferences:
    """Read references, one a line, or JSON; skip blank lines and those that begin with #."""
    given, line, seen = ParsedReferences(), 1, 0
    while (at := _end_of_match(_WHITESPACE, text, seen)) < len(text):
        line += text.count("\n", seen, at)
        if text.startswith(_JSON, at):
            value, end = _decode_json(text, at, line)
            _add_json(value, given, _line_name(line))
        else:
            end = _end_of_match(_LINE, text, at)
            said = text[at:end].rstrip()
            # jq prints null where it found nothing, with -r, too.
            if not said.startswith("#") and said != "null":
                given.refs.append(_parse_line(said, _line_name(line)))
        line += text.count("\n", at, end)
        seen = end
    return given


def _end_of_match(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _line_name(number: int) -> str:
    return f"standard input, line {number}"


def _decode_json(text: str, at: int, line: int) -> tuple[object, int]:
    """Return the JSON value at an index of a text, and the index of its end."""
    try:
        return json.JSONDecoder().raw_decode(text, at)
    except json.JSONDecodeError as error:
        line += text[at : error.pos].rstrip().count("\n")  # not beyond the last one with anything
        problem = "this is no JSON"
    except ValueError:
        problem = "this is no JSON: a number has too many digits"
    except RecursionError:
        problem = "this JSON is nested too deeply"
    # Outside of the handlers: their errors hold the whole text and must not be its context.
    raise UsageError(f"{_line_name(line)}: {problem}")


def _parse_line(text: str, where: str) -> Reference:
    """Read a reference. A bare uid with blanks in it is refused: it is prose, or a table."""
    blanks = {char for char in text if char.isspace()}
    ref = _parse_or_none(text) if blanks <= ({" "} if ":" in text else set()) else None
    if ref is None:
        raise UsageError(f"{where}: {_NO_REFERENCE}")
    return ref


def _parse_or_none(text: str) -> Reference | None:
    try:
        return parse_reference(text)
    except UsageError:  # which quotes the text
        return None


# --- JSON ---------------------------------------------------------------------------------------


def _add_json(value: object, given: ParsedReferences, line: str) -> None:
    """Add the references of a JSON value: a string, an object, or a list of these.

    Entries of a list that have ended are counted instead. A single object is taken as it is.
    """
    for place, each in _flatten(value):
        where = f"{line}, entry {place}" if place else line
        if isinstance(each, str):
            given.refs.append(_parse_line(each, where))
        elif _is_object(each):
            if _is_event_without_reference(each):
                continue
            text = _reference_text(each)
            if text is None:
                raise UsageError(f"{where}: {_NO_UID}")
            ref = _parse_or_none(text)
            if ref is None:
                raise UsageError(f"{where}: {_NO_REFERENCE}")
            if place and _has_ended(each):
                given.ended += 1
            else:
                given.refs.append(ref)
        elif each is not None:
            kind = "true or false" if isinstance(each, bool) else "a number"
            raise UsageError(f"{where}: {kind} names nothing")


def _flatten(value: object) -> Iterator[tuple[int, object]]:
    """Yield each value that is no list, with its place in its list, or 0 outside of any.

    Lists may be nested; this does not recurse, so that no depth is too much.
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
    """Return the entries of a list, or of the lists in an answer of the API; None for others."""
    if _is_list(value):
        return value
    if not _is_object(value):
        return None
    lists = [held for key in _LISTS if _is_list(held := value.get(key))]
    return chain.from_iterable(lists) if lists else None


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list)


def _is_event_without_reference(fields: Mapping[str, object]) -> bool:
    """Return True for an event without a wait: of the whole command, or of an empty call."""
    if "ref" in fields:
        return fields["ref"] is None
    return _text_field(fields, "event") is not None


def _has_ended(fields: Mapping[str, object]) -> bool:
    """Return True for an action that has ended. A reference does not tell."""
    if "ref" in fields:
        return False
    phase = _text_field(fields, "phase") or phase_of(_text_field(fields, "status") or "")
    return phase in _ENDED


def _reference_text(fields: Mapping[str, object]) -> str | None:
    """Return the text of the reference that an object holds or amounts to, or None."""
    if "ref" in fields:
        return _text_field(fields, "ref")
    # Before `uid`, which in the answer to a call is that of the database, module, user ...
    action_uid = _text_field(fields, "action_uid")
    if action_uid is not None:
        return _action_reference(None, action_uid, None, _deleted_database(fields))
    uid, task_id = _text_field(fields, "uid"), _text_field(fields, "task_id")
    if uid is not None:
        return _action_reference(
            _text_field(fields, "kind"), uid, task_id, _deleted_database(fields)
        )
    crdb_task = _text_field(fields, "id")
    if crdb_task is not None:
        return _action_reference(Kind.CRDB_TASK, crdb_task, None, "")
    host_action = _node_action_reference(fields)
    if host_action is not None:
        return host_action
    return None if task_id is None else _action_reference(None, task_id, None, "")


def _action_reference(kind: str | None, uid: str, task_id: str | None, database: str) -> str:
    """Return the text of a reference to an action; `database` is `bdb:UID` if it deletes that."""
    if kind == Kind.CRDB_TASK:
        return f"crdb:{uid}"
    if kind not in _WITH_PREFIXED_UID:
        return f"action:{uid}@{database}" if _BDB.fullmatch(database) else f"action:{uid}"
    return f"{uid}@{task_id}" if kind in _WITH_RUN and task_id else uid


def _node_action_reference(fields: Mapping[str, object]) -> str | None:
    """Return the text of a reference to a node's or the cluster's action, or None for others.

    Source: requests/nodes/actions, requests/cluster/actions.
    """
    of_node = fields.get("node_uid") is not None
    if "uid" in fields or not (of_node or fields.keys() & {"progress", "task_id"}):
        return None
    said = {
        key: fields[key] for key in _NODE_ACTION_FIELDS if isinstance(fields.get(key), str | int)
    }
    track = ReferenceKind.NODE if of_node else ReferenceKind.CLUSTER
    read_in = read_node_actions(json.dumps([said]).encode(), track, "")
    return next(
        (_action_reference(each.kind, each.uid, each.task_id, "") for each in read_in), None
    )


def _deleted_database(fields: Mapping[str, object]) -> str:
    """Return the database that an action deletes, as `bdb:UID`, or an empty text.

    `fields` are those of an `Action`, a state machine of /v1 or /v2, or of the database itself.
    """
    info = fields.get("additional_info")
    told = {**info, **fields} if _is_object(info) else fields
    if told.get("name") == DELETE_DATABASE:
        return (
            _text_field(told, "object_name")
            or f"{told.get('object_type')}:{told.get('object_uid')}"
        )
    operations = fields.get("background_op")
    first = operations[0] if _is_list(operations) and operations else None
    deletes = _is_object(first) and first.get("name") == DELETE_DATABASE
    return f"bdb:{fields.get('uid')}" if deletes else ""


def _text_field(fields: Mapping[str, object], key: str) -> str | None:
    """Return a field that is a non-empty text; None for any other."""
    value = fields.get(key)
    return value if isinstance(value, str) and value else None
