"""Airflow operator that starts work on a cluster, once, and waits for it without a worker."""

from __future__ import annotations

import asyncio
import json as json_text
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, cast

from airflow.sdk import BaseOperator

from redis_enterprise_actions import (
    ActionNotFound,
    AnswerLost,
    CancelNotSupported,
    NothingToFollow,
    RedisActionsError,
)

from .compat import AirflowFailException, TaskDeferralError, TaskDeferralTimeout
from .deferral import WaitOptions, deadline_in, defer, seconds
from .events import COMPLETED, action_to_json, airflow_error
from .hooks import RedisEnterpriseHook
from .task_state import TaskState


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from airflow.sdk import Context

    from redis_enterprise_actions import ActionsClient

    from .deferral import Duration
    from .events import WaitEvent
    from .task_state import EarlierTry

_TASK_ID_HEADER: Final = "x-task-id"
_ENDED: Final = frozenset({
    *("ActionFailed", "ActionCancelled", "ActionAborted", "ActionNotFound", "ActionVanished"),
})  # fmt: skip


class RedisEnterpriseOperator(BaseOperator):
    """Operator that makes a call to a Redis Software cluster and waits until the work has ended.

    `method`, `path`, `json`, `query` and `headers` make the call, as in `ActionsClient.submit`
    (whose `params` is `query` here, as Airflow has `params` of its own); all of them are templated.
    Text as `json` is read as JSON; text that ends with `.json` names a file beside the DAG.

    The reference of the work is pushed as the XCom `ref` as soon as it is known, and the finished
    `Action` is returned as a dict.

    Durations are seconds or `timedelta`s, and None is endless. The shorter of `timeout` and
    `execution_timeout` ends the wait, and not the work on the cluster; `stall_timeout` and
    `outage_timeout` are those of `ActionsClient.wait_for_action`. For `busy_timeout`, the worker
    repeats a call that is answered "busy" (409).

    A call whose answer names nothing to follow fails the task, unless its vendor page says that the
    work is done by then, or `untracked` is `"completed"`.

    With `cancel_on_kill`, a user who marks the waiting task, or clears it, cancels the work on the
    cluster, where the API documents that: actions of nodes and tasks of Active-Active databases.

    Raises `AirflowFailException` if a retry would change nothing, `AirflowException` if the
    cluster was out of reach, and `AirflowTaskTimeout`. A retry waits for the work that the first
    try has started, and does not start it again. Airflow before 3.3 keeps no state between tries,
    so that there is no retry once the call was made.
    """

    template_fields: Collection[str] = (
        *("redis_enterprise_conn_id", "method", "path", "json", "query", "headers"),
    )
    template_ext: Sequence[str] = (".json",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"json": "json", "query": "json"}
    ui_color: str = "#ffe2df"

    def __init__(
        self,
        *,
        method: str,
        path: str,
        json: object = None,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        redis_enterprise_conn_id: str = RedisEnterpriseHook.default_conn_name,
        timeout: Duration | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = 300.0,
        busy_timeout: Duration = 0.0,
        untracked: Literal["refused", "completed"] = "refused",
        cancel_on_kill: bool = False,
        **kwargs: Any,  # noqa: ANN401 - Airflow names and checks them
    ) -> None:
        super().__init__(**kwargs)
        self.method = method
        self.path = path
        self.json = json
        self.query = query
        self.headers = headers
        self.redis_enterprise_conn_id = redis_enterprise_conn_id
        self.timeout = seconds(timeout, "timeout")
        self.stall_timeout = seconds(stall_timeout, "stall_timeout")
        self.outage_timeout = seconds(outage_timeout, "outage_timeout")
        self.busy_timeout = seconds(busy_timeout, "busy_timeout")
        self.untracked: Literal["refused", "completed"] = untracked
        self.cancel_on_kill = cancel_on_kill
        self._running: str | None = None  # reference of the work, for `on_kill` on the worker

    def execute(self, context: Context) -> dict[str, object]:
        """Make the call, unless an earlier try has, and wait for its work."""
        deadline = deadline_in(self.timeout, seconds(self.execution_timeout, "execution_timeout"))
        state = TaskState.from_context(cast("Mapping[str, object]", context))
        earlier = state.load()
        started = self._start(state) if earlier is None else self._resume(earlier)
        if not isinstance(started, str):
            return started
        self._running = started
        context["ti"].xcom_push(key="ref", value=started)
        options = WaitOptions(
            conn_id=self.redis_enterprise_conn_id,
            ref=started,
            deadline=deadline,
            stall_timeout=self.stall_timeout,
            outage_timeout=self.outage_timeout,
            cancel_on_kill=self.cancel_on_kill,
        )
        return defer(self, options, cleared=earlier is not None and earlier.cleared)

    def execute_complete(
        self, context: Context, event: WaitEvent, *, cleared: bool = False
    ) -> dict[str, object]:
        """Return the finished action, or raise the Airflow exception for its end."""
        state = TaskState.from_context(cast("Mapping[str, object]", context))
        outcome, ref = event["outcome"], event["ref"]
        if cleared and outcome in _ENDED:
            self.log.info("%s; making the call again, as this task was cleared", event["message"])
            state.clear()
            return self.execute(context)
        if outcome == COMPLETED:
            state.record_end(ref)
            self.log.info("%s", event["message"])
            return cast("dict[str, object]", event["action"])
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
        """Cancel the work with `cancel_on_kill`, as long as there is no trigger yet."""
        if self._running is None or not self.cancel_on_kill:
            return
        try:
            asyncio.run(_cancel(self._hook.get_client(), self._running))
        except CancelNotSupported as error:
            self.log.warning("%s", error)

    def _start(self, state: TaskState) -> str | dict[str, object]:
        """Make the call; return the reference of its work, or the action if that has ended.

        The state is stored before the call, as a worker may be killed at any time.
        """
        body, chosen = self._body(), self._chosen_ref()
        if chosen is not None and asyncio.run(_may_have_ended(self._hook.get_client(), chosen)):
            chosen = None  # if this worker is killed, that task tells nothing of the call
        state.record_start(chosen)
        try:
            started = asyncio.run(self._submit(self._hook.get_client(), body))
        except AnswerLost as lost:
            # The reference of a database is not enough: other work on it may be seen.
            if lost.ref is None or lost.ref.startswith("bdb:"):
                state.record_start(None)
                raise AirflowFailException(str(lost)) from lost
            self.log.warning("%s", lost)
            started = lost.ref
        except NothingToFollow as error:  # the call was made
            state.record_end(None)
            raise AirflowFailException(str(error)) from error
        except RedisActionsError as error:
            state.clear()
            raise airflow_error(type(error).__name__, str(error)) from error
        if isinstance(started, str):
            state.record_start(started)
        else:
            state.record_end(None)
        return started

    def _resume(self, earlier: EarlierTry) -> str:
        if earlier.ref is None:
            raise AirflowFailException(
                f"an earlier try ended during its call {self.method} {self.path}, which may or may "
                "not have started work. Check the cluster, and clear this task to make the call"
            )
        self.log.info("an earlier try has started %r: waiting for it", earlier.ref)
        return earlier.ref

    def _body(self) -> object:
        if not isinstance(self.json, str):
            return self.json
        try:
            return json_text.loads(self.json)
        except ValueError as error:
            problem = str(error)
        # Not in the handler: the error, as the context, would hold the whole text.
        raise AirflowFailException(f"json is not valid JSON, so no call was made: {problem}")

    async def _submit(self, client: ActionsClient, body: object) -> str | dict[str, object]:
        async with client:
            operation = await client.submit(
                self.method,
                self.path,
                json=body,
                params=self.query,
                headers=self.headers,
                busy_timeout=self.busy_timeout,
                outage_timeout=self.outage_timeout,
                untracked=self.untracked,
            )
            if operation.ref is None:
                return action_to_json(await operation)
            self.log.info("%s %s has started %r", self.method, self.path, operation.ref)
            return operation.ref

    def _chosen_ref(self) -> str | None:
        """Return the reference that the call will have if a header chooses it, or None."""
        for name, value in (self.headers or {}).items():
            if name.casefold() == _TASK_ID_HEADER:
                return f"crdb:{value}"
        return None

    @property
    def _hook(self) -> RedisEnterpriseHook:
        return RedisEnterpriseHook(self.redis_enterprise_conn_id)


async def _may_have_ended(client: ActionsClient, ref: str) -> bool:
    """Return True if work is known to have ended, or the cluster does not say so."""
    async with client:
        try:
            return (await client.get(ref)).phase.terminal
        except ActionNotFound:
            return False
        except RedisActionsError:
            return True


async def _cancel(client: ActionsClient, ref: str) -> None:
    async with client:
        await client.operation(ref).cancel()
