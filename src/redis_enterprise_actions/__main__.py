"""`python -m redis_enterprise_actions` is the command `redis-actions`."""

import sys

from redis_enterprise_actions._cli.main import main


sys.exit(main())
