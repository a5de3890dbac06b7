"""Callback that writes the result of each task to the file `TASK_RESULTS`, one JSON a line."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Callback of the tests."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_results"

    def _write(self, result, failed):
        line = {"task": result.task.name, "failed": failed, **result.result}
        with Path(os.environ["TASK_RESULTS"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result):
        if "results" not in result.result or result.task.action.endswith(".wait"):
            self._write(result, failed=False)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if "results" not in result.result or result.task.action.endswith(".wait"):
            self._write(result, failed=True)

    def v2_runner_item_on_ok(self, result):
        self._write(result, failed=False)

    def v2_runner_item_on_failed(self, result):
        self._write(result, failed=True)
