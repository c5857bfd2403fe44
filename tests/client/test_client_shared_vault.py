"""A synchronous application beside a server that serves the consent pages: one vault, `url` verification."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2 as httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from scalekit_mcp import ScalekitClient, Settings, open_actions
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.demo.browser import Browser, Page, consent
from scalekit_mcp.errors import AuthorizationRequired, InvalidInput
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.server.web.app import Web, WebOptions
from tests.support.settings import sandbox_settings


@contextlib.asynccontextmanager
async def consent_pages(home: Path, **options: str) -> AsyncIterator[Settings]:
    """The pages on a public URL of their own, and the settings with which a second process reaches the same vault."""
    config = uvicorn.Config("", port=0, log_level="warning", lifespan="off")
    sandbox = Sandbox()
    async with sandbox.serve() as microsoft:
        with contextlib.closing(config.bind_socket()) as listening:
            url = f"http://localhost:{listening.getsockname()[1]}"
            settings = sandbox_settings(
                sandbox,
                microsoft,
                public_url=url,
                database_url=f"sqlite+aiosqlite:///{(home / 'vault.sqlite3').as_posix()}",
                vault_keys=f"k:{b64encode(secrets.token_bytes(32)).decode()}",
                **options,
            )
            async with open_actions(settings, user_verification="confirm") as actions:
                web = Web(lambda: actions, clock=SystemClock(), options=WebOptions(origins=lambda: [url]))
                config.app = Starlette(routes=web.routes())
                server = uvicorn.Server(config)
                task = asyncio.create_task(server.serve(sockets=[listening]))
                try:
                    yield settings
                finally:
                    server.should_exit = True
                    await task


async def sign_in(link: str, requests: list[httpx.URL]) -> Page:
    """Consent as Dana; every address that her browser asks for is noted."""

    async def note(request: httpx.Request) -> None:
        requests.append(request.url)

    async with httpx.AsyncClient(timeout=30, event_hooks={"request": [note]}) as http:
        return await consent(Browser(http), link, "dana@company.com")


async def test_a_synchronous_application_verifies_whom_another_process_sent_to_consent(tmp_path):
    verify_url = "http://localhost:1/outlook/verify"
    async with consent_pages(tmp_path, user_verification="url", user_verify_url=verify_url) as settings:
        with ScalekitClient(settings=settings) as client:
            link = await asyncio.to_thread(client.actions.get_authorization_link, "u-1", state="from-the-session")
            back: list[httpx.URL] = []
            with pytest.raises(httpx.ConnectError):  # nobody listens at the application's own address
                await sign_in(link.link, back)
            assert str(back[-1]).startswith(verify_url)
            assert back[-1].params["state"] == "from-the-session"
            verify = client.actions.verify_connected_account_user
            with pytest.raises(InvalidInput):
                await asyncio.to_thread(verify, back[-1].params["auth_request_id"], "u-2")
            response = await asyncio.to_thread(verify, back[-1].params["auth_request_id"], "u-1")
            assert response.connected_account.status == "ACTIVE"
            events = await asyncio.to_thread(client.actions.execute_tool, {}, "outlook_list_calendar_events", "u-1")
            assert events["value"]


async def test_with_a_public_url_a_consent_needs_the_code_from_its_page(tmp_path):
    async with consent_pages(tmp_path) as settings:
        with ScalekitClient(settings=settings) as client:
            link = await asyncio.to_thread(client.actions.get_authorization_link, "u-1")
            page = await sign_in(link.link, [])
            with pytest.raises(AuthorizationRequired):
                await asyncio.to_thread(client.actions.execute_tool, {}, "outlook_list_calendar_events", "u-1")
            code = next(word for word in page.text.split() if len(word.replace("-", "")) == 8 and word.isupper())
            response = await asyncio.to_thread(client.actions.confirm_authorization, code, "u-1")
            assert response.connected_account.status == "ACTIVE"
