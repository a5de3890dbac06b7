"""What each command's help teaches besides its options: examples, and what exit codes say."""

from __future__ import annotations

import argparse
from typing import Final


_EXAMPLES: Final = {
    "list": """\
  redis-actions list --status running,failed
  redis-actions list --name 'SM*' --bdb 3
  redis-actions list --json | jq -r 'select(.progress > 50).uid'

On a terminal it is a table. In a pipe, each line has fields between tabs, and
- where there is nothing: what wait takes, what is done to what, its status,
percent done, its state or why it failed, its age in seconds. wait takes the
same filters.
""",
    "watch": """\
  redis-actions watch --status running
  redis-actions watch --node 2 --interval 30s
  redis-actions watch --once | awk -F '\\t' '$6 > 3600 { print $1 }'

On a terminal it is a live view, until Ctrl-C. Elsewhere, and without rich
(which the extra cli brings), it is a line for each change. A list that the
user's role may not see is left out.
""",
    "doctor": """\
  redis-actions doctor --profile prod
  redis-actions doctor --timeout 3s
  redis-actions doctor --json | jq -r 'select(.level == "failure").advice'

Looks at the settings, and at DNS, TCP, TLS and HTTP of each node, then at the
clock, credentials, versions and permissions. A line for each says ok, warning
or failure, and what to do. It changes nothing, and sends one request to each
node and seven more, or a few where tokens are used. 5 means that something
failed.
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
REDIS_ACTIONS_CONFIG says otherwise; on Windows, in %APPDATA%\\redis-actions:
  default = "prod"

  [profiles.prod]
  url = ["https://node1.example.com:9443", "https://node2.example.com:9443"]
  user = "ops@example.com"
  password_file = "prod-password"

A profile may have: url, user, password_file, token_file, keyring, auth,
ca_cert, fingerprint, insecure, client_cert, client_key, trusted_hosts. Relative
paths begin where the file is. It holds no password, and the files that do must
be closed to other users. An option goes before the environment, and that before
a profile, whose secrets, and what it trusts, are for its own URLs only.

What this command prints has tabs between name, URLs, user, and default or -.
""",
    "login": """\
  redis-actions login --profile prod
  redis-actions login --url https://cluster.example.com:9443 --user ops

The password is asked for, or is in --password-file. It is kept for this user at
this host, and found by profiles with "keyring = true". The extra keyring brings
what this needs.
""",
    "logout": """\
  redis-actions logout --profile prod
""",
    "completion": """\
  eval "$(redis-actions completion bash)"     in ~/.bashrc
  eval "$(redis-actions completion zsh)"      in ~/.zshrc, after compinit
  redis-actions completion fish | source      in ~/.config/fish/config.fish

Tab then offers commands, options, choices, files and profiles, and asks no
cluster. The extra cli brings what this needs.
""",
}

_EXIT_CODES: Final = """\
exit codes:
  0  it was done              5         the cluster could not be asked
  2  wrong usage              70        an error that was not foreseen
  4  it is not known there    74, 141   the output could not be written
                              130, 143  interrupted, terminated
"""


def add_examples(name: str, command: argparse.ArgumentParser) -> None:
    """Let the help of a command end with examples, and with what its exit codes say."""
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = f"examples:\n{_EXAMPLES[name]}\n{command.epilog or _EXIT_CODES}"
