"""`wait -` prints nothing of an object that it cannot use. No server is needed.

The fault: the message held the start of the object, with the password of a database in it.
"""

from __future__ import annotations

import json

from programs import check, command, run


SECRET = "hunter2-not-real"
DATABASE = {"uid": 1, "authentication_redis_pass": SECRET}


async def _main() -> None:
    for document in (DATABASE, [DATABASE]):
        ended = await command("wait", "-", stdin=json.dumps(document))
        hidden = SECRET not in ended.out + ended.err
        check(ended.code == 2 and hidden, str(ended))


if __name__ == "__main__":
    run(_main)
