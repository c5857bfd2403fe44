"""Graph of a fresh sandbox world, spoken to over ASGI as one signed-in person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx2 as httpx

from scalekit_mcp.sandbox.graph import GraphApp
from scalekit_mcp.sandbox.identity.tokens import AccessTokens
from scalekit_mcp.sandbox.world import World
from scalekit_mcp.sandbox.world.seed import DEFAULT_CLIENT_ID, seed

WRITE = frozenset({"User.Read", "Calendars.ReadWrite"})


class Graph:
    """One world and clients for its people."""

    def __init__(self, *, at: str = "2026-03-25T09:00:00+00:00") -> None:
        self.world = World(seed=1, week_of=datetime.fromisoformat(at))
        self.world.clock.freeze(datetime.fromisoformat(at).astimezone(UTC))
        seed(self.world)
        self.tokens = AccessTokens(self.world)
        self.app = GraphApp(self.world, self.tokens)

    @asynccontextmanager
    async def signed_in(
        self, name: str = "dana@company.com", *, scopes: frozenset[str] = WRITE
    ) -> AsyncIterator[httpx.AsyncClient]:
        token = self.tokens.issue(self.world.people[name], scopes, client_id=DEFAULT_CLIENT_ID)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app),
            base_url="https://graph.test/v1.0",
            headers={"Authorization": f"Bearer {token}"},
        ) as client:
            yield client

    def empty(self, name: str) -> None:
        """Take away the seeded events of a person."""
        from scalekit_mcp.sandbox.graph import Mailboxes

        mailbox = Mailboxes(self.world).of(self.world.people[name])
        mailbox.events.clear()


def event_body(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "subject": "Q2 Planning Kickoff",
        "body": {"contentType": "text", "content": "Please review the roadmap."},
        "start": {"dateTime": "2026-04-01T10:00:00", "timeZone": "America/New_York"},
        "end": {"dateTime": "2026-04-01T11:00:00", "timeZone": "America/New_York"},
    }
    body.update(changes)
    return body


def path(event: dict[str, Any], action: str = "") -> str:
    return f"/me/events/{quote(event['id'], safe='')}{action}"


async def create(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    response = await client.post("/me/events", json=event_body(**changes))
    assert response.status_code == 201, response.text
    return response.json()


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]
