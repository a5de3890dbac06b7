"""Airflow provider: a connection, an operator and a sensor that hold no worker while they wait.

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
    from .operators import RedisEnterpriseOperator
    from .provider import get_provider_info
    from .sensors import RedisEnterpriseActionSensor
    from .triggers import RedisEnterpriseTrigger


__all__ = [
    "RedisEnterpriseActionSensor",
    "RedisEnterpriseHook",
    "RedisEnterpriseOperator",
    "RedisEnterpriseTrigger",
    "get_provider_info",
]

_MODULES: Final[Mapping[str, str]] = MappingProxyType({
    "RedisEnterpriseActionSensor": ".sensors",
    "RedisEnterpriseHook": ".hooks",
    "RedisEnterpriseOperator": ".operators",
    "RedisEnterpriseTrigger": ".triggers",
    "get_provider_info": ".provider",
})  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name], __name__), name)
