"""What a test can do to a cluster's Active-Active databases without asking it over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions.testing.state.actions import DEFAULT_PLAN
from redis_enterprise_actions.testing.state.crdbs import RESULT_TTL


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.state.actions import Plan
    from redis_enterprise_actions.testing.state.crdbs import Crdbs, FakeCrdbTask


class CrdbsFront:
    """The part of `FakeCluster` that is about Active-Active databases."""

    _crdbs: Crdbs

    @property
    def crdb_tasks(self) -> dict[str, FakeCrdbTask]:
        """The truth about each Active-Active task by its id, whether or not it is still kept."""
        return self._crdbs.tasks

    def add_crdb(self, guid: str | None = None, *, name: str = "crdb") -> str:
        """Add an Active-Active database and return its guid.

        Raises `ValueError` if there is, or was, one of that guid.
        """
        return self._crdbs.add(guid, name)

    def start_crdb_task(
        self,
        operation: str = "update_crdb",
        plan: Plan = DEFAULT_PLAN,
        *,
        guid: str | None = None,
        id: str | None = None,  # noqa: A002 - the API's name for it
        result_ttl: float = RESULT_TTL,
    ) -> str:
        """Start an Active-Active task, as the calls about CRDBs do, and return its id.

        What became of it is kept for `result_ttl` seconds, and not at all if it "vanishes". What
        fails, is cancelled or aborted, has failed; "never" and "stuck" are as in `add_action`.

        It works on the CRDB of that `guid`, or on a new one; either exists from now on, but one
        that a "create_crdb" makes exists when that finishes, and what a "delete_crdb" deletes is
        gone when that does.

        Raises `ValueError` if a task of that id has not ended, or if one is to be made that there
        is, or was, already.
        """
        if result_ttl < 0:
            raise ValueError("result_ttl is in seconds, 0 or more")
        if any(task.id == id for task in self._crdbs.running()):
            raise ValueError(f"task {id} has not ended")
        if operation == "create_crdb" or guid is None or not self._crdbs.ever_had(guid):
            guid = self._crdbs.add(guid, "crdb")
        return self._crdbs.start(operation, guid, plan, task_id=id, result_ttl=result_ttl).id
