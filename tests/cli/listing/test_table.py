"""Tests of `_cli.listing.table`."""

from __future__ import annotations

import msgspec

from redis_enterprise_actions import Kind
from redis_enterprise_actions._cli.listing.table import tab_separated
from tests.cli.listing.samples import NOW, THREE, UUID, action
from tests.conftest import ACTIVE


def test_fields() -> None:
    """The fields for programs have tabs between them, no units, and are complete."""
    unknown = msgspec.structs.replace(ACTIVE, kind=Kind.CRDB_TASK, name="a\tb")

    assert tab_separated([*THREE[:2], unknown], NOW) == [
        f"{UUID}1\tSMUpdateBDB on bdb:1\tactive\t14.29\tprovision\t12",
        f"{UUID}2\tmaintenance_on on node:2\tcompleted\t100\t-\t7300",
        "crdb:a1\ta b\tactive\t-\t-\t-",
    ]


def test_clocks_differ() -> None:
    """An action that began in our future has the age 0."""
    assert tab_separated([action(1, "x", "queued", age=-60)], NOW)[0].endswith("\t0")
