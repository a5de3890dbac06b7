"""Airflow's exceptions, which moved after Airflow 3.1."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowSensorTimeout,
        AirflowTaskTimeout,
        TaskDeferralError,
        TaskDeferralTimeout,
    )
else:
    try:
        from airflow.sdk.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowSensorTimeout,
            AirflowTaskTimeout,
            TaskDeferralError,
            TaskDeferralTimeout,
        )
    except ImportError:  # pragma: no cover - Airflow 3.1
        from airflow.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowSensorTimeout,
            AirflowTaskTimeout,
            TaskDeferralError,
            TaskDeferralTimeout,
        )

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowSensorTimeout",
    "AirflowTaskTimeout",
    "TaskDeferralError",
    "TaskDeferralTimeout",
]
