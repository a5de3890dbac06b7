"""Tests of `_cli.calls.signatures` and `_cli.calls.table`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from redis_enterprise_actions import Cluster, Crdbs, Databases, Nodes, Shards
from redis_enterprise_actions._cli.calls import table
from redis_enterprise_actions._cli.calls.signatures import ArgumentKind, CallArgument
from tests.named_calls import RESOURCES, named_calls


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from redis_enterprise_actions import Duration, Operation


class Things:
    """Resource with an argument of each type."""

    async def turn_on(
        self,
        thing_uid: int,
        guid: str,
        settings: Mapping[str, object] | None = None,
        *,
        pause: Duration | None = None,
        keep_data: bool = True,
        force: bool = False,
        role: Literal["primary", "read-only"] = "primary",
        tags: Iterable[str] = (),
        params: Mapping[str, object] | None = None,
        busy_timeout: Duration | None = 0.0,
    ) -> Operation:
        """Turn `thing` on; it may take long. A second sentence."""
        raise NotImplementedError

    async def flush(
        self, uids: Iterable[int | str], to_node_uid: int, places: Iterable[Mapping[str, object]]
    ) -> Operation:
        """Flush things."""
        raise NotImplementedError

    async def import_(self, location: Mapping[str, object]) -> Operation:
        raise NotImplementedError

    async def wait(self) -> None:
        """Wait: this starts nothing."""


def test_types() -> None:
    """Uids are positional, a mapping is `--data`, and all else is an option, shared ones apart."""
    turn_on, flush, import_ = named_calls(Things)

    assert turn_on.arguments == (
        CallArgument("thing_uid", ArgumentKind.NUMBER, None, required=True),
        CallArgument("guid", ArgumentKind.TEXT, None, required=True),
        CallArgument("settings", ArgumentKind.OBJECT, "--data", required=False),
        CallArgument("pause", ArgumentKind.DURATION, "--pause", required=False),
        CallArgument("keep_data", ArgumentKind.SWITCH, "--keep-data", required=False, is_on=True),
        CallArgument("force", ArgumentKind.SWITCH, "--force", required=False),
        CallArgument(
            "role",
            ArgumentKind.CHOICE,
            "--role",
            required=False,
            choices=("primary", "read-only"),
        ),
        CallArgument("tags", ArgumentKind.TEXTS, "--tags", required=False),
    )
    assert flush.arguments == (
        CallArgument("uids", ArgumentKind.TEXTS, None, required=True),
        CallArgument("to_node_uid", ArgumentKind.NUMBER, "--to-node", required=True),
        CallArgument("places", ArgumentKind.OBJECTS, "--place", required=True),
    )
    assert import_.arguments == (
        CallArgument("location", ArgumentKind.OBJECT, "--location", required=True),
    )


def test_names() -> None:
    """A call has a name with dashes, the first sentence of its docstring, and a verb if harmful."""
    assert [(call.name, call.method, call.summary, call.verb) for call in named_calls(Things)] == [
        ("turn-on", "turn_on", "Turn thing on", None),
        ("flush", "flush", "Flush things", "deletes all data of"),
        ("import", "import_", "", None),
    ]


# Each call as its usage would have it.
CALLS = {
    Databases: [
        "create --data [--dry-run]",
        "update BDB_UID --data [--dry-run]",
        "delete BDB_UID",
        "upgrade BDB_UID [--data]",
        "rebalance BDB_UID [--data] [--dry-run]",
        "export BDB_UID --location [--data]",
        "import BDB_UID --source [--data]",
    ],
    Nodes: [
        "maintenance-on NODE_UID [--data] [--check]",
        "maintenance-off NODE_UID [--data]",
        "remove NODE_UID [--data]",
    ],
    Cluster: [
        "create --data [--node]",
        "join --data [--node]",
        "recover --data [--node]",
        "change-primary NODE_UID",
        "upload-module FILE [--data] [--name]",
    ],
    Shards: [
        "migrate SHARD_UIDS --target-node [--data] [--dry-run]",
        "fail-over SHARD_UIDS [--data] [--dry-run]",
    ],
    Crdbs: [
        "create --data [--dry-run] [--task-id] [--result-ttl]",
        "update GUID --data [--task-id] [--result-ttl]",
        "flush GUID [--task-id] [--result-ttl]",
        "delete GUID [--task-id] [--result-ttl]",
    ],
}


@pytest.mark.parametrize("resource", CALLS, ids=lambda resource: resource.__name__)
def test_calls(resource: type) -> None:
    """The resources have these calls, each with a summary, of which some destroy something."""
    calls = named_calls(resource)

    shown = [
        " ".join(
            [
                call.name,
                *(
                    each.option or each.name.upper() if each.required else f"[{each.option}]"
                    for each in call.arguments
                ),
            ]
        )
        for call in calls
    ]
    assert shown == CALLS[resource]
    assert all(call.summary for call in calls)
    harmful = {call.name for call in calls if call.verb is not None}
    assert harmful == {call.name for call in calls} & {"delete", "flush", "remove"}


def test_table() -> None:
    """The table has what the signatures say."""
    found = {name: tuple(named_calls(resource)) for name, resource in RESOURCES.items()}

    assert found == dict(table.CALLS)
