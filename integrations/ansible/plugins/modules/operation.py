#!/usr/bin/python
# Copyright: the authors of redis-enterprise-actions
# Apache License 2.0 (see LICENSE)
"""Module `operation`: make a call that starts long-running work, and wait for the work."""

from __future__ import annotations


DOCUMENTATION = r"""
module: operation
short_description: Start long-running work on a Redis Software cluster, and wait until it is done
version_added: 0.1.0
description:
  - Makes one call to the REST API of a Redis Software (Redis Enterprise) cluster, and waits until
    the work that the call starts has ended.
  - The call is a named one (O(call) and O(arguments)), or any other one (O(method), O(path) and
    O(json)).
  - With O(state_file), a task that was interrupted and is run again continues with the work of the
    call. The guide has the few calls that are made again, as that does no harm.
author:
  - The authors of redis-enterprise-actions
attributes:
  check_mode:
    description: Lets the cluster check the call, if the API has a dry run of it, and otherwise
      sends nothing.
    support: full
  diff_mode:
    description: Returns no differences.
    support: none
extends_documentation_fragment:
  - redis_enterprise.actions.connection
  - redis_enterprise.actions.connection.wait
options:
  call:
    description:
      - Name of a call, such as V(databases.upgrade). A wrong name fails with a list of all names.
      - They are those of the Python client, and of the command C(redis-actions).
    type: str
  arguments:
    description:
      - Arguments of O(call), such as C(uid) for a database or a node. A database may be given by
        its name, as in V(name:cache). A wrong argument fails with a list of all arguments.
      - The values of fields such as C(password) are not shown.
    type: dict
    default: {}
  method:
    description: HTTP method of the call.
    type: str
    choices: [POST, PUT, PATCH, DELETE]
  path:
    description: Path of the call, such as V(/v1/bdbs/1/upgrade).
    type: str
  json:
    description: Body of the call. The values of fields such as C(password) are not shown.
    type: dict
  params:
    description: Parameters of the query.
    type: dict
  headers:
    description: Headers of the call. Their values are not shown.
    type: dict
  ref:
    description:
      - Reference of work that was started before, as RV(ref) of an earlier task has it.
      - The task then makes no call, and waits for that work.
    type: str
  state_file:
    description:
      - File in which the task keeps its intention to make the call, then the reference of the
        work, and then its end. Its folder must exist, on a disk that outlives the task. The file
        holds no passwords.
      - A task that is run again with this file follows the work of the first run, or reports its
        end without a change. To make the call again, delete the file.
      - Each call needs a file of its own.
    type: path
  wait:
    description: Whether to wait for the work. Otherwise the task returns RV(ref) as soon as it is
      known.
    type: bool
    default: true
  until:
    description:
      - Condition to wait for once the work has completed, V(available), V(in-sync),
        V(replicating), V(healthy) or V(quiet); or an earlier end, V(state=NAME) or
        V(progress=PERCENT).
    type: str
  busy_timeout:
    description: Duration for which the call is repeated while the cluster refuses it as busy (409).
    type: str
    default: "0"
  untracked:
    description:
      - What an answer means that names no work to follow, where the documentation of the call does
        not say that the work is done by then. With V(completed), it is the end.
    type: str
    choices: [refused, completed]
    default: refused
"""

EXAMPLES = r"""
- name: Create a database, and wait until it serves requests
  redis_enterprise.actions.operation:
    url: https://cluster.example.com:9443
    username: admin@example.com
    password: "{{ password }}"
    call: databases.create
    arguments:
      config: {name: cache, memory_size: 1073741824}
    until: available
    timeout: 10m
    state_file: /var/lib/ansible/create-cache.json

- name: Upgrade the database
  redis_enterprise.actions.operation:
    profile: prod
    call: databases.upgrade
    arguments: {uid: "name:cache"}
    timeout: 1h
    stall_timeout: 10m

- name: Start maintenance, and wait for it in a later task
  redis_enterprise.actions.operation:
    profile: prod
    method: POST
    path: /v1/nodes/1/actions/maintenance_on
    wait: false
  register: maintenance
"""

RETURN = r"""
ref:
  description: Reference of the work, which O(ref) and the module M(redis_enterprise.actions.wait)
    take.
  returned: always, and null where there is nothing to follow
  type: str
  sample: action:6c93e2a5-9a3c-4d7c-8d0c-0d0b7a0f1a52
action:
  description: The work as last seen, with its C(status), C(progress), C(object_uid) and C(error).
  returned: always, and null if it was not seen
  type: dict
outcome:
  description:
    - End of the task, V(completed), V(reached) (O(until)), V(failed), V(cancelled), V(aborted),
      V(timed out), V(stalled), V(not found), V(vanished), V(unreachable), V(rejected), V(not
      followed), V(not known) or V(wrong usage); null if the task did not wait.
  returned: always
  type: str
elapsed:
  description: Seconds of the wait.
  returned: always, and null without a wait
  type: float
call_started:
  description:
    - Whether the call was executed, now or by an earlier run with the same O(state_file).
    - V(unknown) also if an earlier run was interrupted, and RV(found) is true.
  returned: always
  type: str
  choices: ["yes", "no", "unknown"]
found:
  description: True if the work was found on the cluster after an interrupted run. It is most
    probably that of the call, but may be the same work that someone else has started.
  returned: if O(state_file) names the work
  type: bool
error_code:
  description: Code of the cluster for a failure.
  returned: on failure
  type: str
status:
  description: HTTP status of a refusal.
  returned: on failure
  type: int
"""

from ansible_collections.redis_enterprise.actions.plugins.module_utils.module import ActionsModule
from ansible_collections.redis_enterprise.actions.plugins.module_utils.options import WAIT


ARGUMENTS = {
    "call": {"type": "str"},
    "arguments": {"type": "dict", "default": {}},
    "method": {"type": "str", "choices": ["POST", "PUT", "PATCH", "DELETE"]},
    "path": {"type": "str"},
    "json": {"type": "dict"},
    "params": {"type": "dict"},
    "headers": {"type": "dict"},
    "ref": {"type": "str"},
    "state_file": {"type": "path"},
    "wait": {"type": "bool", "default": True},
    "until": {"type": "str"},
    "busy_timeout": {"type": "str", "default": "0"},
    "untracked": {"type": "str", "choices": ["refused", "completed"], "default": "refused"},
    **WAIT,
}


def main() -> None:
    """Run the module."""
    module = ActionsModule(
        ARGUMENTS,
        mutually_exclusive=[
            ("call", "method"),
            ("call", "path"),
            ("call", "json"),
            ("ref", "state_file"),
        ],
        required_together=[("method", "path")],
        required_one_of=[("call", "method", "ref")],
    )
    from ansible_collections.redis_enterprise.actions.plugins.module_utils.operation import run

    run(module)


if __name__ == "__main__":
    main()
