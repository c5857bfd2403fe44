"""The browser's routes: what each request may change, what each page says, and what keeps strangers out."""

from __future__ import annotations

import base64
import hashlib
import html
import logging
import re
from datetime import timedelta
from typing import Any

import httpx2 as httpx
import pytest
from starlette.applications import Starlette

from scalekit_mcp.accounts import ApprovalRequest
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.actions.models import AttemptState, AuthorizationOutcome, AuthorizationPrompt, OutcomeKind
from scalekit_mcp.errors import VaultError
from scalekit_mcp.languages import said, verbatim
from scalekit_mcp.server.web.app import Web, WebOptions
from scalekit_mcp.server.web.pages import Pages, permissions
from tests.support.clock import HandClock
from tests.support.watched_actions import DANA, WatchedActions

BASE = "https://mcp.example.com"


def browser_for(
    actions: WatchedActions, *, keys: KeyRing | None = None, sandbox: bool = False, clock: HandClock | None = None
) -> httpx.AsyncClient:
    options = WebOptions(origins=lambda: {BASE}, secure=True, cookie_keys=keys, sandbox=sandbox)
    web = Web(lambda: actions, clock=clock or HandClock(), options=options)
    transport = httpx.ASGITransport(app=Starlette(routes=web.routes()))
    return httpx.AsyncClient(transport=transport, base_url=BASE)


async def link_of(actions: WatchedActions, identifier: str = "ana") -> str:
    link = (await actions.get_authorization_link(identifier=identifier)).link
    return link.removeprefix("http://localhost:8754")


def csrf_in(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
    assert found
    return found[1]


async def go_to_microsoft(browser: httpx.AsyncClient, link: str) -> str:
    """Open the link and press Continue; the address at Microsoft that the page goes on to."""
    page = await browser.get(link)
    leaving = await browser.post(link, data={"csrf": csrf_in(page), "action": "continue"}, headers={"origin": BASE})
    assert leaving.status_code == 200
    found = re.search(r'content="0;url=([^"]+)"', leaving.text)
    assert found
    return html.unescape(found[1])


async def at_microsoft(actions: WatchedActions, browser: httpx.AsyncClient, link: str) -> dict[str, str]:
    """Open the link, press Continue, sign in and accept; the query with which Microsoft sends the browser back."""
    return await actions.at_microsoft(await go_to_microsoft(browser, link))


async def has_begun(actions: WatchedActions) -> bool:
    return (await actions.account()).attempt_state == AttemptState.AT_PROVIDER


async def test_a_consent_from_the_link_to_the_success_page(actions: WatchedActions) -> None:
    async with browser_for(actions) as browser:
        query = await at_microsoft(actions, browser, await link_of(actions))
        back = await browser.get("/oauth/callback", params=query)
        assert back.status_code == 303
        assert "?" not in back.headers["location"]
        done = await browser.get(back.headers["location"])
        again = await browser.get(back.headers["location"])
    assert (await actions.account()).status == "ACTIVE"
    assert "Connected" in done.text
    assert again.text == done.text
    assert DANA in done.text


async def test_opening_the_link_sets_the_attempts_cookie_and_changes_nothing_else(actions: WatchedActions) -> None:
    link = await link_of(actions)
    before = await actions.account()
    async with browser_for(actions) as browser:
        first = await browser.get(link)
        cookies = first.headers.get_list("set-cookie")
        second = await browser.get(link)
    assert await actions.account() == before
    assert len(cookies) == 1
    for part in ("__Host-scalekit_attempt_", "HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert part in cookies[0]
    assert "Domain" not in cookies[0]
    assert csrf_in(first) == csrf_in(second)


async def test_the_connect_page_says_what_will_happen_and_what_to_send_to_it(actions: WatchedActions) -> None:
    async with browser_for(actions) as browser:
        page = await browser.get(await link_of(actions))
    ends = (await actions.get_authorization_link(identifier="ana")).expires_at
    text = html.unescape(page.text)
    assert "see, create, change and delete events in your calendar" in text
    assert ">ana<" in page.text
    assert "/adminconsent?" in text
    assert "The last page will not load" in text
    assert f"{ends:%H:%M} UTC" in text


async def test_a_post_without_the_attempts_cookie_starts_nothing(actions: WatchedActions) -> None:
    link = await link_of(actions)
    async with browser_for(actions) as mine, browser_for(actions) as other:
        csrf = csrf_in(await mine.get(link))
        refused = await other.post(link, data={"csrf": csrf, "action": "continue"})
    assert refused.status_code == 403
    assert not await has_begun(actions)


@pytest.mark.parametrize("csrf", ["", "0" * 64, "é"])
async def test_a_post_without_the_derived_token_starts_nothing(csrf: str, actions: WatchedActions) -> None:
    link = await link_of(actions)
    async with browser_for(actions) as browser:
        await browser.get(link)
        refused = await browser.post(link, data={"csrf": csrf, "action": "continue"})
    assert refused.status_code == 403
    assert not await has_begun(actions)


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ({"origin": "https://evil.example"}, False),
        ({"origin": "http://mcp.example.com"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"origin": "null"}, True),
        ({"origin": BASE}, True),
        ({}, True),
    ],
)
async def test_a_form_of_another_site_is_refused(
    headers: dict[str, str], accepted: bool, actions: WatchedActions
) -> None:
    link = await link_of(actions)
    async with browser_for(actions) as browser:
        csrf = csrf_in(await browser.get(link))
        answer = await browser.post(link, data={"csrf": csrf, "action": "continue"}, headers=headers)
    assert (answer.status_code == 200) is accepted
    assert await has_begun(actions) is accepted


async def test_an_oversized_form_is_not_read(actions: WatchedActions) -> None:
    link = await link_of(actions)
    async with browser_for(actions) as browser:
        csrf = csrf_in(await browser.get(link))
        answer = await browser.post(link, data={"csrf": csrf, "action": "continue", "x": "y" * 20_000})
    assert answer.status_code == 403


async def test_the_last_press_of_continue_wins(actions: WatchedActions) -> None:
    link = await link_of(actions)
    async with browser_for(actions) as browser:
        await go_to_microsoft(browser, link)
        query = await at_microsoft(actions, browser, link)
        await browser.get("/oauth/callback", params=query)
    assert (await actions.account()).status == "ACTIVE"


async def test_the_callback_in_another_browser_connects_nobody(actions: WatchedActions) -> None:
    link = await link_of(actions)
    async with browser_for(actions) as mine, browser_for(actions) as other:
        query = await at_microsoft(actions, mine, link)
        page = await other.get("/oauth/callback", params=query, follow_redirects=True)
    assert page.status_code == 403
    assert (await actions.account()).status == "PENDING"


async def test_a_second_callback_is_told_that_the_link_was_used(actions: WatchedActions) -> None:
    async with browser_for(actions) as browser:
        query = await at_microsoft(actions, browser, await link_of(actions))
        await browser.get("/oauth/callback", params=query)
        page = await browser.get("/oauth/callback", params=query, follow_redirects=True)
    assert page.status_code == 410


async def test_a_refusal_of_microsoft_has_its_own_page(actions: WatchedActions) -> None:
    async with browser_for(actions) as browser:
        to_microsoft = httpx.URL(await go_to_microsoft(browser, await link_of(actions)))
        query = {"state": to_microsoft.params["state"], "error": "access_denied"}
        page = await browser.get("/oauth/callback", params=query, follow_redirects=True)
    assert "The permission was not given" in page.text


async def test_the_confirmation_code_stands_on_the_page_with_its_warning_and_a_cancel(
    actions_with_codes: WatchedActions,
) -> None:
    link = await link_of(actions_with_codes)
    async with browser_for(actions_with_codes) as browser:
        query = await at_microsoft(actions_with_codes, browser, link)
        page = await browser.get("/oauth/callback", params=query, follow_redirects=True)
        assert re.search(r"\b[0-9A-HJKMNP-TV-Z]{8}\b", page.text)
        warning = "Type this only into the chat where you asked. If someone sent you the link, press Cancel."
        assert page.text.count(warning) == 1
        cancelled = await browser.post(
            link, data={"csrf": csrf_in(page), "action": "cancel"}, headers={"origin": BASE}, follow_redirects=True
        )
    assert "Cancelled" in cancelled.text
    assert not (await actions_with_codes.account()).held
    assert (await actions_with_codes.account()).status == "PENDING"


async def test_cancel_on_the_first_page_ends_the_attempt(actions: WatchedActions) -> None:
    link = await link_of(actions)
    async with browser_for(actions) as browser:
        csrf = csrf_in(await browser.get(link))
        page = await browser.post(link, data={"csrf": csrf, "action": "cancel"}, follow_redirects=True)
    assert "Cancelled" in page.text
    assert not await has_begun(actions)


async def test_it_comes_back_from_the_admin_consent(actions: WatchedActions) -> None:
    link = await actions.get_authorization_link(identifier="ana")
    assert link.admin_consent_url is not None
    query = await actions.at_microsoft(link.admin_consent_url, "admin@fabrikam.example")
    async with browser_for(actions) as browser:
        page = await browser.get("/oauth/admin-consent", params=query, follow_redirects=True)
    assert "reports the approval" in page.text


@pytest.mark.parametrize(
    "ticket", ["x", "a" * 300, "%3Cscript%3Ealert(1)%3C/script%3Eaaaaaaaaaaaa", "unknown-ticket-0000"]
)
async def test_an_unknown_link_is_a_page_and_sets_no_cookie(ticket: str, actions: WatchedActions) -> None:
    async with browser_for(actions) as browser:
        page = await browser.get(f"/connect/{ticket}")
    assert page.status_code == 404
    assert "<script>alert" not in page.text
    assert "set-cookie" not in page.headers


async def test_a_parameter_that_comes_twice_is_refused(actions: WatchedActions) -> None:
    async with browser_for(actions) as browser:
        page = await browser.get("/oauth/callback?state=a&state=b", follow_redirects=True)
    assert page.status_code == 400


async def test_an_outcome_is_shown_in_its_own_browser_only(actions: WatchedActions) -> None:
    async with browser_for(actions) as mine, browser_for(actions) as other:
        query = await at_microsoft(actions, mine, await link_of(actions))
        back = await mine.get("/oauth/callback", params=query)
        page = await other.get(back.headers["location"])
    assert page.status_code == 410


async def test_any_replica_with_the_keys_shows_the_outcome(actions: WatchedActions) -> None:
    old, new = ("old", b"k" * 32), ("new", b"n" * 32)
    async with (
        browser_for(actions, keys=KeyRing([old])) as mine,
        browser_for(actions, keys=KeyRing([new, old])) as replica,
    ):
        query = await at_microsoft(actions, mine, await link_of(actions))
        back = await mine.get("/oauth/callback", params=query)
        replica.cookies = mine.cookies
        page = await replica.get(back.headers["location"])
    assert "Connected" in page.text


@pytest.mark.parametrize(
    "kept",
    [
        {"kind": "connected", "title": "Connected", "message": "Done.", "next_step": "Close."},
        {"kind": "connected", "title": {"key": "a.later.key", "facts": []}},
        {"kind": "a later kind"},
        {},
    ],
)
async def test_an_outcome_that_another_version_kept_is_gone(actions: WatchedActions, kept: dict[str, Any]) -> None:
    ring, clock, outcome_id = KeyRing.generate(), HandClock(), "a" * 22
    sealed = ring.seal_token("browser cookie", f"outcome_{outcome_id}", kept, expires_at=clock.now() + timedelta(60))
    async with browser_for(actions, keys=ring, clock=clock) as browser:
        cookie = f"__Host-scalekit_outcome_{outcome_id}={sealed}"
        page = await browser.get(f"/oauth/outcome/{outcome_id}", headers={"cookie": cookie})
    assert page.status_code == 410


async def test_an_outcome_is_shown_at_its_own_address_and_in_its_time_alone(actions: WatchedActions) -> None:
    clock = HandClock()
    async with browser_for(actions, clock=clock) as browser:
        query = await at_microsoft(actions, browser, await link_of(actions))
        back = await browser.get("/oauth/callback", params=query)
        address = back.headers["location"]
        (name,) = [name for name in browser.cookies if "outcome_" in name]
        sealed, other = browser.cookies[name], "a" * 22
        for damaged in (sealed[:-1], "%%%", sealed[::-1]):
            assert (await browser.get(address, headers={"cookie": f"{name}={damaged}"})).status_code == 410
        renamed = f"__Host-scalekit_outcome_{other}={sealed}"
        assert (await browser.get(f"/oauth/outcome/{other}", headers={"cookie": renamed})).status_code == 410
        clock.at += timedelta(seconds=899)
        assert "Connected" in (await browser.get(address)).text
        clock.at += timedelta(seconds=1)
        assert (await browser.get(address)).status_code == 410


@pytest.mark.parametrize("path", ["/connect/unknown-ticket-0000", "/oauth/outcome/aaaaaaaaaaaaaaaaaaaa"])
async def test_every_page_carries_the_headers_that_keep_it_to_itself(path: str, actions: WatchedActions) -> None:
    async with browser_for(actions) as browser:
        page = await browser.get(path)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        content = re.search(rf"<{kind}>(.*?)</{kind}>", page.text, re.S)
        assert content
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-frame-options"] == "DENY"
    assert not re.search(r"(src|href)=\"(?!https?://127\.0\.0\.1)https?:", page.text)
    assert not re.search(r"\son\w+=|\sstyle=", page.text)


async def test_the_pages_of_the_sandbox_say_that_it_is_not_microsoft(actions: WatchedActions) -> None:
    async with browser_for(actions, sandbox=True) as browser:
        page = await browser.get(await link_of(actions))
    assert "this is not Microsoft" in page.text


async def test_nothing_of_a_query_reaches_the_log(caplog: pytest.LogCaptureFixture, actions: WatchedActions) -> None:
    caplog.set_level(logging.DEBUG, logger="scalekit_mcp")
    for crash in (RuntimeError("broken"), VaultError("The vault is locked.")):
        actions.failure = crash
        async with browser_for(actions) as browser:
            page = await browser.get("/oauth/callback", params={"state": "st4te-value", "code": "c0de-value"})
        assert page.status_code in (500, 503)
        assert "broken" not in page.text
        reference = re.search(r"Reference: <code>(\w+)<", page.text)
        assert reference
        assert reference[1] in caplog.text
    browsers = {"httpx2", "httpcore2"}  # this test's browser may log what it asks for, where another test let it
    formatter = logging.Formatter()
    logged = [formatter.format(record) for record in caplog.records if record.name.partition(".")[0] not in browsers]
    assert logged
    assert not [line for line in logged if "st4te-value" in line or "c0de-value" in line]


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_each_kind_of_outcome_renders_escaped(kind: OutcomeKind) -> None:
    hostile = '"><script>alert(1)</script>'
    outcome = AuthorizationOutcome(
        kind=kind,
        title=verbatim(hostile),
        message=said("connected.message", mailbox=hostile),
        next_step=verbatim(hostile),
        mailbox=hostile,
        confirmation_code=hostile,
        approval=ApprovalRequest(hostile, hostile, (hostile,)),
        reference=hostile,
    )
    page = Pages().outcome(outcome, cancel_action="/connect/t", csrf=hostile)
    body = bytes(page.body).decode()
    assert "<script>alert" not in body
    assert body.count("<h1>") == 1
    assert 'lang="en"' in body


def test_the_way_to_microsoft_is_a_refresh_and_a_visible_link() -> None:
    url = "https://login.example/authorize?a=1&b='\"<"
    body = bytes(Pages().redirect_to_provider(url).body).decode()
    assert f'content="0;url={html.escape(url).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")}"' in body
    assert "<script" not in body
    assert 'class="button primary"' in body


def test_scopes_are_told_once_each_and_the_calendar_first() -> None:
    scopes = ("openid", "profile", "https://graph.microsoft.com/Calendars.Read", "User.Read", "Mail.Send")
    assert permissions(scopes) == [
        said("permission.calendars_read"),
        said("permission.user_read"),
        said("permission.identity"),
        verbatim("Mail.Send"),
    ]


def test_who_takes_access_back_depends_on_whether_there_are_administrators() -> None:
    (alone,) = permissions(("offline_access",), has_administrators=False)
    assert str(alone) == "stay connected while you are away, until you take it back"
    (with_it,) = permissions(("offline_access",))
    assert str(with_it) == "stay connected while you are away, until you or your IT takes it back"


def test_a_prompt_without_an_approval_has_no_section_for_it() -> None:
    prompt = AuthorizationPrompt("ana", "outlook", "Microsoft", ("openid",), HandClock().now(), None)
    body = bytes(Pages().connect(prompt, action="/connect/t", csrf="c").body).decode()
    assert "<details>" not in body
