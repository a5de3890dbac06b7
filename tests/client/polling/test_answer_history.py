"""Tests of `_client.polling.answer_history`, through the wait that uses it."""

from __future__ import annotations

import pytest
from tenacity import wait_fixed

from redis_enterprise_actions import Action, ActionStalled, ActionVanished, Evidence, Phase
from redis_enterprise_actions._client.polling.wait_state import Verdict
from redis_enterprise_actions._model.action import Ambiguity, AmbiguousAnswer
from tests.client.polling.polled_wait import PolledWait
from tests.conftest import at


RUNS, ENDED, FAILED = at(50), at(None, "completed"), at(None, "failed")
IDLE = AmbiguousAnswer(Ambiguity.IDLE, at(None, ""))
OLD, SAME = (
    AmbiguousAnswer(Ambiguity.OLD_RESULT, ENDED),
    AmbiguousAnswer(Ambiguity.SAME_RESULT, ENDED),
)
QUIET, GONE = (
    AmbiguousAnswer(Ambiguity.QUIET, ENDED),
    AmbiguousAnswer(Ambiguity.GONE, ENDED, discriminator="db_not_found"),
)
GONE_OTHERWISE = AmbiguousAnswer(Ambiguity.GONE, ENDED, discriminator="not_found")
REPLACED = AmbiguousAnswer(Ambiguity.REPLACED, ENDED)


def failing(mark: str, known: str | None = None, otherwise: object = QUIET) -> AmbiguousAnswer:
    """Return the failure of a database, which may be an older one."""
    return AmbiguousAnswer(Ambiguity.KNOWN_FAILURE, FAILED, mark, known, otherwise)  # type: ignore[arg-type]


class TestAmbiguousAnswers:
    """Answers whose meaning depends on the answers before."""

    @pytest.mark.parametrize(
        ("ref", "answers", "ended", "evidence"),
        [
            # The old result of a transfer does not count until the status was seen without one.
            ("export:1", {0: OLD, 30: OLD, 59: OLD}, None, None),
            ("export:1", {0: OLD, 1: IDLE, 2: OLD}, 2, Evidence.ACTION),
            ("export:1", {0: RUNS, 2: OLD}, 2, Evidence.ACTION),
            ("export:1", {0: ENDED}, 0, Evidence.ACTION),
            # A node action's result that equals the one before counts after the grace period.
            ("node:1/x@after,completed", {0: SAME, 5: SAME, 9.9: SAME}, None, None),
            ("node:1/x@after,completed", {0: SAME, 10: SAME}, 10, Evidence.SAME_RESULT),
            ("node:1/x@after,completed", {0: None, 4: SAME, 10: SAME}, 10, Evidence.SAME_RESULT),
            ("node:1/x@after,completed", {0: SAME, 3: RUNS, 4: SAME}, 4, Evidence.ACTION),
            # A database has settled once it was seen busy, or after the grace period.
            ("bdb:1", {0: QUIET, 5: QUIET, 9.9: QUIET}, None, None),
            ("bdb:1", {0: QUIET, 10: QUIET}, 10, Evidence.QUIET),
            ("bdb:1", {3: QUIET, 12: QUIET}, None, None),
            ("bdb:1", {3: QUIET, 13: QUIET}, 13, Evidence.QUIET),
            ("bdb:1", {0: RUNS, 1: QUIET}, 1, Evidence.ACTION),
            ("bdb:1", {0: QUIET, 9: RUNS, 11: QUIET}, 11, Evidence.ACTION),
            ("bdb:1@unchanged", {0: QUIET, 0.9: QUIET}, None, None),
            ("bdb:1@unchanged", {0: QUIET, 1: QUIET}, 1, Evidence.QUIET),
            # After a call that may have been lost, it has settled only if it was seen busy.
            ("bdb:1@lost", {0: QUIET, 9: QUIET, 9.9: QUIET}, None, None),
            ("bdb:1@lost", {0: QUIET, 5: RUNS, 7: QUIET}, 7, Evidence.ACTION),
            ("bdb:1@lost", {0: RUNS, 1: QUIET}, 1, Evidence.ACTION),
            ("bdb:1@lost,x", {0: failing("x", "x"), 3: failing("y", "x")}, 3, Evidence.ACTION),
            ("bdb:1@lost-busy", {0: QUIET, 1: RUNS, 2: QUIET}, 2, Evidence.ACTION),
            ("bdb:1", {0: at(status="odd"), 11: QUIET, 20: QUIET}, None, None),
            ("bdb:1@busy", {0: RUNS, 1: QUIET, 9: QUIET}, None, None),
            ("bdb:1@busy", {0: RUNS, 1: QUIET, 11: QUIET}, 11, Evidence.QUIET),
            ("bdb:1@busy", {0: RUNS, 1: QUIET, 2: RUNS, 3: QUIET}, 3, Evidence.ACTION),
            ("bdb:1@busy", {0: QUIET, 1: RUNS, 2: QUIET}, 2, Evidence.ACTION),
            ("bdb:1@busy", {0: QUIET, 1: failing("x", "")}, 1, Evidence.ACTION),
            # A failure that was there before the call, or at the first poll, is an old one.
            ("bdb:1", {0: failing("x"), 9: failing("x")}, None, None),
            ("bdb:1", {0: failing("x"), 10: failing("x")}, 10, Evidence.QUIET),
            ("bdb:1", {0: failing("x"), 2: failing("y")}, 2, Evidence.ACTION),
            ("bdb:1", {0: QUIET, 2: failing("x")}, 2, Evidence.ACTION),
            ("bdb:1", {0: failing("x"), 1: RUNS, 2: failing("x")}, 2, Evidence.ACTION),
            ("bdb:1@after", {0: failing("x", "")}, 0, Evidence.ACTION),
            ("bdb:1@after,x", {0: failing("x", "x"), 3: failing("x", "x")}, None, None),
            ("bdb:1@after,x", {0: failing("y", "x")}, 0, Evidence.ACTION),
            ("bdb:1", {0: failing("x", None, RUNS), 30: failing("x", None, RUNS)}, None, None),
            # "Not found" counts after two answers, five seconds apart, with the same mark.
            ("bdb:1@gone", {0: GONE, 4.9: GONE}, None, None),
            ("bdb:1@gone", {0: GONE, 5: GONE}, 5, Evidence.NOT_FOUND),
            ("bdb:1@gone", {0: GONE, 3: RUNS, 6: GONE}, None, None),
            ("bdb:1@gone,after", {0: GONE, 1: IDLE, 5: GONE}, None, None),
            ("bdb:1@gone", {0: RUNS, 20: GONE, 25: GONE}, 25, Evidence.NOT_FOUND),
            ("bdb:1@gone", {0: GONE, 4: GONE_OTHERWISE, 8: GONE_OTHERWISE}, None, None),
            ("action:a1@bdb:7", {0: GONE, 5: GONE}, 5, Evidence.NOT_FOUND),
            ("action:a1", {0: RUNS, 20: GONE, 25: GONE}, 25, Evidence.NOT_FOUND),
        ],
    )
    def test_ends(
        self,
        ref: str,
        answers: dict[float, Action | AmbiguousAnswer | None],
        ended: float | None,
        evidence: Evidence | None,
    ) -> None:
        """An ambiguous answer is resolved by later answers, or by time."""
        wait = PolledWait(ref, not_found_grace=60.0 if ref.startswith("export") else 10.0)
        over = [
            when
            for when, found in answers.items()
            if wait.answer(found, 1000.0 + when) is Verdict.DONE
        ]

        assert over == ([] if ended is None else [ended])
        if ended is not None:
            assert wait.state.action is not None
            assert wait.state.action.evidence is evidence

    def test_whose_failure(self) -> None:
        """A failure after work that was in progress before the call may belong to that work."""
        wait = PolledWait("bdb:1@busy")
        wait.answer(RUNS, 1000.0)

        assert wait.answer(failing("x", ""), 1001.0) is Verdict.VERIFY
        assert isinstance(wait.state.unverified, ActionVanished)

    @pytest.mark.parametrize("seen", [None, RUNS])
    def test_replaced(self, seen: Action | None) -> None:
        """A run that another has replaced has vanished, whether it was seen or not."""
        wait = PolledWait("export:1")
        if seen is not None:
            wait.answer(seen, 1000.0)

        assert wait.answer(REPLACED, 1001.0) is Verdict.VERIFY
        assert isinstance(wait.state.unverified, ActionVanished)

    @pytest.mark.parametrize(
        ("ref", "found", "limit"),
        [
            ("bdb:1", QUIET, 1010.0),
            ("bdb:1@unchanged", QUIET, 1001.0),
            ("bdb:1@gone", GONE, 1005.0),
            ("node:1/x", SAME, 1010.0),
        ],
    )
    def test_polled_when_decided(self, ref: str, found: AmbiguousAnswer, limit: float) -> None:
        """The wait polls at the time from which an answer has one meaning."""
        wait = PolledWait(ref, poll=wait_fixed(60))
        wait.answer(found, 1000.0)

        assert wait.state.next_limit == limit
        assert wait.rest(1000.0) == limit - 1000.0

    @pytest.mark.parametrize("found", [QUIET, GONE], ids=["quiet", "gone"])
    def test_not_stalled(self, found: AmbiguousAnswer) -> None:
        """A wait with ambiguous answers has not stalled; with clear ones it may."""
        wait = PolledWait("bdb:1", stall_timeout=2)
        for when in (1000.0, 1002.0, 1004.0):
            assert wait.answer(found, when) is not Verdict.VERIFY
        wait.answer(RUNS, 1004.5)

        assert wait.answer(RUNS, 1006.5) is Verdict.VERIFY
        assert isinstance(wait.state.unverified, ActionStalled)

    def test_ambiguous_for_an_action(self) -> None:
        """The first ambiguous answer for an action begins a history of its answers."""
        wait = PolledWait("action:a1")
        wait.answer(RUNS, 1000.0)
        assert wait.state.is_steady
        wait.answer(GONE, 1010.0)

        assert not wait.state.is_steady
        assert wait.state.next_limit == 1015.0

    def test_shown(self) -> None:
        """An object that is not certainly gone is shown as "not found" and pending."""
        wait = PolledWait("bdb:1@gone")
        assert wait.answer(GONE, 1000.0) is Verdict.UPDATE

        assert wait.state.action is not None
        assert (wait.state.action.status, wait.state.action.phase) == ("not found", Phase.PENDING)
        assert wait.state.action.evidence is Evidence.ACTION
