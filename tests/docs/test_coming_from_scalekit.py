"""Every block of the page for those who come from Scalekit does what it says: Python, REST, and the tables."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from docs_support import ROOT, blocks, rows

import scalekit_mcp.errors
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.sdk.names import SDK_NAMES
from scalekit_mcp.server.rest.app import NOT_OFFERED
from tests.support.processes import command, environment

PAGE = ROOT / "docs" / "coming-from-scalekit.md"
TEXT = PAGE.read_text("utf-8")
SERVICE_KEY = "a-service-key-of-the-documentation"


def of_language(language: str) -> list[str]:
    return [block.text for block in blocks(PAGE) if block.language == language]


def test_the_program_runs_before_and_after_a_consent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    [program] = of_language("python")
    names: dict[str, Any] = {}
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(compile(program, str(PAGE), "exec"), names)  # noqa: S102 - the page's own program
    try:
        said = told.getvalue()
        assert "http://localhost:" in said  # the link, for nobody has consented yet
        assert "authorization_details are not taken" in said
        assert "outlook_list_calendar_events" in said
        link = names["actions"].get_authorization_link("user_outlook_789").link

        async def sign_in() -> None:
            async with httpx.AsyncClient(timeout=20) as http:
                await consent(Browser(http), link, "dana@company.com")

        import anyio

        anyio.run(sign_in)
        me = names["actions"].request(
            "outlook", "user_outlook_789", "/v1.0/me", query_params={"$select": "displayName"}
        )
        assert me.json()["displayName"]
        listed = names["actions"].execute_tool({"top": 50}, "outlook_list_calendar_events", "user_outlook_789")
        assert len(listed["value"]) <= 10
    finally:
        names["scalekit"].close()


def test_the_diff_is_the_published_sample() -> None:
    [diff] = of_language("diff")
    after = "".join(f"{line[1:]}\n" for line in diff.splitlines() if line[:1] in ("+", " ") and line[1:].strip())
    sample = (ROOT / "examples" / "published_sample.py").read_text("utf-8")
    assert after in "".join(f"{line}\n" for line in sample.splitlines() if line.strip())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    values = {"SCALEKIT_MCP_SERVICE_KEY": SERVICE_KEY, "SCALEKIT_MCP_REST_PROXY": "true"}
    line = command("serve", "--transport", "http", "--sandbox", "--port", str(port))
    home = tmp_path_factory.mktemp("home")
    process = subprocess.Popen(line, env=environment(home, **values), stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        for said in process.stderr:
            if "Ctrl-C stops" in said:
                break
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=60)


def request_of(text: str, known: dict[str, str]) -> tuple[str, str, dict[str, str], str]:
    for name, value in known.items():
        text = text.replace(name, value)
    head, _, body = text.strip().partition("\n\n")
    first, *lines = head.splitlines()
    method, path = first.split(" ", 1)
    return method, path, dict(line.split(": ", 1) for line in lines), body


def test_every_request_of_the_page_is_answered(server: str) -> None:
    known = {"$SCALEKIT_MCP_SERVICE_KEY": SERVICE_KEY}
    asked = of_language("http")
    assert len(asked) == 5
    with httpx.Client(base_url=server, timeout=30) as http:
        for text in asked:
            method, path, headers, body = request_of(text, known)
            answer = http.request(method, path, headers=headers, content=body)
            if "access_token" in answer.text and path == "/oauth/token":
                known["$ACCESS_TOKEN"] = answer.json()["access_token"]
            if path.startswith("/proxy/"):  # nobody has consented
                assert answer.json()["details"][0]["error_code"] == "AUTHORIZATION_REQUIRED"
            else:
                assert answer.status_code in (200, 201), (path, answer.text)
        tokens = http.get("/api/v1/connected_accounts/auth", headers={"authorization": f"Bearer {SERVICE_KEY}"})
        assert tokens.status_code == 404


def test_every_path_of_the_table_is_there_or_refused_as_it_says(server: str) -> None:
    table = [row for row in rows(TEXT) if row[1] in ("works", "refused (501)") and "/" in row[0]]
    assert len(table) >= 20
    with httpx.Client(base_url=server, headers={"authorization": f"Bearer {SERVICE_KEY}"}, timeout=30) as http:
        for request, standing, *_ in table:
            method, _, path = request.strip("`").rpartition(" ")
            answer = http.request(method or "GET", path.replace("{id}", "ca_1").replace("{path}", "v1.0/me"))
            expected = answer.status_code not in (405, 501) if standing == "works" else answer.status_code == 501
            assert expected, (request, answer.text)
            if answer.status_code == 404:
                assert answer.json()["code"] == 5
    assert {f"`/api/v1{path}`" for path in NOT_OFFERED} == {row[0] for row in table if row[1] != "works"}


def test_the_exceptions_of_the_table_are_ours_and_the_sdks() -> None:
    table = {row[0]: row[1] for row in rows(TEXT) if "Exception" in row[0]}
    assert len(table) >= 8
    for answer in table.values():
        for name in re.findall(r"`([A-Z]\w+)`", answer):
            assert issubclass(getattr(scalekit_mcp.errors, name), scalekit_mcp.errors.ScalekitMCPError), name
    named = {name for cell in table for name in re.findall(r"`(\w+Exception)`", cell)}
    scalekit = pytest.importorskip("scalekit", reason="scalekit-sdk-python is not installed (`make test-full` does)")
    tree = ast.parse((Path(scalekit.__file__).parent / "common" / "exceptions.py").read_text("utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert named <= defined


def test_the_table_of_names_is_whole() -> None:
    for path in SDK_NAMES:
        assert f"`{path}`" in TEXT, path
