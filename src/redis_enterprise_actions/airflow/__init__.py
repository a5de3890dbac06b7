"""Airflow provider: a connection, operators and a sensor that need hold no worker while they wait.

The provider needs the extra `airflow`: Airflow 3.1 or newer. Its modules are loaded on first use,
as Airflow calls `get_provider_info` while Airflow itself is still being loaded.
"""

from __future__ import annotations

import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Mapping

    from .hooks import RedisEnterpriseHook
    from .links import RedisEnterpriseClusterLink
    from .operators import (
        RedisEnterpriseExportDatabaseOperator,
        RedisEnterpriseImportDatabaseOperator,
        RedisEnterpriseMaintenanceOffOperator,
        RedisEnterpriseMaintenanceOnOperator,
        RedisEnterpriseOperator,
        RedisEnterpriseUpdateCrdbOperator,
        RedisEnterpriseUpgradeDatabaseOperator,
    )
    from .provider import get_provider_info
    from .sensors import RedisEnterpriseActionSensor
    from .triggers import RedisEnterpriseTrigger


__all__ = [
    "RedisEnterpriseActionSensor",
    "RedisEnterpriseClusterLink",
    "RedisEnterpriseExportDatabaseOperator",
    "RedisEnterpriseHook",
    "RedisEnterpriseImportDatabaseOperator",
    "RedisEnterpriseMaintenanceOffOperator",
    "RedisEnterpriseMaintenanceOnOperator",
    "RedisEnterpriseOperator",
    "RedisEnterpriseTrigger",
    "RedisEnterpriseUpdateCrdbOperator",
    "RedisEnterpriseUpgradeDatabaseOperator",
    "get_provider_info",
]

_MODULES: Final[Mapping[str, str]] = MappingProxyType({
    "RedisEnterpriseActionSensor": ".sensors",
    "RedisEnterpriseClusterLink": ".links",
    "RedisEnterpriseExportDatabaseOperator": ".operators",
    "RedisEnterpriseHook": ".hooks",
    "RedisEnterpriseImportDatabaseOperator": ".operators",
    "RedisEnterpriseMaintenanceOffOperator": ".operators",
    "RedisEnterpriseMaintenanceOnOperator": ".operators",
    "RedisEnterpriseOperator": ".operators",
    "RedisEnterpriseTrigger": ".triggers",
    "RedisEnterpriseUpdateCrdbOperator": ".operators",
    "RedisEnterpriseUpgradeDatabaseOperator": ".operators",
    "get_provider_info": ".provider",
})  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name], __name__), name)
