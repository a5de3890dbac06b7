"""`ActionsModule`: an Ansible module that hides secrets and needs the client's package."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .options import CONNECTION, beside_profile, empty_options
from .secrets import secrets_in, secrets_in_headers


try:
    import redis_enterprise_actions.sync  # noqa: F401 - the modules that use it need it
except ImportError:
    _IMPORT_ERROR: str | None = traceback.format_exc()
else:
    _IMPORT_ERROR = None

_PACKAGE = "redis-enterprise-actions (for Python 3.11 and newer)"
_SECRET_VARIABLES = ("REDIS_ENTERPRISE_PASSWORD", "REDIS_ENTERPRISE_TOKEN")
_BODIES = ("json", "params", "arguments", "path", "url")


class ActionsModule(AnsibleModule):  # type: ignore[misc] # it has no types
    """Ansible module with the options of a connection, and without secrets in its output."""

    _are_valid = False  # the options
    _given: Sequence[str] = ()

    def __init__(self, argument_spec: dict[str, Any], **settings: Any) -> None:  # noqa: ANN401
        super().__init__({**CONNECTION, **argument_spec}, supports_check_mode=True, **settings)
        self._are_valid = True
        self._hide_secrets()  # in any case, whatever Ansible calls before
        if _IMPORT_ERROR is not None:
            self.fail_json(msg=missing_required_lib(_PACKAGE), exception=_IMPORT_ERROR)
        empty = empty_options(self.params)
        if empty:
            text = "an option that is not wanted has to be left out, as with default(omit)"
            self.stop(f"{', '.join(empty)}: given, but empty; {text}")
        contradicting = beside_profile(self.params)
        if contradicting:
            names = ", ".join(contradicting)
            self.stop(f"profile has the settings of a connection, so {names} cannot be given, too")

    def _load_params(self) -> None:
        """Read the options, and find their secrets before anything is wrong with an option."""
        super()._load_params()
        names = [name for name in self.params if not name.startswith("_ansible_")]
        self._given = names
        unknown = {name: self.params[name] for name in names if name not in self.argument_spec}
        self.no_log_values.update(secrets_in(unknown))
        self.no_log_values.update(secrets_in({"token": self.params.get("token")}))
        self.no_log_values.update(secrets_in({"password": self.params.get("password")}))
        self._hide_secrets()

    def fail_json(self, msg: str, **result: Any) -> NoReturn:  # noqa: ANN401
        """Fail; while the options are not known to be valid, show their names only."""
        if not self._are_valid:
            hidden = dict.fromkeys(self._given, "(not shown, as an option is wrong)")
            result.setdefault("invocation", {"module_args": hidden})
        super().fail_json(msg, **result)
        raise SystemExit(1)  # never reached: the line above ends the process

    def stop(self, problem: str, started: str = "no") -> NoReturn:
        """Fail because of an option. Nothing was sent."""
        failure = {"outcome": "wrong usage", "call_started": started, "changed": False}
        self.fail_json(msg=problem, ref=None, action=None, error_code=None, **failure)

    def _hide_secrets(self) -> None:
        found = [os.environ.get(name) for name in _SECRET_VARIABLES]
        for name in _BODIES:
            found.extend(secrets_in(self.params.get(name)))
        headers = self.params.get("headers")
        if isinstance(headers, Mapping):
            found.extend(secrets_in_headers(headers))
        else:
            found.extend(secrets_in({"token": headers}))
        self.no_log_values.update(filter(None, found))

    def _log_invocation(self) -> None:
        """Write the options to the system's log, without the secrets in bodies and headers.

        Ansible calls this before it returns to the module.
        """
        self._hide_secrets()
        super()._log_invocation()
