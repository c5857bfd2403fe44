"""A connected account over the sandbox, with everything planted that must never show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.actions import Actions, open_actions
from scalekit_mcp.errors import AuthorizationRequired, ScalekitMCPError
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.settings import load_settings
from scalekit_mcp.telemetry import Metrics

NO_PROVIDER: Any = {"outlook": None}
"""For accounts that never meet their provider."""

PAGES = "http://localhost:8754"
DANA = "dana@company.com"
SECRET = "planted-client-secret"
SUBJECT = "Planted-subject Zanzibar"
BODY = "Planted-body Timbuktu"
PLACE = "Planted-place Ouagadougou"
GUEST = "planted.guest@elsewhere.example"
CONTENT = ("Zanzibar", "Timbuktu", "Ouagadougou", "planted.guest", SECRET, "dana@company", "Dana Lindqvist")

EVENT: dict[str, Any] = {
    "subject": SUBJECT,
    "body_content": BODY,
    "location": PLACE,
    "attendees_required": GUEST,
    "start_datetime": "2026-11-24T10:00:00",
    "start_timezone": "Europe/Berlin",
    "end_datetime": "2026-11-24T11:00:00",
    "end_timezone": "Europe/Berlin",
}


@dataclass
class Observed:
    actions: Actions
    sandbox: Sandbox
    metrics: Metrics

    async def run(self, tool: str, identifier: str = "ana", /, **tool_input: Any) -> dict[str, Any]:
        return await self.actions.execute_tool(
            identifier=identifier, tool_name=f"outlook_{tool}", tool_input=tool_input
        )

    async def connect(self, identifier: str = "ana", address: str = DANA) -> None:
        link = await self.actions.get_authorization_link(identifier=identifier, reconnect=True)
        started = await self.actions.start_authorization(link.link.rpartition("/")[2])
        assert isinstance(started, str)
        async with self.sandbox.browser(stop_at=(PAGES,)) as browser:
            ended = await browser.sign_in(started, address)
        await self.actions.complete_authorization(dict(parse_qsl(urlsplit(ended).query)))

    def secrets(self) -> set[str]:
        """Every token, code and secret that the sandbox handed out or was shown."""
        identity = self.sandbox.halves.identity.store
        shown = {SECRET, *identity.refresh_tokens, *identity.codes}
        for request in self.sandbox.requests:
            authorization = request.headers.get("authorization", "")
            shown.add(authorization.removeprefix("Bearer "))
            if isinstance(request.body, dict):
                names = ("code", "refresh_token", "code_verifier", "client_secret")
                shown |= {request.body[name] for name in names if name in request.body}
            shown |= {request.query[name] for name in ("state", "nonce", "code_challenge") if name in request.query}
        return {secret for secret in shown if len(secret) > 8}


@asynccontextmanager
async def observed(**values: Any) -> AsyncIterator[Observed]:
    sandbox, metrics = Sandbox(), Metrics()
    sandbox.registration().client_secret = SECRET
    async with sandbox.serve() as base_url:
        settings = load_settings(
            **{
                "database_url": "sqlite+aiosqlite:///:memory:",
                "vault_keys": KeyRing.generate().to_text(),
                "public_url": PAGES,
                **sandbox.environment(base_url),
                **values,
            }
        )
        async with open_actions(settings, metrics=metrics) as actions:
            yield Observed(actions, sandbox, metrics)


async def a_day(seen: Observed) -> str:
    """Connect, write, read, change, fail, refresh, be throttled, lose the grant; answers the event's id."""
    await seen.connect()
    event_id: str = (await seen.run("create_calendar_event", **EVENT))["id"]
    await seen.run("list_calendar_events", filter="contains(subject,'Zanzibar')")
    await seen.run("update_calendar_event", event_id=event_id, location=PLACE + " 2")
    for tool, tool_input in (
        ("get_calendar_event", {"event_id": "AAMk-no-such-event-0000"}),
        ("create_calendar_event", {**EVENT, "end_datetime": SUBJECT}),
    ):
        with pytest.raises(ScalekitMCPError):
            await seen.run(tool, **tool_input)
    seen.sandbox.throttle_graph(retry_after=0)
    seen.sandbox.expire_access_tokens()
    await seen.run("get_calendar_event", event_id=event_id)
    seen.sandbox.expire_access_tokens()
    seen.sandbox.revoke_sessions(DANA)
    with pytest.raises(AuthorizationRequired):
        await seen.run("get_calendar_event", event_id=event_id)
    return event_id
