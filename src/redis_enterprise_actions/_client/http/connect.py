"""`transport_for`: the transport that the arguments of a client ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from redis_enterprise_actions._client.pacing.durations import seconds
from redis_enterprise_actions._model.unawaited import refuse_unawaited

from .auth import authenticator_for
from .nodes import NodePool
from .redaction import as_secret
from .tls import tls_settings
from .transport import Transport


if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    import aiohttp

    from redis_enterprise_actions._client.pacing.durations import Duration

    from .auth import TokenSource


def transport_for(
    url: str | Sequence[str],
    *,
    username: str | None = None,
    password: str | None = None,
    token: str | TokenSource | None = None,
    auth: Literal["basic", "jwt"] = "basic",
    client_cert: str | os.PathLike[str] | None = None,
    client_key: str | os.PathLike[str] | None = None,
    ca_cert: str | os.PathLike[str] | None = None,
    fingerprint: str | None = None,
    verify: bool = True,
    trusted_hosts: Iterable[str] = (),
    session: aiohttp.ClientSession | None = None,
    request_timeout: Duration = 30.0,
) -> Transport:
    """Return the transport for the arguments of `ActionsClient`. Raises `UsageError`."""
    refuse_unawaited(token, argument="token")
    refuse_unawaited(url, username, password, auth, client_cert, client_key, ca_cert, fingerprint)
    refuse_unawaited(trusted_hosts, session)
    several = isinstance(url, (list, tuple))
    urls = [as_secret(each) for each in cast("list[str]", url if several else [url])]
    request_limit = seconds(request_timeout, "request_timeout")
    return Transport(
        NodePool(urls, trusted_hosts),
        authenticator=authenticator_for(
            username, as_secret(password), as_secret(token), auth=auth, timeout=request_limit
        ),
        tls=tls_settings(
            verify=verify,
            ca_cert=ca_cert,
            fingerprint=fingerprint,
            client_cert=client_cert,
            client_key=client_key,
        ),
        session=session,
        request_timeout=request_limit,
    )
