"""Failover: after an unusable reply, the next request goes to another node."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from redis_enterprise_actions._model.errors import RequestError


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from .transport import Transport

_P = ParamSpec("_P")
_T = TypeVar("_T")


class HasTransport(Protocol):
    """Object whose methods send requests by a transport."""

    transport: Transport


_A = TypeVar("_A", bound=HasTransport)


def failover(
    call: Callable[Concatenate[_A, _P], Awaitable[_T]],
) -> Callable[Concatenate[_A, _P], Coroutine[object, object, _T]]:
    """Record the outcome of each call for the choice of the next node."""

    @functools.wraps(call)
    async def wrapper(self: _A, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            result = await call(self, *args, **kwargs)
        except RequestError as error:
            if error.transient:
                self.transport.fail_over(error)
            raise
        except asyncio.CancelledError:
            self.transport.abandon()
            raise
        self.transport.mark_answered()
        return result

    return wrapper
