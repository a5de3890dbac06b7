"""Faults that a test injects into the answers of a fake cluster, and random ones."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from .server.chaos import draw_episodes
from .server.faults import NO_ROUTE, Fault, check_fault


if TYPE_CHECKING:
    from collections.abc import Mapping

    from .server.auth import Authentication
    from .server.chaos import ChaosEpisode, ChaosRunner
    from .server.middleware import Middleware
    from .server.nodes import NodeServers


class Injection:
    """The methods of `FakeCluster` that spoil its answers."""

    _nodes: NodeServers
    _authentication: Authentication
    _chaos: ChaosRunner
    _middleware: Middleware

    def revoke_tokens(self) -> None:
        """Make all tokens invalid that were issued so far.

        An upgrade across 8.0.22 does so, as it changes the signing secret.
        """
        self._authentication.revoke_tokens()

    def inject(
        self,
        *,
        times: int | None = 1,
        path: str = "/",
        exact: bool = False,
        method: str | None = None,
        node: int | None = None,
        status: int | None = None,
        body: str | bytes = b"",
        headers: Mapping[str, str] | None = None,
        retry_after: float | str | None = None,
        delay: float = 0.0,
        hang: bool = False,
        drop: bool = False,
        lose: bool = False,
        truncate: bool = False,
        empty: bool = False,
        bad_entry: bool = False,
        nan: bool = False,
        no_handle: bool = False,
        no_route: bool = False,
    ) -> None:
        """Spoil the next `times` answers, or all until `heal` if it is None.

        The fault hits requests whose path begins with `path`, or equals it if `exact`; with
        `method` (such as "POST") only those with that method, and with `node` only those to that
        node. A request is hit by the oldest fault that fits, before the node redirects it or checks
        its credentials.

        - `status` is answered instead, with `body` and `headers`; `retry_after` (seconds, or a
          date) adds that header, by default to a 503.
        - `delay` answers that many seconds late.
        - `hang` never answers, and keeps the connection open until the client closes it.
        - `drop` closes the connection without an answer. aiohttp's client repeats a GET once by
          itself if a kept-alive connection was dropped, so that it may take two.
        - `lose` does the work, and then closes the connection without an answer. aiohttp's client
          repeats a PUT or a DELETE, too, which then finds its own work under way.
        - `truncate` closes the connection in the middle of the body.
        - `empty` answers 200 without a body.
        - `bad_entry` gives one entry of a list the number 42 as its status: the first that has
          not ended, or else the first. Answers that are no list stay as they are.
        - `nan` makes every progress the bare word NaN, as servers in Python write it.
        - `no_handle` leaves `action_uid`, `task_id` and `id` out of the answer to a call that
          starts work. GET is never hit.
        - `no_route` answers as a gateway in front of the cluster that has no route to it: 404,
          with {"message": "no Route matched with those values"}.

        Raises `ValueError` for faults that contradict each other, as only one of them could take
        effect, and for headers that frame the body: Content-Length and Transfer-Encoding.
        """
        if times is not None and times < 1:
            raise ValueError("times is 1 or more, or None for ever")
        check_fault(
            {
                "status": status,
                "body": body,
                "headers": headers,
                "retry_after": retry_after,
                "delay": delay,
                "hang": hang,
                "drop": drop,
                "lose": lose,
                "truncate": truncate,
                "empty": empty,
                "bad_entry": bad_entry,
                "nan": nan,
                "no_handle": no_handle,
                "no_route": no_route,
            }
        )
        if node is not None:
            self._nodes.check(node)
        if empty:
            status = 200
        if no_route:
            status, body = 404, NO_ROUTE
            headers = {"Content-Type": "application/json", **(headers or {})}
        fault = Fault(
            path=path,
            exact=exact,
            method=method,
            node=node,
            times=inf if times is None else times,
            status=503 if status is None and retry_after is not None else status,
            body=body.encode() if isinstance(body, str) else body,
            headers=dict(headers or {}),
            delay=delay,
            hang=hang,
            drop=drop,
            lose=lose,
            truncate=truncate,
            bad_entry=bad_entry,
            nan=nan,
            no_handle=no_handle,
        )
        if retry_after is not None:
            fault.headers["Retry-After"] = str(retry_after)
        self._middleware.faults.append(fault)

    def chaos(
        self, seed: int, *, horizon: float, episodes: int, longest: float = 60.0
    ) -> list[ChaosEpisode]:
        """Start random faults and changes of nodes, derived from a seed, and return them.

        The episodes depend on nothing but the arguments and the number of nodes, so that a failed
        test can be repeated. They begin within `horizon` seconds of the cluster's clock, and each
        lasts up to `longest` seconds. Episodes may overlap; of several that spoil an answer, the
        one that began first takes effect, unless an injected fault hits the request. At the end of
        all episodes every node runs that a restart has stopped, and there is a primary.

        Raises `ValueError` for times that are not more than 0. If a node cannot be started again,
        as its port was taken, that is in `problems`, and is raised at the end of `async with`.
        """
        self._nodes.check_open()
        drawn = draw_episodes(
            seed, nodes=len(self._nodes), horizon=horizon, episodes=episodes, longest=longest
        )
        self._chaos.run(drawn)
        return drawn

    def heal(self) -> None:
        """Remove all injected faults and end all chaos at once.

        If there was an election, the lowest running node is the primary. A node that a restart has
        stopped stays stopped, until `start_node`.
        """
        self._middleware.faults.clear()
        self._chaos.stop()
