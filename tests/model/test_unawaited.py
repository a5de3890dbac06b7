"""Tests of `unawaited`."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._model.unawaited import refuse_unawaited


if TYPE_CHECKING:
    from collections.abc import Callable


async def upgrade() -> None:
    """Do nothing."""


def test_no_coroutine() -> None:
    """All that is no coroutine passes, such as a coroutine function."""
    refuse_unawaited()
    refuse_unawaited(None, 1, "a", upgrade, (each for each in ()))
    refuse_unawaited(upgrade, argument="until")


def test_coroutines() -> None:
    """The error names the first coroutine; all of them are closed, so that none warns."""
    first, second = upgrade(), upgrade()
    with pytest.raises(UsageError) as caught:
        refuse_unawaited(1, first, second)

    assert str(caught.value) == "upgrade(...) was not awaited: write `await` before the call"
    assert inspect.getcoroutinestate(first) == inspect.getcoroutinestate(second) == "CORO_CLOSED"


@pytest.mark.parametrize(
    "hold",
    [
        lambda coroutine: [coroutine],
        lambda coroutine: (coroutine,),
        lambda coroutine: {coroutine},
        lambda coroutine: frozenset({coroutine}),
        lambda coroutine: {"a": coroutine},
        lambda coroutine: {"a": [{"b": [1, coroutine]}]},
    ],
)
def test_container(hold: Callable[[object], object]) -> None:
    """Coroutines in containers are found."""
    coroutine = upgrade()
    with pytest.raises(UsageError, match=r"^upgrade\(...\) was not awaited"):
        refuse_unawaited(1, hold(coroutine))

    assert inspect.getcoroutinestate(coroutine) == "CORO_CLOSED"


def test_endless_container() -> None:
    """The search of a container that holds itself ends."""
    endless: list[object] = [1]
    endless.append(endless)
    refuse_unawaited(endless, {"a": endless})


def test_callback() -> None:
    """A callback is not to be awaited, but to be passed."""
    message = "until=upgrade(...) was not awaited: pass the function itself, not its call"
    with pytest.raises(UsageError, match=re.escape(message)):
        refuse_unawaited(upgrade(), argument="until")
