"""Bad capture files: whatever a file has, it is a `CaptureError` or a cluster that answers."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redis_enterprise_actions.testing import CaptureError, FakeCluster
from tests.capture_files import NODES, action, capture, exchange
from tests.conftest import examples, virtual_loop


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.enable_socket

JSON_VALUES: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([0, -1, 1, 2, 404, 1e300, "", "/", "GET", "reset", "refused", NODES[0]]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
VALID: Final = capture(
    exchange(0.0, **action("queued")),
    exchange(1.5, 307, headers={"Location": f"{NODES[1]}/v1/actions"}, node=2, took=0.2),
    exchange(2.0, None, failure="reset"),
    exchange(2.0, None, failure="refused"),
    exchange(3.0, 202, method="POST", path="/v1/bdbs?dry_run=true", sent={"a": 1}, text="<p>"),
    exchange(9.0, **action("completed")),
    nodes=2,
    unknown={"status": ["odd"]},
)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the paths of all values in a JSON value."""
    found = [path]
    if isinstance(value, dict):
        for name, each in value.items():
            found += places(each, (*path, name))
    if isinstance(value, list):
        for number, each in enumerate(value):
            found += places(each, (*path, number))
    return found


PLACES: Final = places(VALID)[1:]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return a file with a few changes: values replaced, removed or added, or bytes changed."""
    content: Any = copy.deepcopy(VALID)
    for *parents, last in draw(st.lists(st.sampled_from(PLACES), max_size=3)):
        owner = content
        try:
            for each in parents:
                owner = owner[each]
            if draw(st.booleans()):
                owner[last] = draw(JSON_VALUES)
            else:
                del owner[last]
        except (IndexError, KeyError, TypeError):
            continue
    data = json.dumps(content, indent=draw(st.sampled_from([None, 1]))).encode()
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(st.binary(max_size=3)) + data[place + draw(st.integers(0, 3)) :]
    return data


async def ask_for_everything(path: Path) -> None:
    """Send each request of a capture to each node, and one that is not in it."""
    async with FakeCluster.replay(path) as cluster, aiohttp.ClientSession() as session:
        asked = [(each.method, each.path) for each in cluster.exchanges]
        for url in cluster.urls:
            for method, target in [*asked, ("GET", "/v1/nothing")]:
                try:
                    async with session.request(
                        method, f"{url}{target}", allow_redirects=False,
                        timeout=aiohttp.ClientTimeout(5),
                    ) as answer:  # fmt: skip
                        await answer.read()
                        assert answer.status != 500 or 500 in {e.status for e in cluster.exchanges}
                except (aiohttp.ClientError, TimeoutError, UnicodeError, ValueError):
                    continue  # a failure that was recorded, or a request that cannot be sent


@given(data=mutated())
@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_changed_files(tmp_path: Path, data: bytes) -> None:
    """A changed file is an error that names it, or a cluster that answers as it may."""
    path = tmp_path / "x.json"
    path.write_bytes(data)
    loop = virtual_loop()
    try:
        loop.run_until_complete(ask_for_everything(path))
    except CaptureError as error:
        assert str(error).startswith(f"{path}: ")
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@given(value=JSON_VALUES)
@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_other_files(tmp_path: Path, value: object) -> None:
    """A file of any other JSON is an error."""
    path = tmp_path / "x.json"
    path.write_text(json.dumps(value), "utf-8")

    with pytest.raises(CaptureError):
        FakeCluster.replay(path)
