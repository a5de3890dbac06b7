"""Airflow's exceptions, which moved after Airflow 3.1."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowRescheduleException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
        TaskDeferralError,
        TaskDeferred,
    )
else:
    try:
        from airflow.sdk import exceptions as found

        found.AirflowFailException  # noqa: B018 - it is there, or it is not
    except AttributeError:
        from airflow import exceptions as found
    AirflowException = found.AirflowException
    AirflowFailException = found.AirflowFailException
    AirflowRescheduleException = found.AirflowRescheduleException
    AirflowSensorTimeout = found.AirflowSensorTimeout
    AirflowSkipException = found.AirflowSkipException
    AirflowTaskTimeout = found.AirflowTaskTimeout
    TaskDeferralError = found.TaskDeferralError
    TaskDeferred = found.TaskDeferred

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowRescheduleException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "TaskDeferralError",
    "TaskDeferred",
]
