"""Tests of `testing.control.bodies`."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from aiohttp import StreamReader, web
from aiohttp.test_utils import make_mocked_request

from redis_enterprise_actions.testing.control.bodies import Refused, read_call
from redis_enterprise_actions.testing.scenario.entries import DatabaseEntry


@pytest.mark.parametrize("error", [ConnectionResetError(), web.RequestPayloadError("bad chunk")])
async def test_body_without_an_end(error: Exception) -> None:
    """A body that breaks off is refused as a wrong one."""
    payload = StreamReader(Mock(_reading_paused=False), 2**16)
    payload.feed_data(b'{"uid": 1')
    payload.set_exception(error)
    request = make_mocked_request("POST", "/_fake/databases", payload=payload)

    with pytest.raises(Refused) as caught:
        await read_call(request, DatabaseEntry)

    assert caught.value.status == 400
    assert (caught.value.answer.field, str(caught.value)) == ("$", "the body has no end")
