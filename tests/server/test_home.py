"""The page under `/`: what it says in each way of calling, and what it never says."""

from __future__ import annotations

import html

import httpx2 as httpx
import pytest
from starlette.applications import Starlette

from scalekit_mcp.languages import LANGUAGES, said, words_in
from scalekit_mcp.server.stdio.listener import Listener
from scalekit_mcp.server.web.brand import Brand
from scalekit_mcp.server.web.home import Home
from scalekit_mcp.server.web.pages import Pages

BASE = "https://calendar.example.com"


async def page_of(home: Home, language: str = "en", brand: Brand | None = None) -> httpx.Response:
    app = Starlette(routes=[home.route(Pages(brand=brand), BASE)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE) as http:
        return await http.get("/", headers={"accept-language": language})


@pytest.mark.parametrize("language", LANGUAGES)
async def test_it_says_how_each_host_is_connected_with_the_real_address(language: str) -> None:
    page = await page_of(Home(auth="microsoft"), language)
    text = html.unescape(page.text)
    assert page.headers["content-language"] == language
    for name in ("Claude Code", "ChatGPT", "VS Code", "Cursor", "Copilot Studio"):
        assert f"<h3>{name}</h3>" in text
    assert f'<pre id="address" dir="ltr">{BASE}/mcp</pre>' in text
    assert f"claude mcp add --transport http outlook {BASE}/mcp" in text
    assert f'"url": "{BASE}/mcp"' in text
    words = words_in(language)
    for key in ("home.what", "home.microsoft", "home.chatgpt", "home.other_apps"):
        assert words.text(said(key, calendar="Outlook", provider="Microsoft")) in text


@pytest.mark.parametrize(
    ("home", "said", "not_said"),
    [
        (Home(auth="oidc", issuer="https://id.example"), ["https://id.example", "ChatGPT"], ["Bearer"]),
        (Home(auth="session-token"), ["session token", "Bearer $TOKEN"], ["ChatGPT", "Copilot"]),
        (Home(auth="gateway"), ["gateway", f"{BASE}/mcp"], ["claude mcp add", "Bearer", "ChatGPT"]),
        (Home(auth="none"), ["one person on this computer", "claude mcp add"], ["ChatGPT", "Bearer"]),
    ],
)
async def test_it_says_what_the_way_of_calling_needs_and_no_more(
    home: Home, said: list[str], not_said: list[str]
) -> None:
    text = html.unescape((await page_of(home)).text)
    assert [words for words in said if words not in text] == []
    assert [words for words in not_said if words in text] == []


async def test_it_names_the_product_and_keeps_the_headers_of_all_pages() -> None:
    page = await page_of(Home(auth="microsoft"), brand=Brand(name="Contoso"))
    assert "<h1>Contoso: your calendar for assistants</h1>" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "set-cookie" not in page.headers


async def test_the_listener_of_stdio_has_no_start_page() -> None:
    async with Listener(preferred_port=0) as listener, httpx.AsyncClient() as http:
        assert (await http.get(f"{await listener.base_url()}/")).status_code == 404
