"""Examples and exit codes at the end of each subcommand's help."""

from __future__ import annotations

import argparse
from typing import Final


_EXAMPLES: Final = {
    "list": """\
  redis-actions list --status running,failed
  redis-actions list --name 'SM*' --bdb 3
  redis-actions list --json | jq -r 'select(.progress > 50).uid'

On a terminal, list prints a table. In a pipe, each line is an action, as fields
between tabs: the reference for wait, name and object, status, percent done,
state or reason of a failure, and age in seconds; - stands for none. wait takes
the same filters.
""",
    "watch": """\
  redis-actions watch --status running
  redis-actions watch --node 2 --interval 30s
  redis-actions watch --once | awk -F '\\t' '$6 > 3600 { print $1 }'

On a terminal, watch is a live view, until Ctrl-C. Elsewhere, and without rich
(which the extra cli installs), it prints a line for each change. A list that
the user's role does not permit is left out.
""",
    "doctor": """\
  redis-actions doctor --profile prod
  redis-actions doctor --timeout 3s
  redis-actions doctor --json | jq -r 'select(.level == "failure").advice'

Checks the settings; DNS, TCP, TLS, HTTP and the clock of each node; and the
credentials, versions and permissions. Each check prints a line: ok, warning or
failure, and what to do about it. doctor changes nothing. It sends one request
to each node and seven more, or a few more with tokens. Exit code 5 means that a
check failed.
""",
    "get": """\
  redis-actions get 6c93e2a5-3f7e-4f2e-9a5b-0b0f5a0f5a0f
  redis-actions get "$uid" --json | jq .progress
""",
    "wait": """\
  redis-actions wait "$uid" --timeout 30m --report deploy.html
  redis-actions wait node:1/maintenance_on crdb:"$id" export:3 --fail-fast
  redis-actions wait "$uid" --output plain --keep-alive 30s
  redis-actions wait --status running --bdb 3 --name 'SM*' --allow-empty
  curl -n -X DELETE "$url/v1/bdbs/3" | redis-actions wait -
  redis-actions wait "$uid" --hook 'notify "$REDIS_ACTIONS_OUTCOME"'
""",
    "submit": """\
  redis-actions submit POST /v1/bdbs/1/upgrade --wait --timeout 1h
  redis-actions submit PUT /v1/bdbs/1 --data @changes.json --busy-timeout 10m
  ref=$(redis-actions submit POST /v1/nodes/1/actions/maintenance_on)
""",
    "cancel": """\
  redis-actions cancel node:1/maintenance_on
""",
    "fake-cluster": """\
  redis-actions fake-cluster --version 7.8
""",
    "demo": """\
  redis-actions demo
""",
    "profiles": """\
  redis-actions profiles
  redis-actions list --profile prod

Profiles are in ~/.config/redis-actions/config.toml, unless XDG_CONFIG_HOME or
REDIS_ACTIONS_CONFIG is set; on Windows, in %APPDATA%\\redis-actions:
  default = "prod"

  [profiles.prod]
  url = ["https://node1.example.com:9443", "https://node2.example.com:9443"]
  user = "ops@example.com"
  password_file = "prod-password"

A profile may have: url, user, password_file, token_file, keyring, auth,
ca_cert, fingerprint, insecure, client_cert, client_key, trusted_hosts,
request_timeout. Relative paths are relative to the folder of the file. The file
holds no password; a file that holds one must not be readable by other users.
Options override environment variables, which override the profile. A profile's
secrets, and the certificates that it trusts, apply to its own URLs only.

This command prints name, URLs, user, and default or -, between tabs.
""",
    "login": """\
  redis-actions login --profile prod
  redis-actions login --url https://cluster.example.com:9443 --user ops

login asks for the password, or reads it from --password-file, and stores it for
this user at this host. Profiles with "keyring = true" use it. The extra keyring
installs what this needs.
""",
    "logout": """\
  redis-actions logout --profile prod
""",
    "completion": """\
  eval "$(redis-actions completion bash)"     in ~/.bashrc
  eval "$(redis-actions completion zsh)"      in ~/.zshrc, after compinit
  redis-actions completion fish | source      in ~/.config/fish/config.fish

Tab then completes commands, options, choices, files and profiles, and sends no
request. The extra cli installs what this needs.
""",
}

_EXIT_CODES: Final = """\
exit codes:
  0  success                  5              the cluster could not be asked
  2  wrong usage              70             unexpected error
  4  not found                74, 141        the output could not be written
                              130, 143, 129  interrupted: SIGINT, SIGTERM, SIGHUP
"""


def add_examples(name: str, command: argparse.ArgumentParser) -> None:
    """Append examples and exit codes to the help of a subcommand."""
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = f"examples:\n{_EXAMPLES[name]}\n{command.epilog or _EXIT_CODES}"
