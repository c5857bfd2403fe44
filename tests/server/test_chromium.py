"""Consent from the link to the success page in a real Chromium."""

from __future__ import annotations

import os
from datetime import date

import anyio
import anyio.to_thread
import pytest
from chromium_support import Chromium, find_chromium
from test_with_sandbox import DANA, embedded

from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.server.stdio.listener import Listener

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium: set CHROMIUM or install /usr/bin/chromium"),
    pytest.mark.skipif(os.name == "nt", reason="the debugging pipe needs POSIX descriptors"),
]


def drive(link: str) -> tuple[str, bool, str, str]:
    with Chromium(find_chromium() or "") as chromium:
        chromium.open(link)
        chromium.wait_for("Continue to Microsoft")
        script_ran = chromium.evaluate("!document.querySelector('button[data-copy]').hidden")
        style = chromium.evaluate("getComputedStyle(document.body).display")
        chromium.press("Continue to Microsoft")
        chromium.wait_for(DANA)
        chromium.press(DANA)
        chromium.wait_for("Accept")
        chromium.press("Accept")
        shown = chromium.wait_for("connected")
        return shown, bool(script_ran), str(style), str(chromium.evaluate("location.href"))


async def test_a_person_signs_in_with_a_real_browser() -> None:
    with anyio.fail_after(90):
        async with (
            Listener(preferred_port=0, sandbox=True) as listener,
            embedded(Sandbox(week_of=date(2026, 4, 6)), listener.base_url) as actions,
        ):
            listener.serve(actions)
            link = (await actions.get_authorization_link(identifier="ana")).link
            shown, script_ran, style, address = await anyio.to_thread.run_sync(drive, link)
            account = (await actions.get_connected_account(identifier="ana")).connected_account
    assert account.status == "ACTIVE"
    assert DANA in shown
    assert script_ran, "the policy kept the copy button's script out"
    assert style == "flex", "the policy kept the style sheet out"
    assert "/oauth/outcome/" in address
    assert "?" not in address
