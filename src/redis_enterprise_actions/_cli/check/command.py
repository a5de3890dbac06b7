"""The command `check`: one look, a verdict, and a line for each finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from redis_enterprise_actions._cli.connection import client_from_args
from redis_enterprise_actions._cli.output import print_json, print_line
from redis_enterprise_actions._model.cluster_check import Finding
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.text import count_text


if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine

    from redis_enterprise_actions._cli.execution import Execution
    from redis_enterprise_actions._client.client import ActionsClient
    from redis_enterprise_actions._model.cluster_check import ClusterCheck


class CheckDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="v", tag=1):
    """Result of a check as JSON. `v` is the version of its shape."""

    healthy: bool
    source: Literal["v4", "v1"]
    findings: tuple[Finding, ...]


def run_check(args: argparse.Namespace, execution: Execution) -> Coroutine[object, object, int]:
    """Return the look at the cluster."""
    return _check(args, client_from_args(args, execution))


async def _check(args: argparse.Namespace, client: ActionsClient) -> int:
    """Look once, print the result, and return the exit code."""
    async with client:
        check = await client.cluster.check(ignore_maintenance=args.ignore_maintenance)
    if args.json:
        print_json(
            CheckDocument(healthy=check.is_healthy, source=check.source, findings=check.findings)
        )
    else:
        print_line("\n".join([_verdict(check), *map(str, check.findings)]))
    return 0 if check.is_healthy else Outcome.UNHEALTHY.exit_code


def _verdict(check: ClusterCheck) -> str:
    if check.is_healthy:
        return "go: the cluster is healthy"
    return f"no go: {count_text(len(check.findings), 'finding')}"
