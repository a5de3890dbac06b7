"""`Capture`: a recording under way, with the thread that replaces values and writes the file.

The client hands over each exchange when it has ended, and goes on. The thread writes it, with its
values replaced, to a draft beside the target; at the end it puts the head in front and moves the
file into place. So neither a large body nor a slow disk holds up the event loop.

A capture that is given up, or still runs when the process ends, leaves no file. Only a process that
is killed leaves its draft.
"""

from __future__ import annotations

import atexit
import errno
import os
import queue
import shutil
import threading
from concurrent.futures import Future
from importlib.metadata import version
from itertools import chain
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.errors import UsageError

from .format import Writer
from .target import check_target, give_back, new_draft, remove, removing, take


if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from .format import Seen

_PACKAGE: Final = "redis-enterprise-actions"
_MAX_WAITING: Final = 64 * 2**20  # bytes of bodies that are not written yet


class Capture:
    """Recording of the exchanges of one client into one file.

    Makes the draft, which is the file `.capture-*` beside the target, and starts the thread. Raises
    `UsageError` if the file cannot be written, or is that of another capture.
    """

    def __init__(self, path: str | os.PathLike[str], nodes: Iterable[str], began: float) -> None:
        self.began = began  # in the loop's time
        self.process = os.getpid()
        self._writer = Writer(nodes)
        self._queue: queue.SimpleQueue[Seen | None] = queue.SimpleQueue()
        self._waiting = 0  # bytes
        self._lock = threading.Lock()
        self._problem: Exception | None = None
        self._is_complete = False
        self._end: Future[None] = Future()
        self.target = check_target(path)
        take(self.target)
        try:
            self._draft, self._draft_path = new_draft(self.target)
        except OSError as error:
            give_back(self.target)
            problem = error.strerror or str(error)
            raise UsageError(f"a capture cannot be written there: {path}: {problem}") from None
        self._drafts = [self._draft_path]
        _running.add(self)
        threading.Thread(target=self._run, name="capture", daemon=True).start()

    def add(self, seen: Seen) -> None:
        """Hand over an exchange that has ended. It is written later, by the thread."""
        if self._problem is not None:
            return
        with self._lock:
            self._waiting += seen.size
        if self._waiting > _MAX_WAITING:
            problem = "the answers come faster than they can be written"
            self._problem = OSError(errno.ENOBUFS, problem)
        self._queue.put(seen)

    def finish(self) -> Future[None]:
        """Let the thread complete the file and end. The future raises what it could not do."""
        self._queue.put(None)
        return self._end

    def give_up(self) -> bool:
        """Write no file, and remove the draft now; return False if the capture has ended already.

        The thread ends soon.
        """
        with self._lock:
            if self._is_complete or self._end.done():
                return False
            problem = "it was given up before the answers were written"
            self._problem = self._problem or OSError(errno.ECANCELED, problem)
        self._writer.stop()
        self._queue.put(None)
        for path in self._drafts:
            remove(path)
        self._resolve()
        return True

    def _run(self) -> None:
        """Write exchanges until the end. After a failure the target stays as it was."""
        try:
            with removing(self._draft_path), self._draft as draft:
                separator = "\n"
                while (seen := self._queue.get()) is not None:
                    with self._lock:
                        self._waiting -= seen.size
                    self._write(draft, seen, separator)
                    separator = ",\n"
                if self._problem is None:
                    self._complete(draft, is_empty=separator == "\n")
        except Exception as error:  # noqa: BLE001 - the client's task raises it
            self._problem = self._problem or error
        give_back(self.target)
        _running.discard(self)
        self._resolve()

    def _resolve(self) -> None:
        """Let the future of `finish` end, unless it has."""
        with self._lock:
            if self._end.done():
                return
            if self._problem is None:
                self._end.set_result(None)
            else:
                self._end.set_exception(self._problem)

    def _write(self, draft: TextIO, seen: Seen, separator: str) -> None:
        try:
            for part in chain([separator], self._writer.exchange(seen)):
                if self._problem is not None:
                    return
                draft.write(part)
            draft.flush()
        except Exception as error:  # noqa: BLE001 - as above; it must not end a wait
            self._problem = self._problem or error

    def _complete(self, draft: TextIO, *, is_empty: bool) -> None:
        """Make the whole file of the draft, and move it into place."""
        whole, path = new_draft(self.target)
        self._drafts.append(path)
        with removing(path):
            with whole:
                whole.write(self._writer.head(version(_PACKAGE)))
                draft.seek(0)
                shutil.copyfileobj(draft, whole)
                whole.write("]\n}\n" if is_empty else "\n  ]\n}\n")
            with self._lock:
                if self._problem is None:  # it was not given up meanwhile
                    path.replace(self.target)
                    self._is_complete = True


def give_up_all() -> list[str]:
    """Give up the captures of this process that still run; return the files that they would write.

    It is called when the process ends. A process that was forked leaves those of its parent.
    """
    own = [each for each in list(_running) if each.process == os.getpid()]
    return [str(each.target) for each in own if each.give_up()]


_running: Final[set[Capture]] = set()
atexit.register(give_up_all)
