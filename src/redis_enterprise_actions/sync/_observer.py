"""Observers of the synchronous client, which run in the thread of the loop."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, TypeVar


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions import Observer, Record

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


def unforked(observer: Observer) -> Observer:
    """Return an observer that ends the child of a fork that it has made.

    The child would go on with the event loop of its parent otherwise, and with its connections.
    """
    begin = _unforked(observer)
    return lambda record: _unforked(begin(record))


def _unforked(function: Callable[[Record], _T]) -> Callable[[Record], _T]:
    def call(record: Record) -> _T:
        pid = os.getpid()
        try:
            return function(record)
        finally:
            if os.getpid() != pid:
                problem = "an observer has forked, which it must not: the child ends here"
                _log.error(problem, extra={"event": "observer forked"})
                os._exit(1)  # finalizers would write to connections of the parent

    return call
