"""Each shell command of the README and of docs/, copied and run in order in an empty home, against the sandbox."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from docs_support import ROOT, Block, blocks, pages
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from newcomer import LEFT_OUT, Newcomer, commands, newcomer

from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.tools import offered_tools
from tests.packaging.packaging_support import checkout as clean_checkout

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="the documentation's shell is a POSIX one"),
    pytest.mark.xdist_group("docs"),
]

SHELL = {"sh": False, "console": True}
STDIO = "scalekit-mcp serve --identifier me@example.com"
NEEDS_AN_ACCOUNT = {"docs/troubleshooting.md"}
PORTS = {"docs/sandbox.md": 9400, "docs/embedding.md": 8000, "docs/python.md": 9500}
"""Fixed ports that a page's commands listen on."""


def shell_blocks(path: Path) -> list[Block]:
    return [block for block in blocks(path) if block.language in SHELL]


def lines_of(path: Path) -> list[str]:
    found: list[str] = []
    for block in shell_blocks(path):
        found += commands(block.text, prompt=SHELL[block.language])
    return found


def answers_of(path: Path) -> dict[str, str]:
    """What the page prints behind each `curl` and `doctor` of its console blocks: lines of the output."""
    found: dict[str, str] = {}
    for block in shell_blocks(path):
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE) if block.language == "console" else []:
            command, _, answer = part.partition("\n")
            if ("curl " in command or command.endswith("doctor")) and answer.strip():
                found[command.strip()] = answer.strip()
    return found


PAGES = [path for path in pages() if lines_of(path)]


def test_the_commands_of_the_readme_are_found_without_their_comments():
    found = lines_of(ROOT / "README.md")
    assert found[:2] == ["make demo", "make test"]
    assert STDIO in found
    assert "scalekit-mcp doctor" in found
    assert not [line for line in found if "#" in line]


def test_what_is_left_out_stands_in_the_documentation():
    assert set(LEFT_OUT) <= {line for path in PAGES for line in lines_of(path)}


def test_a_block_of_shell_has_a_name_that_is_known():
    others = {block.language for path in pages() for block in blocks(path)} - set(SHELL)
    assert others <= {"json", "python", "text", "diff", "toml", "yaml", "", "ini", "http", "powershell"}


def test_the_answers_to_curl_on_the_page_of_the_sandbox_are_found():
    [good, bad] = answers_of(ROOT / "docs" / "sandbox.md").values()
    assert good.startswith('{"ok":true')
    assert bad.startswith('{"error":"adress')


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean checkout in which `make demo` has been run, as the README begins."""
    if shutil.which("make", path="/usr/bin:/bin") is None:
        pytest.skip("there is no make")
    folder = clean_checkout(tmp_path_factory.mktemp("checkout"))
    with newcomer(folder, tmp_path_factory.mktemp("home"), {}) as first:
        try:
            told = first.type("make demo")
        except AssertionError as error:
            if "No matching distribution" in str(error) or "Could not find a version" in str(error):
                pytest.skip(f"the package index cannot be reached: {str(error)[-300:]}")
            raise
    assert "steps held" in told
    return folder


@pytest.fixture
def person(checkout: Path, tmp_path: Path) -> Iterator[Newcomer]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Sandbox().serve()) as base_url:
        settings = Sandbox().environment(base_url)
        with newcomer(checkout, tmp_path, settings) as somebody:
            # Only the addresses of the look-alike are set beforehand; the rest is typed as the pages say.
            somebody.variables |= {name: settings[name] for name in ("MICROSOFT_LOGIN_URL", "MICROSOFT_GRAPH_URL")}
            yield somebody


async def host(person: Newcomer, line: str) -> list[str]:
    """What an MCP host sees that starts this command."""
    parameters = StdioServerParameters(command="/bin/sh", args=["-c", f"exec {line}"], env=person.environment())
    with (person.home / "log").open("w") as log:
        async with Client(stdio_client(parameters, errlog=log), read_timeout_seconds=60) as client:
            assert not (await client.call_tool("outlook_list_calendar_events", {})).is_error
            return [tool.name for tool in (await client.list_tools()).tools]


@pytest.mark.full
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_command_of_the_page_runs_in_order(person: Newcomer, path: Path):
    page = path.relative_to(ROOT).as_posix()
    if page in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", PORTS[page])) == 0:
                pytest.skip(f"port {PORTS[page]} is in use on this machine")
    if page in NEEDS_AN_ACCOUNT:
        person.variables |= person.sandbox_settings
        person.type("scalekit-mcp connect --identifier me@example.com")
    answers = answers_of(path)
    for line in lines_of(path):
        if line == STDIO:
            with start_blocking_portal() as portal:
                assert portal.call(host, person, line) == list(offered_tools())
            person.done.append(line)
        elif line.startswith("curl ") and shutil.which("curl") is None:
            pytest.skip("there is no curl")
        else:
            said = person.type(line)
            assert all(expected in said for expected in answers.get(line, "").splitlines()), said
    typed = person.done[1:] if page in NEEDS_AN_ACCOUNT else person.done
    assert typed == lines_of(path)


@pytest.mark.full
def test_a_command_that_fails_is_noticed(person: Newcomer):
    with pytest.raises(AssertionError, match="nobody"):
        person.type("MICROSOFT_CLIENT_ID=app scalekit-mcp accounts show nobody")
