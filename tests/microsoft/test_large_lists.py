"""Lists whose events are large: read in smaller pages, within bounds, and whole over several answers."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pytest

from scalekit_mcp.errors import ProviderUnavailable
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.upstream import MAX_ANSWER_BYTES
from tests.support.microsoft import SignedIn, signed_in

APRIL = {"start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-05-01T00:00:00"}
MEGABYTE = 1024 * 1024


async def invitations(me: SignedIn, count: int, size: int) -> None:
    """Events with bodies of `size` bytes, as somebody else's application would send them."""
    for number in range(count):
        moment = f"2026-04-{number % 28 + 1:02}T{number // 28 + 8:02}:00:00"
        body: dict[str, Any] = {
            "subject": f"Invitation {number:03}",
            "body": {"contentType": "text", "content": "x" * size},
            "start": {"dateTime": moment, "timeZone": "UTC"},
            "end": {"dateTime": moment, "timeZone": "UTC"},
        }
        await me.graph("POST", "/me/events", body)


class Scales(httpx.AsyncBaseTransport):
    """Weighs the answers that are not too large to be read."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.read: list[int] = []
        self.refused = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        body = await response.aread()
        if len(body) > MAX_ANSWER_BYTES:
            self.refused += 1
        else:
            self.read.append(len(body))
        return httpx.Response(response.status_code, headers=response.headers, content=body)


@pytest.mark.parametrize("window", [{}, APRIL, {**APRIL, "orderby": "subject"}], ids=["list", "window", "ordered"])
async def test_a_hundred_invitations_with_large_bodies_are_all_listed_in_bounded_memory(window: dict[str, Any]) -> None:
    scales: list[Scales] = []

    def between(inner: httpx.AsyncBaseTransport) -> Scales:
        scales.append(Scales(inner))
        return scales[0]

    async with signed_in(Sandbox(), between=between) as me:
        await invitations(me, 100, MEGABYTE)
        found: list[str] = []
        following: dict[str, Any] = {**window, "select": "subject,body", "top": 100}
        while following:
            scales[0].read.clear()
            scales[0].refused = 0
            answer = await me.list(**following)
            found += [row["subject"] for row in answer["value"]]
            assert sum(scales[0].read) < 2 * MAX_ANSWER_BYTES
            assert scales[0].refused <= 3
            following = {"page": answer["next_page"]} if "next_page" in answer else {}
    assert sorted(found) == [f"Invitation {number:03}" for number in range(100)]


async def test_a_single_event_that_is_too_large_is_named_and_not_read_again_and_again() -> None:
    async with signed_in(Sandbox()) as me:
        await invitations(me, 1, 3 * MEGABYTE)
        mailbox = me.sandbox.world.mailboxes[me.sandbox.people[me.address].oid]
        event = next(iter(mailbox.events.values()))
        event.body = "x" * 9 * MEGABYTE
        event.rendered.clear()
        event_id = (await me.list())["value"][0]["id"]
        me.sandbox.world.requests.clear()
        with pytest.raises(ProviderUnavailable) as refused:
            await me.get(event_id)
        assert "too large" in refused.value.message
        assert len(me.received("GET")) == 1
        with pytest.raises(ProviderUnavailable):
            await me.list(select="body")
        updated = await me.update(event_id, subject="Smaller")
        assert updated["subject"] == "Smaller"
