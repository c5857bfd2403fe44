"""The authorization endpoint: what must hold, in which order, where an error is told, and the page of consent."""

from __future__ import annotations

import html
import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

import httpx2 as httpx
import pytest

from scalekit_mcp.accounts.model.grants import ClientKind
from scalekit_mcp.errors import VaultError
from scalekit_mcp.server.oauth.clients import OAuthClient
from scalekit_mcp.server.oauth.requests import code_url
from tests.oauth.oauth_room import (
    CHALLENGE,
    COOKIE,
    ISSUER,
    OAuthRoom,
    encoded,
    error_of,
    form_of,
    open_oauth,
    state_of,
)
from tests.oauth.oauth_support import CLAUDE, NEWER, REGISTRATIONS

DOCUMENT = "https://client.example/oauth/client.json"


@pytest.fixture
async def room() -> AsyncIterator[OAuthRoom]:
    async with open_oauth() as room:
        yield room


def is_page(answer: httpx.Response, words: str) -> None:
    """A page of ours, status 400, that leads nowhere."""
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert words in answer.text
    assert "location" not in answer.headers
    assert "http-equiv" not in answer.text
    assert "evil" not in answer.text


# Faults before client and redirect URI are trusted


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "scope", "code_challenge", "unknown"])
async def test_a_parameter_that_comes_twice_is_a_page(room: OAuthRoom, name: str):
    """RFC 6749 section 3.1."""
    query = f"{encoded(room.query())}&{name}=a&{name}=b"
    is_page(await room.browser.get(f"/authorize?{query}"), "came twice")


@pytest.mark.parametrize(
    "client_id", ["dcr.unknown", "unknown", "http://client.example/c", "javascript:x", "dcr.\u00e9"]
)
async def test_an_unknown_client_is_a_page_that_says_what_to_do(room: OAuthRoom, client_id: str):
    is_page(await room.show(client_id=client_id, redirect_uri="https://evil.example"), "add it again")


async def test_a_client_whose_key_was_removed_is_such_a_page(room: OAuthRoom):
    async with open_oauth(ring=NEWER) as other:
        room.client_id = other.client_id
        is_page(await room.show(), "add it again")


async def test_no_client_is_a_page(room: OAuthRoom):
    for client_id in (None, ""):
        is_page(await room.show(client_id=client_id), "which app")


async def test_a_refused_document_is_a_page_with_the_rule(room: OAuthRoom):
    is_page(await room.show(client_id=DOCUMENT), "not JSON")


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://evil.example/cb",
        CLAUDE + "/",
        CLAUDE + "?x=1",
        CLAUDE.replace("claude.ai", "claude.ai.evil.example"),
        CLAUDE.replace("claude.ai", "claude.ai@evil.example"),
        CLAUDE.replace("claude.ai", "CLAUDE.AI"),
        "javascript:alert(1)",
        "http://localhost:1/cb",
        "\udcff",
    ],
)
async def test_a_foreign_redirect_uri_is_a_page_and_no_redirect(room: OAuthRoom, redirect_uri: str):
    query = encoded(room.query(redirect_uri=None)) + "&redirect_uri=" + quote(redirect_uri, errors="surrogateescape")
    is_page(await room.browser.get(f"/authorize?{query}"), "not its own")


async def test_a_redirect_uri_may_be_left_out_only_if_there_is_one(room: OAuthRoom):
    assert (await room.show(redirect_uri=None)).status_code == 200
    room.register(redirect_uris=[CLAUDE, "https://claude.com/api/mcp/auth_callback"])
    is_page(await room.show(redirect_uri=None), "not its own")
    room.register(redirect_uris=["http://localhost/cb"])
    is_page(await room.show(redirect_uri=None), "not its own")


async def test_a_state_of_four_kibibytes_is_taken_and_a_longer_one_is_a_page(room: OAuthRoom):
    assert (await room.show(state="s" * 4096)).status_code == 200
    is_page(await room.show(state="s" * 4097), "state is longer")


# Faults that the app is told


FAULTS = [
    ({"response_type": None}, "unsupported_response_type"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"response_mode": "form_post"}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"code_challenge": "a" * 44}, "invalid_request"),
    ({"code_challenge": "a" * 42 + "="}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": "s256"}, "invalid_request"),
    ({"resource": "https://evil.example/mcp"}, "invalid_target"),
    ({"resource": "https://mcp.example/other"}, "invalid_target"),
    ({"request": "a.b.c"}, "request_not_supported"),
    ({"request_uri": "urn:x"}, "request_uri_not_supported"),
    ({"registration": "{}"}, "registration_not_supported"),
]


@pytest.mark.parametrize(("changes", "error"), FAULTS)
async def test_what_does_not_hold_is_told_to_the_app_with_state_and_issuer(
    room: OAuthRoom, changes: dict[str, str | None], error: str
):
    """RFC 6749 section 4.1.2.1, RFC 9207 section 2."""
    answer = await room.show(**changes)
    told = error_of(answer)
    assert told["error"] == error
    assert told["state"] == "the host's state"
    assert told["iss"] == ISSUER
    assert told["error_description"]
    assert set(told) == {"error", "error_description", "state", "iss"}
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers


async def test_an_error_without_a_state_has_none(room: OAuthRoom):
    assert "state" not in error_of(await room.show(state=None, response_type="token"))


async def test_the_checks_come_in_their_order(room: OAuthRoom):
    wrong: dict[str, str | None] = {
        "client_id": "dcr.unknown",
        "redirect_uri": "https://evil.example",
        "response_type": "token",
        "response_mode": "fragment",
        "code_challenge_method": "plain",
        "resource": "https://evil.example",
        "request": "a.b.c",
        "scope": "everything",
    }
    is_page(await room.show(**wrong), "does not know the app")
    del wrong["client_id"]
    is_page(await room.show(**wrong), "not its own")
    del wrong["redirect_uri"]
    told: list[str] = []
    for name in ("response_type", "response_mode", "code_challenge_method", "resource", "request"):
        told.append(error_of(await room.show(**wrong))["error"])
        del wrong[name]
    assert told == [
        "unsupported_response_type",
        "invalid_request",
        "invalid_request",
        "invalid_target",
        "request_not_supported",
    ]
    assert (await room.show(**wrong)).status_code == 200


async def test_every_one_of_several_resources_must_be_ours(room: OAuthRoom):
    """RFC 8707 section 2: it may repeat."""
    ours = encoded(room.query(resource=None)) + f"&resource={quote(ISSUER + '/mcp')}&resource={quote(ISSUER)}"
    assert (await room.browser.get(f"/authorize?{ours}")).status_code == 200
    answer = await room.browser.get(f"/authorize?{ours}&resource=https%3A%2F%2Fevil.example")
    assert error_of(answer)["error"] == "invalid_target"


async def test_a_request_without_a_resource_is_taken(room: OAuthRoom):
    assert (await room.show(resource=None)).status_code == 200


@pytest.mark.parametrize(
    "raw", ["a%26b%3Dc%23d%2Be", "%C3%A9%E4%B8%AD", "%FF%FE%00", "%E2%80%AE", "a+b%20c", "%20a%0A", "%3Cscript%3E"]
)
async def test_a_state_of_any_characters_comes_back_byte_for_byte(room: OAuthRoom, raw: str):
    query = encoded(room.query(state=None, response_type="token"))
    told = error_of(await room.browser.get(f"/authorize?{query}&state={raw}"))
    assert told["state"].encode("utf-8", "surrogateescape") == unquote_to_bytes(raw.replace("+", " "))
    query = encoded(room.query(state=None))
    answer = await room.press(await room.browser.get(f"/authorize?{query}&state={raw}"))
    assert answer.status_code == 200
    sign_in = await room.grants.sign_ins.take(state_of(answer), browser_secret=room.browser.cookies.get(COOKIE))
    back = urlsplit(code_url(ISSUER, sign_in.request, "c")).query
    assert f"state={quote(unquote_to_bytes(raw.replace('+', ' ')), safe='').replace('%20', '+')}" in back


async def test_raw_bytes_in_a_query_are_read_like_encoded_ones(room: OAuthRoom):
    """A browser encodes them; nothing keeps another program from sending them as they are."""
    query = encoded(room.query(state=None, response_type="token")).encode()
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/authorize", "headers": [(b"host", b"mcp.example")]}
    scope |= {"query_string": query + b"&state=\xff\xe9", "scheme": "https", "server": ("mcp.example", 443)}
    await room.app(scope, receive, send)
    assert sent[0]["status"] == 302
    assert b"state=%FF%E9" in dict(sent[0]["headers"])[b"location"]


# The page


async def test_looking_at_the_page_begins_nothing_and_may_be_repeated(room: OAuthRoom):
    """fastmcp loads the page itself, without a cookie, before it opens the browser."""
    await room.host.get("/authorize", params=room.query())
    room.host.cookies.clear()
    first, second = await room.show(), await room.show()
    assert first.status_code == second.status_code == 200
    assert room.microsoft.begun == []
    for page in (first, second):
        assert (await room.press(page)).status_code == 200


async def test_the_cookie_is_out_of_reach_of_scripts_subdomains_and_other_sites(room: OAuthRoom):
    header = (await room.show()).headers["set-cookie"]
    assert header.startswith(f"{COOKIE}=")
    assert COOKIE.startswith("__Host-")
    parts = {part.strip().lower() for part in header.split(";")[1:]}
    assert {"httponly", "secure", "samesite=lax", "path=/", "max-age=900"} <= parts
    assert not any(part.startswith("domain") for part in parts)
    assert len(room.browser.cookies[COOKIE]) == 43


async def test_a_cookie_is_kept_so_that_a_second_tab_does_not_break_the_first(room: OAuthRoom):
    first = await room.show(state="1")
    secret = room.browser.cookies[COOKIE]
    await room.show(state="2")
    assert room.browser.cookies[COOKIE] == secret
    assert (await room.press(first)).status_code == 200


@pytest.mark.parametrize("planted", ["short", "a" * 42, "a" * 44, "b\u00e4d" + "a" * 40, "a" * 42 + ";"])
async def test_a_cookie_that_is_none_of_ours_is_replaced(room: OAuthRoom, planted: str):
    header = f"{COOKIE}={planted}".encode("latin-1")
    answer = await room.host.get("/authorize", params=room.query(), headers={"cookie": header})  # type: ignore[dict-item]
    value = answer.headers["set-cookie"].split(";")[0].partition("=")[2]
    assert len(value) == 43
    assert value != planted


async def test_the_page_says_first_where_the_answer_goes_and_what_is_wanted(room: OAuthRoom):
    page = (await room.show()).text
    assert '<h1 class="identifier">claude.ai</h1>' in page
    assert "calls itself" in page
    assert "not verified" in page
    assert "see the events in your calendar" in page
    assert "create, change and delete events" in page
    assert "Calendars.ReadWrite" in page
    assert "User.Read" in page
    assert "Continue only if you have just started this in that app." in page
    assert "https://login.example/adminconsent?client_id=1" in page
    assert "(application id &lt;client&gt;)" in page
    assert "<img" not in page
    assert page.index("claude.ai</h1>") < page.index("calls itself")


async def test_a_reader_is_shown_as_one(room: OAuthRoom):
    page = (await room.show(scope="calendar.read")).text
    assert "see the events in your calendar and when" in page
    assert "create, change and delete events in your calendar</li>\n</ul>\n<h2>Microsoft" not in page
    async with open_oauth(read_only=True) as read_only:
        await read_only.press(await read_only.show())
        assert read_only.microsoft.begun[0].request.scopes == ("calendar.read",)


@pytest.mark.parametrize(
    ("redirect_uri", "where", "warning"),
    [
        ("http://localhost:5/cb", "an app on this computer (localhost)", "a program on this computer"),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "the app registered for cursor:", "begin with cursor:"),
    ],
)
async def test_an_answer_to_this_device_is_named_and_warned_about(
    room: OAuthRoom, redirect_uri: str, where: str, warning: str
):
    room.register(redirect_uris=[redirect_uri])
    page = (await room.show(redirect_uri=redirect_uri)).text
    assert where in page
    assert warning in page


async def test_a_document_is_shown_as_verified_and_another_host_is_warned_about(room: OAuthRoom):
    for host, warned in (("claude.ai", False), ("client.example", True)):
        known = OAuthClient(DOCUMENT, ClientKind.DOCUMENT, "Claude", (CLAUDE,), host)
        room.documents.clients[DOCUMENT] = known
        page = (await room.show(client_id=DOCUMENT)).text
        assert f'published by <span class="identifier">{host}</span> (verified)' in page
        assert "not verified" not in page
        assert ("but its answer goes to" in page) is warned


async def test_what_an_app_writes_is_escaped_and_shortened(room: OAuthRoom):
    room.register(client_name='<script>alert(1)</script>"\u202e' + "x" * 300)
    page = (await room.show(state="<img src=x>'\"")).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "x" * 101 not in page
    assert "<img" not in page


async def test_the_page_cannot_be_framed_kept_or_made_to_load_anything(room: OAuthRoom):
    headers = (await room.show()).headers
    policy = headers["content-security-policy"]
    for part in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"):
        assert part in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


async def test_cancel_is_a_link_that_tells_the_app(room: OAuthRoom):
    page = (await room.show()).text
    found = re.search(r'<a class="button" href="([^"]+)"[^>]*>Cancel</a>', page)
    assert found is not None
    link = html.unescape(found[1])
    assert link.startswith(CLAUDE)
    for part in ("error=access_denied", "state=the+host%27s+state", f"iss={quote(ISSUER, safe='')}"):
        assert part in link
    assert room.microsoft.begun == []


# Going on


async def test_going_on_begins_a_sign_in_with_what_was_shown(room: OAuthRoom):
    answer = await room.press(await room.show(scope="calendar.read offline_access", prompt="consent"))
    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text
    [sign_in] = room.microsoft.begun
    assert state_of(answer) == sign_in.secrets.state
    request = sign_in.request
    assert (request.redirect_uri, request.code_challenge, request.state) == (CLAUDE, CHALLENGE, "the host's state")
    assert request.scopes == ("calendar.read",)
    assert (request.client.name, request.client.host, request.client.kind) == ("Claude", "claude.ai", "registration")
    assert 'sign_ins_total{outcome="begun"} 1' in room.metrics.render()


async def test_nothing_is_remembered_of_an_approval(room: OAuthRoom):
    """GHSA-6x8h-498w-gv8c: with documents a client has the same id at every server."""
    await room.press(await room.show())
    assert "Continue to Microsoft" in (await room.show(state="again")).text


async def test_pressing_twice_voids_the_first_state(room: OAuthRoom):
    page = await room.show()
    first, second = state_of(await room.press(page)), state_of(await room.press(page))
    assert first != second
    secret = room.browser.cookies[COOKIE]
    assert (await room.grants.sign_ins.take(second, browser_secret=secret)).request.redirect_uri == CLAUDE
    with pytest.raises(Exception, match="unknown"):
        await room.grants.sign_ins.take(first, browser_secret=secret)


async def test_a_form_without_the_cookie_begins_nothing(room: OAuthRoom):
    page = await room.show()
    room.browser.cookies.clear()
    is_page(await room.press(page), "cookie")
    assert room.microsoft.begun == []


async def test_a_form_that_was_made_for_another_browser_begins_nothing(room: OAuthRoom):
    page = await room.show()
    room.browser.cookies.clear()
    await room.show()
    is_page(await room.press(page), "cookie")
    assert room.microsoft.begun == []


@pytest.mark.parametrize("name", ["csrf", "request"])
async def test_a_form_with_anything_changed_or_missing_begins_nothing(room: OAuthRoom, name: str):
    fields = form_of(await room.show())
    for value in ("", "x", fields[name][:-1] + ("A" if fields[name][-1] != "A" else "B"), "\u00e9"):
        answer = await room.browser.post("/authorize", data={**fields, name: value}, headers={"origin": ISSUER})
        is_page(answer, "cookie")
    assert room.microsoft.begun == []


async def test_the_request_of_one_page_does_not_fit_the_proof_of_another(room: OAuthRoom):
    first, second = form_of(await room.show(state="1")), form_of(await room.show(state="2"))
    mixed = {"request": first["request"], "csrf": second["csrf"]}
    is_page(await room.browser.post("/authorize", data=mixed), "cookie")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://mcp.example.evil.example"},
        {"origin": "http://mcp.example"},
        {"sec-fetch-site": "cross-site"},
    ],
)
async def test_a_form_of_another_site_begins_nothing(room: OAuthRoom, headers: dict[str, str]):
    answer = await room.press(await room.show(), headers=headers)
    assert answer.status_code == 400
    assert "another site" in answer.text
    assert room.microsoft.begun == []


@pytest.mark.parametrize("headers", [{"origin": "null"}, {"sec-fetch-site": "same-origin"}])
async def test_a_browser_that_hides_the_origin_goes_on(room: OAuthRoom, headers: dict[str, str]):
    assert (await room.press(await room.show(), headers=headers)).status_code == 200


async def test_a_page_is_good_for_a_quarter_of_an_hour(room: OAuthRoom):
    page = await room.show()
    room.clock.advance(15 * 60 - 1)
    assert (await room.press(page)).status_code == 200
    room.clock.advance(1)
    is_page(await room.press(page), "open for too long")


async def test_a_client_is_looked_at_again_when_the_person_goes_on(room: OAuthRoom):
    room.documents.clients[DOCUMENT] = OAuthClient(DOCUMENT, ClientKind.DOCUMENT, "Claude", (CLAUDE,), "claude.ai")
    page = await room.show(client_id=DOCUMENT)
    room.documents.clients[DOCUMENT] = OAuthClient(
        DOCUMENT, ClientKind.DOCUMENT, "Claude", ("https://claude.ai/other",), "claude.ai"
    )
    is_page(await room.press(page), "not its own")
    assert room.microsoft.begun == []


async def test_a_long_or_odd_form_is_a_page(room: OAuthRoom):
    await room.show()
    for content in (b"a" * 100_000, b"csrf=1&csrf=2", b"\xff", b"&" * 1000, b"csrf=%FF"):
        headers = {"content-type": "application/x-www-form-urlencoded"}
        is_page(await room.browser.post("/authorize", content=content, headers=headers), "cookie")
    is_page(await room.browser.post("/authorize", json=form_of(await room.show())), "cookie")


@pytest.mark.parametrize("host", REGISTRATIONS)
async def test_each_host_gets_its_page(room: OAuthRoom, host: str):
    sent, redirect_uri = REGISTRATIONS[host]
    room.client_id = room.registrations.register(json.dumps(sent).encode())["client_id"]
    page = await room.show(redirect_uri=redirect_uri)
    assert page.status_code == 200
    assert (await room.press(page)).status_code == 200
    assert room.microsoft.begun[0].request.redirect_uri == redirect_uri


async def test_a_failing_vault_is_a_page_with_a_number_and_nothing_else(
    room: OAuthRoom, caplog: pytest.LogCaptureFixture
):
    async def start(*_: object, **__: object) -> str:
        raise VaultError("The vault's database is busy.")

    page = await room.show()
    room.microsoft.start = start  # type: ignore[method-assign]
    answer = await room.press(page)
    assert answer.status_code == 503
    assert "Reference" in answer.text

    async def crash(*_: object, **__: object) -> str:
        raise RuntimeError("secret details")

    room.microsoft.start = crash  # type: ignore[method-assign]
    answer = await room.press(page)
    assert answer.status_code == 500
    assert "secret details" not in answer.text
    assert "Reference" in answer.text


async def test_the_log_tells_outcomes_and_no_value(room: OAuthRoom, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, logger="scalekit_mcp"):
        await room.press(await room.show())
        await room.show(response_type="token")
        await room.show(redirect_uri="https://evil.example")
    assert "A sign-in was begun: claude.ai" in caplog.text
    assert caplog.text.count("A sign-in was refused") == 2
    for secret in (room.client_id, "the host's state", CHALLENGE, room.browser.cookies[COOKIE], "evil"):
        assert secret not in caplog.text


async def test_only_get_and_post_are_answered(room: OAuthRoom):
    for method in ("PUT", "DELETE", "OPTIONS"):
        answer = await room.browser.request(method, "/authorize")
        assert answer.status_code == 405
        assert "access-control-allow-origin" not in answer.headers
