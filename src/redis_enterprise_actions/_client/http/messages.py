"""Messages of HTTP: requests to the cluster, and its replies."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from redis_enterprise_actions._model.secret import Secret

_UNAVAILABLE: Final = 503
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class Reply(NamedTuple):
    """Response to a request. Its `repr` hides the body, which may hold passwords and tokens."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"<answer {self.status} of {len(self.body)} bytes>"


class Request(NamedTuple):
    """Request to any node. `path` and `query` are quoted already; `timeout` is in seconds.

    Errors quote the cluster's words only if they are `quotable`, and otherwise its error code, and
    without the `secrets` that the body holds. Only a GET, or what is `repeatable`, is sent again
    after a failure that may have come after its execution. A 503 is the answer to a request, and no
    failure, if `is_answer` is given and true of its body.
    """

    method: str
    path: str
    query: str = ""
    body: Secret | None = None
    headers: Mapping[str, str] = _NO_HEADERS
    permission: str | None = None
    timeout: float | None = None
    quotable: bool = True
    secrets: tuple[Secret, ...] = ()
    repeatable: bool = False
    is_answer: Callable[[bytes], bool] | None = None

    def is_answered_by(self, reply: Reply) -> bool:
        """Return True if a reply is for the decoder: a success, a 404, or a 503 that says more."""
        if reply.status == _UNAVAILABLE and self.is_answer is not None:
            return self.is_answer(reply.body)
        return 200 <= reply.status < 300 or reply.status == 404

    @property
    def is_write(self) -> bool:
        """Return True if the request may change something, so that it must not be sent twice."""
        return self.method != "GET" and not self.repeatable
