"""The command `doctor`: checks the settings, then each node, then the cluster.

The first requests carry no credentials. Credentials go only to nodes that answer as the REST API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from redis_enterprise_actions._cli.connection import settings_from_args
from redis_enterprise_actions._client.http.captured import capturing
from redis_enterprise_actions._client.http.connect import transport_for
from redis_enterprise_actions._client.http.nodes import NodePool
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.secret import Secret

from .cluster_checks import ClusterChecks
from .node_checks import NodeChecks
from .result import CheckResult, DiagnosticReport, Level


if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine

    from redis_enterprise_actions._cli.execution import Execution
    from redis_enterprise_actions._client.config.options import ClientOptions
    from redis_enterprise_actions._client.http.transport import Transport


def run_doctor(
    args: argparse.Namespace, execution: Execution
) -> Coroutine[object, object, int] | int:
    """Check the settings; return the exit code if they are wrong, else the other checks to run."""
    report = DiagnosticReport(as_json=args.json)
    limit: float = args.timeout
    try:
        settings = settings_from_args(args)
        options = cast("ClientOptions", {**settings.options, "request_timeout": limit})
        transport = transport_for(**options)
        if args.capture is not None:
            execution.capture = capturing(transport, args.capture)
    except UsageError as error:
        report.add(CheckResult(Level.FAILURE, "settings", str(error)))
        return report.finish(0, exit_failed=error.outcome.exit_code)
    for name, source in settings.origins.items():
        value: object = "given" if name in {"password", "token"} else settings.options.get(name)
        if isinstance(value, (list, tuple)):
            value = " ".join(map(str, cast("list[object]", value)))
        report.add(CheckResult(Level.OK, "settings", f"{name} is {value}, from {source}"))
    return _diagnose(options, transport, limit, report)


async def _diagnose(
    options: ClientOptions, transport: Transport, limit: float, report: DiagnosticReport
) -> int:
    """Run the checks; return the exit code."""
    try:
        nodes = await NodeChecks(options, transport, limit, report).run()
        if nodes:
            # From here on, no redirect leads to another node.
            transport.nodes = NodePool([Secret(str(node)) for node in nodes])
            await ClusterChecks(options, transport, limit, report).run()
        else:
            seen = "not sent, and no further checks: no node is known to be the REST API"
            report.add(CheckResult(Level.FAILURE, "credentials", seen))
        return report.finish(transport.requests_sent)
    finally:
        await transport.close()
