"""Tests of `_cli.wait`."""

from __future__ import annotations

from redis_enterprise_actions._cli import main as _main
from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.connection import client_from_args
from redis_enterprise_actions._cli.wait.reporter import LogCapture


async def run_command(*argv: str) -> int:
    """Run `wait` or `submit` on the running loop, whose clock is virtual; return the exit code."""
    args = parse_arguments(argv)
    with LogCapture() as log:
        return await _main._WAITING_COMMANDS[args.run](args, client_from_args(args), log)
