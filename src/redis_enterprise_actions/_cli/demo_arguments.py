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
        "Serve a fake cluster with a few running actions, until Ctrl-C.",
        examples=[
            "redis-actions fake-cluster",
            "redis-actions fake-cluster --port 9443",
            "redis-actions fake-cluster --version 7.8",
            "redis-actions fake-cluster --replay capture.json",
        ],
        exit_codes=LOCAL_CODES,
    )
    text = "port on 127.0.0.1 (default: any free port)"
    command.add_argument("--port", type=whole_number, default=0, help=text)
    text = f"the version of Redis Software to imitate: {', '.join(_VERSIONS)} (default: 8.0)"
    command.add_argument("--version", choices=_VERSIONS, metavar="VERSION", help=text)
    text = "give the answers that --capture has written to this file"
    command.add_argument("--replay", metavar="FILE", help=text)
    text = "seconds of the cluster's clock for each second (default: 1)"
    command.add_argument("--speed", type=speed, default=1.0, metavar="NUMBER", help=text)


def add_demo(command: CommandParser) -> None:
    """Add the help of `demo`."""
    command.describe(
        "Wait for several actions on a fake cluster, one of which fails.",
        examples=["redis-actions demo"],
        exit_codes={0: "the actions ended as planned", 1: "they did not"},
    )
