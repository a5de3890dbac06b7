"""Task with a state file: a call, and the runs that continue with its work after interruptions."""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from redis_enterprise_actions.sync import (
    Outcome,
    RedisActionsError,
    UsageError,
)

from .looks import Pending, Verdict, database_uid, find_work, look_before, patiently
from .runs import NO, UNKNOWN, YES, TaskFailure, fail, result_with, submit, wait_for
from .secrets import without_secret_headers, without_secrets
from .state_file import (
    ENDED,
    INTENDED,
    STARTED,
    State,
    StateFile,
    StateFileError,
    digest_of,
    new_salt,
)
from .targets import CRDB, target_of, task_id_of, with_task_id


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from redis_enterprise_actions.sync import ActionsClient, Operation

    from .calls import Call
    from .runs import Settings
    from .targets import Target


_T = TypeVar("_T")
# Seconds that a call may take until its work shows; a look at an earlier time proves nothing.
_SETTLED = 10.0
_BUSY = 409
# Ends of the work itself. After any other end, the next run goes on waiting.
_FINAL = frozenset({Outcome.FAILED, Outcome.CANCELLED, Outcome.ABORTED, Outcome.NOT_FOLLOWED})
# Ends of other work, after which a call may be made
_OVER = _FINAL | {Outcome.NOT_FOUND, Outcome.VANISHED}
# References of conditions that a wait goes on for once the work has completed
_CONDITION = re.compile(r"[^@]*@(?:available|in-sync|replicating|quiet|healthy)(?:,.*)?", re.DOTALL)


class ResumableTask:
    """Task with a state file. Raises `TaskFailure`, and `StateFileError` for the file.

    `urls` are those of the cluster.
    """

    def __init__(
        self,
        client: ActionsClient,
        call: Call,
        settings: Settings,
        file: StateFile,
        urls: tuple[str, ...],
    ) -> None:
        self._client = client
        self._call = call
        self._settings = settings
        self._file = file
        self._urls = urls
        self._may_have_changed = False  # an earlier run may have, before it was interrupted
        # Without secrets, which may be renewed before the next run
        shown = call._replace(headers=without_secret_headers(call.headers or {}))
        self._identity = [without_secrets(shown._asdict()), settings.wait_limits.get("until")]

    def run(self) -> dict[str, Any]:
        """Make the call unless an earlier task has, and wait for its work."""
        state = self._file.state
        if state is None:
            return self._begin()
        self._check(state)
        if state.phase == ENDED:
            return self._report(state)
        if state.phase == STARTED:
            return self._follow(state)
        return self._find_out(state)

    def predict(self) -> dict[str, Any] | None:
        """Return the result that a task would have that makes no call; None if it would make one.

        Nothing is sent, and the file stays as it is.
        """
        state = self._file.state
        if state is None:
            return None
        self._check(state)
        if state.phase == ENDED:
            return self._report(state)
        if state.phase == STARTED:
            result = self._result(state, changed=not state.is_reported)
            return result | {"msg": f"would wait for {state.ref}"}
        call = f"{state.call}, which an earlier task was about to make"
        return result_with(None, started=UNKNOWN, changed=True) | {
            "msg": f"would look for the work of {call}, and make it if it was not executed"
        }

    def _begin(self) -> dict[str, Any]:
        """Write the intention, with the state before the call, and make the call."""
        call, client = self._call, self._client
        if target_of(call).kind == CRDB and task_id_of(call) is None:
            call = with_task_id(call, str(uuid.uuid4()))
        try:
            named = self._patiently(lambda: database_uid(client, call))
            target = target_of(call, named)
            before = self._patiently(lambda: look_before(client, call, target))
        except RedisActionsError as error:
            fail(error, None, started=NO, changed=False)
        salt = new_salt()
        self._file.write(
            State(
                phase=INTENDED,
                call=call.title,
                digest=digest_of(self._identity, salt),
                salt=salt,
                urls=self._urls,
                time=time.time(),
                database=None if named is None else str(named),
                task_id=task_id_of(call) if target.kind == CRDB else None,
                before=before,
            )
        )
        return self._send(call)

    def _send(self, call: Call, *, is_first: bool = True) -> dict[str, Any]:
        """Make the call, and wait for its work.

        After an interrupted run, a cluster that is busy may be so with the work of that run.
        """
        try:
            operation = submit(self._client, call, self._settings)
        except TaskFailure as failure:
            if failure.result["call_started"] == NO:
                if is_first or failure.result["status"] != _BUSY:
                    self._file.clear()
            else:
                failure.result["msg"] += ". The next run of this task looks for the work"
            raise
        state = self._state
        if operation.problem is not None and not self._settings.accepts_untracked:
            return self._wait(operation)
        self._keep(state._replace(phase=STARTED, ref=operation.ref, before=None))
        return self._wait(operation)

    def _keep(self, state: State) -> None:
        """Write the state after the call. Raises `TaskFailure`, as the call was made."""
        try:
            self._file.write(state)
        except StateFileError as error:
            result = self._result(state, changed=not self._state.is_reported)
            result |= {"outcome": Outcome.WRONG_USAGE.value, **(state.result or {})}
            made = "The work was found" if state.is_found else "The call was made"
            words = [result.get("msg"), str(error), f"{made}: {state.ref}"]
            raise TaskFailure({**result, "msg": ". ".join(filter(None, words))}) from error

    def _follow(self, state: State) -> dict[str, Any]:
        """Wait for the work that an earlier task has started."""
        if state.ref is None:  # the answer to the call was the end of it
            ended = self._result(state, changed=not state.is_reported)
            return self._end(ended | {"outcome": "completed"})
        try:
            operation = self._client.operation(state.ref)
        except UsageError as error:
            raise self._file.unreadable from error
        return self._wait(operation)

    def _find_out(self, state: State) -> dict[str, Any]:
        """Follow the work of a call whose answer is not known; make the call if there is none."""
        call = self._call
        if state.task_id is not None and task_id_of(call) is None:
            call = with_task_id(call, state.task_id)
        target = target_of(call, None if state.database is None else int(state.database))
        while True:
            found, latest = self._look(state, call, target)
            if isinstance(found, str):
                is_found = target.kind != CRDB  # the id of a task is the call's own
                self._keep(state._replace(phase=STARTED, ref=found, before=None, is_found=is_found))
                return self._wait(self._client.operation(found))
            if found is Verdict.NOT_KNOWN:
                self._fail_unknown(state)
            state = state._replace(before=latest)
            if isinstance(found, Pending):
                self._wait_for_others(found)
                self._may_have_changed = True
                continue
            self._intend_again(state)
            return self._send(call, is_first=False)

    def _intend_again(self, state: State) -> None:
        """Write the intention of a call that is about to be made, perhaps a second time."""
        try:
            self._file.write(state._replace(time=time.time()))
        except StateFileError as error:
            raise StateFileError(str(error), started=UNKNOWN) from error

    def _look(
        self, state: State, call: Call, target: Target
    ) -> tuple[str | Verdict | Pending, Mapping[str, Any] | None]:
        """Return what shows of a call, and the state just before this look, as `look_before`."""
        client = self._client

        def look() -> tuple[str | Verdict | Pending, Mapping[str, Any] | None]:
            latest = look_before(client, call, target)
            return find_work(client, call, target, state.before, age), latest

        try:
            age = time.time() - state.time  # negative after a change of the clock
            found, latest = self._patiently(look)
            if found is Verdict.NOT_EXECUTED and age < _SETTLED:
                time.sleep(_SETTLED - max(0.0, age))
                found, latest = self._patiently(look)
        except RedisActionsError as error:
            fail(error, None, started=UNKNOWN, changed=False)
        return found, latest

    def _wait_for_others(self, pending: Pending) -> None:
        """Wait for work that may be that of the call, whatever its end. Raises `TaskFailure`."""
        limits = {k: each for k, each in self._settings.wait_limits.items() if k != "until"}
        for ref in pending.refs:
            try:
                self._client.operation(ref).wait(**limits)
            except RedisActionsError as error:
                if error.outcome not in _OVER:
                    fail(error, ref, started=UNKNOWN, changed=False)

    def _patiently(self, look: Callable[[], _T]) -> _T:
        return patiently(look, self._settings.submit_limits["outage_timeout"])

    def _wait(self, operation: Operation) -> dict[str, Any]:
        """Wait for the work, and keep its end, unless an earlier task has reported it."""
        was_reported = self._state.is_reported
        if not self._settings.waits and operation.problem is None and operation.ref is not None:
            self._keep(self._state._replace(is_reported=True))
        settings = self._settings
        if _CONDITION.fullmatch(operation.ref or ""):
            limits = {k: each for k, each in settings.wait_limits.items() if k != "until"}
            settings = settings._replace(wait_limits=limits)
        shown: dict[str, Any] = {"found": self._state.is_found}
        if self._state.is_found:
            shown["call_started"] = UNKNOWN
        try:
            result = wait_for(self._call, operation, settings) | shown
            result["changed"] = result["changed"] or self._may_have_changed
        except TaskFailure as failure:
            failure.result |= shown
            failure.result["changed"] = failure.result["changed"] and not was_reported
            self._keep_failure(failure.result)
            raise
        result["changed"] = result["changed"] and not was_reported
        if self._state.is_found and result["outcome"] is not None:
            result["msg"] = f"{self._state.call}: found on the cluster after an interrupted run"
        return self._end(result) if result["outcome"] is not None else result

    def _end(self, result: dict[str, Any]) -> dict[str, Any]:
        self._keep(
            self._state._replace(
                phase=ENDED,
                ref=result["ref"],
                outcome=result["outcome"],
                is_reported=True,
                result=result,
                before=None,
            )
        )
        return result

    def _keep_failure(self, failure: dict[str, Any]) -> None:
        """Keep the end of the work, or else what the next run has to wait for."""
        state = self._state
        if failure["outcome"] in _FINAL:
            failure["msg"] += self._advice
            self._keep(
                state._replace(
                    phase=ENDED, outcome=failure["outcome"], ref=failure["ref"], result=failure
                )
            )
        elif failure["outcome"] in {Outcome.NOT_FOUND, Outcome.VANISHED}:
            failure["msg"] += f". Look at the cluster for what the call has done{self._advice}"
        elif state.ref and _CONDITION.fullmatch(failure["ref"] or ""):
            # The work has completed, and what is waited for is the condition after it.
            self._keep(state._replace(ref=failure["ref"]))

    def _report(self, state: State) -> dict[str, Any]:
        """Return the end that an earlier task has seen. Raises `TaskFailure` for a failure."""
        result = {**self._result(state, changed=False), **(state.result or {})}
        result["changed"] = False
        if state.outcome not in _FINAL:
            return result
        if state.outcome == Outcome.NOT_FOLLOWED and self._settings.accepts_untracked:
            return self._result(state, changed=False) | {"outcome": "completed"}
        raise TaskFailure({"msg": f"{state.call} has ended: {state.outcome}", **result})

    def _check(self, state: State) -> None:
        """Raise `TaskFailure` for the state of another call, or of another cluster."""
        problem = None
        if state.digest != digest_of(self._identity, state.salt):
            problem = f"of {state.call}, with other arguments than those of this task"
        elif not set(state.urls) & set(self._urls):
            problem = f"of the cluster at {', '.join(state.urls)}, and this is another one"
        if problem is not None:
            result = self._result(state, changed=False)
            text = f"state_file {self._file.path} is {problem}. Use another file for each call"
            raise TaskFailure(result | {"outcome": Outcome.WRONG_USAGE.value, "msg": text})

    def _fail_unknown(self, state: State) -> NoReturn:
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(state.time))
        result = result_with(None, started=UNKNOWN, changed=False)
        raise TaskFailure({
            **result,
            "outcome": "not known",
            "msg": f"it is not known whether {state.call} was started: a task was about to make "
            f"the call at {when} and was interrupted. Nothing was sent now. Look at the cluster; "
            f"then delete {self._file.path} to make the call, or give the reference of its work "
            "as ref",
        })  # fmt: skip

    @staticmethod
    def _result(state: State, *, changed: bool) -> dict[str, Any]:
        is_known = state.phase != INTENDED and not state.is_found
        result = result_with(state.ref, started=YES if is_known else UNKNOWN, changed=changed)
        return result | {"found": state.is_found}

    @property
    def _state(self) -> State:
        assert self._file.state is not None, "the intention is written first"
        return self._file.state

    @property
    def _advice(self) -> str:
        return f" (to make the call again, delete {self._file.path})"
