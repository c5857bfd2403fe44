"""A sign-in at a server process that shows a product, by a person who reads Japanese, in a real Chromium."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
import anyio.to_thread
import httpx2 as httpx
import pytest

from scalekit_mcp.languages import said, words_in
from tests.oauth.published_app import PublishedApp
from tests.oauth.remote_host import DANA, open_host
from tests.oauth.remote_server import serving
from tests.oauth.test_sign_in_chromium import BOTH, blocked, open_browser
from tests.server.chromium_support import Chromium, find_chromium
from tests.server.page_gallery import LOGO
from tests.support.bounds import HANG_SECONDS
from tests.support.remote_process import free_port

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium: set CHROMIUM or install /usr/bin/chromium"),
    pytest.mark.skipif(os.name == "nt", reason="the debugging pipe needs POSIX descriptors"),
]

NAME = "コントソ・デスク"


def japanese(key: str, **facts: str) -> str:
    return words_in("ja").text(said(key, provider="Microsoft", calendar="Outlook", product=NAME, **facts))


def check_product(chromium: Chromium) -> None:
    """The page is the product's, in Japanese, and its picture was let through and drawn."""
    assert chromium.evaluate("document.documentElement.lang") == "ja"
    assert chromium.evaluate("document.querySelector('header').innerText") == NAME
    picture = "document.querySelector('header img')"
    assert chromium.evaluate(f"{picture}.decode().then(() => {picture}.naturalWidth)") > 0
    fill = "getComputedStyle(document.documentElement).getPropertyValue('--fill')"
    assert chromium.evaluate(fill) == "#7a1fa2"


def sign_in(base: str, asked: str) -> str:
    with open_browser() as chromium:
        chromium.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": "ja-JP,ja;q=0.9,en;q=0.5"})
        chromium.open(base)
        chromium.wait_for(japanese("home.title_product"))
        assert f"{base}/mcp" in chromium.wait_for(japanese("home.microsoft"))
        check_product(chromium)
        chromium.open(asked)
        chromium.wait_for(japanese("consent.only_if"))
        check_product(chromium)
        chromium.press(japanese("page.continue"))
        chromium.wait_for(DANA)
        chromium.press(DANA)
        chromium.wait_for("Accept")
        chromium.press("Accept")
        chromium.wait_for("Connected")  # the app's own page
        assert blocked(chromium) == []
        return str(chromium.evaluate("location.href"))


async def test_a_person_signs_in_at_a_product_in_japanese(tmp_path: Path) -> None:
    port = free_port()
    base = f"http://localhost:{port}"
    logo = tmp_path / "logo.svg"
    logo.write_bytes(LOGO.content)
    settings = {
        "SCALEKIT_MCP_PUBLIC_URL": base,
        "SCALEKIT_MCP_PRODUCT_NAME": NAME,
        "SCALEKIT_MCP_PRODUCT_LOGO": str(logo),
        "SCALEKIT_MCP_PRODUCT_COLOR": "#7A1FA2",
    }
    with anyio.fail_after(2 * HANG_SECONDS):
        async with (
            serving(tmp_path, port, **settings) as (sandbox, _),
            open_host(base) as host,
            httpx.AsyncClient(timeout=60) as http,
        ):
            sandbox.add_redirect_uri(f"{base}/oauth/callback")
            body = {"client_name": "A host", "redirect_uris": [host.callback]}
            told = (await http.post(f"{base}/register", json=body)).raise_for_status().json()
            asked = PublishedApp(base, told["client_id"], http=http).ask(host.callback, scope=BOTH)
            ended = await anyio.to_thread.run_sync(sign_in, base, asked.url)
    assert ended.startswith(f"{host.callback}?")
    assert "code=" in ended
