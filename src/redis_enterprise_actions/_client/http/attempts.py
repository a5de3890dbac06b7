"""`Attempts`: the requests made so far for one get or call, and the choice of the next node.

A node that fails is left for the next one that has not failed since the last usable answer. A node
that refuses (it redirects to an address that is not one of ours, or does not know the credentials)
has not executed the request, and the others may: all are asked before the refusal is raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.errors import ClusterUnreachable, RequestRejected

from .connection_errors import ConnectionLost


if TYPE_CHECKING:
    from yarl import URL

    from redis_enterprise_actions._model.errors import RequestError

    from .nodes import NodePool

# Seconds before a node that did not know the credentials is asked again, unless it is the only one
# left: clusters lock users out after a few wrong passwords.
_REFUSED_BACKOFF: Final = 60.0


class Attempts:
    """Requests made for one get or call, the first of them to `node`.

    `chain` has the nodes of the last request: the one that was asked, and where it redirected to.
    """

    __slots__ = ("_all_refused", "_failure", "_is_write", "_nodes", "asked", "chain")

    def __init__(self, nodes: NodePool, node: URL, *, is_write: bool) -> None:
        self.asked = [node]  # one for each request
        self.chain: tuple[URL, ...] = (node,)
        self._nodes = nodes
        self._is_write = is_write
        self._all_refused = True
        self._failure: RequestError | None = None  # the last one that is no refusal

    def repeat(self) -> tuple[URL, ...]:
        """Record one more request to the same node. Return the chain, unchanged."""
        self.asked.append(self.asked[-1])
        return self.chain

    def redirect(self, target: URL, method: str, path: str, now: float) -> tuple[URL, ...]:
        """Record a redirect to a known node. Return the chain to ask, or raise the error."""
        first = self.chain[0]
        backoff = self._nodes.remaining_backoff(target, now)
        reason = None
        if backoff and first not in self._nodes.failed:
            reason = f"it redirects to {target}, which sent Retry-After"
        elif target in self.chain:
            circle = " to ".join(map(str, [*self.chain, target]))
            reason, backoff = f"it redirects from {circle}", 0.0
        self.chain = (*self.chain, target)
        if reason is None:
            self.asked.append(target)
            return self.chain
        failure = ClusterUnreachable(
            method, path, reason=reason, retry_after=backoff or None, sent=False
        )
        return self.fail(failure, now)

    def fail(self, failure: RequestError, now: float) -> tuple[URL, ...]:
        """Record a failure. Return the chain to ask next, or raise the error of all attempts.

        After a lost connection that is the same one, once: the server may have closed an idle
        connection at that moment.
        """
        was_lost = isinstance(failure.__cause__, ConnectionLost) and not self._is_write
        if was_lost and self.asked.count(self.asked[-1]) == 1:
            return self.repeat()
        self._nodes.mark_failed(self.chain, now, backoff=failure.retry_after)
        self._all_refused, self._failure = False, failure
        if self._is_write and failure.sent:
            raise self.error(failure, now)
        return self._next_node(failure, now)

    def refuse(self, refusal: RequestRejected, now: float) -> tuple[URL, ...]:
        """Record a refusal. Return the chain to ask next, or raise the error of all attempts."""
        backoff = _REFUSED_BACKOFF if refusal.status == 401 else None
        self._nodes.mark_failed(self.chain, now, backoff=backoff)
        return self._next_node(refusal, now, refused=True)

    def error(self, last: RequestError, now: float) -> RequestError:
        """Return the error of all attempts."""
        retry_after = last.retry_after
        if last.transient:
            retry_after = self._nodes.remaining_backoff(self._nodes.current, now) or None
        return last.with_history(
            attempts=len(self.asked),
            nodes=dict.fromkeys(map(str, [*self.asked, *self.chain])),
            retry_after=retry_after,
        )

    def _next_node(
        self, last: RequestError, now: float, *, refused: bool = False
    ) -> tuple[URL, ...]:
        node = self._nodes.next_node(self.asked, now, even_failed=refused)
        if node is not None:
            self.asked.append(node)
            self.chain = (node,)
            return self.chain
        if isinstance(last, RequestRejected) and not (
            self._all_refused and set(self._nodes.urls) <= set(self.asked)
        ):
            last = self._failure or ClusterUnreachable(
                last.method,
                last.path,
                reason=f"it answered {last.status}, and no other node can be asked yet",
                status=last.status,
                error_code=last.error_code,
                sent=False,
            )
        error = self.error(last, now)
        raise error from error.__cause__
