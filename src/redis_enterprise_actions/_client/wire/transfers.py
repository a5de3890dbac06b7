"""Status of a database's export, import or backup, in the fields of the database (objects/bdb)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from redis_enterprise_actions._model.action import Action, Kind, Phase, phase_of
from redis_enterprise_actions._model.reference import Reference, ReferenceKind

from .lenient_json import percentage


if TYPE_CHECKING:
    from .databases import WireDatabase


class TransferStatus(msgspec.Struct, frozen=True):
    """Status of the running export, import or backup, or the result of the last one."""

    status: str
    progress: float | None
    error: str | None
    last_time: str

    @property
    def is_idle(self) -> bool:
        """True if there is neither a running transfer nor a result."""
        return self.status.casefold() in {"", "idle"}

    @property
    def is_result(self) -> bool:
        """True if the status is the result of a transfer that ended."""
        return phase_of(self.status).terminal

    def to_action(self, ref: Reference) -> Action:
        """Convert the status to the action for a reference."""
        phase = phase_of(self.status)
        return Action(
            uid=ref.name,
            name=ref.kind.value,
            kind=Kind(ref.kind.value),
            status=self.status,
            phase=phase,
            progress=None if phase.terminal else self.progress,
            object_type="bdb",
            object_uid=ref.uid,
            error=self.error if phase is Phase.FAILED else None,
        )


def transfer_status(wire: WireDatabase, track: ReferenceKind) -> TransferStatus:
    """Return what a database says of its exports, imports or backups."""
    last = {
        ReferenceKind.EXPORT: wire.last_export_time,
        ReferenceKind.BACKUP: wire.last_backup_time,
    }.get(track)
    return TransferStatus(
        status=getattr(wire, f"{track}_status") or "",
        progress=percentage(getattr(wire, f"{track}_progress")),
        error=getattr(wire, f"{track}_failure_reason") or None,
        last_time=last or "",
    )
