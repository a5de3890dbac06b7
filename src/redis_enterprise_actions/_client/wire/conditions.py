"""`condition_action`: the state of a condition as an action."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.action import Action, Evidence, Kind, Phase
from redis_enterprise_actions._model.reference import ReferenceKind
from redis_enterprise_actions._model.text import one_line


if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis_enterprise_actions._model.reference import Reference

_OBJECT_TYPES: Final = {ReferenceKind.BDB: "bdb", ReferenceKind.CRDB: "crdb"}
_SHOWN: Final = 3  # findings spelled out before "+n more"


def condition_action(
    ref: Reference, findings: Sequence[str], evidence: Evidence = Evidence.ACTION
) -> Action:
    """Return the state of a condition, which is true if nothing was found against it.

    `findings` are texts in one line each, such as `node 3 is down`.
    """
    assert ref.condition is not None
    word, is_true = ref.condition.value, not findings
    shown = [one_line(each) for each in findings[:_SHOWN]]
    if len(findings) > _SHOWN:
        shown.append(f"+{len(findings) - _SHOWN} more")
    object_type = _OBJECT_TYPES.get(ref.kind)
    return Action(
        uid=ref.name,
        name=word,
        kind=Kind.CONDITION,
        status=word if is_true else f"not {word}",
        phase=Phase.COMPLETED if is_true else Phase.PENDING,
        state=", ".join(shown) or None,
        object_type=object_type,
        object_uid=ref.uid if object_type else None,
        evidence=evidence,
    )
