"""`Recorder` whose records any thread may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions import Recorder as AsyncRecorder

from ._caller import Caller
from ._loop import present_thread


if TYPE_CHECKING:
    from redis_enterprise_actions import Record


class Recorder(AsyncRecorder):
    """Collector of the records of waits, given to each of them as `recorder=`.

    One recorder may be given to any number of waits. It has their records at any time: also of the
    waits that are under way, and of those that were interrupted, which neither return nor raise
    one. Any thread may read them.
    """

    def records(self) -> list[Record]:
        """Return the present records, in the order in which the waits began."""
        thread, present = present_thread(), super().records
        if thread is None or thread.is_own:
            return present()

        async def read() -> list[Record]:
            return present()

        return Caller(thread).run(read)
