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
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from http_support import ERAS, remote
from mcp import Client, StdioServerParameters
from server_support import MemoryActions, Person
from test_consent import FormOnly
from test_stdio import PROGRAM, environment

from scalekit_mcp.server.mcp.consent import ConsentTimes

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
    """A client of a server over in-memory actions, whose pages are served beside it."""
    with anyio.fail_after(60):
        if transport == "stdio":
            switches = {"CONFIRM": "1" if confirm else "", "NO_TIME": "1" if no_time else ""}
            command = StdioServerParameters(command=sys.executable, args=[PROGRAM], env={**environment(), **switches})
            async with kind(command, mode=era, **options) as client:
                yield client
            return
        server_options = {"consent_times": NO_TIME} if no_time else {}
        async with (
            remote(MemoryActions(confirm=confirm), server_options=server_options) as server,
            server.client("ana", transport=transport, era=era, kind=kind, **options) as client,
        ):
            yield client


async def at_microsoft(url: str, **answer: str) -> str:
    """Open the link, press Continue, and come back from Microsoft with `answer`; the page that it ends on."""
    async with httpx.AsyncClient() as browser:
        page = await browser.get(url)
        csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
        assert csrf
        leaving = await browser.post(url, data={"csrf": csrf[1], "action": "continue"})
        state = re.search(r"state=([\w-]+)", leaving.text)
        assert state
        query = {"state": state[1], **answer}
        base = url.split("/connect/")[0]
        return (await browser.get(f"{base}/oauth/callback", params=query, follow_redirects=True)).text


async def sign_in(url: str) -> None:
    await at_microsoft(url, code="c")


async def press_cancel(url: str) -> None:
    await at_microsoft(url, error="access_denied")


def error_of(result: Any) -> dict[str, Any]:
    assert result.is_error
    return result.structured_content["error"]


def subject_of(result: Any) -> str:
    assert not result.is_error, result.content
    return result.structured_content["value"][0]["subject"]


async def test_a_client_that_opens_pages_finishes_the_same_call_or_says_why_not(transport: str, era: str) -> None:
    person = Person(action="decline")
    async with connected(transport, era, elicitation_callback=person) as client:
        declined = error_of(await client.call_tool(LIST, {}))
        person.action, person.on_url = "accept", press_cancel
        cancelled = error_of(await client.call_tool(LIST, {}))
        person.on_url = sign_in
        answer = subject_of(await client.call_tool(LIST, {}))
    assert "declined to open the sign-in page" in declined["message"]
    assert cancelled["reason"] == "consent_declined"
    assert answer == "of ana"
    assert len(person.urls) == 3


async def test_a_sign_in_that_is_not_finished_ends_the_call_with_the_link(transport: str, era: str) -> None:
    async with connected(transport, era, no_time=True, elicitation_callback=Person()) as client:
        error = error_of(await client.call_tool(LIST, {}))
    assert "not finished" in error["message"]
    assert "/connect/" in error["authorization_url"]


async def test_a_code_is_asked_for_by_form_and_the_same_call_answers(transport: str, era: str) -> None:
    person = Person(on_url=sign_in, code="ABCD1234")
    async with connected(transport, era, confirm=True, elicitation_callback=person) as client:
        answer = subject_of(await client.call_tool(LIST, {}))
    assert answer == "of ana"
    assert (len(person.urls), len(person.forms)) == (1, 1)


async def test_a_client_that_shows_forms_only_gets_the_link_in_words_and_is_asked_for_the_code(
    transport: str, era: str
) -> None:
    person = Person(code="ABCD1234")
    async with connected(transport, era, kind=FormOnly, confirm=True, elicitation_callback=person) as client:
        told = error_of(await client.call_tool(LIST, {}))
        await sign_in(told["authorization_url"])
        answer = subject_of(await client.call_tool(LIST, {}))
    assert answer == "of ana"
    assert (len(person.urls), len(person.forms)) == (0, 1)


async def test_a_client_that_cannot_ask_gets_the_link_in_words_and_takes_the_code_in_the_chat(
    transport: str, era: str
) -> None:
    async with connected(transport, era, confirm=True) as client:
        told = error_of(await client.call_tool(LIST, {}))
        page = await at_microsoft(told["authorization_url"], code="c")
        waiting = error_of(await client.call_tool(LIST, {}))
        redeemed = await client.call_tool("authorize", {"confirmation_code": "ABCD1234"})
        answer = subject_of(await client.call_tool(LIST, {}))
    assert "ABCD1234" in page
    assert waiting["reason"] == "awaiting_confirmation"
    assert "authorization_url" not in waiting
    assert redeemed.structured_content["status"] == "ACTIVE"
    assert answer == "of ana"
