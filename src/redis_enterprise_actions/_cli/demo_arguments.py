"""Arguments of the commands `fake-cluster` and `demo`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .help import LOCAL_CODES
from .values import speed, whole_number


if TYPE_CHECKING:
    from .parser import CommandParser

_VERSIONS: Final = ("7.4", "7.8", "7.22", "8.0", "8.0.16", "8.2")


def add_fake_cluster(command: CommandParser) -> None:
    """Add the arguments of `fake-cluster`."""
    command.describe(
        "Serve a fake cluster until Ctrl-C: from a scenario or a capture, or with running actions.",
        examples=[
            "redis-actions fake-cluster --port 9443",
            "redis-actions fake-cluster --scenario upgrade.toml --control 9444 --speed 60",
            "redis-actions fake-cluster --replay answers.json",
        ],
        exit_codes=LOCAL_CODES,
        notes="Without --scenario, --replay, --control and --json, a few actions are running.",
    )
    text = "port on 127.0.0.1, of the first node (default: any free port)"
    command.add_argument("--port", type=whole_number, help=text)
    text = f"the version of Redis Software to imitate: {', '.join(_VERSIONS)} (default: 8.0)"
    command.add_argument("--version", choices=_VERSIONS, metavar="VERSION", help=text)
    text = "the number of nodes (default: 1)"
    command.add_argument("--nodes", type=whole_number, metavar="N", help=text)
    text = "a scenario file: nodes, databases, actions, faults; these options win over it"
    command.add_argument("--scenario", metavar="FILE", help=text)
    text = "answer from a file written by --capture; combines with --port, --json and --speed only"
    command.add_argument("--replay", metavar="FILE", help=text)
    text = "seconds of the cluster's clock for each second (default: 1; 0 stands still)"
    command.add_argument("--speed", type=speed, metavar="N", help=text)
    text = "the seed of identifiers and tokens (default: they are random)"
    command.add_argument("--seed", type=whole_number, metavar="N", help=text)
    text = "port of the control API (0: any free port; default: there is none)"
    command.add_argument("--control", type=whole_number, metavar="PORT", help=text)
    text = "address or name that the control API listens on; needs --control (default: 127.0.0.1)"
    command.add_argument("--control-host", metavar="HOST", help=text)
    text = "print the addresses as one line of JSON"
    command.add_argument("--json", action="store_true", help=text)
    text = "end when standard input does, such as a pipe from a test that is killed"
    command.add_argument("--until-eof", action="store_true", help=text)


def add_demo(command: CommandParser) -> None:
    """Add the help of `demo`."""
    command.describe(
        "Wait for several actions on a fake cluster, one of which fails.",
        examples=["redis-actions demo"],
        exit_codes={0: "the actions ended as planned", 1: "they did not"},
    )
