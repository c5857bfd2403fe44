"""axe-core and a real Chromium at every kind of page: five languages, light and dark, a phone and a desk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from scalekit_mcp.languages import LANGUAGES
from scalekit_mcp.sandbox.serving import serving
from tests.server.chromium_support import Chromium, find_chromium
from tests.server.control_edges import faint_controls
from tests.server.page_gallery import KINDS, gallery

AXE = Path(__file__).parent.parent / "clients" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (390, 1280)
LOOKS = [f"{look}/{kind}" for look in ("plain", "brand") for kind in (*KINDS, "home")]

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium: set CHROMIUM or install /usr/bin/chromium"),
    pytest.mark.skipif(os.name == "nt", reason="the debugging pipe needs POSIX descriptors"),
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (`make test-full` does)"),
]


def open_page(chromium: Chromium, url: str, *, language: str, width: int, scheme: str) -> None:
    """Open a page as that reader's browser would, and unfold it."""
    chromium.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})
    chromium.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=width < 600
    )
    chromium.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    chromium.open("about:blank")
    chromium.open(url)
    loaded = f"document.readyState === 'complete' && location.href === '{url}'"
    for _ in range(400):
        if chromium.evaluate(f"new Promise(r => setTimeout(() => r({loaded}), 10))"):
            break
    else:
        raise AssertionError(f"{url} never came")
    chromium.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")


def faults_of(chromium: Chromium, axe: str | None) -> list[str]:
    """What axe finds, where it is given, and whether the window cuts something off."""
    if axe is not None:
        chromium.evaluate(f"{axe}; 1")
    found: list[dict[str, Any]] = (
        axe
        and chromium.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then(all => all.violations.map(each => "
            "({rule: each.id, where: each.nodes.map(node => node.target.join(' ')), why: each.help})))"
        )
    ) or []
    faults = [f"{each['rule']} at {', '.join(each['where'])}: {each['why']}" for each in found]
    if chromium.evaluate("document.documentElement.scrollWidth > innerWidth"):
        faults.append("wider than the window")
    return faults


def look_at_everything(base_url: str, scheme: str) -> list[str]:
    axe = AXE.read_text(encoding="utf-8")
    faults: list[str] = []
    with Chromium(find_chromium() or "") as chromium:
        chromium.call("Network.enable")
        for page in LOOKS:
            for language in LANGUAGES:
                for width in WIDTHS:
                    url = f"{base_url}/{page}"
                    open_page(chromium, url, language=language, width=width, scheme=scheme)
                    assert chromium.evaluate("document.documentElement.lang") == language
                    found = faults_of(chromium, axe if width < 600 or language == "en" else None)
                    found += faint_controls(chromium)
                    faults += [f"{page} {language} {width} {scheme}: {fault}" for fault in found]
    return faults


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_page_and_nothing_is_cut_off_or_faint(scheme: str) -> None:
    with anyio.fail_after(300):
        async with serving(gallery("https://calendar.contoso.example"), port=0, host="127.0.0.1") as base_url:
            assert await anyio.to_thread.run_sync(look_at_everything, base_url, scheme) == []


def times(base_url: str, zone: str) -> tuple[str, str]:
    """The time on the connect page as a browser in that zone shows it, and what a browser without scripts reads."""
    with Chromium(find_chromium() or "") as chromium:
        chromium.call("Network.enable")
        chromium.call("Emulation.setTimezoneOverride", timezoneId=zone)
        shown: list[str] = []
        for scripts_off in (False, True):
            chromium.open("about:blank")
            chromium.call("Emulation.setScriptExecutionDisabled", value=scripts_off)
            chromium.open(f"{base_url}/brand/connect")
            time = None
            for _ in range(2000):
                time = chromium.evaluate(
                    "document.readyState === 'complete' && document.querySelector('time')?.textContent"
                )
                if time:
                    break
            shown.append(str(time))
        return shown[0], shown[1]


async def test_a_time_is_in_the_readers_own_zone_with_scripts_and_in_utc_without() -> None:
    with anyio.fail_after(90):
        async with serving(gallery("https://calendar.contoso.example"), port=0, host="127.0.0.1") as base_url:
            own, without = await anyio.to_thread.run_sync(times, base_url, "Asia/Tokyo")
    assert "6:45" in own
    assert "GMT+9" in own
    assert without == "21:45 UTC"


def copied(base_url: str) -> tuple[str, str, bool]:
    """What the button puts on the clipboard, what it says, and whether the address stays folded away."""
    with Chromium(find_chromium() or "") as chromium:
        chromium.call("Network.enable")
        chromium.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        chromium.open(f"{base_url}/brand/refused")
        chromium.wait_for("Copy the link")
        chromium.evaluate("navigator.clipboard.writeText = text => { document.taken = text; return Promise.resolve() }")
        folded = not chromium.evaluate("document.querySelector('details.plain').open")
        chromium.press("Copy the link")
        said = chromium.wait_for("Copied.")
        return str(chromium.evaluate("document.taken")), said, folded


async def test_the_administrators_link_is_copied_by_a_button_and_folded_away() -> None:
    with anyio.fail_after(90):
        async with serving(gallery("https://calendar.contoso.example"), port=0, host="127.0.0.1") as base_url:
            taken, said, folded = await anyio.to_thread.run_sync(copied, base_url)
    assert taken.startswith("https://login.microsoftonline.com/organizations/v2.0/adminconsent?client_id=")
    assert "Copied." in said
    assert folded
