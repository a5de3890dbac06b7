"""Uploads of modules: a file as a multipart body, and its artifact on each node.

Vendor pages: requests/modules (up to 7.22), requests/modules/user-defined (from 8.0 on).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import uuid
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.http.messages import Request, Upload
from redis_enterprise_actions._client.pacing.retry import retry_for
from redis_enterprise_actions._client.wire.error_body import unreadable_reply
from redis_enterprise_actions._client.wire.lenient_json import decode
from redis_enterprise_actions._model.errors import RequestRejected, UsageError

from .handle import embedded_error


if TYPE_CHECKING:
    from collections.abc import Mapping

    from yarl import URL

    from redis_enterprise_actions._client.http.node_requests import NodeRequests
    from redis_enterprise_actions._client.sources.registry import StatusSources

MODULES: Final = "/v2/modules"
USER_DEFINED: Final = "/v2/modules/user-defined"
MODULE_EXISTS: Final = "module_exists"
SENT_AGAIN: Final = "Its configuration stays as it was; each node has been sent the package again"
_ARTIFACTS: Final = "/v2/local/modules/user-defined/artifacts"
_FIELD: Final = "module"  # of the form
_NO_ROUTE: Final = frozenset({404, 405})
_SINCE_8: Final = (
    "This release has no such route: from 8.0 on, a module is user-defined; pass its configuration "
    "as config= (--data)"
)
_BEFORE_8: Final = "This release has no user-defined modules, which need 8.0: leave out config="
_HINTS: Final[Mapping[str, str]] = MappingProxyType({
    MODULES: _SINCE_8,
    USER_DEFINED: _BEFORE_8,
})  # fmt: skip
_UNQUOTED: Final = re.compile(r'[\x00-\x1f"\\]')  # no name of a file in a header may have them
_VIEW_CLUSTER: Final = "view_cluster_info"


async def read_module(file: str | os.PathLike[str] | bytes, name: str | None) -> Upload:
    """Return a module's package as the body of a call. Raises `UsageError`."""
    if name is not None and not isinstance(name, str):
        raise UsageError(f"name={name!r:.100} is not the name of a module's file")
    if isinstance(file, bytes):
        if not name:
            raise UsageError("name= is needed for the bytes of a module, such as module.zip")
        return _form(file, name)
    if not isinstance(file, str | os.PathLike):
        raise UsageError("file= is neither a path nor bytes")
    path = os.fspath(file)
    if not isinstance(path, str):
        raise UsageError("file= is a path of bytes: pass it as text")
    try:
        content = await asyncio.to_thread(Path(path).read_bytes)
    except (OSError, ValueError) as error:
        raise UsageError(f"the module {path!r} cannot be read: {error}") from None
    return _form(content, name or Path(path).name)


def _form(content: bytes, name: str) -> Upload:
    """Return a form of multipart/form-data with one file (RFC 7578)."""
    if _UNQUOTED.search(name):
        raise UsageError(f"{name!r:.100} is not the name of a module's file")
    boundary = uuid.uuid4().hex
    disposition = f'form-data; name="{_FIELD}"; filename="{name}"'
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n"
    head += "Content-Type: application/octet-stream\r\n\r\n"
    body = b"".join([head.encode(errors="replace"), content, f"\r\n--{boundary}--\r\n".encode()])
    return Upload(body, f"multipart/form-data; boundary={boundary}")


async def check_reached(sources: StatusSources, outage_timeout: float) -> None:
    """Ask the cluster for its name, so that a 404 to the upload is known to be its own.

    Raises `RequestError`, but no refusal: the upload may be allowed all the same.
    """
    transport = sources.bootstraps.transport
    with contextlib.suppress(RequestRejected):
        await retry_for(
            outage_timeout, sources.names.fetch, "/v1/cluster", _VIEW_CLUSTER, cluster=transport
        )


async def upload_artifact(
    sources: StatusSources, upload: Upload, *, timeout: float, outage_timeout: float
) -> None:
    """Store the artifact of a user-defined module on each node of the client.

    `timeout` is that of one request, and `outage_timeout` that of each node, in seconds. Raises
    `RequestError`.
    """
    bootstraps = sources.bootstraps
    request = Request("POST", _ARTIFACTS, body=upload, timeout=timeout, repeatable=True)
    for node in bootstraps.transport.nodes.urls:
        await retry_for(outage_timeout, _upload, bootstraps.requests, node, request)


async def _upload(requests: NodeRequests, node: URL, request: Request) -> None:
    """Send an artifact to a node. Raises `RequestError` unless the answer is a success of the API.

    The API answers with a status alone, or with an object.
    """
    reply = await requests.upload(node, request)
    try:
        answer = decode(reply.body, object) if reply.body.strip() else None
    except ValueError as error:
        raise unreadable_reply(request.path, error, reply.body, method=request.method) from None
    problem = embedded_error(answer)
    if problem is not None:
        code, description = problem
        raise RequestRejected(
            request.method,
            request.path,
            status=reply.status,
            error_code=code,
            description=description,
        )


def upload_hint(error: RequestRejected) -> str | None:
    """Return the hint of a refused upload: the call that the release has, if it lacks this one."""
    hint = _HINTS.get(error.path)
    return error.hint if error.status not in _NO_ROUTE or hint is None else hint
