"""Whatever comes over HTTP is answered: no escaping exception, no 5xx, no page that carries what was sent as markup."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx2 as httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from security_support import SERVICE_KEY, Product, product

from scalekit_mcp.actions.models import AuthorizationLinkResponse

BUDGET = settings(
    max_examples=120,
    suppress_health_check=[*settings().suppress_health_check, HealthCheck.function_scoped_fixture],
)
MARK = "<script>mark()</script>"
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(["", "0", "-1", "²", "9" * 5000, MARK, "\x00", "%", "a" * 3000, "../..", "{}", "null"]),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)
QUERY_NAMES = ["code", "state", "error", "error_description", "session_state", "iss", "admin_consent", "tenant", "x"]
COOKIE_TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=";,"), max_size=40)
COOKIES = st.dictionaries(
    st.one_of(COOKIE_TEXT, COOKIE_TEXT.map("outcome_".__add__), COOKIE_TEXT.map("attempt_".__add__)),
    COOKIE_TEXT,
    max_size=3,
)


BODIES = {"lists": b"[" * 50_000, "objects": b'{"a":' * 20_000, "open": b"{", "nan": b"NaN", "not utf-8": b"\xff"}


class Running:
    """The product in a thread of its own, asked from a synchronous test."""

    def __init__(self, portal: BlockingPortal, made: Product) -> None:
        self.portal, self.made = portal, made

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.portal.call(partial(self.made.http.request, method, path, **options))

    def link(self) -> AuthorizationLinkResponse:
        return self.portal.call(partial(self.made.actions.get_authorization_link, identifier="ana"))


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(product()) as made:
        yield Running(portal, made)


def is_safe(answer: httpx.Response) -> bool:
    """Answered by rule; nothing that was sent came back as markup; no page may be framed or cached."""
    assert answer.status_code < 500, answer.text[:500]
    assert "Traceback" not in answer.text
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert MARK not in answer.text
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
    return True


def cookie_header(cookies: dict[str, str]) -> dict[str, str]:
    return {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}


@BUDGET
@given(st.dictionaries(st.sampled_from(QUERY_NAMES), TEXTS, max_size=6), COOKIES)
def test_no_callback_query_crashes_or_connects_anybody(
    running: Running, query: dict[str, str], cookies: dict[str, str]
):
    for path in ("/oauth/callback", "/oauth/admin-consent"):
        answer = running.send("GET", path, params=query, headers=cookie_header(cookies))
        assert is_safe(answer)
        if answer.status_code == 303:
            assert answer.headers["location"].startswith("/oauth/outcome/")
            kept = {c.split(";")[0] for c in answer.headers.get_list("set-cookie")}
            shown = running.send("GET", answer.headers["location"], headers={"cookie": "; ".join(kept)})
            assert is_safe(shown)
            assert "Connected" not in shown.text


@BUDGET
@given(TEXTS, COOKIES, st.dictionaries(TEXTS, TEXTS, max_size=20), st.sampled_from(["GET", "POST", "HEAD", "PUT"]))
def test_no_link_form_or_cookie_crashes_the_pages(
    running: Running, ticket: str, cookies: dict[str, str], form: dict[str, str], method: str
):
    path = f"/connect/{quote(ticket, safe='')}"
    body: dict[str, Any] = {"data": form} if method == "POST" else {}
    assert is_safe(running.send(method, path, headers=cookie_header(cookies), **body))


@BUDGET
@given(st.binary(max_size=200), COOKIES)
def test_no_body_makes_a_real_link_start_without_its_cookie(running: Running, body: bytes, cookies: dict[str, str]):
    link = running.link().link
    headers = {"content-type": "application/x-www-form-urlencoded", **cookie_header(cookies)}
    answer = running.send("POST", link, content=body, headers=headers)
    assert is_safe(answer)
    assert "refresh" not in answer.text.lower().split("</head>")[0].replace("no-store", "")


def test_a_form_of_a_thousand_fields_in_the_right_browser_starts_nothing(running: Running):
    link = running.link().link
    opened = running.send("GET", link)
    cookies = {"cookie": "; ".join(text.split(";")[0] for text in opened.headers.get_list("set-cookie"))}
    answer = running.send("POST", link, data={f"n{number}": "x" for number in range(1000)}, headers=cookies)
    assert is_safe(answer)
    assert "oauth2" not in answer.text


ROUTES = [
    ("GET", "/connected_accounts/details", ["identifier", "connector", "id", "x"]),
    ("GET", "/connected_accounts", ["identifier", "connector", "page_size", "page_token", "x"]),
    ("POST", "/connected_accounts", ["identifier", "connector", "connected_account", "x"]),
    ("POST", "/connected_accounts:delete", ["identifier", "connector", "id"]),
    ("POST", "/connected_accounts/magic_link", ["identifier", "connector", "state", "user_verify_url"]),
    ("POST", "/connected_accounts/user/verify", ["auth_request_id", "identifier"]),
    ("POST", "/execute_tool", ["identifier", "tool_name", "params", "connector", "connected_account_id"]),
    ("POST", "/session_tokens", ["identifier", "expiry", "access_level", "email"]),
]
KNOWN: dict[str, list[Any]] = {
    "identifier": ["ana"],
    "tool_name": ["outlook_get_calendar_event"],
    "connector": ["outlook"],
}


@pytest.mark.parametrize(("method", "path", "names"), ROUTES, ids=[path for _, path, _ in ROUTES])
@settings(BUDGET, max_examples=60)
@given(data=st.data())
def test_no_rest_request_crashes(running: Running, method: str, path: str, names: list[str], data: st.DataObject):
    values = {name: st.one_of(st.sampled_from(KNOWN.get(name, [""])), JSON) for name in names}
    given_values = data.draw(st.fixed_dictionaries({}, optional=values))
    headers = {"authorization": f"Bearer {SERVICE_KEY}"}
    if method == "GET":
        query = {name: value if isinstance(value, str) else str(value) for name, value in given_values.items()}
        answer = running.send(method, f"/api/v1{path}", params=query, headers=headers)
    else:
        answer = running.send(method, f"/api/v1{path}", json=given_values, headers=headers)
    assert is_safe(answer)
    without = running.send(method, f"/api/v1{path}", headers={"authorization": f"Bearer {SERVICE_KEY}x"})
    assert without.status_code == 401


@BUDGET
@given(st.one_of(st.binary(max_size=120), st.sampled_from(sorted(BODIES))))
def test_no_body_crashes_rest_or_mcp(running: Running, name: bytes | str):
    body = BODIES[name] if isinstance(name, str) else name
    token = running.made.tokens.mint("ana")[0]
    json_type = {"content-type": "application/json"}
    rest = {"authorization": f"Bearer {SERVICE_KEY}", **json_type}
    assert is_safe(running.send("POST", "/api/v1/execute_tool", content=body, headers=rest))
    accepts = {"accept": "application/json, text/event-stream", "authorization": f"Bearer {token}", **json_type}
    assert is_safe(running.send("POST", "/mcp", content=body, headers=accepts))


@pytest.mark.parametrize("size", ["²", "9" * 5000, "-1", "1e1", "100", "٣"])
def test_an_odd_page_size_is_refused_by_name(running: Running, size: str):
    headers = {"authorization": f"Bearer {SERVICE_KEY}"}
    answer = running.send("GET", "/api/v1/connected_accounts", params={"page_size": size}, headers=headers)
    assert answer.status_code == 400, answer.text
    assert "page_size" in answer.text


@BUDGET
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "jsonrpc": st.one_of(st.just("2.0"), JSON),
            "id": JSON,
            "method": st.one_of(st.sampled_from(["tools/call", "tools/list", "initialize", "ping"]), TEXTS),
            "params": JSON,
        },
    ),
    st.one_of(st.none(), st.sampled_from(["2025-11-25", "2026-07-28", "1999-01-01", "x"])),
)
def test_no_message_crashes_mcp(running: Running, message: dict[str, Any], version: str | None):
    headers = {
        "accept": "application/json, text/event-stream",
        "authorization": f"Bearer {running.made.tokens.mint('ana')[0]}",
        **({"mcp-protocol-version": version} if version else {}),
    }
    assert is_safe(running.send("POST", "/mcp", json=message, headers=headers))


@BUDGET
@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]),
    st.sampled_from(["/mcp", "/messages/", "/api/v1/x", "/oauth/outcome/x", "/healthz", "/metrics", "/", "/.env"]),
    st.dictionaries(
        st.sampled_from(["origin", "host", "authorization", "mcp-session-id", "content-length", "x-forwarded-host"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
        max_size=3,
    ),
)
def test_no_method_path_or_header_crashes(running: Running, method: str, path: str, headers: dict[str, str]):
    answer = running.send(method, path, headers=headers)
    assert is_safe(answer)
    if path == "/mcp" and method != "OPTIONS":
        assert answer.status_code in (400, 401, 405, 421)
