"""Whatever is sent to identity gets an answer, never a crash."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2 as httpx
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_client import BASE, CALLBACK, CHALLENGE, SCOPE, VERIFIER

from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Sandbox

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ODD = st.sampled_from(
    ["http://[", "%", "\x00", "[]", "{}", '{"access_token":5}', '{"access_token":{"xms_cc":5}}', "a.b.c", "..", "É", ""]
)
AUTHORIZE = {
    "client_id": DEFAULT_CLIENT_ID,
    "response_type": "code",
    "redirect_uri": CALLBACK,
    "scope": SCOPE,
    "state": "s",
    "prompt": "none",
    "login_hint": "dana@company.com",
    "domain_hint": "company.com",
    "response_mode": "form_post",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "claims": "{}",
}
TOKEN = {
    "client_id": DEFAULT_CLIENT_ID,
    "client_secret": DEFAULT_CLIENT_SECRET,
    "grant_type": "refresh_token",
    "refresh_token": "M.C",
    "code": "x",
    "redirect_uri": CALLBACK,
    "code_verifier": VERIFIER,
    "scope": SCOPE,
    "claims": "{}",
    "client_assertion": "a.b.c",
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "device_code": "x",
}
AUTHORITIES = st.sampled_from(["common", "organizations", "consumers", "company.com", "x", "%00", "%5B"])


def changed(usual: dict[str, str]) -> st.SearchStrategy[dict[str, str]]:
    """The usual parameters with some of them gone or odd."""
    names = st.sampled_from(sorted(usual))
    return st.tuples(st.sets(names, max_size=6), st.dictionaries(names, ODD | TEXT, max_size=4)).map(
        lambda both: {name: value for name, value in {**usual, **both[1]}.items() if name not in both[0]}
    )


def send(method: str, path: str, **options: Any) -> httpx.Response:
    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app=Sandbox().app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            return await client.request(method, path, **options)

    return asyncio.run(call())


@settings(max_examples=60)
@given(AUTHORITIES, changed(AUTHORIZE))
def test_every_authorization_request_gets_a_page_or_a_redirect(authority: str, query: dict[str, str]) -> None:
    answer = send("GET", f"/{authority}/oauth2/v2.0/authorize", params=query)
    assert answer.status_code in (200, 302, 400)
    if answer.is_redirect:
        # without a redirect URI the first registered one is taken
        assert answer.headers["location"].startswith(CALLBACK if query.get("redirect_uri") else "http://localhost/")


@settings(max_examples=60)
@given(
    AUTHORITIES,
    changed(TOKEN),
    st.sampled_from(["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]),
    st.sampled_from([None, "Basic", "Basic %%%", "Basic YTpi", "Bearer x"]),
)
def test_every_token_request_is_refused_with_the_error_object(
    authority: str, form: dict[str, str], grant_type: str, authorization: str | None
) -> None:
    headers = {"authorization": authorization} if authorization else {}
    if "grant_type" in form:
        form["grant_type"] = grant_type
    answer = send("POST", f"/{authority}/oauth2/v2.0/token", data=form, headers=headers)
    assert answer.status_code in (400, 401)
    assert {"error", "error_description", "error_codes", "trace_id", "correlation_id"} <= set(answer.json())


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(["flow", "action", "address", "justification", "user_code"]), ODD | TEXT))
def test_every_submitted_form_gets_a_page(fields: dict[str, str]) -> None:
    for path in ("/common/login", "/devicelogin"):
        assert "NOT Microsoft" in send("POST", path, data=fields).text
