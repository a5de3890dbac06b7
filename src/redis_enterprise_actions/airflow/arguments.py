"""Arguments of the operators, and their call, as subclasses describe it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from airflow.sdk import BaseOperator

from . import masking
from .compat import deferrable_by_default
from .hooks import RedisEnterpriseHook
from .links import RedisEnterpriseClusterLink
from .waits import Wait, hold_seconds, seconds, shorter


if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from redis_enterprise_actions import ActionsClient

    from .calls import Call, CallOptions
    from .waits import Duration

COMMON_FIELDS: Final = ("redis_enterprise_conn_id", "until")


class CallArguments(BaseOperator):
    """Operator with the arguments that all operators have.

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
        self.hold = hold_seconds(hold)
        self.timeout = seconds(timeout, "timeout")
        self.stall_timeout = seconds(stall_timeout, "stall_timeout")
        self.outage_timeout = seconds(outage_timeout, "outage_timeout")
        self.busy_timeout = seconds(busy_timeout, "busy_timeout")
        self.untracked: Literal["refused", "completed"] = untracked
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable_by_default() if deferrable is None else deferrable
        self.cancel_on_kill = cancel_on_kill

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

    def is_dry_run(self) -> bool:
        """Return True for a call that may be repeated, as it changes nothing."""
        return False

    def wait_of(self, ref: str, started_at: datetime) -> Wait:
        """Return the wait for a reference, in a try that began at a time."""
        return Wait(
            ref=ref,
            until=self.until,
            hold=self.hold,
            started_at=started_at,
            timeout=shorter(self.timeout, seconds(self.execution_timeout, "execution_timeout")),
            stall_timeout=self.stall_timeout,
            outage_timeout=self.outage_timeout,
        )

    def _do_render_template_fields(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Render the fields, and hide their secrets before Airflow shows the fields."""
        masking.mask(getattr(self, name) for name in self.template_fields)
        super()._do_render_template_fields(*args, **kwargs)
        masking.mask(getattr(self, name) for name in self.template_fields)
