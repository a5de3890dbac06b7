"""Step of a deploy job, with a deadline, progress in the log, and an exit code for each outcome.

Usage: python examples/deploy_step.py [UID]
"""

from __future__ import annotations

import asyncio
import sys

from where import somewhere

from redis_enterprise_actions import Action, RequestError, WaitError, WaitTimeout


def log(action: Action) -> None:
    """Print a line for each change, flushed, so that the job's log shows it at once."""
    print(action, flush=True)


async def main() -> int:
    """Wait for half an hour at most; return different exit codes for a failure and a delay."""
    async with somewhere("SMUpdateBDB") as (client, (uid, *_)):
        try:
            await client.wait_for_action(uid, timeout=1800, stall_timeout=600, on_progress=log)
        except WaitTimeout as error:
            print(f"still under way, look again later: {error}", file=sys.stderr)
            return 3
        except WaitError as error:
            print(f"the deploy must not go on: {error}", file=sys.stderr)
            return 1
        except RequestError as error:
            print(f"the cluster cannot be asked: {error}", file=sys.stderr)
            return 5
    print("deployed")
    return 0


sys.exit(asyncio.run(main()))
