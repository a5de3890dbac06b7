"""Callback that writes the result of each task to the file `TASK_RESULTS`, one JSON a line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Callback of the tests."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_results"

    def _write(self, result: Any, *, failed: bool) -> None:  # noqa: ANN401
        line = {"task": result.task.name, "failed": failed, **result.result}
        with Path(os.environ["TASK_RESULTS"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")

    def _write_task(self, result: Any, *, failed: bool) -> None:  # noqa: ANN401
        """Write the result of a task, but not that of a loop, whose items are written."""
        if "results" not in result.result or result.task.action.endswith(".wait"):
            self._write(result, failed=failed)

    def v2_runner_on_ok(self, result: Any) -> None:  # noqa: ANN401
        self._write_task(result, failed=False)

    def v2_runner_on_failed(self, result: Any, ignore_errors: object = None) -> None:  # noqa: ANN401
        self._write_task(result, failed=True)

    def v2_runner_item_on_ok(self, result: Any) -> None:  # noqa: ANN401
        self._write(result, failed=False)

    def v2_runner_item_on_failed(self, result: Any) -> None:  # noqa: ANN401
        self._write(result, failed=True)
