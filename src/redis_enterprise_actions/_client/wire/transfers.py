"""Exports, imports and backups, as the fields of a database tell of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from redis_enterprise_actions._model.action import Action, Kind, Phase, phase_of
from redis_enterprise_actions._model.reference import Reference, ReferenceKind

from .lenient_json import percentage


if TYPE_CHECKING:
    from .databases import WireDatabase


class TransferStatus(msgspec.Struct, frozen=True):
    """How an export, import or backup stands, or the last one stood, in a database's fields."""

    status: str
    progress: float | None
    error: str | None
    last_time: str

    @property
    def is_idle(self) -> bool:
        """Whether there is none, nor a result of one."""
        return self.status.casefold() in {"", "idle"}

    @property
    def is_result(self) -> bool:
        """Whether what it tells is a result."""
        return phase_of(self.status).terminal

    def to_action(self, ref: Reference) -> Action:
        """Return it as an action."""
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
