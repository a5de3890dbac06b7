"""Facts about `_probe`: names are looked up where nothing can hang on them."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from redis_enterprise_actions._cli.doctor.network import resolve


def run(host: str) -> list[str]:
    """Look up a name on a loop without a virtual clock."""
    return asyncio.run(resolve(host, 9443))


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address is returned once."""
    found = [(2, 1, 6, "", (address, 9443)) for address in ("10.0.0.1", "10.0.0.2", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    assert run("n1.example.com") == ["10.0.0.1", "10.0.0.2"]


def test_no_such_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that stands for nothing raises what the system says."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(socket.gaierror, match="not known"):
        run("nowhere.example.com")


def test_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that hangs keeps neither the one who asked nor the loop from their end."""
    free = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: free.wait(30) and [])

    async def impatient() -> None:
        before = set(threading.enumerate())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(resolve("n1", 9443), 0.01)
        (left,) = set(threading.enumerate()) - before
        assert left.daemon
        free.set()
        left.join(10)
        await asyncio.sleep(0)  # in which what came of it is dropped

    asyncio.run(impatient())
