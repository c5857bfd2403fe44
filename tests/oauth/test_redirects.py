"""Which redirect URIs an app may have, and when one that it asks for is one of them."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.server.oauth.redirects import (
    Destination,
    acceptable_ones,
    chosen,
    destination,
    is_acceptable,
    matches,
    with_parameters,
)

ACCEPTABLE = [
    "https://claude.ai/api/mcp/auth_callback",
    "https://example.com",
    "https://example.com:8443/cb?x=1",
    "https://[2001:db8::1]/cb",
    "https://xn--bcher-kva.example/cb",
    "http://localhost/callback",
    "http://localhost:52341/callback",
    "http://127.0.0.1/",
    "http://127.0.0.1:*/callback",
    "http://[::1]:8080/cb",
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "com.example.app:/callback",
    "vscode-insiders://vscode.github/did-authenticate",
]
UNACCEPTABLE = [
    "http://evil.example/cb",
    "http://localhost.evil.example/cb",
    "http://127.0.0.1@evil.example/cb",
    "http://127.0.0.1:80@evil.example/cb",
    "http://localhost:80:90/cb",
    "http://127.0.0.2/cb",
    "http://2130706433/cb",
    "http://0.0.0.0/cb",
    "http://localhost:0/cb",
    "http://localhost:65536/cb",
    "http://localhost:12*/cb",
    "http://localhost/*",
    "http://LOCALHOST/cb",
    "https://user@claude.ai/cb",
    "https://claude.ai\\@evil.example/cb",
    "https://claude.ai/cb\\..",
    "http://localhost/\\evil.example",
    "cursor://host\\path",
    "https://claude.ai/cb#fragment",
    "https://claude.ai/cb#",
    "https://*.claude.ai/cb",
    "https://claude.ai/*",
    "https:///cb",
    "https://",
    "https:/claude.ai/cb",
    "https:claude.ai/cb",
    "https://claude..ai/cb",
    "https://-evil/cb",
    "https://evil%2eexample/cb",
    "https://claude.ai:/cb",
    "https://claude.ai:99999/cb",
    "https://b\u00fccher.example/cb",
    "https://claude.ai/c b",
    "https://claude.ai/c\nb",
    "https://claude.ai/c\x00b",
    "HTTPS://claude.ai/cb",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "blob:https://claude.ai/x",
    "about:blank",
    "vbscript:x",
    "view-source:https://claude.ai",
    "ws://claude.ai",
    "wss://claude.ai",
    "ftp://claude.ai",
    "filesystem:https://claude.ai/x",
    "intent://scan/#Intent;end",
    "ms-msdt:/id",
    "ms-settings:x",
    "mailto:a@b",
    "chrome-extension://abc/cb",
    "cursor://user@host/cb",
    "cursor:",
    "//claude.ai/cb",
    "/cb",
    "claude.ai/cb",
    "1cursor://x",
    "",
    "https://claude.ai/" + "a" * 1000,
    None,
    7,
    ["https://claude.ai/cb"],
]


@pytest.mark.parametrize("uri", ACCEPTABLE)
def test_acceptable_redirect_uris(uri: str):
    assert is_acceptable(uri)


@pytest.mark.parametrize("uri", UNACCEPTABLE)
def test_unacceptable_redirect_uris(uri: object):
    assert not is_acceptable(uri)


@given(st.text())
def test_nothing_that_is_named_raises(text: str):
    for uri in (text, f"https://{text}", f"http://localhost{text}", f"app:{text}"):
        if is_acceptable(uri):
            assert destination(uri).name
            assert uri.isascii()
            assert "#" not in uri


def test_unacceptable_ones_are_left_out_and_the_order_stays():
    assert acceptable_ones(["http://evil.example", ACCEPTABLE[1], ACCEPTABLE[0], 5, ACCEPTABLE[1]]) == (
        ACCEPTABLE[1],
        ACCEPTABLE[0],
    )


@pytest.mark.parametrize(
    ("known", "asked", "is_match"),
    [
        ("https://claude.ai/cb", "https://claude.ai/cb", True),
        ("https://claude.ai/cb", "https://claude.ai/cb/", False),
        ("https://claude.ai/cb", "https://claude.ai/cb?x=1", False),
        ("https://claude.ai/cb", "https://claude.ai/cbx", False),
        ("https://claude.ai/cb", "https://CLAUDE.ai/cb", False),
        ("https://claude.ai/cb", "https://claude.ai:443/cb", False),
        ("https://claude.ai/cb", "https://claude.ai/x/../cb", False),
        ("https://claude.ai:8443/cb", "https://claude.ai:8444/cb", False),
        ("http://localhost/callback", "http://localhost:5555/callback", True),
        ("http://localhost:1/callback", "http://localhost:5555/callback", True),
        ("http://localhost:1/callback", "http://localhost/callback", True),
        ("http://localhost:*/callback", "http://localhost:5555/callback", True),
        ("http://localhost:*/callback", "http://localhost:*/callback", False),
        ("http://[::1]/cb", "http://[::1]:7777/cb", True),
        ("http://127.0.0.1/", "http://127.0.0.1:33418/", True),
        ("http://localhost/callback", "http://127.0.0.1:5555/callback", False),
        ("http://localhost/callback", "http://localhost:5555/other", False),
        ("http://localhost/callback?a=1", "http://localhost:5555/callback?a=2", False),
        ("http://localhost/callback?a=1", "http://localhost:5555/callback?a=1", True),
        ("http://localhost/callback", "https://localhost:5555/callback", False),
        ("http://localhost/callback", "http://localhost:0/callback", False),
        ("http://localhost/callback", "http://localhost:99999/callback", False),
        ("http://localhost/callback", "http://localhost:80@evil.example/callback", False),
        ("cursor://a/cb", "cursor://a/cb", True),
        ("cursor://a/cb", "cursor://a:1/cb", False),
    ],
)
def test_redirect_uris_match_as_strings_but_for_the_port_of_a_loopback(known: str, asked: str, is_match: bool):
    """RFC 6749 section 3.1.2.3, RFC 8252 section 7.3."""
    assert matches(known, asked) is is_match
    assert chosen([known], asked) == (asked if is_match else None)


def test_a_left_out_redirect_uri_is_the_only_one_that_is_not_on_loopback():
    assert chosen(["https://claude.ai/cb"], None) == "https://claude.ai/cb"
    assert chosen(["https://claude.ai/cb", "https://claude.com/cb"], None) is None
    assert chosen(["http://localhost/cb"], None) is None


@pytest.mark.parametrize(
    ("uri", "where"),
    [
        ("https://Claude.ai/cb", Destination("host", "claude.ai")),
        ("https://claude.ai:443/cb", Destination("host", "claude.ai")),
        ("https://claude.ai:8443/cb", Destination("host", "claude.ai:8443")),
        ("http://localhost:5/cb", Destination("computer", "localhost")),
        ("http://[::1]:5/cb", Destination("computer", "::1")),
        ("http://127.0.0.1:*/cb", Destination("computer", "127.0.0.1")),
        ("cursor://a/cb", Destination("app", "cursor:")),
    ],
)
def test_where_an_answer_goes(uri: str, where: Destination):
    assert destination(uri) == where


@pytest.mark.parametrize("uri", ["https://a.example/cb", "https://a.example/cb?x=1%202", "cursor://a/cb", "app:/cb"])
def test_an_answer_keeps_the_redirect_uri_byte_for_byte(uri: str):
    state = "a&b=c#d \u00e9\u4e2d+%00"
    answer = with_parameters(uri, {"code": "c", "state": state})
    assert answer.startswith(uri)
    assert dict(parse_qsl(urlsplit(answer).query))["state"] == state
    assert urlsplit(answer).fragment == ""
