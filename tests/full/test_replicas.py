"""Three replicas as processes on one PostgreSQL, each request to the next one; one goes away in the middle of things.

Nothing here is sticky: 2026-07-28 has no sessions, and older clients are served with SCALEKIT_MCP_STATELESS.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitRequestURLParams, ElicitResult

from scalekit_mcp.clock import SystemClock
from scalekit_mcp.demo.browser import Browser, Page
from scalekit_mcp.server.callers.session_tokens import SessionTokens, parse_keys
from tests.support.replicas import Replicas, replicas

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("postgresql")]

DANA = "dana@company.com"
LIST = "outlook_list_calendar_events"
ERAS = ["legacy", "auto"]
REPLICAS = 3


@contextlib.asynccontextmanager
async def client_of(running: Replicas, identifier: str, *, era: str, **options: Any) -> AsyncGenerator[Client]:
    """A client whose requests go to the replicas in turn."""
    audience = f"{running.proxy.base}/mcp"
    keys = parse_keys(running.values["SCALEKIT_MCP_SESSION_KEYS"])
    token, _ = SessionTokens(keys, audience=audience, clock=SystemClock()).mint(identifier)
    async with (
        httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=120) as http,
        Client(streamable_http_client(audience, http_client=http), mode=era, **options) as client,
    ):
        yield client


class Person:
    """Signs in as Dana; `meanwhile` happens while the consent page of Microsoft is on the screen."""

    def __init__(self, meanwhile: Any) -> None:
        self.meanwhile = meanwhile
        self.page: Page | None = None
        self.urls = 0
        self.seen = anyio.Event()

    async def __call__(self, context: Any, params: Any) -> ElicitResult:
        if isinstance(params, ElicitRequestURLParams):
            self.urls += 1
            await self.sign_in(params.url)
            return ElicitResult(action="accept")
        await self.seen.wait()
        return ElicitResult(action="accept", content={"confirmation_code": self.code()})

    async def sign_in(self, link: str) -> None:
        async with httpx.AsyncClient(timeout=60) as http:
            browser = Browser(http)
            page = await browser.press(await browser.open(link), "Continue")
            await self.meanwhile()
            page = await browser.press(page, DANA)
            self.page = (
                page
                if not any("Accept" in form.buttons for form in page.forms)
                else await browser.press(page, "Accept")
            )
        self.seen.set()

    def code(self) -> str:
        assert self.page is not None
        found = re.search(r"\b[0-9A-HJKMNP-TV-Z]{8}\b", self.page.text)
        assert found, self.page.text
        return found[0]


async def test_sign_ins_survive_the_restart_of_the_replica_that_began_them(tmp_path: Path) -> None:
    with anyio.fail_after(280):
        async with replicas(tmp_path, REPLICAS) as running:

            async def restart() -> None:
                await running.restart(running.last("POST", "/connect/"))

            # a client of 2026-07-28 that opens pages and shows forms: one call from the question to the answer
            asked = Person(restart)
            async with client_of(running, "modern", era="auto", elicitation_callback=asked) as client:
                answered = await client.call_tool(LIST, {"top": 3})
            assert not answered.is_error, answered.content
            assert asked.urls == 1

            # an older client without sessions: the link in words, the code typed into the chat
            told = Person(restart)
            async with client_of(running, "legacy", era="legacy") as client:
                refused = await client.call_tool(LIST, {"top": 3})
                await told.sign_in(refused.structured_content["error"]["authorization_url"])
                connected = await client.call_tool("authorize", {"confirmation_code": told.code()})
                assert connected.structured_content["status"] == "ACTIVE"
                assert not (await client.call_tool(LIST, {"top": 3})).is_error

            # and a sign-in whose call waits while the replica that answers it goes away
            slow = Person(lambda: running.restart(running.last("POST", "/mcp")))
            async with client_of(running, "patient", era="auto", elicitation_callback=slow) as client:
                assert not (await client.call_tool(LIST, {"top": 3})).is_error
            assert {port for _, _, port in running.proxy.served} == set(running.proxy.ports)


async def test_only_the_call_on_a_killed_replica_fails(tmp_path: Path) -> None:
    failed: list[Exception] = []
    answered: list[Any] = []
    with anyio.fail_after(280):
        async with replicas(tmp_path, REPLICAS) as running:
            person = Person(anyio.lowlevel.checkpoint)
            async with client_of(running, "dana", era="auto", elicitation_callback=person) as client:
                assert not (await client.call_tool(LIST, {"top": 3})).is_error

            async def call(era: str) -> None:
                try:
                    async with client_of(running, "dana", era=era) as client:
                        answered.append(await client.call_tool(LIST, {"top": 3}))
                except Exception as exc:  # noqa: BLE001 - the client's own error, whatever its class
                    failed.append(exc)

            def failures() -> int:
                return len(failed) + sum(result.is_error for result in answered)

            gone, running.proxy.given = running.proxy.ports[0], []
            running.sandbox.slow(2.0)
            async with anyio.create_task_group() as tasks:
                for number in range(2 * REPLICAS):
                    tasks.start_soon(call, ERAS[number % 2])
                await running.proxy.until_given(2 * REPLICAS)
                await running.stop(gone, kill=True)
            running.sandbox.slow(0.0)
            lost = running.proxy.given.count(gone)
            assert lost
            assert (failures(), len(answered) + len(failed)) == (lost, 2 * REPLICAS)
            for era in ERAS * REPLICAS:
                await call(era)
            assert failures() == lost
            await running.start(gone)
            before = len(running.proxy.served)
            for era in ERAS * REPLICAS:
                await call(era)
            assert failures() == lost
            assert {port for _, _, port in running.proxy.served[before:]} == set(running.proxy.ports)
