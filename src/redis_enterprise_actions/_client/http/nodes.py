"""Which node to ask: a cluster's URLs, which of them answers, and whom a redirect may name.

Knows URLs. Refuses to know what is asked of a node, and how. A node that answers is stuck to; one
that does not is left for the next, and has its turn again after the others. Credentials go to
none but these.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 # pyright: ignore[reportUnusedImport] - or Python loads it when it may no longer be able to read it
import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from yarl import URL

from redis_enterprise_actions._client.pacing.retry import MAX_RETRY_AFTER
from redis_enterprise_actions._model.errors import UsageError

from .auth import Secret


if TYPE_CHECKING:
    from collections.abc import Iterable

_SPACE: Final = re.compile(r"\s")


class NodePool:
    """The nodes of one cluster."""

    def __init__(self, urls: Iterable[Secret], trusted_hosts: Iterable[str] = ()) -> None:
        self.urls: Final = tuple(dict.fromkeys(map(base_url, urls)))
        if not self.urls:
            raise UsageError("no cluster is given: the list of its URLs is empty")
        self.current = self.urls[0]  # the one to ask next
        self._failed: dict[URL, float] = {}  # and when to ask them again, the last to fail last
        ports = {url.port for url in self.urls}
        self._trusted = {
            (url.host, port)
            for url in map(_parse_trusted_host, _hosts(trusted_hosts))
            for port in (ports if url.explicit_port is None else {url.port})
        }

    @property
    def has_failures(self) -> bool:
        """Whether one has failed, and the cluster has not given a usable answer since."""
        return bool(self._failed)

    def mark_answered(self, now: float) -> None:
        """Note that the cluster has given a usable answer: what failed may be asked again."""
        self._failed = {url: until for url, until in self._failed.items() if until > now}

    def mark_failed(
        self, nodes: Iterable[URL], now: float, *, backoff: float | None
    ) -> float | None:
        """Move on from nodes that do not answer, and want to be left alone for `rest` seconds.

        Return the seconds after which the next one may be asked, or None if there is one that
        has not failed since the last good answer.
        """
        for node in nodes:
            self._failed.pop(node, None)
            self._failed[node] = now + min(backoff or 0.0, MAX_RETRY_AFTER)
        others = [url for url in self._from(self.current) if url not in self._failed]
        if others:
            self.current = others[0]
            return None
        self.current = min(
            (url for url in self._failed if url in self.urls), key=self._failed.__getitem__
        )
        return self.remaining_backoff(self.current, now)

    def remaining_backoff(self, node: URL, now: float) -> float:
        """Return the seconds for which a node wants to be left alone."""
        return max(0.0, self._failed.get(node, now) - now)

    def has_alternative(self, node: URL) -> bool:
        """Whether there is another node that has not failed since the last good answer."""
        return any(url not in self._failed for url in self.urls if url != node)

    def is_healthy(self, node: URL) -> bool:
        """Whether a node has not failed since the last good answer."""
        return node not in self._failed

    def redirect_target(self, node: URL, location: str) -> URL | None:
        """Return the node that a redirect from `node` names, or None if it is none that we trust.

        What it names besides is not taken from it: the same path is asked there.
        """
        named = _parse_url(location)
        if named is None:
            return None
        named = node.join(named)
        if not named.absolute:
            return None
        origin = named.origin()
        for url in self.urls:
            if url.origin() == origin:
                return url
        trusted = origin.scheme == node.scheme and (origin.host, origin.port) in self._trusted
        return origin if trusted else None

    def _from(self, node: URL) -> tuple[URL, ...]:
        """Return all nodes, beginning with `node`."""
        start = self.urls.index(node) if node in self.urls else 0
        return self.urls[start:] + self.urls[:start]


def base_url(url: Secret) -> URL:
    """Check a cluster's URL and return it without a trailing slash.

    It is no secret, but people put passwords into URLs.
    """
    problem = _url_problem(url.reveal()) if isinstance(url, Secret) else _NO_TEXT
    if problem is not None:
        raise UsageError(problem)
    parsed = URL(url.reveal())
    return parsed.with_path(parsed.path.rstrip("/"))


_NO_TEXT: Final = "the cluster's URL is not a string"


def _url_problem(url: str) -> str | None:
    """Return why something is not a cluster's URL. Raises nothing, as it may hold a password."""
    if not isinstance(url, str):
        return _NO_TEXT
    parsed = _parse_url(url)
    if parsed is None:
        return "the cluster's URL cannot be parsed"
    if parsed.user is not None or parsed.password is not None:
        return "credentials do not belong in the URL: pass username= and password="
    if parsed.query_string or parsed.fragment:
        return "the cluster's URL must have no query and no fragment"
    if parsed.host and parsed.scheme in {"http", "https"} and not _SPACE.search(url):
        return None
    shown = "this" if "@" in url else repr(url)
    return f"{shown} is not a cluster's URL, such as https://cluster.example.com:9443"


def _parse_url(text: str) -> URL | None:
    """Return a URL, or None for what is none; yarl finds out about some when it is asked."""
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


def _hosts(trusted_hosts: Iterable[str]) -> list[str]:
    if isinstance(trusted_hosts, str):
        raise UsageError("trusted_hosts= is a list of hosts, not one")
    try:
        return list(trusted_hosts)
    except TypeError:
        raise UsageError("trusted_hosts= is not a list of hosts") from None


def _parse_trusted_host(host: str) -> URL:
    """Read `host`, `host:port` or either with an IPv6 address in brackets."""
    url = _parse_url(f"https://{host}") if isinstance(host, str) else None
    if url is None or not url.host or url != url.origin() or _SPACE.search(host):
        raise UsageError(f"trusted_hosts= has {host!r:.100}, which is not a host or host:port")
    return url
