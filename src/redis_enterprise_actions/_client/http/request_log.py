"""Log of requests: one DEBUG record for each HTTP request, without headers, bodies and secrets."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from yarl import URL

    from .messages import Request

REQUEST_LOGGER: Final = "redis_enterprise_actions.requests"

_log = logging.getLogger(REQUEST_LOGGER)  # with fields: docs/output.md
_VALUE: Final = re.compile("=[^&]*")


def log_request(request: Request, node: URL, result: int | str, seconds: float) -> None:
    """Log a request to `node` that has ended: `GET /v1/actions 200 12ms node1:9443`.

    `result` is the status of the reply or, without a reply, the name of the error. Of the query,
    only the names are logged.
    """
    if not _log.isEnabledFor(logging.DEBUG):
        return
    path, ms = request.path + _VALUE.sub("", request.query), round(seconds * 1000)
    address = f"{node.host_subcomponent}:{node.port}"
    fields = {
        "event": "request",
        "method": request.method,
        "path": path,
        "status": result if isinstance(result, int) else None,
        "error": None if isinstance(result, int) else result,
        "ms": ms,
        "node": address,
    }
    _log.debug("%s %s %s %dms %s", request.method, path, result, ms, address, extra=fields)
