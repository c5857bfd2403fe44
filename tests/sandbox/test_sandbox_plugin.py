"""The pytest plugin and the documentation of the sandbox."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx

from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.pytest_plugin import outlook_sandbox, outlook_sandbox_options
from scalekit_mcp.sandbox.world.switches import behaviours

__all__ = ["outlook_sandbox", "outlook_sandbox_options"]

DANA = "dana@company.com"
ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "sandbox.md"
PLUGIN = "scalekit_mcp.sandbox.pytest_plugin"


def test_the_plugin_gives_blocking_code_a_running_sandbox(outlook_sandbox: Sandbox) -> None:
    headers = {"authorization": f"Bearer {outlook_sandbox.access_token(DANA)}"}
    answer = httpx.get(f"{outlook_sandbox.url}/v1.0/me/events", headers=headers)
    assert answer.status_code == 200
    assert [request.area for request in outlook_sandbox.requests] == ["graph"]


async def test_the_plugin_serves_asynchronous_tests_too(outlook_sandbox: Sandbox) -> None:
    outlook_sandbox.throttle_graph()
    headers = {"authorization": f"Bearer {outlook_sandbox.access_token(DANA)}"}
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{outlook_sandbox.url}/v1.0/me/events", headers=headers)).status_code == 429


def test_pytest_finds_the_plugin_by_its_entry_point() -> None:
    assert f'[project.entry-points.pytest11]\n"{PLUGIN}" = "{PLUGIN}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_plugin_imports_nothing_heavy_when_pytest_starts() -> None:
    heavy = [
        "httpx2",
        "pydantic",
        "jinja2",
        "uvicorn",
        "starlette",
        "cryptography",
        "jwt",
        "anyio",
        "mcp",
        "sqlalchemy",
    ]
    code = f"import sys, {PLUGIN}; print([name for name in {heavy} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_example_of_the_documentation_passes(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    (tmp_path / "test_example.py").write_text(next(block for block in blocks if "def test_" in block), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", PLUGIN, "-p", "no:cacheprovider", "-p", "no:asyncio", "."]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert "2 passed" in run.stdout, run.stdout + run.stderr


def test_every_behaviour_stands_in_the_documentation() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert [known.name for known in behaviours() if f"| `{known.name}` |" not in text] == []
