"""Messages of HTTP: requests to the cluster, and its replies."""

from __future__ import annotations

import email.utils
from datetime import UTC
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from redis_enterprise_actions._model.secret import Secret

_UNAVAILABLE: Final = 503
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class Reply(NamedTuple):
    """Response to a request. Its `repr` hides the body, which may hold passwords and tokens."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def date(self) -> datetime | None:
        """The time of the answer by the clock of the node, to the second; None without one."""
        try:
            date = email.utils.parsedate_to_datetime(self.headers.get("Date", ""))
        except (OverflowError, TypeError, ValueError):
            return None
        return date if date.tzinfo else date.replace(tzinfo=UTC)

    def __repr__(self) -> str:
        return f"<answer {self.status} of {len(self.body)} bytes>"


class Upload:
    """Body of a request that is no JSON. Its `repr` hides the bytes."""

    __slots__ = ("content", "content_type")

    def __init__(self, content: bytes, content_type: str) -> None:
        self.content = content
        self.content_type = content_type

    def __repr__(self) -> str:
        return f"<upload of {len(self.content)} bytes>"


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
    body: Secret | Upload | None = None
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
    def data(self) -> str | bytes | None:
        """The body as it is sent."""
        if self.body is None:
            return None
        return self.body.content if isinstance(self.body, Upload) else self.body.reveal()

    @property
    def content_type(self) -> str:
        """The type of the body."""
        return self.body.content_type if isinstance(self.body, Upload) else "application/json"

    @property
    def is_write(self) -> bool:
        """Return True if the request may change something, so that it must not be sent twice."""
        return self.method != "GET" and not self.repeatable
