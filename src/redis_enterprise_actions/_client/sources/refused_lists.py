"""Refused lists: the client asks for each object instead."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Final, TypeVar

from redis_enterprise_actions._client.protocols import NO_LIST, ListResult, Wanted
from redis_enterprise_actions._model.errors import RequestRejected


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from redis_enterprise_actions._client.protocols import Gate

_S = TypeVar("_S")
_log = logging.getLogger(__name__)
_UNAUTHORIZED: Final = 401


def refusable(
    fetch_many: Callable[[_S, Wanted, Gate | None], Awaitable[ListResult]],
) -> Callable[[_S, Wanted, Gate | None], Coroutine[object, object, ListResult]]:
    """Return `NO_LIST` where the cluster refuses the list of a `StatusSource.fetch_many`.

    The user may be allowed to read each object, and a proxy may have blocked the list alone. A
    cluster that does not know the credentials (401) refuses everything.
    """

    @functools.wraps(fetch_many)
    async def wrapper(self: _S, wanted: Wanted, gate: Gate | None) -> ListResult:
        try:
            return await fetch_many(self, wanted, gate)
        except RequestRejected as error:
            if error.status == _UNAUTHORIZED:
                raise
            _log.debug("%s; the client asks for each object instead", str(error))
            return NO_LIST

    return wrapper
