"""Base of the operators: one call to a cluster, made once, and the wait for its work."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

from redis_enterprise_actions import (
    AnswerLost,
    NothingToFollow,
    RedisActionsError,
    UsageError,
)

from . import masking
from .arguments import COMMON_FIELDS, CallArguments
from .busy import BusyRetries
from .calls import CallOptions, cancel, check, checked_settings, has_ended, is_unused
from .compat import (
    AirflowFailException,
    AirflowTaskTimeout,
    TaskDeferralError,
    TaskDeferralTimeout,
)
from .events import COMPLETED, STOPPED, airflow_error, call_error, check_version
from .job import run
from .task_state import TaskState
from .triggers import RedisEnterpriseTrigger, defer
from .waits import seconds, shorter
from .worker_wait import WorkerWait, limit_before


if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from airflow.sdk import Context

    from redis_enterprise_actions import ActionsClient

    from .calls import Call
    from .connection import ConnectionSettings
    from .events import WaitEvent
    from .task_state import EarlierTry
    from .waits import Wait

    Result: TypeAlias = dict[str, object]

__all__ = ["COMMON_FIELDS", "RedisEnterpriseBaseOperator"]

_ENDED: Final = frozenset({
    *("ActionFailed", "ActionCancelled", "ActionAborted", "ActionNotFound", "ActionVanished"),
})  # fmt: skip


class RedisEnterpriseBaseOperator(CallArguments):
    """Base of operators that start work with one call, and wait for it.

    A subclass implements `call`. `RedisEnterpriseOperator` documents the arguments.
    """

    _waiting: WorkerWait | None = None
    _retries: BusyRetries | None = None
    _running: tuple[ConnectionSettings, str] | None = None  # work that `on_kill` cancels
    _is_killed = False

    def execute(self, context: Context) -> Result:
        """Make the call, unless an earlier try has, and wait for its work."""
        started_at = datetime.now(UTC)
        state = TaskState.from_context(cast("Mapping[str, object]", context))
        earlier = state.load()
        try:
            expected = self.wait_of(self.expected_ref(), started_at)
            settings = checked_settings(self.redis_enterprise_conn_id, expected)
        except UsageError as error:
            unmade = ", so no call was made" if earlier is None else ""
            raise AirflowFailException(f"{error}{unmade}") from None
        if earlier is not None and self._is_to_repeat(earlier, settings):
            earlier = None
        if earlier is None:
            started = self._start(state, settings, expected)
        else:
            started = self._resume(earlier)
        if not isinstance(started, str):
            return started
        self._running = settings, started
        context["ti"].xcom_push(key="ref", value=started)
        if self._is_killed:  # during the call
            self.on_kill()
            self._refuse_killed(state, started)
        if not self.wait_for_completion:
            return {"v": 1, "ref": started}
        wait = self.wait_of(started, started_at)
        try:
            check(settings, wait)
        except UsageError as error:
            raise AirflowFailException(f"{error}; {started!r} goes on") from None
        is_cleared = earlier is not None and earlier.cleared
        if self.deferrable:
            conn_id, cancel = self.redis_enterprise_conn_id, self.cancel_on_kill
            trigger = RedisEnterpriseTrigger.of(wait, conn_id, cancel_on_kill=cancel)
            self._refuse_killed(state, started)
            defer(self, trigger, cleared=is_cleared)
        self._waiting = WorkerWait(wait, settings, self.log.info, limit=self._limit(wait))
        if self._is_killed:  # before there was a wait to end
            self._waiting.stop()
        event = self._waiting.event()
        self._waiting = self._running = None  # `on_kill`, also called after a timeout, has no work
        return self.execute_complete(context, event, cleared=is_cleared)

    def execute_complete(
        self, context: Context, event: WaitEvent, *, cleared: bool = False
    ) -> Result:
        """Return the finished action, or raise the Airflow exception for its end."""
        state = TaskState.from_context(cast("Mapping[str, object]", context))
        check_version(event, "the event of a trigger")
        outcome, ref = event["outcome"], event["ref"]
        if cleared and outcome in _ENDED:
            self.log.info("%s; making the call again, as this task was cleared", event["message"])
            state.clear()
            return self.execute(context)
        if outcome == COMPLETED:
            action = cast("Result", event["action"])
            if action.get("phase") == COMPLETED:  # not an earlier end, as by `until="progress=50"`
                state.record_end(ref)
            if self.deferrable:  # on the worker, the wait has written it
                self.log.info("%s", event["message"])
            return action
        failure = airflow_error(outcome, event["message"], repeatable=state.is_persistent)
        if isinstance(failure, AirflowFailException):
            state.record_end(ref)
        raise failure

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, object] | None, context: Context
    ) -> object:
        """Continue after the wait. A trigger that failed is no reason to repeat the call."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralError, TaskDeferralTimeout) as error:
            if TaskState.from_context(cast("Mapping[str, object]", context)).is_persistent:
                raise
            raise AirflowFailException(f"{error}; the work goes on, see XCom ref") from error

    def on_kill(self) -> None:
        """End the wait on the worker, and cancel the work with `cancel_on_kill`.

        Once there is a trigger, its own `on_kill` does that.
        """
        self._is_killed = True
        for waiting in (self._retries, self._waiting):
            if waiting is not None:
                waiting.stop()
        running, self._running = self._running, None
        if running is None:
            return
        settings, ref = running
        if not self.cancel_on_kill:
            self.log.info(
                "%r goes on: only an operator with cancel_on_kill=True cancels its work", ref
            )
            return
        run(cancel(settings.make_client(), ref, self.log))

    def _limit(self, wait: Wait) -> float | None:
        """Return the seconds that are left before Airflow's alarm."""
        return limit_before(seconds(self.execution_timeout, "execution_timeout"), wait)

    def _left(self, wait: Wait) -> float | None:
        """Return the seconds that are left for the call."""
        return shorter(
            None if wait.timeout is None else wait.timeout - wait.elapsed(), self._limit(wait)
        )

    def _refuse_killed(self, state: TaskState, ref: str) -> None:
        """Raise the exception for a task that was told to stop between its call and its wait."""
        if self._is_killed:
            message = f"the task was stopped after its call, which has started {ref!r}"
            raise airflow_error(STOPPED, message, repeatable=state.is_persistent)

    def _start(self, state: TaskState, settings: ConnectionSettings, wait: Wait) -> str | Result:
        """Make the call, and repeat it while the cluster is busy; see `_make_call`."""
        try:
            chosen = self.chosen_ref()
            if chosen is not None and not run(is_unused(settings.make_client(), chosen)):
                chosen = None  # if this worker is killed, that task tells nothing of the call
        except UsageError as error:
            raise AirflowFailException(f"{error}, so no call was made") from None
        except RedisActionsError as error:
            raise call_error(error) from None
        self._retries = retries = BusyRetries(
            self.call_name(),
            self.log.info,
            self.busy_timeout,
            elapsed=wait.elapsed,
            left=lambda: self._left(wait),
        )
        if self._is_killed:  # before there was something to stop
            retries.stop()
        return retries.run(lambda left: self._make_call(state, settings, chosen, left))

    def _make_call(
        self,
        state: TaskState,
        settings: ConnectionSettings,
        chosen: str | None,
        left: float | None,
    ) -> str | Result:
        """Make the call; return the reference of its work, or the end if it left none.

        The state is stored before the call, as a worker may be killed at any time. Raises
        `RedisActionsError` for a call that has started nothing.
        """
        client = settings.make_client()
        call = self._checked_call(client, left)
        state.record_start(chosen)
        if self._is_killed:  # since the last look
            state.clear()
            raise airflow_error(STOPPED, "the task was stopped before its call")
        try:
            started = run(self._submit(client, call))
        except AnswerLost as lost:
            # The reference of a database is not enough: other work on it may be seen.
            if lost.ref is None or lost.ref.startswith("bdb:") or not self.wait_for_completion:
                state.record_start(None)
                raise AirflowFailException(str(lost)) from None
            self.log.warning("%s", lost)
            started = lost.ref
        except (NothingToFollow, AirflowFailException) as error:  # the call was made
            state.record_end(None)
            raise AirflowFailException(str(error)) from None
        except RedisActionsError:
            state.clear()
            raise
        except AirflowTaskTimeout:
            if state.is_persistent:
                raise
            message = f"timed out during {self.call_name()}, which may or may not have started work"
            raise AirflowFailException(message) from None
        self._record(state, started)
        return started

    def _record(self, state: TaskState, started: str | Result) -> None:
        """Store what a call has started, or left."""
        if isinstance(started, str):
            state.record_start(started)
        elif self.is_dry_run():
            state.clear()
        else:
            state.record_end(None)

    def _checked_call(self, client: ActionsClient, left: float | None) -> Call:
        """Return the call, with options for a call that the provider itself repeats."""
        options = CallOptions(
            busy_timeout=0.0,
            outage_timeout=shorter(self.outage_timeout, left),
            untracked=self.untracked,
        )
        try:
            return self.call(client, options)
        except UsageError as error:
            raise AirflowFailException(f"{error}, so no call was made") from None

    async def _submit(self, client: ActionsClient, call: Call) -> str | Result:
        """Make the call; return the reference of its work, or its end with the cluster's answer."""
        async with client:
            operation = await call()
            if operation.ref is not None:
                self.log.info("%s has started %r", self.call_name(), operation.ref)
                return operation.ref
            answer: Result = {"answer": masking.without_secrets(operation.answer)}
            if not self.wait_for_completion:
                return {"v": 1, "ref": None} | answer
            try:
                return (await operation.wait(until=self.until)).to_dict() | answer
            except UsageError as error:
                raise AirflowFailException(f"the call was made, and {error}") from None

    def _is_to_repeat(self, earlier: EarlierTry, settings: ConnectionSettings) -> bool:
        """Return True if a user has cleared the task, and a look shows that its work has ended."""
        is_shown = self.wait_for_completion and self.until is None  # by the wait itself
        if earlier.ref is None or not earlier.cleared or is_shown:
            return False
        try:
            return run(has_ended(settings.make_client(), earlier.ref))
        except RedisActionsError as error:
            raise call_error(error) from None

    def _resume(self, earlier: EarlierTry) -> str:
        if earlier.ended and earlier.ref is None:
            raise AirflowFailException(
                f"the call {self.call_name()} of an earlier try has ended, and left nothing to "
                "wait for. Clear this task to make the call again"
            )
        if earlier.ref is None:
            raise AirflowFailException(
                f"an earlier try ended during its call {self.call_name()}, which may or may not "
                "have started work. Check the cluster, and clear this task to make the call"
            )
        self.log.info("an earlier try has started %r", earlier.ref)
        return earlier.ref
