#!/usr/bin/python
# Copyright: the authors of redis-enterprise-actions
# Apache License 2.0 (see LICENSE)
"""Module `wait`: wait for work that was started elsewhere, and for conditions."""

from __future__ import annotations


DOCUMENTATION = r"""
module: wait
short_description: Wait for work and for conditions on a Redis Software cluster
version_added: 0.1.0
description:
  - Waits until work on a Redis Software (Redis Enterprise) cluster has completed, or until a
    condition is true. Changes nothing.
author:
  - The authors of redis-enterprise-actions
attributes:
  check_mode:
    description: Does not wait, as what would be waited for was not started.
    support: full
  diff_mode:
    description: Returns no differences.
    support: none
extends_documentation_fragment:
  - redis_enterprise.actions.connection
  - redis_enterprise.actions.connection.wait
options:
  refs:
    description:
      - References of work, as the module M(redis_enterprise.actions.operation) and C(redis-actions
        list) give them, such as V(action:UID), V(node:1/maintenance_on) and V(bdb:1).
      - Conditions are V(bdb:1@available), V(bdb:1@in-sync), V(crdb:GUID@replicating),
        V(cluster@healthy), V(cluster@quiet) and V(bootstrap:HOST@idle). A database may be given by
        its name, as in V(bdb:name:cache).
    type: list
    elements: str
    required: true
  settle:
    description: Whether to wait for all to end. Otherwise the first failure ends the task.
    type: bool
    default: false
  allow_empty:
    description: Whether an empty list is a success. It is an error by default.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Wait until the cluster is healthy, and stays so for a minute
  redis_enterprise.actions.wait:
    profile: prod
    refs: [cluster@healthy]
    hold: 1m
    timeout: 30m

- name: Wait for work that an earlier task has started
  redis_enterprise.actions.wait:
    profile: prod
    refs:
      - "{{ maintenance.ref }}"
      - bdb:name:cache
    timeout: 1h
"""

RETURN = r"""
results:
  description:
    - One for each of O(refs), in their order, with C(ref), C(outcome), C(action) and C(elapsed);
      those that failed have C(msg) and C(error_code), too.
    - Without O(settle), a failed task returns only the first failure.
  returned: always
  type: list
  elements: dict
outcome:
  description: V(completed), or the outcome of the first failure in the order of O(refs).
  returned: always
  type: str
error_code:
  description: Code of the cluster for that failure.
  returned: on failure
  type: str
ref:
  description: Reference of the work that failed.
  returned: on failure
  type: str
action:
  description: That work as last seen.
  returned: on failure
  type: dict
"""

from ansible_collections.redis_enterprise.actions.plugins.module_utils.module import ActionsModule
from ansible_collections.redis_enterprise.actions.plugins.module_utils.options import WAIT


ARGUMENTS = {
    "refs": {"type": "list", "elements": "str", "required": True},
    "settle": {"type": "bool", "default": False},
    "allow_empty": {"type": "bool", "default": False},
    **WAIT,
}


def main() -> None:
    """Run the module."""
    module = ActionsModule(ARGUMENTS)
    from ansible_collections.redis_enterprise.actions.plugins.module_utils.looking import wait

    wait(module)


if __name__ == "__main__":
    main()
