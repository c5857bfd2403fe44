"""The product that the pages show: what may be set, what a start refuses, and what a person sees."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.server import brand_of
from scalekit_mcp.server.web.app import Web, WebOptions
from scalekit_mcp.server.web.brand import MOST_LOGO_BYTES, Brand, Logo, contrast, read_logo
from scalekit_mcp.settings import load_settings
from tests.server.test_web import BASE, at_microsoft, link_of
from tests.support.clock import HandClock
from tests.support.watched_actions import DANA, WatchedActions

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
SVG = b'<?xml version="1.0"?>\n<!-- made by hand -->\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
CONTOSO = Brand(
    name="Contoso <Desk>",
    logo=Logo(SVG, "image/svg+xml"),
    color="#ffd400",
    support_url="mailto:help@contoso.example",
    privacy_url="https://contoso.example/privacy?lang=x",
)


def browser_of(actions: WatchedActions, brand: Brand) -> httpx.AsyncClient:
    options = WebOptions(origins=lambda: {BASE}, secure=True, brand=brand)
    web = Web(lambda: actions, clock=HandClock(), options=options)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=Starlette(routes=web.routes())), base_url=BASE)


async def test_every_page_shows_the_product_that_asks(actions_with_codes: WatchedActions) -> None:
    async with browser_of(actions_with_codes, CONTOSO) as browser:
        link = await link_of(actions_with_codes)
        query = await at_microsoft(actions_with_codes, browser, link)
        code = await browser.get("/oauth/callback", params=query, follow_redirects=True)
        pages = [await browser.get(link), code, await browser.get("/connect/unknown-ticket-0000")]
    for page in pages:
        assert "<span>Contoso &lt;Desk&gt;</span>" in page.text
        assert f'<img src="{CONTOSO.logo.path if CONTOSO.logo else ""}" alt=""' in page.text
        assert 'href="mailto:help@contoso.example"' in page.text
        assert 'href="https://contoso.example/privacy?lang=x"' in page.text
        assert "img-src 'self'" in page.headers["content-security-policy"]
        assert "--fill:#ffd400;--on-fill:#000000" in page.text
        assert "scalekit" not in page.text.replace("__Host-scalekit", "")


async def test_the_page_and_the_mail_to_it_speak_of_the_product(actions: WatchedActions) -> None:
    async with browser_of(actions, CONTOSO) as browser:
        page = html.unescape((await browser.get(await link_of(actions))).text)
    assert "Contoso <Desk> asks to use the Outlook calendar of" in page
    assert "I would like to connect my calendar to Contoso <Desk>." in page


async def test_without_settings_no_picture_is_allowed_and_none_is_there(actions: WatchedActions) -> None:
    async with browser_of(actions, Brand()) as browser:
        page = await browser.get(await link_of(actions))
    assert "img-src" not in page.headers["content-security-policy"]
    assert "<img" not in page.text
    assert "<header" not in page.text
    assert "An assistant asks to use" in page.text


async def test_the_logo_is_kept_by_browsers_and_does_nothing_when_it_is_opened_by_itself(
    actions: WatchedActions,
) -> None:
    assert CONTOSO.logo is not None
    async with browser_of(actions, CONTOSO) as browser:
        picture = await browser.get(CONTOSO.logo.path)
        other = await browser.get("/oauth/logo/0.svg")
    assert picture.content == SVG
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "default-src 'none'" in picture.headers["content-security-policy"]
    assert "sandbox" in picture.headers["content-security-policy"]
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert other.status_code == 404
    assert Logo(PNG, "image/png").path != Logo(PNG + b"1", "image/png").path


async def test_an_account_that_was_connected_before_is_called_by_its_address(actions: WatchedActions) -> None:
    async with browser_of(actions, Brand()) as browser:
        await browser.get(
            "/oauth/callback",
            params=await at_microsoft(actions, browser, await link_of(actions)),
            follow_redirects=True,
        )
        page = await browser.get(await link_of(actions))
    assert f'<span class="identifier">{DANA}</span>' in page.text


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
        (SVG, "image/svg+xml"),
        (b"\xef\xbb\xbf<svg>", "image/svg+xml"),
    ],
)
def test_the_kind_of_a_logo_is_seen_in_its_content(content: bytes, media_type: str, tmp_path: Path) -> None:
    file = tmp_path / "logo.html"
    file.write_bytes(content)
    assert read_logo(file) == Logo(content, media_type)


def missing(path: Path) -> None:
    del path


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (missing, "is no file"),
    "a folder": (lambda path: path.mkdir(), "is no file"),
    "empty": (lambda path: path.write_bytes(b""), "is no PNG, JPEG, WebP or SVG picture"),
    "a page": (lambda path: path.write_bytes(b"<html><svg></svg></html>"), "is no PNG, JPEG, WebP or SVG picture"),
    "entities": (
        lambda path: path.write_bytes(b'<!DOCTYPE svg [<!ENTITY a "b">]><svg>'),
        "is no PNG, JPEG, WebP or SVG",
    ),
    "comments alone": (lambda path: path.write_bytes(b"<!---->" * 30_000), "is no PNG, JPEG, WebP or SVG picture"),
    "a gif": (lambda path: path.write_bytes(b"GIF89a"), "is no PNG, JPEG, WebP or SVG picture"),
    "too large": (lambda path: path.write_bytes(PNG + b"x" * MOST_LOGO_BYTES), "is larger than 256 KiB"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_start_refuses_what_is_no_logo_and_names_the_variable(kind: str, tmp_path: Path) -> None:
    make, why = REFUSED[kind]
    file = tmp_path / "logo"
    make(file)
    with pytest.raises(ConfigurationError) as refused:
        brand_of(load_settings(product_logo=file))
    (problem,) = refused.value.problems
    assert problem.startswith("SCALEKIT_MCP_PRODUCT_LOGO ")
    assert why in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("product_color", "#fff"),
        ("product_color", "#0b5cad;}"),
        ("product_name", "Con\u202etoso"),
        ("product_name", "x" * 61),
        ("support_url", "javascript:alert(1)"),
        ("support_url", "mailto:a@b.example?body=<x>"),
        ("support_url", "http://help.example"),
        ("privacy_url", "mailto:help@contoso.example"),
    ],
)
def test_a_start_refuses_values_that_could_do_something_else(name: str, value: str) -> None:
    options: dict[str, Any] = {name: value}
    with pytest.raises(ConfigurationError) as refused:
        load_settings(**options)
    assert refused.value.problems[0].startswith(f"SCALEKIT_MCP_{name.upper()} ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("support_url", "https://help.example/a?b=c"),
        ("support_url", "mailto:help@contoso.example?subject=Calendar%20help"),
        ("support_url", "http://localhost:3000/help"),
        ("privacy_url", "https://contoso.example/privacy/"),
        ("product_name", "株式会社コントソ"),
    ],
)
def test_values_as_products_have_them(name: str, value: str) -> None:
    options: dict[str, Any] = {name: value}
    assert getattr(load_settings(**options), name) == value


@given(st.integers(0, 0xFFFFFF))
def test_text_in_the_color_and_on_it_can_be_read_in_light_and_dark(number: int) -> None:
    style = Brand(color=f"#{number:06x}").style
    for variables, grounds in zip(style.split("@media"), (["#ffffff", "#f3f5f8"], ["#1a2029", "#11151b"]), strict=True):
        fill, on_fill, accent = (
            re.search(rf"--{name}:(#\w{{6}})", variables) for name in ("fill", "on-fill", "accent")
        )
        assert fill is not None
        assert on_fill is not None
        assert accent is not None
        assert contrast(rgb(fill[1]), rgb(on_fill[1])) >= 4.5
        assert min(contrast(rgb(accent[1]), rgb(ground)) for ground in grounds) >= 4.5


def rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def test_contrast_is_what_wcag_says() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((0x77, 0x77, 0x77), (255, 255, 255)) == pytest.approx(4.478, abs=0.001)
