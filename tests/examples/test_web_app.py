"""The application of the embedding guide: its own users, its own sessions, `url` verification."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import pytest
import uvicorn

from examples.web_app.app import VERIFY_PATH, Application
from scalekit_mcp import Actions, load_settings, open_actions
from scalekit_mcp.demo.browser import Browser, Page, consent
from scalekit_mcp.errors import AuthorizationRequired, InvalidInput
from scalekit_mcp.sandbox import Sandbox

MODES = ["embedded", "hosted"]


@dataclass
class Running:
    url: str
    actions: Actions

    async def status(self, user: str) -> str:
        response = await self.actions.get_connected_account(identifier=user)
        return response.connected_account.status


class Visitor:
    """A person with a browser of their own."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self.http = http
        self.url = url
        self.browser = Browser(http)

    async def sign_in(self, user: str) -> Page:
        return await self.browser.press(await self.browser.open(self.url), "Sign in", user=user)

    async def link(self) -> str:
        """Press Connect and stop at the consent page."""
        page = await self.browser.press(await self.browser.open(self.url), "Connect Outlook")
        assert "/connect/" in page.url
        return page.url


@contextlib.asynccontextmanager
async def running(mode: str) -> AsyncIterator[Running]:
    """The application on a port; `embedded` or `hosted` says who keeps the tokens."""
    config = uvicorn.Config("", port=0, log_level="warning", lifespan="off")
    async with contextlib.AsyncExitStack() as stack:
        listening = stack.enter_context(contextlib.closing(config.bind_socket()))
        url = f"http://localhost:{listening.getsockname()[1]}"
        sandbox = Sandbox()
        await stack.enter_async_context(sandbox.serve())
        given: dict[str, Any] = (
            {"sandbox": True} if mode == "embedded" else {"mode": mode, **sandbox.scalekit_environment()}
        )
        settings = load_settings(
            **given,
            public_url=url,
            user_verification="url",
            user_verify_url=url + VERIFY_PATH,
            timezone="Europe/Berlin",
        )
        actions = await stack.enter_async_context(open_actions(settings))
        config.app = Application(actions, public_url=url, sandbox=True).starlette()
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield Running(url, actions)
        finally:
            server.should_exit = True
            await task


@contextlib.asynccontextmanager
async def visitor(app: Running) -> AsyncIterator[Visitor]:
    async with httpx.AsyncClient(timeout=30) as http:
        yield Visitor(http, app.url)


@pytest.mark.parametrize("mode", MODES)
async def test_two_users_connect_their_own_calendars_and_book_in_them(mode):
    async with running(mode) as app, visitor(app) as dana, visitor(app) as bob:
        for person, user, address in ((dana, "user-dana", "dana@company.com"), (bob, "user-bob", "bob@company.com")):
            page = await person.sign_in(user)
            assert f"{user}: PENDING (never_authorized)" in page.text
            page = await consent(person.browser, await person.link(), address)
            assert page.url == app.url + "/"
            assert f"{user}: ACTIVE" in page.text
            assert (address in page.text) == (mode == "embedded")  # Scalekit does not tell whose mailbox it is
        times = {"start": "2026-04-01T10:00", "end": "2026-04-01T11:00"}
        page = await dana.browser.press(await dana.browser.open(app.url), "Book", subject="Only for Dana", **times)
        assert "2026-04-01T10:00 Only for Dana" in page.text
        assert "Only for Dana" not in (await bob.browser.open(app.url)).text


@pytest.mark.parametrize("mode", MODES)
async def test_a_link_sent_to_another_user_connects_nobody(mode):
    async with running(mode) as app, visitor(app) as mallory, visitor(app) as dana:
        await mallory.sign_in("mallory")
        await dana.sign_in("dana")
        link = await mallory.link()
        page = await consent(dana.browser, link, "dana@company.com")
        assert page.status == 403
        assert "not begun here" in page.text
        assert await app.status("mallory") == "PENDING"
        with pytest.raises(AuthorizationRequired):
            await app.actions.execute_tool(identifier="mallory", tool_name="outlook_list_calendar_events")


@pytest.mark.parametrize("mode", MODES)
async def test_a_link_opened_by_somebody_without_a_session_connects_nobody(mode):
    async with running(mode) as app, visitor(app) as mallory, visitor(app) as stranger:
        await mallory.sign_in("mallory")
        page = await consent(stranger.browser, await mallory.link(), "dana@company.com")
        assert page.status == 401
        assert await app.status("mallory") == "PENDING"


@pytest.mark.parametrize("mode", MODES)
async def test_the_state_of_ones_own_attempt_does_not_match_that_of_another(mode):
    async with running(mode) as app, visitor(app) as mallory, visitor(app) as dana:
        await mallory.sign_in("mallory")
        await dana.sign_in("dana")
        await dana.link()  # dana has a state of her own, which is not mallory's
        page = await consent(dana.browser, await mallory.link(), "dana@company.com")
        assert page.status == 403
        assert [await app.status(user) for user in ("mallory", "dana")] == ["PENDING", "PENDING"]


@pytest.mark.parametrize("mode", MODES)
async def test_the_seam_refuses_a_wrong_user_and_takes_the_right_one(mode):
    async with running(mode) as app, visitor(app) as browser:
        await app.actions.get_or_create_connected_account(identifier="dana")
        link = await app.actions.get_authorization_link(identifier="dana", state="s")
        page = await consent(browser.browser, link.link, "dana@company.com")
        request_id = httpx.URL(page.url).params["auth_request_id"]
        assert httpx.URL(page.url).params["state"] == "s"
        with pytest.raises(InvalidInput) as raised:
            await app.actions.verify_connected_account_user(auth_request_id=request_id, identifier="mallory")
        assert raised.value.details["field"] == "identifier"
        assert await app.status("dana") == "PENDING"
        response = await app.actions.verify_connected_account_user(auth_request_id=request_id, identifier="dana")
        assert response.connected_account.status == "ACTIVE"


@pytest.mark.parametrize("mode", MODES)
async def test_a_state_is_good_for_one_return_only(mode):
    async with running(mode) as app, visitor(app) as dana:
        await dana.sign_in("dana")
        link = await dana.link()
        back: list[str] = []

        async def note(response: httpx.Response) -> None:
            if response.request.url.path == VERIFY_PATH:
                back.append(str(response.request.url))

        dana.http.event_hooks["response"].append(note)
        await consent(dana.browser, link, "dana@company.com")
        assert await app.status("dana") == "ACTIVE"
        assert (await dana.browser.open(back[0])).status == 403


@pytest.mark.parametrize("mode", MODES)
async def test_a_user_whose_verification_was_lost_connects_by_pressing_again(mode):
    async with running(mode) as app, visitor(app) as dana, visitor(app) as other_device:
        await dana.sign_in("dana")
        page = await consent(other_device.browser, await dana.link(), "dana@company.com")
        assert page.status == 401
        page = await consent(dana.browser, await dana.link(), "dana@company.com")
        assert "dana: ACTIVE" in page.text


@pytest.mark.parametrize("mode", MODES)
async def test_a_disconnected_user_is_offered_to_connect_again(mode):
    async with running(mode) as app, visitor(app) as dana:
        await dana.sign_in("dana")
        page = await consent(dana.browser, await dana.link(), "dana@company.com")
        page = await dana.browser.press(page, "Disconnect")
        assert "dana: REVOKED (disconnected)" in page.text
        assert page.forms[-1].buttons


@pytest.mark.parametrize("mode", MODES)
async def test_another_host_is_not_served(mode):
    async with running(mode) as app, httpx.AsyncClient(timeout=30) as http:
        answer = await http.get(app.url, headers={"host": "evil.example"})
        assert answer.status_code == 400
