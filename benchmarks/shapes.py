"""JSON of a scripted action, made fast: constant parts are encoded once.

The shapes follow the vendor's, as the fake cluster of the library does, and share no code with it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from truth import Action

_NUMBER: Final = b',"progress":%.2f'
_STRING: Final = b',"progress":"%.2f"'  # numbers of a task of v1 are strings


class Entry:
    """One action in one shape. `ended` is its JSON from the age `duration` on, in seconds.

    A running action is `head`, its progress in the `progress_format`, and, if it `beats`, the epoch
    seconds of its last move.
    """

    __slots__ = ("_action", "_beats", "_head", "_progress_format", "_still", "duration", "ended")

    def __init__(
        self,
        action: Action,
        head: dict[str, object],
        ended: dict[str, object],
        *,
        progress_format: bytes = _NUMBER,
        beats: int | None = None,
    ) -> None:
        self._action = action
        self._head = _encode(head)[:-1]
        self._progress_format = progress_format
        self._beats = beats
        self.duration = action.duration
        self.ended = _encode(ended)
        self._still = self._running(0.0) if action.mode == "none" else None

    def at(self, age: float) -> bytes:
        """Return the JSON of the action at this age."""
        if age >= self.duration:
            return self.ended
        return self._still or self._running(age)

    def _running(self, age: float) -> bytes:
        body = self._head
        progress = self._action.progress(age)
        if progress is not None:
            body += self._progress_format % progress
        if self._beats is not None:
            body += b',"heartbeat":%d' % (self._beats + self._action.moved_at(age))
        return body + b"}"


def task(action: Action, epoch: int) -> Entry:
    """Make the entry of a task of /v1, begun at `epoch`."""
    head: dict[str, object] = {
        "action_uid": action.uid,
        "task_id": action.uid,
        "name": "retry_bdb",
        "node_uid": "1",
        "creation_time": str(epoch),
    }
    ended = head | {"status": "completed", "progress": "100"}
    return Entry(action, head | {"status": "running"}, ended, progress_format=_STRING)


def machine(action: Action, epoch: int) -> Entry:
    """Make the entry of a state machine of /v1: no progress and no state once it is done."""
    head: dict[str, object] = {
        "action_uid": action.uid,
        "name": "SMUpdateBDB",
        "object_name": f"bdb:{action.number}",
        "pending_ops": {},
    }
    running = head | {"status": "active", "state": "reshard"}
    ended = head | {"status": "completed", "heartbeat": epoch + int(action.duration)}
    return Entry(action, running, ended, beats=epoch)


def v1(action: Action, epoch: int) -> Entry:
    """Make the entry of an action of /v1, of either family."""
    return task(action, epoch) if action.is_task else machine(action, epoch)


class ClusterActions:
    """All actions of one cluster in one shape; those in `past` ended before the others began."""

    def __init__(
        self,
        actions: Iterable[Action],
        past: Iterable[Action],
        shape: Callable[[Action, int], Entry],
        epoch: int,
    ) -> None:
        self._by_uid: dict[str, Entry] = {}
        self._live: tuple[list[Entry], list[Entry]] = ([], [])
        self._done: tuple[list[bytes], list[bytes]] = ([], [])
        for action in actions:
            entry = self._by_uid[action.uid] = shape(action, epoch)
            self._live[action.is_task].append(entry)
        for action in past:
            entry = self._by_uid[action.uid] = shape(action, epoch)
            entry.duration = 0.0
            self._done[action.is_task].append(entry.ended)
        self._remembered = tuple(b",".join(ended) for ended in self._done)

    def one(self, uid: str, age: float) -> bytes | None:
        """Return the body about one action, None if there is no such action."""
        entry = self._by_uid.get(uid)
        return None if entry is None else entry.at(age)

    def family(self, age: float, *, tasks: bool) -> bytes:
        """Return one family's entries, without the brackets."""
        entries = [entry.at(age) for entry in self._live[tasks]]
        if self._remembered[tasks]:
            entries.append(self._remembered[tasks])
        return b",".join(entries)


def _encode(wire: dict[str, object]) -> bytes:
    return json.dumps(wire, separators=(",", ":")).encode()
