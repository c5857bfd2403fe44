"""The whole way: a real client, the server, the embedded actions, the pages, a browser, the sandbox."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from http_support import ERAS, SERVICE_KEY, TRANSPORTS, remote
from mcp import Client
from mcp.types import ElicitRequestURLParams, ElicitResult

from scalekit_mcp.actions import open_actions
from scalekit_mcp.demo.browser import Browser, Page, consent
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.server.callers.caller import fixed_caller
from scalekit_mcp.server.mcp.app import ServerOptions, create_server
from scalekit_mcp.server.stdio.listener import Listener
from tests.support.agent import text_of
from tests.support.confirmation_codes import code_on
from tests.support.settings import sandbox_settings

DANA = "dana@company.com"
LIST = "outlook_list_calendar_events"
CREATE = "outlook_create_calendar_event"
WEEK = {"start_datetime": "2026-04-06T00:00:00", "end_datetime": "2026-04-11T00:00:00", "timezone": "UTC"}


@contextlib.asynccontextmanager
async def embedded(
    sandbox: Sandbox, link_base: Any, *, verification: str = "off", **options: Any
) -> AsyncIterator[Any]:
    async with sandbox.serve() as base_url:
        settings = sandbox_settings(sandbox, base_url, **options)
        async with open_actions(settings, link_base=link_base, user_verification=verification) as actions:
            yield actions


class Human:
    """Opens what the client shows and signs in; types the code that the page shows if the client asks for it."""

    def __init__(self, *, button: str = "Accept", types: bool = True) -> None:
        self.button = button
        self.types = types
        self.pages: list[Page] = []
        self.seen = anyio.Event()

    async def __call__(self, context: Any, params: Any) -> ElicitResult:
        if isinstance(params, ElicitRequestURLParams):
            await self.visit(params.url)
            return ElicitResult(action="accept")
        if not self.types:
            return ElicitResult(action="decline")
        await self.seen.wait()  # the client may ask before the person's browser has the page
        code = self.code()
        typed = f"{code[:4].lower()} \u2013 {code[4:]}."  # as a person copies it
        return ElicitResult(action="accept", content={"confirmation_code": typed})

    async def visit(self, url: str) -> Page:
        async with httpx.AsyncClient(timeout=20) as http:
            browser = Browser(http)
            if self.button == "Accept":
                page = await consent(browser, url, DANA)
            else:
                page = await browser.press(await browser.open(url), "Continue")
                page = await browser.press(page, DANA)
                page = await browser.press(page, self.button)
        self.pages.append(page)
        self.seen.set()
        return page

    def code(self) -> str:
        return code_on(self.pages[-1])


@pytest.mark.parametrize("era", ERAS)
async def test_one_call_signs_in_and_lists_the_week(era: str) -> None:
    human = Human()
    with anyio.fail_after(60):
        async with (
            Listener(preferred_port=0, sandbox=True) as listener,
            embedded(Sandbox(week_of=date(2026, 4, 6)), listener.base_url) as actions,
        ):
            listener.serve(actions)
            server = create_server(actions, identify=fixed_caller("ana"), options=ServerOptions(sandbox=True))
            async with Client(server, mode=era, elicitation_callback=human) as client:
                result = await client.call_tool(LIST, WEEK)
                status = (await client.call_tool("authorize", {})).structured_content
    assert not result.is_error
    assert result.structured_content["value"]
    assert status["status"] == "ACTIVE"


@pytest.mark.parametrize("era", ERAS)
async def test_cancel_at_microsoft_ends_the_call_in_its_own_words(era: str) -> None:
    human = Human(button="Cancel")
    with anyio.fail_after(60):
        async with (
            Listener(preferred_port=0, sandbox=True) as listener,
            embedded(Sandbox(), listener.base_url) as actions,
        ):
            listener.serve(actions)
            server = create_server(actions, identify=fixed_caller("ana"), options=ServerOptions(sandbox=True))
            async with Client(server, mode=era, elicitation_callback=human) as client:
                result = await client.call_tool(LIST, WEEK)
    error = result.structured_content["error"]
    assert (error["code"], error["reason"]) == ("authorization_required", "consent_declined")


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_remote_caller_types_the_code_in_the_client_and_the_call_finishes(transport: str, era: str) -> None:
    human = Human()

    def opened(base: str) -> Any:
        async def link_base() -> str:
            return base

        return embedded(Sandbox(week_of=date(2026, 4, 6)), link_base, verification="confirm")

    with anyio.fail_after(90):
        async with (
            remote(opened=opened) as server,
            server.client("ana", transport=transport, era=era, elicitation_callback=human) as client,
        ):
            result = await client.call_tool(LIST, WEEK)
    assert not result.is_error
    assert result.structured_content["value"]


async def test_a_remote_caller_without_elicitation_signs_in_by_link_and_types_the_code_into_the_chat() -> None:
    human = Human()

    def opened(base: str) -> Any:
        async def link_base() -> str:
            return base

        return embedded(Sandbox(week_of=date(2026, 4, 6)), link_base, verification="confirm")

    with anyio.fail_after(90):
        async with remote(opened=opened) as server, server.client("ana") as client, server.client("bob") as thief:
            first = await client.call_tool(LIST, WEEK)
            await human.visit(first.structured_content["error"]["authorization_url"])
            waiting = await client.call_tool(LIST, WEEK)
            stolen = await thief.call_tool("authorize", {"confirmation_code": human.code()})
            connected = await client.call_tool("authorize", {"confirmation_code": human.code()})
            listed = await client.call_tool(LIST, WEEK)
    assert waiting.structured_content["error"]["reason"] == "awaiting_confirmation"
    assert "authorization_url" not in waiting.structured_content["error"]
    assert stolen.is_error
    assert connected.structured_content["status"] == "ACTIVE"
    assert listed.structured_content["value"]


async def test_the_address_that_a_session_token_vouches_for_needs_no_code() -> None:
    human = Human(types=False)

    def opened(base: str) -> Any:
        async def link_base() -> str:
            return base

        return embedded(Sandbox(week_of=date(2026, 4, 6)), link_base, verification="confirm")

    with anyio.fail_after(90):
        async with remote(opened=opened) as server:
            headers = {"authorization": f"Bearer {server.bearer('ana', email=DANA.upper())}"}
            async with server.client("ana", headers=headers, elicitation_callback=human) as client:
                result = await client.call_tool(LIST, WEEK)
    assert not result.is_error


@pytest.mark.parametrize("era", ERAS)
async def test_the_operators_page_verifies_the_person_and_the_waiting_call_finishes(era: str) -> None:
    """`url`: the browser goes to the operator, whose backend says over REST who it was; no code is asked for."""
    sandbox = Sandbox(week_of=date(2026, 4, 6))
    seen: list[dict[str, str]] = []

    def opened(base: str) -> Any:
        async def link_base() -> str:
            return base

        page = f"{base}/healthz"  # stands for the operator's page
        return embedded(sandbox, link_base, verification="url", user_verify_url=page)

    class AtTheOperator(Human):
        async def visit(self, url: str) -> Page:
            page = await super().visit(url)
            seen.append(dict(httpx.URL(page.url).params))
            held.append(await plain.call_tool(LIST, WEEK))
            body = {"auth_request_id": seen[0]["auth_request_id"], "identifier": "bob"}
            wrong.append(await rest.post("/connected_accounts/user/verify", json=body))
            right = await rest.post("/connected_accounts/user/verify", json={**body, "identifier": "ana"})
            assert right.status_code == 200, right.text
            return page

    human = AtTheOperator(types=False)
    held: list[Any] = []
    wrong: list[httpx.Response] = []
    with anyio.fail_after(90):
        async with (
            remote(opened=opened, server_options={"code_in_chat": False}) as server,
            httpx.AsyncClient(
                base_url=f"{server.base}/api/v1", headers={"authorization": f"Bearer {SERVICE_KEY}"}
            ) as rest,
            server.client("ana", era=era) as plain,
            server.client("ana", era=era, elicitation_callback=human) as client,
        ):
            result = await client.call_tool(LIST, WEEK)
    assert not result.is_error
    assert [answer.status_code for answer in wrong] == [403]
    assert "finish on the page" in held[0].structured_content["error"]["next_step"]
    assert "code" not in held[0].structured_content["error"]["next_step"]


async def test_a_long_list_comes_in_answers_that_fit_and_members_that_clients_add_are_ignored() -> None:
    """One client, as a host drives it: it adds members of its own to each call, and follows `next_page` to the end."""
    human = Human()
    added = {"toolCallId": "1", "sessionId": "2", "_meta": {"a": 1}, "calendar_id": "null"}
    people = ",".join(f"person.{number}@partner.example" for number in range(40))
    body = {"body_content": "word " * 3500, "attendees_required": people}
    with anyio.fail_after(120):
        async with (
            Listener(preferred_port=0, sandbox=True) as listener,
            embedded(Sandbox(week_of=date(2026, 4, 6)), listener.base_url) as actions,
        ):
            listener.serve(actions)
            server = create_server(actions, identify=fixed_caller("ana"), options=ServerOptions(sandbox=True))
            async with Client(server, elicitation_callback=human) as client:
                await client.call_tool(LIST, WEEK)
                for day in range(6, 12):
                    at = f"2026-04-{day:02}T10:00:00"
                    times = {"start_datetime": at, "end_datetime": at.replace("T10", "T11")}
                    zones = {"start_timezone": "UTC", "end_timezone": "UTC"}
                    made = await client.call_tool(CREATE, {"subject": f"Day {day}", **times, **zones, **body, **added})
                    assert not made.is_error
                given: dict[str, Any] = {"top": 1000, "select": "subject,body,attendees"}
                seen: list[str] = []
                lengths: list[int] = []
                while given:
                    answer = await client.call_tool(LIST, {**given, **added})
                    lengths.append(len(text_of(answer)))
                    seen += [row["id"] for row in answer.structured_content["value"]]
                    page = answer.structured_content.get("next_page")
                    given = {"page": page} if page else {}
    assert max(lengths) <= 60_000
    assert len(lengths) > 2
    assert len(seen) == len(set(seen)) >= 6
