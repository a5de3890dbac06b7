"""The command `fake-cluster` with a scenario file or the control API, for tests in any language."""

from __future__ import annotations

import shlex
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.text import one_line
from redis_enterprise_actions.testing import ControlServer, FakeCluster, Scenario, ScenarioError
from redis_enterprise_actions.testing.settings import MAX_NODES

from .output import print_json, print_line
from .serving import serve


if TYPE_CHECKING:
    import argparse

    from redis_enterprise_actions.testing import ReplayedCluster

_LOCALHOST: Final = "127.0.0.1"
_PORTS: Final = 65_536
_SETTINGS: Final = ("port", "version", "nodes", "speed", "seed")  # of `FakeCluster`


def make_cluster(args: argparse.Namespace) -> FakeCluster:
    """Return the cluster that the arguments describe, which is not served yet.

    Raises `UsageError` for a file that is no scenario, and for arguments that contradict each
    other, or the file.
    """
    if args.control is None and args.control_host is not None:
        raise UsageError("--control-host needs --control")
    if args.nodes is not None and not 1 <= args.nodes <= MAX_NODES:
        raise UsageError(f"--nodes is 1 to {MAX_NODES}")
    try:
        scenario = Scenario(v=1) if args.scenario is None else Scenario.read(args.scenario)
        given = {name: getattr(args, name) for name in _SETTINGS if getattr(args, name) is not None}
        settings: dict[str, Any] = scenario.settings() | given
        if args.port is not None and not 0 <= args.port <= _PORTS - settings.get("nodes", 1):
            raise UsageError(f"--port {args.port} cannot be used: ports end at {_PORTS - 1}")
        cluster = FakeCluster.from_scenario(scenario, source=args.scenario, **given)
    except ValueError as error:
        raise UsageError(one_line(str(error))) from error
    _check_control(args.control, settings.get("port", 0), settings.get("nodes", 1))
    if not cluster.speed and args.control is None:
        raise UsageError("a clock of speed 0 needs --control: nothing else changes its time")
    return cluster


def _check_control(control: int | None, port: int, nodes: int) -> None:
    if control is None:
        return
    if not 0 <= control < _PORTS:
        raise UsageError(f"--control {control} cannot be used: ports end at {_PORTS - 1}")
    if port and port <= control < port + nodes:
        raise UsageError(f"--control {control} is the port of a node: they have {port} and up")


async def serve_scripted(cluster: FakeCluster, args: argparse.Namespace) -> int:
    """Serve a cluster, with `--control` its control API as well, to its end.

    Raises `UsageError` for a port that cannot be used, and for an entry of the scenario that the
    cluster refuses at the start.
    """
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(cluster)
        except ScenarioError as error:
            raise UsageError(one_line(str(error))) from error
        except OSError as error:
            raise UsageError(f"{_port_text(args)} cannot be used: {error}") from error
        control = None
        if args.control is not None:
            host = _LOCALHOST if args.control_host is None else args.control_host
            try:
                server = ControlServer(cluster, port=args.control, host=host)
                control = (await stack.enter_async_context(server)).url
            except (OSError, ValueError) as error:
                text = f"--control {args.control} on {one_line(host)} cannot be used: {error}"
                raise UsageError(text) from error
        if args.json:
            ca_pem = cluster.ca_pem if cluster.url.startswith("https:") else None
            known = {"ca_pem": ca_pem, "version": cluster.version, "control": control}
            print_json(addresses(cluster) | known)
        else:
            _print_addresses(cluster, control)
        return await serve(until_eof=args.until_eof)


def _port_text(args: argparse.Namespace) -> str:
    if args.port is not None:
        return f"--port {args.port}"
    return "the port" if args.scenario is None else f"the port of {one_line(args.scenario)}"


def addresses(cluster: FakeCluster | ReplayedCluster) -> dict[str, object]:
    """Return the addresses and credentials for `--json`. The rest is null for a replay."""
    return {
        "v": 1,
        "url": cluster.url,
        "urls": cluster.urls,
        "username": cluster.username,
        "password": cluster.password,
        "ca_pem": None,
        "version": None,
        "control": None,
    }


def _print_addresses(cluster: FakeCluster, control: str | None) -> None:
    print_line(f"A fake cluster, version {cluster.version}, is at {cluster.url} until Ctrl-C.")
    if control is not None:
        print_line(f"Its control API is at {control}")
    print_exports(cluster)


def print_exports(cluster: FakeCluster | ReplayedCluster) -> None:
    """Print the lines that connect the commands in another terminal to a cluster."""
    print_line("In another terminal:")
    print_line("")
    print_line(f"export REDIS_ENTERPRISE_URL={shlex.quote(' '.join(cluster.urls))}")
    print_line(f"export REDIS_ENTERPRISE_USER={shlex.quote(cluster.username)}")
    print_line(f"export REDIS_ENTERPRISE_PASSWORD={shlex.quote(cluster.password)}")
