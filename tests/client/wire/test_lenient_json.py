"""Tests of `_client.wire.lenient_json`, through the decoding of actions."""

from __future__ import annotations

import pytest

from redis_enterprise_actions import UnreadableReply
from redis_enterprise_actions._client.wire import lenient_json as _lenient
from redis_enterprise_actions._client.wire.actions import (
    read_action,
    read_actions,
)


class TestRepair:
    """One invalid value does not spoil the others."""

    @pytest.mark.parametrize(
        ("progress", "read"),
        [
            ("NaN", None),
            ("-Infinity", None),
            ("1e999", None),
            ("9" * 5000, None),
            ("50.5", 50.5),
            ("50", 50.0),
        ],
        ids=lambda value: str(value)[:10],
    )
    def test_numbers(self, progress: str, read: float | None) -> None:
        """A progress that is not a number, or too large, is missing; the rest is read."""
        entry = '{"action_uid": "%s", "status": "running", "progress": %s}'
        entries = ", ".join([entry % ("a", progress), entry % ("b", "NaN"), entry % ("c", "7")])
        body = f'{{"actions": [{entries}], "state-machines": []}}'.encode()

        found = read_actions(body, "/v1/actions")
        assert [(action.uid, action.progress) for action in found] == [
            ("a", read),
            ("b", None),
            ("c", 7.0),
        ]

    @pytest.mark.parametrize(
        ("name", "read"), [(b"\xff\xfe", "\ufffd\ufffd"), (b"\\ud800", "?"), (b"\xc3\xa4", "ä")]
    )
    def test_text(self, name: bytes, read: str) -> None:
        """A text that is not Unicode is read as well as it can be."""
        good = b'{"action_uid": "b", "status": "running"}'
        bad = b'{"action_uid": "a", "status": "running", "name": "' + name + b'"}'

        found = read_actions(b'{"actions": [' + bad + b", " + good + b"]}", "/v1/actions")
        assert [(action.uid, action.name) for action in found] == [("a", read), ("b", "")]

    def test_too_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A body that would take seconds to repair is unreadable."""
        body = b'{"action_uid": "a", "status": "running", "progress": NaN}'
        monkeypatch.setattr(_lenient, "_MAX_REPAIRED", len(body) - 1)

        with pytest.raises(UnreadableReply, match="malformed"):
            read_action(body, "a", "/v1/actions/a")

    def test_duplicates(self) -> None:
        """Of a key that comes twice the last value counts."""
        body = b'{"action_uid": "a", "status": "queued", "status": "running"}'

        assert read_action(body, "a", "/v1/actions/a").status == "running"

    @pytest.mark.parametrize("count", [1, 2, 50_000])
    def test_byte_order_mark(self, count: int) -> None:
        """Marks in front are no part of the answer, and many of them cost no recursion."""
        body = b"\xef\xbb\xbf" * count + b'{"action_uid": "a", "status": "running"}'

        assert read_action(body, "a", "/v1/actions/a").status == "running"
