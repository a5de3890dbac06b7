"""Node pool: the URLs of a cluster, the node for the next request, and known redirect targets.

A node that answers stays the current one. When it fails, the next node becomes the current one.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 # pyright: ignore[reportUnusedImport] - loaded now, as the process may be out of files later
import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from yarl import URL

from redis_enterprise_actions._client.pacing.retry import MAX_RETRY_AFTER
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.secret import Secret


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

_SPACE: Final = re.compile(r"\s")
# Ends of a path: the version of the API, or one of its routes.
_VERSION: Final = re.compile(r"/v[12]$")
_ROUTE: Final = re.compile(
    r"(?<!/api)/v[124]/(?:actions|bdbs|bootstrap|cluster|crdb_tasks|crdbs|endpoints|jsonschema|license"
    r"|local|logs|migrations|modules|nodes|proxies|redis_acls|roles|services|shards|users)(?:/.*)?$"
)


class NodePool:
    """Nodes of one cluster. Credentials go to these, and to the trusted hosts, only."""

    def __init__(self, urls: Iterable[Secret], trusted_hosts: Iterable[str] = ()) -> None:
        self.urls: Final = tuple(dict.fromkeys(map(base_url, urls)))
        if not self.urls:
            raise UsageError("no cluster is given: the list of its URLs is empty")
        self.current = self.urls[0]  # the node for the next request
        # When each node that has failed since the last usable reply may be used again, in the order
        # of the failures.
        self.failed: dict[URL, float] = {}
        if isinstance(trusted_hosts, str):
            raise UsageError("trusted_hosts= is a list of hosts, not one")
        try:
            hosts = list(trusted_hosts)
        except TypeError:
            raise UsageError("trusted_hosts= is not a list of hosts") from None
        ports = {url.port for url in self.urls}
        self._trusted = {
            (url.host, port)
            for url in map(_parse_trusted_host, hosts)
            for port in (ports if url.explicit_port is None else {url.port})
        }

    def mark_answered(self, node: URL, now: float) -> None:
        """Record a usable reply; `node` becomes the current one.

        Nodes that failed may be used again, after their backoff.
        """
        self.current = node
        self.failed = {url: until for url, until in self.failed.items() if until > now}

    def mark_failed(
        self, nodes: Iterable[URL], now: float, *, backoff: float | None = None
    ) -> None:
        """Record that nodes failed, and are not to be used for `backoff` seconds.

        If the current node is one of them, the next one that has not failed since the last usable
        reply becomes the current one, or else the one that may be used first.
        """
        for node in nodes:
            self.failed.pop(node, None)
            self.failed[node] = now + min(backoff or 0.0, MAX_RETRY_AFTER)
        if self.current not in self.failed:
            return
        healthy = [url for url in self._in_turn() if url not in self.failed]
        known = [url for url in self.failed if url in self.urls]
        self.current = healthy[0] if healthy else min(known, key=self.failed.__getitem__)

    def next_node(
        self, asked: Collection[URL], now: float, *, even_failed: bool = False
    ) -> URL | None:
        """Return the next node that was not asked and has not failed since the last usable reply.

        With `even_failed`, return one that has failed, and whose backoff is over, if there is none.
        """
        left = [url for url in self._in_turn() if url not in asked]
        healthy = [url for url in left if url not in self.failed]
        if even_failed:
            healthy += [url for url in left if url in self.failed and self.failed[url] <= now]
        return healthy[0] if healthy else None

    def _in_turn(self) -> tuple[URL, ...]:
        """Return the configured nodes, from the current one on."""
        start = self.urls.index(self.current) if self.current in self.urls else 0
        return self.urls[start:] + self.urls[:start]

    def remaining_backoff(self, node: URL, now: float) -> float:
        """Return the seconds for which a node is not to be used."""
        return max(0.0, self.failed.get(node, now) - now)

    def has_alternative(self, node: URL) -> bool:
        """Return True if another node has not failed since the last usable reply."""
        return any(url not in self.failed for url in self.urls if url != node)

    def redirect_target(self, node: URL, location: str) -> URL | None:
        """Return the node that a redirect from `node` names, or None if it is not a known one.

        Only the host is taken from `location`: the same path is requested there.
        """
        target = _parse_url(location)
        if target is None:
            return None
        target = node.join(target)
        if not target.absolute:
            return None
        origin = target.origin()
        for url in self.urls:
            if url.origin() == origin:
                return url
        trusted = origin.scheme == node.scheme and (origin.host, origin.port) in self._trusted
        return origin if trusted else None


def base_url(url: Secret) -> URL:
    """Return a cluster's URL without a trailing slash, and without the version of the API (`/v1`).

    The URL is passed as a secret, so that errors do not quote a password that a user put into it.
    Raises `UsageError` if it is not such a URL.
    """
    text = url.reveal() if isinstance(url, Secret) else None
    if not isinstance(text, str):
        raise UsageError("the cluster's URL is not a string")
    parsed = _parse_url(text)
    if parsed is None:
        raise UsageError("the cluster's URL cannot be parsed")
    if parsed.user is not None or parsed.password is not None:
        raise UsageError("credentials do not belong in the URL: pass username= and password=")
    if parsed.query_string or parsed.fragment:
        raise UsageError("the cluster's URL must have no query and no fragment")
    if not parsed.host or parsed.scheme not in {"http", "https"} or _SPACE.search(text):
        shown = "this" if "@" in text else repr(text)
        raise UsageError(
            f"{shown} is not a cluster's URL, such as https://cluster.example.com:9443"
        )
    path = parsed.path.rstrip("/")
    route = _ROUTE.search(path)
    if route is not None:
        raise UsageError(
            f"the cluster's URL must not name a route of the API: leave {route[0]} out"
        )
    return parsed.with_path(_VERSION.sub("", path).rstrip("/"))


def moved_path(node: URL, path: str, location: str) -> str | None:
    """Return the path that a redirect on the same node names, or None if it leads elsewhere.

    A path that is the same but for its escapes is returned unchanged.
    """
    asked, target = URL(f"{node}{path}"), _parse_url(location)
    if target is None:
        return None
    target = asked.join(target)
    prefix = node.raw_path.rstrip("/")
    if not target.absolute or target.origin() != node.origin():
        return None
    if target.raw_path == asked.raw_path:
        return path
    if not target.raw_path.startswith(f"{prefix}/"):
        return None
    return target.raw_path.removeprefix(prefix)


def differs_by_slashes(path: str, other: str) -> bool:
    """Return True if two different paths are the same but for added or dropped slashes."""
    return path != other and _segments(path) == _segments(other)


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def _parse_url(text: str) -> URL | None:
    """Return a URL, or None for an invalid one; yarl checks some parts only when they are read."""
    try:
        url = URL(text)
        _ = url.user, url.password, url.port
        host = url.host or ""
        if ":" in host:
            ip_address(host)
        host.encode("idna")
    except (ValueError, IndexError):
        return None
    return url


def _parse_trusted_host(host: str) -> URL:
    """Return the URL of `host` or `host:port`, where an IPv6 address has brackets."""
    url = _parse_url(f"https://{host}") if isinstance(host, str) else None
    if url is None or not url.host or url != url.origin() or _SPACE.search(host):
        raise UsageError(f"trusted_hosts= has {host!r:.100}, which is not a host or host:port")
    return url


def find_node(urls: Sequence[URL | str], name: str) -> URL:
    """Return the URL whose host, or `host:port`, is `name`.

    Raises `UsageError` unless exactly one of the client's URLs fits.
    """
    nodes, wanted = [URL(url) for url in urls], name.strip().casefold()
    found = [url for url in nodes if wanted in {host_of(url), f"{host_of(url)}:{url.port}"}]
    if len(found) == 1:
        return found[0]
    count = "several" if found else "none"
    known = ", ".join(map(str, nodes))
    raise UsageError(f"{name!r} is the host of {count} of the client's URLs: {known}")


def host_of(url: URL) -> str:
    """Return the host of a URL as references name it."""
    host = (url.host or "").casefold()
    return f"[{host}]" if ":" in host else host
