"""The consent matrix: what each kind of client gets, on every transport, in both protocol eras.

Every cell runs over stdio (a process), HTTP and HTTP+SSE, with a client of 2025-11-25 and one of 2026-07-28, through
our own pages:

| the client              | the person ...                     | test                                              |
|-------------------------|------------------------------------|---------------------------------------------------|
| opens URLs              | does not want to open the page     | `test_a_client_that_opens_pages_...`, first call  |
| opens URLs              | presses Cancel at Microsoft        | the same, second call                             |
| opens URLs              | signs in: the same call answers    | the same, third call                              |
| opens URLs              | does not finish in time            | `test_a_sign_in_that_is_not_finished_...`         |
| opens URLs, shows forms | types the code that the page shows | `test_a_code_is_asked_for_by_form_...`            |
| shows forms only        | link in words, code by form        | `test_a_client_that_shows_forms_only_...`         |
| neither                 | link in words, code in the chat    | `test_a_client_that_cannot_ask_...`               |
| opens URLs, no session  | HTTP without sessions              | `test_http.test_without_sessions_only_...`        |

The rounds, the waiting times and the words are held in `test_consent`; the same person against the real vault and the
sandbox in `test_with_sandbox`.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from http_support import ERAS, remote
from mcp import Client, StdioServerParameters
from server_support import Person
from test_consent import FormOnly
from test_stdio import PROGRAM, environment

from scalekit_mcp.demo.browser import Browser, Page, consent
from scalekit_mcp.server.mcp.consent import ConsentTimes
from tests.support.confirmation_codes import code_on
from tests.support.watched_actions import DANA, watched_actions

LIST = "outlook_list_calendar_events"
NO_TIME = ConsentTimes(legacy_seconds=0.0, round_seconds=0.0, rounds=2)

pytestmark = [
    pytest.mark.parametrize("era", ERAS),
    pytest.mark.parametrize("transport", ["stdio", "http", "sse"]),
]


@contextlib.asynccontextmanager
async def connected(
    transport: str,
    era: str,
    *,
    kind: type[Client] = Client,
    confirm: bool = False,
    no_time: bool = False,
    **options: Any,
) -> AsyncIterator[Client]:
    """A client of a server over the embedded actions, whose pages are served beside it."""
    with anyio.fail_after(60):
        if transport == "stdio":
            switches = {"CONFIRM": "1" if confirm else "", "NO_TIME": "1" if no_time else ""}
            command = StdioServerParameters(command=sys.executable, args=[PROGRAM], env={**environment(), **switches})
            async with kind(command, mode=era, **options) as client:
                yield client
            return
        server_options = {"consent_times": NO_TIME} if no_time else {}
        async with (
            watched_actions(user_verification="confirm" if confirm else "off") as actions,
            remote(actions, server_options=server_options) as server,
            server.client("ana", transport=transport, era=era, kind=kind, **options) as client,
        ):
            yield client


async def sign_in(url: str) -> Page:
    async with httpx.AsyncClient(timeout=20) as http:
        return await consent(Browser(http), url, DANA)


def signs_in(**answers: Any) -> Person:
    """Signs in behind the link, and knows the code that the page shows, if it shows one."""

    async def visit(url: str) -> None:
        page = await sign_in(url)
        person.code = code_on(page) if "code" in page.text else None

    person = Person(on_url=visit, **answers)
    return person


async def press_cancel(url: str) -> None:
    async with httpx.AsyncClient(timeout=20) as http:
        browser = Browser(http)
        page = await browser.press(await browser.open(url), "Continue")
        await browser.press(await browser.press(page, DANA), "Cancel")


def error_of(result: Any) -> dict[str, Any]:
    assert result.is_error
    return result.structured_content["error"]


def events_of(result: Any) -> list[dict[str, Any]]:
    assert not result.is_error, result.content
    return result.structured_content["value"]


async def test_a_client_that_opens_pages_finishes_the_same_call_or_says_why_not(transport: str, era: str) -> None:
    person = Person(action="decline")
    async with connected(transport, era, elicitation_callback=person) as client:
        declined = error_of(await client.call_tool(LIST, {}))
        person.action, person.on_url = "accept", press_cancel
        cancelled = error_of(await client.call_tool(LIST, {}))
        person.on_url = signs_in().on_url
        answer = events_of(await client.call_tool(LIST, {}))
    assert "declined to open the sign-in page" in declined["message"]
    assert cancelled["reason"] == "consent_declined"
    assert answer
    assert len(person.urls) == 3


async def test_a_sign_in_that_is_not_finished_ends_the_call_with_the_link(transport: str, era: str) -> None:
    async with connected(transport, era, no_time=True, elicitation_callback=Person()) as client:
        error = error_of(await client.call_tool(LIST, {}))
    assert "not finished" in error["message"]
    assert "/connect/" in error["authorization_url"]


async def test_a_code_is_asked_for_by_form_and_the_same_call_answers(transport: str, era: str) -> None:
    person = signs_in()
    async with connected(transport, era, confirm=True, elicitation_callback=person) as client:
        answer = events_of(await client.call_tool(LIST, {}))
    assert answer
    assert (len(person.urls), len(person.forms)) == (1, 1)


async def test_a_client_that_shows_forms_only_gets_the_link_in_words_and_is_asked_for_the_code(
    transport: str, era: str
) -> None:
    person = Person()
    async with connected(transport, era, kind=FormOnly, confirm=True, elicitation_callback=person) as client:
        told = error_of(await client.call_tool(LIST, {}))
        person.code = code_on(await sign_in(told["authorization_url"]))
        answer = events_of(await client.call_tool(LIST, {}))
    assert answer
    assert (len(person.urls), len(person.forms)) == (0, 1)


async def test_a_client_that_cannot_ask_gets_the_link_in_words_and_takes_the_code_in_the_chat(
    transport: str, era: str
) -> None:
    async with connected(transport, era, confirm=True) as client:
        told = error_of(await client.call_tool(LIST, {}))
        code = code_on(await sign_in(told["authorization_url"]))
        waiting = error_of(await client.call_tool(LIST, {}))
        redeemed = await client.call_tool("authorize", {"confirmation_code": code})
        answer = events_of(await client.call_tool(LIST, {}))
    assert waiting["reason"] == "awaiting_confirmation"
    assert "authorization_url" not in waiting
    assert redeemed.structured_content["status"] == "ACTIVE"
    assert answer
