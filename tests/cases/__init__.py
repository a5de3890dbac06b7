"""Programs that show faults of the package, one fault or a few of one kind each.

`python tests/cases/NAME.py`, or `python -m tests.cases.NAME`, starts what it needs on 127.0.0.1,
prints what happens, and exits with 0 if all of it is right, with 1 if anything is wrong. A program
that does not end in time is wrong, too. `test_cases.py` runs the programs.
"""

import sys
from pathlib import Path


# With `-m`, the programs find the modules that they share here, as they do when run by their path.
sys.path.append(str(Path(__file__).parent))
