"""Tests of `_cli.wait`."""

from __future__ import annotations

from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.commands import load
from redis_enterprise_actions._cli.execution import Execution


async def run_command(*argv: str) -> int:
    """Run `wait` or `submit` on the running loop, whose clock is virtual; return the exit code."""
    args = parse_arguments(argv)
    with Execution() as execution:
        code: int = await load(args.handler)(args, execution)
        return code
