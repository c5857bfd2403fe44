"""The way back of a sign-in: on to the app, or a page that says why not and offers another try."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import httpx2 as httpx
import pytest

from scalekit_mcp.accounts import ApprovalRequest
from tests.oauth.oauth_room import COOKIE, ISSUER, OAuthRoom, form_of, open_oauth, state_of
from tests.oauth.oauth_support import CLAUDE


@pytest.fixture
async def room() -> AsyncIterator[OAuthRoom]:
    async with open_oauth() as room:
        yield room


async def left(room: OAuthRoom, **changes: str | None) -> str:
    """The `state` with which the browser is at Microsoft."""
    return state_of(await room.press(await room.show(**changes)))


async def back(room: OAuthRoom, state: str, **query: str) -> httpx.Response:
    return await room.browser.get("/oauth/callback", params={"state": state, **(query or {"code": "microsoft's"})})


async def page_of_failure(room: OAuthRoom, error: str = "access_denied", **changes: str | None) -> httpx.Response:
    answer = await back(room, await left(room, **changes), error=error)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/oauth/sign-in"
    return await room.browser.get("/oauth/sign-in")


def refused(answer: httpx.Response, words: str) -> None:
    assert answer.status_code == 400, answer.text
    assert words in answer.text
    assert "location" not in answer.headers


async def test_success_goes_to_the_app_with_code_state_and_issuer(room: OAuthRoom):
    answer = await back(room, await left(room))
    assert answer.status_code == 303
    location = answer.headers["location"]
    assert location.startswith(f"{CLAUDE}?")
    told = dict(parse_qsl(urlsplit(location).query))
    assert set(told) == {"code", "state", "iss"}
    assert (told["state"], told["iss"]) == ("the host's state", ISSUER)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert (await room.redeem(told["code"])).status_code == 200


async def test_an_app_of_this_device_is_opened_by_a_page_with_a_link(room: OAuthRoom):
    """Its scheme may need a gesture."""
    uri = "cursor://anysphere.cursor-mcp/oauth/callback"
    room.register(redirect_uris=[uri])
    answer = await back(room, await left(room, redirect_uri=uri))
    assert answer.status_code == 200
    assert f'href="{uri}?code=' in answer.text
    assert f'content="0;url={uri}?code=' in answer.text


async def test_a_captured_address_in_another_browser_is_refused_and_nothing_is_redeemed(room: OAuthRoom):
    """CVE-2026-27124: the victim's browser does not hold the cookie."""
    state = await left(room)
    own = room.browser.cookies[COOKIE]
    for victim in (None, "v" * 43):
        room.browser.cookies.clear()
        if victim is not None:
            room.browser.cookies.set(COOKIE, victim)
        refused(await back(room, state), "the browser where the page was opened")
    assert room.microsoft.redeemed == []
    room.browser.cookies.clear()
    room.browser.cookies.set(COOKIE, own)
    assert (await back(room, state)).status_code == 303


async def test_an_unknown_used_or_late_state_is_a_page(room: OAuthRoom):
    refused(await back(room, "si.unknown"), "not known")
    state = await left(room)
    await back(room, state)
    refused(await back(room, state), "used already")
    state = await left(room, state="2")
    room.clock.advance(15 * 60)
    refused(await back(room, state), "too long")
    assert len(room.microsoft.redeemed) == 1


async def test_an_answer_with_a_parameter_twice_is_a_page(room: OAuthRoom):
    state = await left(room)
    answer = await room.browser.get(f"/oauth/callback?state={state}&code=a&code=b")
    refused(answer, "came twice")
    assert room.microsoft.redeemed == []


async def test_a_failure_stays_on_a_page_until_the_person_chooses(room: OAuthRoom):
    page = await page_of_failure(room)
    assert page.status_code == 200
    for words in (
        "Microsoft did not give access",
        "Try again",
        "Return to claude.ai",
        "(application id &lt;client&gt;)",
    ):
        assert words in page.text
    assert "https://login.example/adminconsent" in page.text
    assert page.headers["content-security-policy"]
    link = re.search(r'href="([^"]+)"[^>]*>Return to', page.text)
    assert link is not None
    told = dict(parse_qsl(urlsplit(html.unescape(link[1])).query))
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", "the host's state", ISSUER)
    assert "AADSTS" not in told["error_description"]


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http://127.0.0.1:33418/", "Return to the app on this computer"),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "Return to the app registered for cursor:"),
    ],
)
async def test_the_way_back_is_called_as_a_person_would(room: OAuthRoom, uri: str, said: str):
    room.register(redirect_uris=[uri])
    assert f">{said}</a>" in (await page_of_failure(room, redirect_uri=uri)).text


@pytest.mark.parametrize("error", ["access_denied", "server_error", "temporarily_unavailable"])
async def test_the_app_is_told_by_the_persons_link_only(room: OAuthRoom, error: str):
    assert f"error={error}" in html.unescape((await page_of_failure(room, error)).text)


async def test_trying_again_leads_to_the_provider_with_a_new_state_and_ends_well(room: OAuthRoom):
    page = await page_of_failure(room)
    again = await room.browser.post("/oauth/sign-in", data=form_of(page), headers={"origin": ISSUER})
    assert again.status_code == 200
    state = state_of(again)
    assert state != room.microsoft.begun[0].secrets.state
    assert (await back(room, state)).headers["location"].startswith(CLAUDE)
    answer = await room.browser.post("/oauth/sign-in", data=form_of(page), headers={"origin": ISSUER})
    refused(answer, "used already")


async def test_trying_again_needs_the_cookie_the_page_and_our_origin(room: OAuthRoom):
    page = await page_of_failure(room)
    fields = form_of(page)
    for changed in ({"csrf": "x"}, {"request": "x"}, {"csrf": "", "request": ""}):
        refused(await room.browser.post("/oauth/sign-in", data={**fields, **changed}), "cookie")
    foreign = await room.browser.post("/oauth/sign-in", data=fields, headers={"origin": "https://evil.example"})
    refused(foreign, "another site")
    room.browser.cookies.clear()
    refused(await room.browser.post("/oauth/sign-in", data=fields), "cookie")
    assert len(room.microsoft.begun) == 1


async def test_the_form_of_the_consent_page_does_not_fit_the_page_of_a_failure(room: OAuthRoom):
    consent = form_of(await room.show())
    await page_of_failure(room)
    refused(await room.browser.post("/oauth/sign-in", data=consent), "open for too long")


async def test_the_page_of_a_failure_is_for_its_browser_and_its_time(room: OAuthRoom):
    await page_of_failure(room)
    refused(await room.host.get("/oauth/sign-in"), "no longer available")
    room.clock.advance(15 * 60)
    refused(await room.browser.get("/oauth/sign-in"), "open for too long")


async def test_a_long_text_for_it_is_left_out_of_the_cookie(room: OAuthRoom):
    long = ApprovalRequest("https://login.example/" + "x" * 5_000, "a client", ())
    room.microsoft.outcome = replace(room.microsoft.outcome, approval=long)
    answer = await back(room, await left(room), error="access_denied")
    assert len(answer.headers["set-cookie"]) < 4_096
    assert "Try again" in (await room.browser.get("/oauth/sign-in")).text


async def test_a_callback_that_fails_is_a_page_with_a_number(room: OAuthRoom):
    async def crash(*_: object, **__: object) -> None:
        raise RuntimeError("secret details")

    state = await left(room)
    room.microsoft.complete = crash  # type: ignore[method-assign, assignment]
    answer = await back(room, state)
    assert answer.status_code == 500
    assert "secret details" not in answer.text
    assert "Reference" in answer.text


async def test_what_became_of_sign_ins_is_counted(room: OAuthRoom):
    await back(room, await left(room))
    await page_of_failure(room)
    await back(room, "si.unknown")
    numbers = room.metrics.render()
    for outcome, number in (("begun", 2), ("finished", 1), ("failed", 1), ("refused", 1)):
        assert f'sign_ins_total{{outcome="{outcome}"}} {number}' in numbers
