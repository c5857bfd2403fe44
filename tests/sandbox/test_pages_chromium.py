"""The sandbox's pages in a real Chromium, at desktop and phone width."""

from __future__ import annotations

import os
from urllib.parse import urlencode

import anyio
import anyio.to_thread
import pytest

from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, Sandbox
from tests.server.chromium_support import Chromium, find_chromium
from tests.server.control_edges import faint_controls

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium: set CHROMIUM or install /usr/bin/chromium"),
    pytest.mark.skipif(os.name == "nt", reason="the debugging pipe needs POSIX descriptors"),
]
APPROVAL = "Have an admin account?"
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


def authorize_url(base_url: str, **changes: str) -> str:
    query = {
        "client_id": DEFAULT_CLIENT_ID,
        "response_type": "code",
        "redirect_uri": f"{base_url}/oauth/callback",
        "scope": "openid offline_access User.Read Calendars.ReadWrite",
        "state": "from-the-test",
        **changes,
    }
    return f"{base_url}/common/oauth2/v2.0/authorize?{urlencode(query)}"


def walk(base_url: str, width: int, scheme: str) -> list[str]:
    """Through every page; gives the names of those that are wider than the window, and controls with faint edges."""
    faults: list[str] = []
    with Chromium(find_chromium() or "") as chromium:
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        chromium.call("Emulation.setDeviceMetricsOverride", **metrics)
        chromium.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

        def check(name: str, text: str) -> None:
            assert "NOT Microsoft" in chromium.wait_for(text), name
            if not chromium.evaluate(FITS):
                faults.append(f"{name} is wider than the window")
            faults.extend(f"{name}: {fault}" for fault in faint_controls(chromium))

        chromium.open(base_url)
        check("start", "Latest requests")
        chromium.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        check("start, opened", "relative_days")
        chromium.open(authorize_url(base_url))
        check("accounts", "Pick an account")
        chromium.press("fiona@fabrikam.example")
        check("approval", APPROVAL)
        chromium.press(APPROVAL)
        chromium.wait_for("Pick an account")
        chromium.press("pat@outlook.example")
        check("consent", "Permissions requested")
        chromium.open(authorize_url(base_url, client_id="nobody"))
        check("refused", "AADSTS700016")
        chromium.open(f"{base_url}/devicelogin")
        check("device", "Enter code")
    return faults


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
async def test_no_page_is_wider_than_the_window_or_has_faint_controls(width: int, scheme: str) -> None:
    sandbox = Sandbox()
    with anyio.fail_after(90):
        async with sandbox.serve() as base_url:
            sandbox.add_redirect_uri(f"{base_url}/oauth/callback")
            assert await anyio.to_thread.run_sync(walk, base_url, width, scheme) == []


def give_consent_with_form_post(base_url: str) -> str:
    with Chromium(find_chromium() or "") as chromium:
        chromium.open(authorize_url(base_url, response_mode="form_post"))
        chromium.wait_for("Pick an account")
        chromium.press("dana@company.com")
        chromium.wait_for("Accept")
        chromium.press("Accept")
        return chromium.wait_for("The sandbox has no POST")


async def test_the_form_of_form_post_sends_itself() -> None:
    """The callback's place is taken by an address of the sandbox that answers "not found" and records what came."""
    sandbox = Sandbox()
    with anyio.fail_after(90):
        async with sandbox.serve() as base_url:
            sandbox.add_redirect_uri(f"{base_url}/oauth/callback")
            await anyio.to_thread.run_sync(give_consent_with_form_post, base_url)
    received = [request for request in sandbox.requests if request.path == "/oauth/callback"]
    assert [(request.method, request.body["state"]) for request in received] == [("POST", "from-the-test")]
    assert received[0].body["code"]


def ask_and_approve(base_url: str) -> str:
    with Chromium(find_chromium() or "") as chromium:
        chromium.open(authorize_url(base_url))
        chromium.wait_for("Pick an account")
        chromium.press("fiona@fabrikam.example")
        chromium.wait_for("Approval required")
        chromium.evaluate("document.querySelector('textarea').value = 'For the sales team'")
        chromium.press("Request approval")
        chromium.wait_for("Request sent")
        chromium.open(base_url)
        assert "For the sales team" in chromium.wait_for("Requests for approval")
        chromium.press("Approve for everybody")
        chromium.wait_for("Done:")
        chromium.open(authorize_url(base_url))
        return chromium.wait_for("Not found")


async def test_a_request_for_approval_is_approved_on_the_start_page() -> None:
    sandbox = Sandbox()
    sandbox.set_consent_policy("Fabrikam Bank", "managed", workflow=True)
    with anyio.fail_after(90):
        async with sandbox.serve() as base_url:
            sandbox.add_redirect_uri(f"{base_url}/oauth/callback")
            await anyio.to_thread.run_sync(ask_and_approve, base_url)
    arrived = [request for request in sandbox.requests if request.path == "/oauth/callback"]
    assert [set(request.query) >= {"code", "state"} for request in arrived] == [True]
