"""Which node to ask next: to stay with one that answers, and leave one that does not."""

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
    """What asks the cluster."""

    transport: Transport


_A = TypeVar("_A", bound=HasTransport)


def failover(
    call: Callable[Concatenate[_A, _P], Awaitable[_T]],
) -> Callable[Concatenate[_A, _P], Coroutine[object, object, _T]]:
    """Turn to another node where there is no usable answer, and stay where there is one."""

    @functools.wraps(call)
    async def asking(self: _A, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            found = await call(self, *args, **kwargs)
        except RequestError as error:
            if error.transient:
                self.transport.fail_over(error)
            raise
        except asyncio.CancelledError:
            self.transport.abandon()
            raise
        self.transport.mark_answered()
        return found

    return asking
