"""Base of the operators: one call to a cluster, made once, and the wait for its work."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from airflow.sdk import BaseOperator

from redis_enterprise_actions import AnswerLost, NothingToFollow, RedisActionsError, UsageError

from . import masking
from .calls import CallOptions, cancel, check, checked_settings, has_ended, may_have_ended
from .compat import (
    AirflowFailException,
    AirflowTaskTimeout,
    TaskDeferralError,
    TaskDeferralTimeout,
    deferrable_by_default,
)
from .events import COMPLETED, STOPPED, action_to_json, airflow_error, call_error
from .hooks import RedisEnterpriseHook
from .job import run
from .links import RedisEnterpriseClusterLink
from .task_state import TaskState
from .triggers import RedisEnterpriseTrigger, defer
from .waits import Wait, seconds, shorter
from .worker_wait import WorkerWait, limit_before


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import TypeAlias

    from airflow.sdk import Context

    from redis_enterprise_actions import ActionsClient

    from .calls import Call
    from .connection import ConnectionSettings
    from .events import WaitEvent
    from .task_state import EarlierTry
    from .waits import Duration

    Result: TypeAlias = dict[str, object]

COMMON_FIELDS: Final = ("redis_enterprise_conn_id", "until")
_ENDED: Final = frozenset({
    *("ActionFailed", "ActionCancelled", "ActionAborted", "ActionNotFound", "ActionVanished"),
})  # fmt: skip


class RedisEnterpriseBaseOperator(BaseOperator):
    """Base of operators that start work with one call, and wait for it.

    A subclass implements `call`. `RedisEnterpriseOperator` documents the arguments.
    """

    template_fields: Collection[str] = COMMON_FIELDS
    template_ext: Sequence[str] = (".json",)
    operator_extra_links = (RedisEnterpriseClusterLink(),)
    ui_color: str = "#ffe2df"

    def __init__(
        self,
        *,
        redis_enterprise_conn_id: str = RedisEnterpriseHook.default_conn_name,
        until: str | None = None,
        hold: Duration = 0.0,
        timeout: Duration | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = 300.0,
        busy_timeout: Duration = 0.0,
        untracked: Literal["refused", "completed"] = "refused",
        wait_for_completion: bool = True,
        deferrable: bool | None = None,
        cancel_on_kill: bool = False,
        **kwargs: Any,  # noqa: ANN401 - Airflow names and checks them
    ) -> None:
        super().__init__(**kwargs)
        self.redis_enterprise_conn_id = redis_enterprise_conn_id
        self.until = until
        self.hold = seconds(hold, "hold")
        self.timeout = seconds(timeout, "timeout")
        self.stall_timeout = seconds(stall_timeout, "stall_timeout")
        self.outage_timeout = seconds(outage_timeout, "outage_timeout")
        self.busy_timeout = seconds(busy_timeout, "busy_timeout")
        self.untracked: Literal["refused", "completed"] = untracked
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable_by_default() if deferrable is None else deferrable
        self.cancel_on_kill = cancel_on_kill
        self._waiting: WorkerWait | None = None
        self._is_killed = False
        self._running: tuple[ConnectionSettings, str] | None = None  # work that `on_kill` cancels

    def call(self, client: ActionsClient, options: CallOptions) -> Call:
        """Return the call: a function without arguments that makes it.

        Raises `UsageError` for arguments that cannot work.
        """
        raise NotImplementedError

    def call_name(self) -> str:
        """Return the name of the call, for messages."""
        return type(self).__name__

    def expected_ref(self) -> str:
        """Return a reference such as the work will have, to check `until` before the call."""
        return "action:any"

    def chosen_ref(self) -> str | None:
        """Return the reference that the work will have if the call chooses it, or None."""
        return None

    def execute(self, context: Context) -> Result:
        """Make the call, unless an earlier try has, and wait for its work."""
        started_at = datetime.now(UTC)
        state = TaskState.from_context(cast("Mapping[str, object]", context))
        earlier = state.load()
        try:
            expected = self._wait(self.expected_ref(), started_at)
            settings = checked_settings(self.redis_enterprise_conn_id, expected)
        except UsageError as error:
            unmade = ", so no call was made" if earlier is None else ""
            raise AirflowFailException(f"{error}{unmade}") from None
        if earlier is not None and self._is_to_repeat(earlier, settings):
            earlier = None
        started = self._start(state, settings) if earlier is None else self._resume(earlier)
        if not isinstance(started, str):
            return started
        self._running = settings, started
        context["ti"].xcom_push(key="ref", value=started)
        if self._is_killed:  # during the call
            self.on_kill()
            message = f"the task was stopped after its call, which has started {started!r}"
            raise airflow_error(STOPPED, message, repeatable=state.is_persistent)
        if not self.wait_for_completion:
            return {"ref": started}
        wait = self._wait(started, started_at)
        try:
            check(settings, wait)
        except UsageError as error:
            raise AirflowFailException(f"{error}; {started!r} goes on") from None
        is_cleared = earlier is not None and earlier.cleared
        if self.deferrable:
            conn_id, cancel = self.redis_enterprise_conn_id, self.cancel_on_kill
            trigger = RedisEnterpriseTrigger.of(wait, conn_id, cancel_on_kill=cancel)
            defer(self, trigger, cleared=is_cleared)
        limit = limit_before(seconds(self.execution_timeout, "execution_timeout"), wait)
        self._waiting = WorkerWait(wait, settings, self.log.info, limit=limit)
        event = self._waiting.event()
        self._waiting = self._running = None  # `on_kill`, also called after a timeout, has no work
        return self.execute_complete(context, event, cleared=is_cleared)

    def execute_complete(
        self, context: Context, event: WaitEvent, *, cleared: bool = False
    ) -> Result:
        """Return the finished action, or raise the Airflow exception for its end."""
        state = TaskState.from_context(cast("Mapping[str, object]", context))
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
        if self._waiting is not None:
            self._waiting.cancel()
        if self._running is None:
            return
        settings, ref = self._running
        if not self.cancel_on_kill:
            self.log.info("%r goes on: cancel_on_kill is not set", ref)
            return
        run(cancel(settings.make_client(), ref, self.log))

    def _do_render_template_fields(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Render the fields, and hide their secrets before Airflow shows the fields."""
        masking.mask(getattr(self, name) for name in self.template_fields)
        super()._do_render_template_fields(*args, **kwargs)
        masking.mask(getattr(self, name) for name in self.template_fields)

    def _wait(self, ref: str, started_at: datetime) -> Wait:
        return Wait(
            ref=ref,
            until=self.until,
            hold=self.hold or 0.0,
            started_at=started_at,
            timeout=shorter(self.timeout, seconds(self.execution_timeout, "execution_timeout")),
            stall_timeout=self.stall_timeout,
            outage_timeout=self.outage_timeout,
        )

    def _start(self, state: TaskState, settings: ConnectionSettings) -> str | Result:
        """Make the call; return the reference of its work, or the end if it left none.

        The state is stored before the call, as a worker may be killed at any time.
        """
        client = settings.make_client()
        options = CallOptions(
            busy_timeout=self.busy_timeout,
            outage_timeout=self.outage_timeout,
            untracked=self.untracked,
        )
        try:
            call = self.call(client, options)
        except UsageError as error:
            raise AirflowFailException(f"{error}, so no call was made") from None
        chosen = self.chosen_ref()
        if chosen is not None and run(may_have_ended(settings.make_client(), chosen)):
            chosen = None  # if this worker is killed, that task tells nothing of the call
        state.record_start(chosen)
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
        except RedisActionsError as error:
            state.clear()
            raise call_error(error) from None
        except AirflowTaskTimeout:
            if state.is_persistent:
                raise
            message = f"timed out during {self.call_name()}, which may or may not have started work"
            raise AirflowFailException(message) from None
        if isinstance(started, str):
            state.record_start(started)
        else:
            state.record_end(None)
        return started

    async def _submit(self, client: ActionsClient, call: Call) -> str | Result:
        """Make the call; return the reference of its work, or its end with the cluster's answer."""
        async with client:
            operation = await call()
            if operation.ref is not None:
                self.log.info("%s has started %r", self.call_name(), operation.ref)
                return operation.ref
            answer: Result = {"answer": masking.without_secrets(operation.answer)}
            if not self.wait_for_completion:
                return {"ref": None} | answer
            try:
                return action_to_json(await operation.wait(until=self.until)) | answer
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
        if earlier.ref is None:
            raise AirflowFailException(
                f"an earlier try ended during its call {self.call_name()}, which may or may not "
                "have started work. Check the cluster, and clear this task to make the call"
            )
        self.log.info("an earlier try has started %r", earlier.ref)
        return earlier.ref
