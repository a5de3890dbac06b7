"""Facts about what is overheard of our own log while the command waits."""

from __future__ import annotations

import logging

import pytest

from redis_enterprise_actions._events import Outage, Warned
from redis_enterprise_actions._overheard import Overheard
from tests.told import at


OURS = logging.getLogger("redis_enterprise_actions.anything")
FIELDS = {"event": "outage", "seconds": 4.00049, "reason": "it answered 503", "ref": None}


def test_outage() -> None:
    """What a record says in data of an outage is an event, and nothing of it is printed."""
    with Overheard() as overheard:
        OURS.warning("x", extra=FIELDS)
        OURS.warning("x", extra={**FIELDS, "event": "outage over", "ref": "crdb:t"})
        began, over = overheard.take(lambda: at(5))

    assert began == Outage(
        **at(5), over=False, seconds=4.0, reason="it answered 503", ref=None
    )  # fmt: skip
    assert isinstance(over, Outage)
    assert (over.over, over.ref) == (True, "crdb:t")


@pytest.mark.parametrize("extra", [{}, {"event": "something else"}])
def test_warning(extra: dict[str, object]) -> None:
    """Any other warning is one, and what is less than that is not heard."""
    with Overheard() as overheard:
        OURS.warning("the certificate of %s is not verified", "n1", extra=extra)
        OURS.info("the weather")
        heard = overheard.take(lambda: at(0))

    assert heard == [Warned(**at(0), message="the certificate of n1 is not verified")]
    assert overheard.take(lambda: at(0)) == []


def test_wakes() -> None:
    """Whoever shows it is woken."""
    woken: list[int] = []
    with Overheard() as overheard:
        OURS.warning("before")
        overheard.wake = lambda: woken.append(1)
        OURS.warning("after")

    assert woken == [1]


@pytest.mark.parametrize("output", [True, False])
def test_nobody_took_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, output: bool
) -> None:
    """What nobody has shown goes to standard error in the end, if there is one."""
    with Overheard():
        OURS.warning("a warning")
        if not output:
            monkeypatch.setattr("sys.stderr", None)

    monkeypatch.undo()
    assert capsys.readouterr().err == ("a warning\n" if output else "")


def test_hears_no_more() -> None:
    """After its time it hears nothing."""
    with Overheard() as overheard:
        pass
    OURS.warning("x")

    assert overheard.take(lambda: at(0)) == []
