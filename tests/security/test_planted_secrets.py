"""One whole life of an account through a real process at DEBUG; then every output is searched for every secret."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import anyio
import httpx2 as httpx
import pytest
from planted_support import (
    CLIENT_SECRET,
    DANA,
    LIST,
    SERVICE_KEY,
    SESSION_KEY,
    VAULT_KEY,
    WORDS,
    Heard,
    Life,
    up,
)

from scalekit_mcp.clock import SystemClock
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.server.callers.session_tokens import SessionTokens
from tests.support.processes import command, environment
from tests.support.remote_process import free_port


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Life]:
    sandbox, heard, port = Sandbox(week_of=date(2026, 4, 6)), Heard(), free_port()
    heard.port = port
    sandbox.registration().client_secret = CLIENT_SECRET
    base = f"http://localhost:{port}"
    key = base64.b64encode(SESSION_KEY).decode()
    tokens = SessionTokens({"k1": SESSION_KEY}, audience=f"{base}/mcp", clock=SystemClock())
    async with sandbox.serve() as microsoft:
        values = {
            **sandbox.environment(microsoft),
            "SCALEKIT_MCP_DATABASE_URL": f"sqlite+aiosqlite:///{(folder / 'vault.sqlite3').as_posix()}",
            "SCALEKIT_MCP_VAULT_KEYS": f"v1:{VAULT_KEY}",
            "SCALEKIT_MCP_SESSION_KEYS": f"k1:{key}",
            "SCALEKIT_MCP_SERVICE_KEY": SERVICE_KEY,
            "SCALEKIT_MCP_LOG_LEVEL": "DEBUG",
        }
        line = command("serve", "--transport", "http", "--port", str(port))
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            process = await anyio.open_process(line, env=environment(folder, **values), stdout=out, stderr=err)
            async with process:
                try:
                    async with httpx.AsyncClient() as http:
                        await up(http, f"{base}/healthz")
                    heard.add("process arguments", arguments_of(process.pid, line))
                    yield Life(base, sandbox, heard, tokens.mint("ana")[0], folder)
                finally:
                    process.terminate()
        heard.add("stdout", (folder / "stdout").read_text("utf-8"))
        heard.add("stderr", (folder / "stderr").read_text("utf-8"))


def arguments_of(pid: int, line: list[str]) -> str:
    """What other users of the machine see of the process; where there is no /proc, what it was started with."""
    seen = Path(f"/proc/{pid}/cmdline")
    return seen.read_text("utf-8") if seen.exists() else " ".join(line)


def files(folder: Path) -> str:
    return "".join(file.read_bytes().decode("latin-1") for file in sorted(folder.glob("vault.sqlite3*")))


async def live(life: Life) -> None:
    """Consent, calls, refresh, failures of every kind, refusal, repair, revocation, disconnect; REST beside it."""
    sandbox, heard = life.sandbox, life.heard
    async with life.client() as client:
        told = await life.call(client, LIST)
        code = await life.sign_in(told["error"]["authorization_url"])
        heard.add("files", files(life.folder))
        assert (await life.call(client, "authorize", confirmation_code="00000000"))["error"]["code"] == "invalid_input"
        assert (await life.call(client, "authorize", confirmation_code=code))["status"] == "ACTIVE"
        moment = {"start_datetime": "2026-04-07T10:00:00", "end_datetime": "2026-04-07T11:00:00"}
        zones = {"start_timezone": "UTC", "end_timezone": "UTC"}
        event = await life.call(client, "outlook_create_calendar_event", **moment, **zones, **WORDS)
        assert event["subject"] == WORDS["subject"]
        sandbox.expire_access_tokens()
        assert (await life.call(client, LIST, filter="subject eq 'planted subject words'"))["value"]
        sandbox.graph_error(500, body="planted answer words")
        await life.call(client, "outlook_get_calendar_event", event_id=event["id"])
        await life.call(client, "outlook_get_calendar_event", event_id="planted-event-id")
        sandbox.expire_access_tokens()
        sandbox.token_error_raw(503, "planted answer words")
        await life.call(client, LIST)
        sandbox.expire_client_secret()
        refused = await life.call(client, LIST)
        assert refused["error"]["code"] in ("connection_misconfigured", "provider_unavailable"), refused
        sandbox.expire_client_secret(expired=False)
        sandbox.revoke_grant(DANA)
        sandbox.expire_access_tokens()
        refused = await life.call(client, LIST)
        while refused["error"]["code"] != "authorization_required":
            await anyio.sleep(0.2)  # the pause after the failures above; bounded by the caller
            refused = await life.call(client, LIST)
        heard.add("files", files(life.folder))
        code = await life.sign_in(refused["error"]["authorization_url"])
        assert (await life.call(client, "authorize", confirmation_code=code))["status"] == "ACTIVE"
    await rest(life)
    heard.add("files", files(life.folder))


async def rest(life: Life) -> None:
    """REST, odd callbacks, and a wrong bearer token."""
    async with life.http(authorization=f"Bearer {SERVICE_KEY}") as http:
        details = await http.get(f"{life.base}/api/v1/connected_accounts/details", params={"identifier": "ana"})
        account = details.json()["connected_account"]["id"]
        call = {"identifier": "ana", "tool_name": LIST, "params": {}}
        assert (await http.post(f"{life.base}/api/v1/execute_tool", json=call)).status_code == 200
        await http.post(f"{life.base}/api/v1/execute_tool", content=b"{")
        await http.post(f"{life.base}/api/v1/connected_accounts/{account}:disconnect")
        assert (await http.post(f"{life.base}/api/v1/execute_tool", json=call)).status_code == 400
    code = next(iter(life.sandbox.halves.identity.store.codes))
    async with life.http() as http:
        await http.get(f"{life.base}/oauth/callback", params={"code": code, "state": "x"}, follow_redirects=True)
        await http.get(f"{life.base}/oauth/callback", params={"error": "access_denied", "error_description": "planted"})
        assert (await http.get(f"{life.base}/mcp", headers={"authorization": f"Bearer {life.bearer}x"})).is_error


async def test_no_output_of_a_whole_life_carries_a_secret(tmp_path: Path):
    with anyio.fail_after(120):
        async with running(tmp_path) as life:
            await live(life)
            secrets = life.secrets()
    kinds = set(secrets.values())
    assert {"access token", "refresh token", "authorization code", "code verifier"} <= kinds
    outputs = life.heard.outputs
    places = {"stderr", "stdout", "files", "http headers", "http bodies", "tool results", "process arguments"}
    assert set(outputs) == places
    assert "DEBUG" in outputs["stderr"] or "INFO" in outputs["stderr"]
    found = {
        f"{kind} in {where}" for secret, kind in secrets.items() for where, text in outputs.items() if secret in text
    }
    assert not found
    quiet = outputs["stderr"] + outputs["stdout"] + outputs["files"] + outputs["process arguments"]
    assert not [ticket for ticket in life.heard.tickets if ticket in quiet]
    assert not [code for code in life.heard.codes if code in quiet]
    assert "planted" not in outputs["stderr"].replace("planted-event-id", "")
    assert not [word for word in WORDS.values() if word in outputs["files"]]


def test_the_search_finds_a_secret_that_is_there():
    """The scan itself: a planted token in any output would be found."""
    heard = Heard()
    heard.add("stderr", f"refreshing with {CLIENT_SECRET}")
    assert [where for where, text in heard.outputs.items() if CLIENT_SECRET in text] == ["stderr"]


@pytest.mark.parametrize("name", ["SCALEKIT_MCP_VAULT_KEYS", "SCALEKIT_MCP_SESSION_KEYS", "MICROSOFT_CLIENT_SECRET"])
def test_a_malformed_secret_is_not_shown_by_the_command_that_refuses_it(tmp_path: Path, name: str):
    values = {"MICROSOFT_CLIENT_ID": "app", name: "planted=malformed:secret,planted"}
    done = subprocess.run(
        command("serve", "--transport", "http", "--port", "notaport"),
        env=environment(tmp_path, **values),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "planted" not in done.stdout + done.stderr
