"""The operator: makes a call that starts something, once, and waits for that without a worker."""

from __future__ import annotations

import asyncio
import json as json_text
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, cast

from airflow.sdk import BaseOperator

from redis_enterprise_actions import (
    AnswerLost,
    CancelNotSupported,
    NothingToFollow,
    RedisActionsError,
)

from .compat import AirflowFailException, TaskDeferralError, TaskDeferralTimeout
from .deferral import Wait, deadline_in, defer, seconds
from .events import COMPLETED, failure_of, failure_with, json_of
from .hooks import RedisEnterpriseHook
from .task_state import Memory


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from airflow.sdk import Context

    from redis_enterprise_actions import ActionsClient

    from .deferral import Duration
    from .events import End
    from .task_state import Past

_TASK_ID: Final = "x-task-id"
_BOOTSTRAP: Final = "/v1/bootstrap"  # goes on after its answer, and nothing tells how it ends
_OVER: Final = frozenset({
    *("ActionFailed", "ActionCancelled", "ActionAborted", "ActionNotFound", "ActionVanished"),
})  # fmt: skip


class RedisEnterpriseOperator(BaseOperator):
    """Makes a call to a Redis Software cluster, and waits until what it started has ended.

    `method`, `path`, `json`, `query` and `headers` make the call, as in `ActionsClient.submit`
    (whose `params` is `query` here, as Airflow has `params` of its own); all of them are templated.
    A `json` that is text is read as JSON, and one that ends with `.json` is a file of the DAG's.

    The reference of the work is pushed as the XCom `ref` as soon as it is known, and the finished
    `Action` is returned as a dict.

    Durations are seconds or `timedelta`s, and None is endless. `timeout` and `execution_timeout`
    end the wait, whichever is first, and not the work on the cluster; `stall_timeout` and
    `outage_timeout` are those of `ActionsClient.wait_for_action`; `busy_timeout` is how long a
    "busy" (409) is asked again, on the worker.

    A call whose answer names nothing to follow, and that is not documented as done by then, fails
    the task, unless `untracked` is `"completed"`: then its answer is enough.

    With `cancel_on_kill`, a user who marks the waiting task, or clears it, cancels the work on the
    cluster, where the API documents that: actions of nodes and tasks of Active-Active databases.

    Raises `AirflowFailException` where another try changes nothing, `AirflowException` where the
    cluster was out of reach, and `AirflowTaskTimeout`. Another try waits for what the first one
    has started, and does not start it again; before Airflow 3.3, which remembers nothing from one
    try to the next, there is no other try once the call was made.
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
        self._running: str | None = None  # what `on_kill` is about, on the worker

    def execute(self, context: Context) -> dict[str, object]:
        """Make the call, or find what an earlier try has called for, and wait for that."""
        deadline = deadline_in(self.timeout, seconds(self.execution_timeout, "execution_timeout"))
        memory = Memory.of(cast("Mapping[str, object]", context))
        past = memory.recall()
        begun = self._begin(memory) if past is None else self._begun_before(past)
        if not isinstance(begun, str):
            return begun
        self._running = begun
        context["ti"].xcom_push(key="ref", value=begun)
        return defer(
            self, self._wait_for(begun, deadline), cleared=past is not None and past.cleared
        )

    def execute_complete(
        self, context: Context, event: End, *, cleared: bool = False
    ) -> dict[str, object]:
        """Return the finished action, or raise what its end means to Airflow."""
        memory = Memory.of(cast("Mapping[str, object]", context))
        outcome, ref = event["outcome"], event["ref"]
        if cleared and outcome in _OVER:
            self.log.info("%s; making the call again, as this task was cleared", event["message"])
            memory.forget()
            return self.execute(context)
        if outcome == COMPLETED:
            memory.end(ref)
            self.log.info("%s", event["message"])
            return cast("dict[str, object]", event["action"])
        failure = failure_of(outcome, event["message"], repeatable=memory.lasting)
        if isinstance(failure, AirflowFailException):
            memory.end(ref)
        raise failure

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, object] | None, context: Context
    ) -> object:
        """Go on after the wait. A trigger that broke is no reason to make the call again."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralError, TaskDeferralTimeout) as error:
            if Memory.of(cast("Mapping[str, object]", context)).lasting:
                raise
            raise AirflowFailException(f"{error}; what was begun goes on, see XCom ref") from error

    def on_kill(self) -> None:
        """Cancel the work, if that was asked for, in the moment before there is a trigger."""
        if self._running is None or not self.cancel_on_kill:
            return
        try:
            asyncio.run(_cancel(self._hook.get_client(), self._running))
        except CancelNotSupported as error:
            self.log.warning("%s", error)

    def _begin(self, memory: Memory) -> str | dict[str, object]:
        """Make the call; return the reference of what it began, or the action if that is over.

        What it is about to do is noted first, as a worker may be killed at any time.
        """
        if self.path.startswith(_BOOTSTRAP):
            raise AirflowFailException(f"{self.path} is not followed yet, and was not called")
        memory.begin(self._known_ahead())
        try:
            begun = asyncio.run(self._submit(self._hook.get_client()))
        except AnswerLost as lost:
            begun = self._followable(lost)
        except NothingToFollow as error:  # and yet the call was made
            memory.end(None)
            raise AirflowFailException(str(error)) from error
        except RedisActionsError as error:
            memory.forget()
            raise failure_with(error) from error
        if isinstance(begun, str):
            memory.begin(begun)
        else:
            memory.end(None)
        return begun

    def _begun_before(self, past: Past) -> str:
        if past.ref is None:
            raise AirflowFailException(
                f"an earlier try ended while it called {self.method} {self.path}: whether that has "
                "begun anything is not known. Look, and clear this task to make the call"
            )
        self.log.info("an earlier try has begun %s: waiting for that", past.ref)
        return past.ref

    def _followable(self, lost: AnswerLost) -> str:
        """Return the reference that tells what came of a call, or raise where there is none.

        Whether a database has settled does not tell whether it ever was unsettled.
        """
        if lost.ref is None or lost.ref.startswith("bdb:"):
            raise AirflowFailException(str(lost)) from lost
        self.log.warning("%s", lost)
        return lost.ref

    async def _submit(self, client: ActionsClient) -> str | dict[str, object]:
        body = json_text.loads(self.json) if isinstance(self.json, str) else self.json
        async with client:
            operation = await client.submit(
                *(self.method, self.path, body, self.query, self.headers),
                busy_timeout=self.busy_timeout,
                untracked=self.untracked,
            )
            if operation.ref is None:
                return json_of(await operation)
            self.log.info("%s %s has begun %s", self.method, self.path, operation.ref)
            return operation.ref

    def _known_ahead(self) -> str | None:
        """Return what the call will begin, where its caller gives that a name."""
        for name, value in (self.headers or {}).items():
            if name.casefold() == _TASK_ID:
                return f"crdb:{value}"
        return None

    def _wait_for(self, ref: str, deadline: datetime | None) -> Wait:
        return Wait(
            self.redis_enterprise_conn_id,
            ref,
            deadline,
            self.stall_timeout,
            self.outage_timeout,
            self.cancel_on_kill,
        )

    @property
    def _hook(self) -> RedisEnterpriseHook:
        return RedisEnterpriseHook(self.redis_enterprise_conn_id)


async def _cancel(client: ActionsClient, ref: str) -> None:
    async with client:
        await client.operation(ref).cancel()
