"""The command `doctor`: checks the settings, then each node, then the cluster.

The first requests carry no credentials. Credentials go only to nodes that answer as the REST API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from redis_enterprise_actions._cli.connection import settings_from_args
from redis_enterprise_actions._client.http.auth import authenticator_for
from redis_enterprise_actions._client.http.nodes import NodePool
from redis_enterprise_actions._client.http.redaction import Secret, as_secret
from redis_enterprise_actions._client.http.tls import tls_settings
from redis_enterprise_actions._client.http.transport import Transport
from redis_enterprise_actions._model.errors import UsageError

from .cluster_checks import ClusterChecks
from .node_checks import NodeChecks
from .result import CheckResult, DiagnosticReport


if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine

    from redis_enterprise_actions._cli.execution import Execution


def run_doctor(args: argparse.Namespace, _: Execution) -> Coroutine[object, object, int] | int:
    """Check the settings; return the exit code if they are wrong, else the other checks to run."""
    return doctor(args)


def doctor(args: argparse.Namespace) -> Coroutine[object, object, int] | int:
    """Check the settings; return the exit code if they are wrong, else the other checks to run."""
    report = DiagnosticReport(as_json=args.json)
    limit: float = args.timeout
    try:
        settings = settings_from_args(args)
        options = settings.options
        url = options["url"]
        nodes = NodePool(
            [Secret(each) for each in ([url] if isinstance(url, str) else url)],
            options.get("trusted_hosts", ()),
        )
        tls = tls_settings(
            verify=options.get("verify", True),
            ca_cert=options.get("ca_cert"),
            fingerprint=options.get("fingerprint"),
            client_cert=options.get("client_cert"),
            client_key=options.get("client_key"),
        )
        authenticator = authenticator_for(
            options.get("username"),
            as_secret(options.get("password")),
            as_secret(options.get("token")),
            auth=options.get("auth", "basic"),
            timeout=limit,
        )
    except UsageError as error:
        advice = "see redis-actions doctor --help"
        report.add(CheckResult.failure("settings", str(error), advice))
        return report.finish(0, exit_failed=error.outcome.exit_code)
    for name, source in settings.origins.items():
        value: object = "given" if name in {"password", "token"} else options.get(name)
        if isinstance(value, (list, tuple)):
            value = " ".join(map(str, cast("list[object]", value)))
        report.add(CheckResult.ok("settings", f"{name} is {value}, from {source}"))
    transport = Transport(
        nodes, authenticator=authenticator, tls=tls, session=None, request_timeout=limit
    )
    node_checks = NodeChecks(
        options, tls=tls, nodes=nodes, transport=transport, limit=limit, report=report
    )
    cluster_checks = ClusterChecks(options, transport, limit, report)
    return _diagnose(node_checks, cluster_checks, transport, report)


async def _diagnose(
    node_checks: NodeChecks,
    cluster_checks: ClusterChecks,
    transport: Transport,
    report: DiagnosticReport,
) -> int:
    """Run the checks; return the exit code."""
    try:
        nodes = await node_checks.run()
        if nodes:
            # From here on, no redirect leads to another node.
            transport.nodes = NodePool([Secret(str(node)) for node in nodes])
            await cluster_checks.run(nodes[0])
        else:
            seen = "not sent, and no further checks: no node is known to be the REST API"
            report.add(CheckResult.failure("credentials", seen))
        return report.finish(transport.requests_sent)
    finally:
        await transport.close()
