"""The behaviour suite really goes the way that it says."""

from __future__ import annotations

import pytest

from scalekit_mcp.sandbox import Sandbox
from tests.support.call_ways import Way, going
from tests.support.microsoft import signed_in


@pytest.mark.parametrize(
    ("chosen", "paths"),
    [
        ("direct", []),
        ("proxy", ["/oauth/token", "/proxy/v1.0/me/events"]),
        ("tools", ["/oauth/token", "/api/v1/connected_accounts/details", "/api/v1/execute_tool"]),
    ],
)
async def test_each_way_asks_whom_it_says(chosen: Way, paths: list[str]) -> None:
    with going(chosen):
        async with signed_in(Sandbox()) as me:
            await me.list(top=1)
            assert [request.path for request in me.sandbox.requests if request.area == "scalekit"] == paths
            assert len(me.received()) == 1
