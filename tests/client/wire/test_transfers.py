"""Tests of `_client.wire.transfers`."""

from __future__ import annotations

import pytest

from redis_enterprise_actions import Kind, Phase
from redis_enterprise_actions._client.wire.transfers import TransferStatus, transfer_status
from redis_enterprise_actions._model.reference import (
    Reference,
    ReferenceKind,
)
from tests.client.wire.test_databases import TRANSFERS, bdb


class TestTransferStatus:
    """The status of an export, import or backup."""

    @pytest.mark.parametrize("track", TRANSFERS)
    @pytest.mark.parametrize(
        ("status", "phase", "idle", "over"),
        [
            (None, Phase.UNKNOWN, True, False),
            ("", Phase.UNKNOWN, True, False),
            ("idle", Phase.UNKNOWN, True, False),
            ("Idle", Phase.UNKNOWN, True, False),
            ("initializing", Phase.PENDING, False, False),
            ("exporting", Phase.RUNNING, False, False),
            ("importing", Phase.RUNNING, False, False),
            ("succeeded", Phase.COMPLETED, False, True),
            ("SUCCEEDED", Phase.COMPLETED, False, True),
            ("failed", Phase.FAILED, False, True),
            ("pondering", Phase.UNKNOWN, False, False),
        ],
    )
    def test_words(
        self, track: ReferenceKind, status: str | None, phase: Phase, idle: bool, over: bool
    ) -> None:
        """Idle is an empty status, or the documented word; a strange one is neither, nor over."""
        now = transfer_status(bdb(**{f"{track}_status": status}), track)
        action = now.to_action(Reference(track, "3"))

        assert (now.is_idle, now.is_result, action.phase) == (idle, over, phase)
        assert (action.status, action.kind) == (status or "", Kind(track.value))
        assert (action.uid, action.title) == (f"{track}:3", f"{track} on bdb:3")

    @pytest.mark.parametrize("track", TRANSFERS)
    def test_own_fields(self, track: ReferenceKind) -> None:
        """Each of the three is read from fields of its own."""
        fields = {
            f"{each}_{name}": value
            for number, each in enumerate(TRANSFERS)
            for name, value in {
                "status": f"s{number}",
                "progress": f"{number}",
                "failure_reason": f"r{number}",
            }.items()
        }
        times = {"last_export_time": "T0", "last_import_time": "T1", "last_backup_time": "T2"}
        number = TRANSFERS.index(track)

        assert transfer_status(bdb(**fields, **times), track) == TransferStatus(
            status=f"s{number}",
            progress=float(number),
            error=f"r{number}",
            last_time="" if track is ReferenceKind.IMPORT else f"T{number}",
        )

    @pytest.mark.parametrize("track", TRANSFERS)
    def test_failure(self, track: ReferenceKind) -> None:
        """The cluster's reason is that of a failure alone; an end has no progress."""
        said = {f"{track}_failure_reason": "no-space", f"{track}_progress": 40}
        ref = Reference(track, "3")
        failed = transfer_status(bdb(**said, **{f"{track}_status": "failed"}), track).to_action(ref)
        runs = transfer_status(bdb(**said, **{f"{track}_status": "exporting"}), track).to_action(
            ref
        )

        assert (failed.error, failed.progress) == ("no-space", None)
        assert (runs.error, runs.progress) == (None, 40.0)
