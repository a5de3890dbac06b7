"""`ActionsModule`: an Ansible module that hides secrets and needs the client's package."""

from __future__ import annotations

import os
import traceback
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .options import CONNECTION, beside_profile
from .secrets import secrets_in, secrets_in_headers


try:
    import redis_enterprise_actions.sync  # noqa: F401 - the modules that use it need it
except ImportError:
    _IMPORT_ERROR: str | None = traceback.format_exc()
else:
    _IMPORT_ERROR = None

_PACKAGE = "redis-enterprise-actions (for Python 3.11 and newer)"
_SECRET_VARIABLES = ("REDIS_ENTERPRISE_PASSWORD", "REDIS_ENTERPRISE_TOKEN")
_BODIES = ("json", "params", "arguments")


class ActionsModule(AnsibleModule):  # type: ignore[misc] # it has no types
    """Ansible module with the options of a connection, and without secrets in its output."""

    def __init__(self, argument_spec: dict[str, Any], **settings: Any) -> None:  # noqa: ANN401
        super().__init__({**CONNECTION, **argument_spec}, supports_check_mode=True, **settings)
        self._hide_secrets()  # in any case, whatever Ansible calls before
        if _IMPORT_ERROR is not None:
            self.fail_json(msg=missing_required_lib(_PACKAGE), exception=_IMPORT_ERROR)
        contradicting = beside_profile(self.params)
        if contradicting:
            names = ", ".join(contradicting)
            self.stop(f"profile has the settings of a connection, so {names} cannot be given, too")

    def stop(self, problem: str, started: str = "no") -> NoReturn:
        """Fail because of an option. Nothing was sent."""
        failure = {"outcome": "wrong usage", "started": started, "changed": False}
        self.fail_json(msg=problem, ref=None, action=None, error_code=None, **failure)
        raise SystemExit(1)  # never reached: `fail_json` ends the process

    def _hide_secrets(self) -> None:
        found = [os.environ.get(name) for name in _SECRET_VARIABLES]
        for name in _BODIES:
            found.extend(secrets_in(self.params.get(name)))
        found.extend(secrets_in_headers(self.params.get("headers") or {}))
        self.no_log_values.update(filter(None, found))

    def _log_invocation(self) -> None:
        """Write the options to the system's log, without the secrets in bodies and headers.

        Ansible calls this before it returns to the module.
        """
        self._hide_secrets()
        super()._log_invocation()
