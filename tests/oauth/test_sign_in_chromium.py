"""Sign in with Microsoft through the pages of a server process, in a real Chromium, over http and https."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2 as httpx
import pytest

from tests.oauth.published_app import AuthorizationRequest, PublishedApp
from tests.oauth.remote_host import DANA, RemoteHost, open_host
from tests.oauth.remote_server import serving
from tests.server.chromium_support import Chromium, find_chromium
from tests.support.bounds import HANG_SECONDS
from tests.support.proxies import make_authority, pump
from tests.support.remote_process import free_port

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium: set CHROMIUM or install /usr/bin/chromium"),
    pytest.mark.skipif(os.name == "nt", reason="the debugging pipe needs POSIX descriptors"),
]

CONTINUE = "Continue to Microsoft"
BOTH = "calendar.read calendar.write"


@asynccontextmanager
async def tls_in_front(folder: Path, port: int) -> AsyncGenerator[tuple[str, ssl.SSLContext]]:
    """An https address of the server at `port`, and what trusts its certificate."""
    authority = make_authority(folder, "localhost")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, behind_writer), pump(behind_reader, writer))

    async with await asyncio.start_server(relay, "127.0.0.1", 0, ssl=authority.tls) as listening:
        address = f"https://localhost:{listening.sockets[0].getsockname()[1]}"
        yield address, ssl.create_default_context(cafile=str(authority.file))


@dataclass
class Registered:
    """An app that has registered at a server, and a person's way back to it."""

    app: PublishedApp
    host: RemoteHost

    def ask(self) -> AuthorizationRequest:
        return self.app.ask(self.host.callback, scope=BOTH)


@asynccontextmanager
async def registered(home: Path, scheme: str) -> AsyncGenerator[Registered]:
    """An app that listens on loopback, at a server process that is reached by http or by https."""
    port = free_port()
    async with tls_in_front(home, port) as (https, trusting):
        base = https if scheme == "https" else f"http://localhost:{port}"
        async with (
            serving(home, port, SCALEKIT_MCP_PUBLIC_URL=base) as (sandbox, _),
            open_host(base) as host,
            httpx.AsyncClient(verify=trusting, timeout=60) as http,
        ):
            sandbox.add_redirect_uri(f"{base}/oauth/callback")
            body = {"client_name": "A host", "redirect_uris": [host.callback]}
            told = (await http.post(f"{base}/register", json=body)).raise_for_status().json()
            yield Registered(PublishedApp(base, told["client_id"], http=http), host)


def open_browser() -> Chromium:
    """A Chromium that tells about its requests and about what a policy has blocked."""
    chromium = Chromium(find_chromium() or "", "--ignore-certificate-errors")
    for domain in ("Network", "Log"):
        chromium.call(f"{domain}.enable")
    return chromium


def blocked(chromium: Chromium) -> list[str]:
    """What the policy of a page has kept out."""
    entries = [given["entry"] for method, given in chromium.events if method == "Log.entryAdded"]
    return [entry["text"] for entry in entries if entry["source"] == "security"]


def documents(chromium: Chromium) -> list[tuple[str, int, str]]:
    """Every answer that a browser took for a page: its address, its status and where it leads."""
    seen: list[tuple[str, int, str]] = []
    for method, given in chromium.events:
        if method == "Network.requestWillBeSent" and given.get("type") == "Document" and "redirectResponse" in given:
            led = given["redirectResponse"]
            seen.append((led["url"], led["status"], given["request"]["url"]))
        if method == "Network.responseReceived" and given.get("type") == "Document":
            seen.append((given["response"]["url"], given["response"]["status"], ""))
    return seen


def cookie_of(chromium: Chromium, base: str) -> dict[str, Any]:
    """The one cookie of our pages."""
    [cookie] = chromium.call("Network.getCookies", urls=[f"{base}/authorize"])["cookies"]
    return cookie


def sign_in(chromium: Chromium, *, consents: bool) -> None:
    """From our page to the app's; Microsoft asks for consent once."""
    chromium.press(CONTINUE)
    chromium.wait_for(DANA)
    chromium.press(DANA)
    if consents:
        chromium.wait_for("Accept")
        chromium.press("Accept")
    chromium.wait_for("Connected")


def connect(asked: AuthorizationRequest) -> None:
    """Once forward, with a reload; then back to our page and forward again; then to what was used already."""
    with open_browser() as chromium:
        chromium.open(asked.url)
        shown = chromium.wait_for(CONTINUE)
        assert "A host" in shown
        assert "not verified" in shown
        first = cookie_of(chromium, asked.base)
        chromium.reload()
        chromium.wait_for(CONTINUE)
        cookie = cookie_of(chromium, asked.base)
        assert cookie["value"] == first["value"]
        is_https = asked.base.startswith("https://")
        assert cookie["name"] == ("__Host-scalekit_signin" if is_https else "scalekit_signin")
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
        assert (cookie["secure"], cookie["domain"]) == (is_https, "localhost")
        assert chromium.evaluate("document.cookie") == ""

        sign_in(chromium, consents=True)
        assert chromium.evaluate("location.href").startswith(f"{asked.redirect_uri}?")
        seen = documents(chromium)
        leaving = [each for each in seen if each[0] == f"{asked.base}/authorize"]
        assert leaving == [(f"{asked.base}/authorize", 200, "")]  # the page with the meta refresh, after the form
        [callback] = [each for each in seen if each[0].startswith(f"{asked.base}/oauth/callback?")]
        assert callback[1] == 303
        assert callback[2].startswith(f"{asked.redirect_uri}?")

        # what Microsoft sent us is of no use a second time
        chromium.open(callback[0])
        chromium.wait_for("used already")

        # back to our page, and on again: another sign-in
        entries = chromium.call("Page.getNavigationHistory")["entries"]
        ours = next(entry for entry in entries if entry["url"] == asked.url)
        chromium.call("Page.navigateToHistoryEntry", entryId=ours["id"])
        chromium.wait_for(CONTINUE)
        sign_in(chromium, consents=False)
        assert blocked(chromium) == []

        # and a policy is in force: a picture from elsewhere is kept out
        chromium.open(asked.url)
        chromium.wait_for(CONTINUE)
        chromium.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:1/a.png'}))")
        chromium.wait_for(CONTINUE)
        assert [text for text in blocked(chromium) if "127.0.0.1:1/a.png" in text and "Content Security Policy" in text]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_person_connects_an_app_in_a_real_browser_and_the_back_button_does_no_harm(tmp_path: Path, scheme: str):
    with anyio.fail_after(HANG_SECONDS):
        async with registered(tmp_path, scheme) as there:
            asked = there.ask()
            await anyio.to_thread.run_sync(connect, asked)
            first, second = there.host.answers
            assert first["code"] != second["code"]
            pairs = [await there.app.redeem(asked, answer) for answer in (first, second)]
            for pair in pairs:  # neither has taken the other's place
                assert (await there.app.refresh(pair["refresh_token"]))["scope"] == BOTH


def cancel(asked: AuthorizationRequest) -> None:
    with open_browser() as chromium:
        chromium.open(asked.url)
        chromium.wait_for(CONTINUE)
        chromium.follow("Cancel")
        chromium.wait_for("Connected")
        assert blocked(chromium) == []


async def test_a_person_who_cancels_in_a_real_browser_is_sent_back_to_the_app(tmp_path: Path):
    with anyio.fail_after(HANG_SECONDS):
        async with registered(tmp_path, "https") as there:
            asked = there.ask()
            await anyio.to_thread.run_sync(cancel, asked)
            [answer] = there.host.answers
            assert answer.pop("error_description")
            assert answer == {"error": "access_denied", "state": asked.state, "iss": there.app.base}
