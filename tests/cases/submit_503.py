"""A call that is answered 429 or 503 once, with Retry-After, is made a second time.

A 429 says that nothing was taken. After a 503 the client looks at the database, and sends the call
again if nothing has begun. The fault: both ended at once, as if the answer had been lost.
"""

from __future__ import annotations

from programs import check, command, run

from redis_enterprise_actions.testing import FakeCluster, Plan


PATH = "/v1/bdbs/1/upgrade"


async def _main() -> None:
    for status in (429, 503):
        async with FakeCluster() as fake:
            fake.add_bdb(1)
            fake.plan("POST", PATH, Plan(duration=1))
            fake.inject(status=status, times=1, method="POST", retry_after=1)
            ended = await command(
                *("submit", "POST", PATH, "--wait", "--timeout", "20"),
                url=fake.url,
                REDIS_ENTERPRISE_USER=fake.username,
                REDIS_ENTERPRISE_PASSWORD=fake.password,
            )
            posts = [each.status for each in fake.requests if each.method == "POST"]
        check(ended.code == 0 and posts == [status, 200], f"answers {posts}: {ended}")


if __name__ == "__main__":
    run(_main)
