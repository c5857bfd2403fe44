"""Wheel and sdist of a clean checkout: what is in them, and that the wheel alone is the whole product."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from packaging_support import ROOT, build, checkout, names_in, tracked

from scalekit_mcp import __version__
from scalekit_mcp.cli import cli
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.tools import offered_tools
from tests.support.processes import environment


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(source, tmp_path_factory.mktemp("wheel"), "wheel")


def test_the_wheel_carries_the_product_and_nothing_else(wheel: Path):
    product = {name for name in tracked() if name.startswith("scalekit_mcp/")}
    kinds = {Path(name).suffix for name in product}
    assert {".py", ".html", ".css", ".js", ".mako", ".typed"} - kinds <= {".typed"}
    assert "scalekit_mcp/py.typed" in product
    info = f"scalekit_mcp-{__version__}.dist-info"
    extra = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    assert names_in(wheel) == product | extra
    with zipfile.ZipFile(wheel) as archive:
        assert b"Root-Is-Purelib: true" in archive.read(f"{info}/WHEEL")
        metadata = message_from_bytes(archive.read(f"{info}/METADATA"))
    assert (metadata["Version"], metadata["Requires-Python"]) == (__version__, ">=3.11")
    assert "mcp-name: " in str(metadata.get_payload())


def test_the_sdist_builds_the_same_wheel(source: Path, wheel: Path, tmp_path: Path):
    sdist = build(source, tmp_path / "sdist", "sdist")
    unpack = [sys.executable, "-m", "tarfile", "--extract", str(sdist), str(tmp_path / "unpacked")]
    subprocess.run(unpack, check=True, timeout=180)
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    for name in ("README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "Makefile", "requirements/runtime.txt"):
        assert (unpacked / name).is_file(), name
    again = build(unpacked, tmp_path / "again", "wheel")
    assert names_in(again) == names_in(wheel)


def test_one_version_stands_everywhere():
    server = json.loads((ROOT / "packaging" / "server.json").read_text("utf-8"))
    manifest = json.loads((ROOT / "packaging" / "mcpb" / "manifest.json").read_text("utf-8"))
    found = {server["version"], server["packages"][0]["version"], manifest["version"], __version__}
    assert len(found) == 1
    assert f'\nversion = "{__version__}"\n' in (ROOT / "pyproject.toml").read_text("utf-8")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the locked runtime and the wheel, and nothing else; its folder of commands."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    bin_folder = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = [str(bin_folder / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    locked = str(ROOT / "requirements" / "runtime.txt")
    done = subprocess.run([*pip, "--require-hashes", "-r", locked], capture_output=True, text=True, check=False)
    if done.returncode and ("Could not find" in done.stderr or "No matching" in done.stderr):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    subprocess.run([*pip, "--no-deps", str(wheel)], capture_output=True, text=True, check=True)
    return bin_folder


def run(bin_folder: Path, home: Path, *arguments: str, **values: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(bin_folder / "scalekit-mcp"), *arguments],
        env=environment(home, **values),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def commands(group: Any = cli, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command, those of groups too."""
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        found.append((*before, name))
        if hasattr(command, "commands"):
            found += commands(command, (*before, name))
    return found


@pytest.mark.full
def test_nothing_but_the_runtime_is_installed(installed: Path):
    listed = subprocess.run(
        [str(installed / "python"), "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=True
    )
    names = {entry["name"].lower() for entry in json.loads(listed.stdout)}
    assert "scalekit-mcp" in names
    assert not names & {"pytest", "hypothesis", "ruff", "asyncpg", "langchain-core", "basedpyright"}


@pytest.mark.full
@pytest.mark.parametrize("name", commands(), ids=" ".join)
def test_the_wheel_alone_explains_every_command(installed: Path, tmp_path: Path, name: tuple[str, ...]):
    done = run(installed, tmp_path, *name, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage:")


@pytest.mark.full
@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        (["--version"], 0, __version__),
        (["tools"], 0, "outlook_create_calendar_event"),
        (["tools", "--json"], 0, '"inputSchema"'),
        (["demo"], 0, ""),
        (["azure-app"], 0, "oauth/callback"),
        (["azure-app", "--format", "json"], 0, "requiredResourceAccess"),
        (["accounts", "list"], 0, "connect"),
        (["accounts", "show", "nobody"], 1, "nobody"),
        (["accounts", "disconnect", "nobody"], 1, "nobody"),
        (["session-token", "--identifier", "ana"], 0, "ey"),
        (["vault", "migrate"], 0, ""),
        (["vault", "rotate"], 0, ""),
        (["audit"], 0, ""),
        (["serve"], 2, "--identifier"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_wheel_alone_runs_every_command_that_ends(
    installed: Path, tmp_path: Path, line: list[str], status: int, words: str
):
    done = run(installed, tmp_path, *line, MICROSOFT_CLIENT_ID="app")
    assert done.returncode == status, done.stdout + done.stderr
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.full
async def test_the_wheel_alone_checks_a_configuration(installed: Path, tmp_path: Path):
    async with Sandbox().serve() as base_url:
        values = {
            "MICROSOFT_CLIENT_ID": "00000000-0000-0000-0000-00000000dead",
            "MICROSOFT_LOGIN_URL": base_url,
            "MICROSOFT_GRAPH_URL": f"{base_url}/v1.0",
        }
        done = await anyio.to_thread.run_sync(lambda: run(installed, tmp_path, "doctor", **values))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.full
async def test_the_wheel_alone_serves(installed: Path, tmp_path: Path):
    command = str(installed / "scalekit-mcp")
    parameters = StdioServerParameters(command=command, args=["serve", "--sandbox"], env=environment(tmp_path))
    with (tmp_path / "log").open("w") as log:
        async with Client(stdio_client(parameters, errlog=log), read_timeout_seconds=60) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == list(offered_tools())
            told = (await client.call_tool("outlook_list_calendar_events", {})).structured_content
            assert told["error"]["code"] == "authorization_required"


@pytest.mark.full
@pytest.mark.parametrize(
    "line",
    [["sandbox", "--port", "0"], ["serve", "--transport", "http", "--sandbox", "--port", "0"]],
    ids=["sandbox", "http"],
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot interrupt another process gently")
async def test_the_wheel_alone_starts_what_runs_on(installed: Path, tmp_path: Path, line: list[str]):
    with anyio.fail_after(60):
        async with await anyio.open_process(
            [str(installed / "scalekit-mcp"), *line], env=environment(tmp_path), cwd=tmp_path
        ) as process:
            assert process.stderr
            heard = b""
            while b"Ctrl-C stops" not in heard:
                try:
                    heard += await process.stderr.receive()
                except anyio.EndOfStream:
                    pytest.fail(f"it ended by itself: {heard.decode()}")
            process.terminate()
            await process.wait()
    assert b"Traceback" not in heard
