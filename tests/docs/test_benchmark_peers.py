"""The benchmark beside other servers: what it prints and writes, what its adapters change, which versions it names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from docs_support import ROOT, rows
from mcp import StdioServerParameters

from bench.peers.field import KINDS, PEERS, Account, Call
from bench.peers.installation import ADAPTERS, command, locks
from bench.peers.measurement import Found, Measured, refusal_shown, request_shown
from bench.peers.report import on_console, page, picture, sheets
from tests.support.node import node_program, with_node

TEMPLATE = (ROOT / "bench" / "peers" / "page.md").read_text("utf-8")
PAGE = ROOT / "docs" / "benchmarks-peers.md"
CLAIMS = {"appid": "app", "tid": "tenant", "oid": "person", "upn": "dana@company.com", "exp": "4000000000"}


def measured(name: str, *, factor: float, peer: bool = False) -> Measured:
    """A server whose every value is so many times the floor's."""
    command_ = StdioServerParameters(command="true")
    server = Measured(name, "1.0", command_, {kind: Call(kind, {}) for kind in KINDS}, peer=peer)
    server.starts = server.first_calls = [factor, 2 * factor]
    server.tools, server.tools_bytes, server.tools_characters = 6, 4000, 4000
    server.requests = {kind: ["GET /me/events"] for kind in KINDS}
    server.answers = dict.fromkeys(KINDS, "é" * 40)
    for kind in KINDS:
        for count in (1, 16):
            server.rates[kind, count] = [100 / factor]
            server.p50[kind, count] = [0.001 * factor]
    server.resident_mb, server.refusal = 50 * factor, f"{name} says no | really"
    return server


def found() -> Found:
    return Found(
        [measured("floor", factor=1), measured("ours", factor=2), measured("other, small", factor=3, peer=True)],
        ["@somebody/else 1.2.3: npm could not install it: no such version."],
    )


def test_every_server_stands_beside_the_floor_and_who_was_left_out_is_named_with_its_reason():
    text = page(found(), PEERS, date="2031-04-01", node="Node 1", text=TEMPLATE)
    assert "- @somebody/else 1.2.3: npm could not install it: no such version." in text
    assert "| other, small | 4500 ms (3.00) | 4500 ms (3.00) | 6 | 4,000 | 1,000 |" in text
    assert "| ours | 2.0 ms (2.00) | 2.0 ms (2.00) | 2.0 ms (2.00) | 50 (0.50) | 50 (0.50) | 50 (0.50) |" in text
    assert "| ours | 80 | 10 | 80 | 80 | 100 MB (2.00) |" in text
    assert "| other | `` other, small says no \\| really `` |" in text
    assert "{" not in text.replace("{id}", "")


def test_the_table_on_the_console_and_the_picture_hold_every_server(capsys: pytest.CaptureFixture[str]):
    on_console(found())
    shown = capsys.readouterr().out
    assert "Left out: @somebody/else 1.2.3" in shown
    labels = [text.text for text in ET.fromstring(picture(found())).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314 - our own
    for server in found().measured:
        assert server.name in shown
        assert labels.count(server.name) == 8


def test_a_page_without_anybody_left_out_says_so_and_unknown_memory_is_a_dash():
    everybody = found()
    everybody.left_out.clear()
    everybody.measured[1].resident_mb = None
    text = page(everybody, PEERS, date="2031-04-01", node="Node 1", text=TEMPLATE)
    assert text.endswith("## Left out\n\nNothing.\n")
    assert next(row for row in sheets(everybody)[3].rows if row[0] == "ours")[-1] == "-"
    assert picture(everybody)


async def test_a_peer_that_fails_is_left_out_from_there_on_and_the_others_go_on():
    everybody = found()
    seen: list[str] = []

    async def measure(server: Measured) -> None:
        seen.append(server.name)
        if server.peer:
            raise ExceptionGroup("outer", [ConnectionError("it ended.")])

    for _ in range(2):
        await everybody.in_turns(measure)
    assert seen == ["floor", "ours", "other, small", "floor", "ours"]
    assert everybody.left_out[-1] == "other, small 1.0: it ended."


async def test_a_failure_of_our_own_ends_the_measurement():
    async def measure(server: Measured) -> None:
        raise ConnectionError(server.name)

    with pytest.raises(ConnectionError, match="floor"):
        await found().in_turns(measure)


def test_a_request_is_shown_without_ids_and_a_refusal_without_addresses():
    query = {"$top": "20", "$select": "id,subject", "$expand": "x($filter=y)"}
    request = {"area": "graph", "method": "GET", "path": f"/v1.0//me/calendars/{'A' * 60}/calendarView", "query": query}
    assert request_shown(request) == "GET /me/calendars/{id}/calendarView, $top=20, 2 properties, $expand"
    assert request_shown({"area": "identity"}) == "a document of the sign-in host"
    refused = refusal_shown("no:\n http://localhost:8754/connect/abc now", marked=False)
    assert refused == "(not marked as an error) no: (an address) now"


def test_the_command_names_its_peers_and_its_options():
    asked = [sys.executable, "-m", "bench.peers", "--help"]
    shown = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "--write" in shown
    for peer in PEERS:
        assert peer.name in shown


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_the_lock_file_and_the_pages_name_the_version_that_is_run(peer):
    lock = locks(peer)[-1].read_text("utf-8")
    if peer.registry == "npm":
        assert json.loads(lock)["packages"][f"node_modules/{peer.package}"]["version"] == peer.version
        assert "resolved" not in lock
    else:
        assert re.search(rf"^{peer.package}=={re.escape(peer.version)} \\$", lock, re.MULTILINE)
        assert lock.count("==") <= lock.count("--hash=sha256:")
    named = [row for row in rows(PAGE.read_text("utf-8")) if row[:1] == [peer.name] and len(row) == 5]
    assert [row[1:4] for row in named] == [[f"`{peer.package}`", peer.version, peer.registry]]
    comparison = rows((ROOT / "docs" / "comparison.md").read_text("utf-8"))
    assert f"{peer.version}, {peer.registry}" in next(row for row in comparison if row[0] == "version, registry")


@pytest.mark.parametrize("peer", [peer for peer in PEERS if peer.registry == "PyPI"], ids=lambda peer: peer.name)
def test_a_peer_gets_an_environment_of_its_own_and_its_token_in_no_argument(peer, tmp_path, monkeypatch):
    monkeypatch.setenv("MICROSOFT_CLIENT_SECRET", "ours-alone")
    account = Account("http://127.0.0.1:9400", "a-token", CLAIMS, "event", "calendar")
    for start in peer.starts:
        given = command(peer, start, tmp_path / "installed", tmp_path / "home", account)
        assert given.env is not None
        assert "ours-alone" not in given.env.values()
        assert given.env["HOME"] == str(tmp_path / "home")
        assert not [argument for argument in given.args if "a-token" in argument]
        assert set((start.calls or peer.calls)(account)) == set(KINDS)
    assert "a-token" not in repr(account)


@contextmanager
def asked_paths() -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """A server on loopback that answers with its own address and keeps method, path and `Host` of each request."""
    seen: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.command, self.path, self.headers["host"]))
            body = f'{{"at": "http://{self.headers["host"]}/x", "authorization": "{self.headers["authorization"]}"}}'
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


def run(program: list[str], base: str, **more: str) -> str:
    addresses = Account(base, "token", CLAIMS, "event", "calendar").addresses
    env = {**os.environ, "PEER_ADDRESSES": addresses, **more}
    done = subprocess.run(program, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


IN_PYTHON = """
import asyncio, httpx, requests
async def main():
    async with httpx.AsyncClient(trust_env=False) as client:
        headers = {"authorization": "Bearer t"}
        answer = await client.get("https://graph.microsoft.com/v1.0//me/events?a=1", headers=headers)
        print(answer.json()["authorization"])
        try:
            await client.get("https://localhost:1/v1.0/me")
        except httpx.ConnectError:
            print("others as they are")
asyncio.run(main())
session = requests.Session()
session.trust_env = False
print(session.get("https://login.microsoftonline.com/common/x?b=2").json()["at"])
"""


@pytest.mark.full
def test_the_adapter_for_python_changes_addresses_and_nothing_else():
    pytest.importorskip("requests", reason="requests is not installed (`make test-full` does)")
    pytest.importorskip("httpx", reason="httpx is not installed (`make test-full` does)")
    with asked_paths() as (base, seen):
        said = run([sys.executable, "-c", IN_PYTHON], base, PYTHONPATH=str(ADAPTERS / "python"))
    host = base.removeprefix("http://")
    assert said.splitlines() == ["Bearer t", "others as they are", "https://login.microsoftonline.com/x"]
    assert seen == [("GET", "/v1.0//me/events?a=1", host), ("GET", "/common/x?b=2", host)]


IN_NODE = """
const https = require("node:https");
const headers = { authorization: "Bearer t" };
function asked(...given) {
  return new Promise((done, failed) => {
    const request = https.request(...given, (answer) => {
      answer.resume();
      answer.on("end", () => done(answer.statusCode));
    });
    request.on("error", failed);
    request.end();
  });
}
(async () => {
  console.log((await (await fetch("https://graph.microsoft.com/v1.0/me?a=1", { headers })).json()).authorization);
  await fetch(new Request("https://graph.microsoft.com/v1.0/events", { method: "POST", body: "{}" }));
  await asked("https://graph.microsoft.com/v1.0/c?d=3");
  await asked({ protocol: "https:", hostname: "login.microsoftonline.com", path: "/e", agent: new https.Agent() });
  await asked("https://localhost:1/f").catch((error) => console.log(error.code));
  await fetch("https://localhost:1/g").catch(() => console.log("others as they are"));
})();
"""


@pytest.mark.full
def test_the_adapter_for_node_changes_addresses_and_nothing_else(tmp_path: Path):
    script = tmp_path / "asks.cjs"
    script.write_text(IN_NODE, "utf-8")
    program = [str(node_program()), "--require", str(ADAPTERS / "addresses.cjs"), str(script)]
    with asked_paths() as (base, seen):
        said = run(program, base, PATH=with_node({})["PATH"])
    host = base.removeprefix("http://")
    assert said.splitlines() == ["Bearer t", "ECONNREFUSED", "others as they are"]
    assert seen == [
        ("GET", "/v1.0/me?a=1", host),
        ("POST", "/v1.0/events", host),
        ("GET", "/v1.0/c?d=3", host),
        ("GET", "/e", host),
    ]
