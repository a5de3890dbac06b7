"""Settings in the environment: the variables `REDIS_ENTERPRISE_*`."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final, cast

from redis_enterprise_actions._model.errors import UsageError

from .options import SETTINGS, merge, similar_name


if TYPE_CHECKING:
    from collections.abc import Mapping

    from .options import ClientOptions

_log = logging.getLogger(__name__)

_PREFIX: Final = "REDIS_ENTERPRISE_"


def options_from_env(given: Mapping[str, object]) -> ClientOptions:
    """Return the options that are given (those that are not None), and those of the environment.

    Raises `UsageError` if neither has the URL of a cluster.
    """
    warn_of_wrong_names()
    options = merge(given, env_setting)
    if not options.get("url"):
        raise UsageError("no cluster is given: REDIS_ENTERPRISE_URL is not set")
    return cast("ClientOptions", options)


def env_setting(name: str) -> str:
    """Return the text of a setting: that of `url` is in `REDIS_ENTERPRISE_URL`."""
    return os.environ.get(_PREFIX + name.upper(), "")


def warn_of_wrong_names() -> None:
    """Log a warning for each variable whose name is nearly that of a known one.

    Any other `REDIS_ENTERPRISE_*` may be meant for another program: in Kubernetes, a service
    `redis-enterprise` alone adds a dozen.
    """
    known = SETTINGS.values()
    for variable in sorted(os.environ):
        name = variable.removeprefix(_PREFIX).lower()
        if not variable.startswith(_PREFIX) or name in known:
            continue
        similar = similar_name(name, known)
        if similar is not None:
            right = _PREFIX + similar.upper()
            fields = {"event": "unknown variable", "variable": variable, "similar": right}
            text = "%s in the environment is unknown; did you mean %s?"
            _log.warning(text, variable, right, extra=fields)
