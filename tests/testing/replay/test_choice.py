"""Tests of `testing.replay.choice`: the answer to each request, and when nodes are down."""

from __future__ import annotations

from math import inf
from typing import Any

import msgspec
import pytest

from redis_enterprise_actions.testing import RecordedExchange
from redis_enterprise_actions.testing.replay.choice import Recording, request_key, switches
from tests.capture_files import PATH, exchange


GET = request_key("GET", PATH)
CALL = "/v1/bdbs"
POST = request_key("POST", CALL)


def recorded(at: float, status: int | None = 200, **fields: Any) -> RecordedExchange:  # noqa: ANN401 - JSON
    """Return an exchange, by default a GET of the action from node 1."""
    if "failure" in fields:
        status = None
    return msgspec.convert(exchange(at, status, **fields), RecordedExchange)


def called(
    at: float,
    status: int | None = 200,
    sent: object = None,
    **more: Any,  # noqa: ANN401 - JSON
) -> RecordedExchange:
    """Return a call that creates a database."""
    fields = {"method": "POST", "path": CALL, **more}
    if sent is not None:
        fields["sent"] = msgspec.Raw(msgspec.json.encode(sent))
    return recorded(at, status, **fields)


def answers(recording: Recording, *times: float, node: int = 1) -> list[float]:
    """Return the times of the exchanges that answer GETs at these times."""
    found = [recording.answer(GET, node, at) for at in times]
    return [-1 if each is None else each.at for each in found]


class TestReads:
    """Requests that only read."""

    def test_exactly(self) -> None:
        """A client that asks as the one of the capture gets each answer once, however quickly."""
        times = [0, 0.1, 0.35, 0.7, 20, 20, 20.2, 50]
        recording = Recording(map(recorded, times))

        assert answers(recording, *times) == times
        assert recording.unplayed == []

    def test_a_little_late(self) -> None:
        """Up to a second late, no answer is left out."""
        recording = Recording([recorded(0), recorded(1, failure="reset"), recorded(1.4)])

        assert answers(recording, 0.9, 1.9, 2.3) == [0, 1, 1.4]

    def test_often(self) -> None:
        """A client that asks more often gets the last answer again, until a second before next."""
        recording = Recording([recorded(0), recorded(10), recorded(20)])

        assert answers(recording, 0, 3, 8.9, 9.1, 12, 19) == [0, 0, 0, 10, 10, 20]

    def test_seldom(self) -> None:
        """A client that asks less often gets the answer of its time."""
        recording = Recording([*map(recorded, range(30))])

        assert answers(recording, 0, 10.5, 100) == [0, 9, 29]
        assert len(recording.unplayed) == 27

    def test_after_a_failure(self) -> None:
        """A failure is not repeated: what came next is the answer, even early."""
        recording = Recording([recorded(0, failure="timeout"), recorded(30)])

        assert answers(recording, 0, 5) == [0, 30]

    def test_nothing_before(self) -> None:
        """Without an answer before, the first one is given, even early."""
        assert answers(Recording([recorded(30)]), 0) == [30]

    def test_after_the_end(self) -> None:
        """After the end, the last answer is given again."""
        assert answers(Recording([recorded(0), recorded(5)]), 0, 5, 6, 1000) == [0, 5, 5, 5]

    @pytest.mark.parametrize("last", [{"failure": "reset"}, {"status": 503}])
    def test_after_a_failure_at_the_end(self, last: dict[str, Any]) -> None:
        """After a failure at the end, the last ordinary answer is given again."""
        recording = Recording([recorded(0), recorded(3, 404), recorded(5, **last)])

        assert answers(recording, 0, 3, 5, 6) == [0, 3, 5, 3]

    def test_nothing_but_failures(self) -> None:
        """The last failure is repeated where there was nothing else."""
        assert answers(Recording([recorded(0, 503), recorded(5, 500)]), 0, 5, 9) == [0, 5, 5]

    def test_cancelled_before_it_arrived(self) -> None:
        """A request that was cancelled is passed over if the next one is nearer in time."""
        cancelled = recorded(10, failure="cancelled")

        assert answers(Recording([recorded(0), cancelled, recorded(10.4)]), 0, 10.4) == [0, 10.4]
        assert answers(Recording([recorded(0), cancelled, recorded(10.4)]), 0, 10) == [0, 10]

    def test_query(self) -> None:
        """The query counts, but not its order; escapes are no difference."""
        recording = Recording([recorded(0, path="/v1/a%2Db?x=1&y=%32")])

        assert recording.answer(request_key("GET", "/v1/a-b?y=2&x=1"), 1, 0) is not None
        assert recording.answer(request_key("GET", "/v1/a-b?y=2"), 1, 0) is None
        assert recording.answer(request_key("PUT", "/v1/a-b?y=2&x=1"), 1, 0) is None

    def test_other_node(self) -> None:
        """A request that another node answered is answered likewise, by a good one if there is."""
        recording = Recording([
            recorded(0, 307, node=2), recorded(1, node=3), recorded(2, 404, path="/v1/x", node=2),
            recorded(3, 503, path="/v1/y", node=2),
        ])  # fmt: skip

        assert answers(recording, 0, 1, node=1) == [1, 1]
        assert answers(recording, 0, node=2) == [0]
        one, other = (
            recording.answer(request_key("GET", path), 1, 0) for path in ("/v1/x", "/v1/y")
        )
        assert one is not None
        assert other is not None
        assert (one.status, other.status) == (404, 503)

    def test_tokens(self) -> None:
        """Requests for tokens are as those that read."""
        path = "/v1/users/authorize"
        recording = Recording(recorded(at, method="POST", path=path) for at in (0, 100, 200))
        key = request_key("POST", path)

        found = [recording.answer(key, 1, at) for at in (0, 50, 150, 300)]
        assert [each and each.at for each in found] == [0, 0, 100, 200]


class TestCalls:
    """Requests that may change something."""

    def calls(self, recording: Recording, *calls: tuple[float, object]) -> list[float]:
        bodies = [(at, b"" if sent is None else msgspec.json.encode(sent)) for at, sent in calls]
        found = [recording.answer(POST, 1, at, body) for at, body in bodies]
        return [-1 if each is None else each.at for each in found]

    def test_in_turn(self) -> None:
        """One after the other is answered, whenever it comes; then the last one again."""
        recording = Recording([called(0), called(100), called(200, failure="reset")])

        assert self.calls(recording, (0, {}), (1, {}), (900, {}), (901, {})) == [0, 100, 200, 100]

    def test_body(self) -> None:
        """One with the same body comes first, if there is one."""
        recording = Recording([called(0, sent={"a": 1}), called(1, sent={"b": [2]}), called(2)])

        assert self.calls(recording, (0, {"b": [2]}), (0, None), (0, {"z": 1})) == [1, 2, 0]

    @pytest.mark.parametrize("body", [b"not JSON", b"[" * 100_000])
    def test_no_json(self, body: bytes) -> None:
        """A body that is no JSON is none of those."""
        recording = Recording([called(0, sent={"a": 1}), called(1, sent_text="not JSON")])
        found = recording.answer(POST, 1, 0, body)

        assert found is not None
        assert found.at == (1 if body == b"not JSON" else 0)

    def test_refusals_of_the_past(self) -> None:
        """A refusal that has passed is left out; nothing that was, or may have been, executed."""
        recording = Recording([
            called(0, 503), called(1, 409), called(2, failure="timeout"), called(3), called(4),
        ])  # fmt: skip

        assert self.calls(recording, *[(100, {})] * 3) == [2, 3, 4]
        assert [each.status for each in recording.unplayed] == [503, 409]


def test_switches() -> None:
    """A node goes down, and up again, halfway between two requests that show it."""
    refused = {"failure": "refused"}
    found = switches([
        recorded(0, node=2, **refused), recorded(0), recorded(2), recorded(4, failure="reset"),
        recorded(4, **refused), recorded(5, **refused), recorded(6, node=2), recorded(9),
        recorded(19, failure="tls"),
    ])  # fmt: skip

    assert found == [(-inf, 2, False), (3, 2, True), (4, 1, False), (7, 1, True), (14, 1, False)]
    assert switches([]) == []
