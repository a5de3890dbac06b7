"""`python -m redis_enterprise_actions` is the command `redis-actions`."""

import sys

from ._cli import main


sys.exit(main())
