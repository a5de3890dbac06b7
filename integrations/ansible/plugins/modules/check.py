#!/usr/bin/python
# Copyright: the authors of redis-enterprise-actions
# Apache License 2.0 (see LICENSE)
"""Module `check`: may the next node of the cluster be worked on?"""

from __future__ import annotations


DOCUMENTATION = r"""
module: check
short_description: Check whether the next node of a Redis Software cluster may be worked on
version_added: 0.1.0
description:
  - Looks once at the nodes, shards, databases and actions of a Redis Software (Redis Enterprise)
    cluster, and fails if anything speaks against working on the next node. Changes nothing.
  - To wait until the cluster is healthy, use the module M(redis_enterprise.actions.wait) with
    V(cluster@healthy).
author:
  - The authors of redis-enterprise-actions
attributes:
  check_mode:
    description: Looks as usual.
    support: full
  diff_mode:
    description: Returns no differences.
    support: none
extends_documentation_fragment:
  - redis_enterprise.actions.connection
options:
  ignore:
    description: Uids of nodes that may be in maintenance mode.
    type: list
    elements: int
    default: []
  fail:
    description: Whether the task fails if anything is found.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Stop the play unless the cluster is healthy
  redis_enterprise.actions.check:
    profile: prod
    ignore: [3]
"""

RETURN = r"""
healthy:
  description: Whether nothing was found.
  returned: if the cluster was asked
  type: bool
findings:
  description: Reasons against working on the next node, each with C(kind), C(object) and C(text).
  returned: if the cluster was asked
  type: list
  elements: dict
outcome:
  description: V(completed) for a healthy cluster, V(not healthy), or the reason why the cluster
    could not be asked.
  returned: always
  type: str
"""

from ansible_collections.redis_enterprise.actions.plugins.module_utils.module import ActionsModule


ARGUMENTS = {
    "ignore": {"type": "list", "elements": "int", "default": []},
    "fail": {"type": "bool", "default": True},
}


def main() -> None:
    """Run the module."""
    module = ActionsModule(ARGUMENTS)
    from ansible_collections.redis_enterprise.actions.plugins.module_utils.looking import check

    check(module)


if __name__ == "__main__":
    main()
