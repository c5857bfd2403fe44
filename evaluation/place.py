"""A sandbox, and servers in front of it: real processes over stdio, with Dana's consent given once."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import httpx2 as httpx
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import TextContent

from evaluation.scene import DANA, NOW, ZONE, Scene
from evaluation.task import Task
from evaluation.view import State, state_of
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.network import Network
from scalekit_mcp.sandbox import Sandbox

_OURS = ("SCALEKIT_", "MICROSOFT_")
_READ_TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Answer:
    """What a tool answered: the text that a model reads, and the same as an object."""

    text: str = field(repr=False)
    content: dict[str, Any] = field(repr=False)
    is_error: bool


@dataclass(frozen=True)
class Tool:
    """A tool as the server offers it."""

    name: str
    description: str = field(repr=False)
    schema: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Host:
    """A client that is connected to a server, with what the server says of itself."""

    client: Client
    tools: tuple[Tool, ...]
    instructions: str

    async def call(self, tool: str, arguments: dict[str, Any]) -> Answer:
        """Call a tool. What the protocol itself refuses, such as an unknown tool, raises `MCPError`."""
        result = await self.client.call_tool(tool, arguments)
        text = "".join(block.text for block in result.content if isinstance(block, TextContent))
        return Answer(text, result.structured_content or {}, bool(result.is_error))


class Place:
    """One sandbox with one vault; `host` starts a server in front of it."""

    def __init__(self, sandbox: Sandbox, environment: dict[str, str], log: TextIO) -> None:
        self._scene = Scene(sandbox)
        self._sandbox = sandbox
        self._environment = environment
        self._log = log
        self._connected = False
        self._seeded: dict[str, State] = {}

    async def prepare(self, task: Task) -> State:
        """Put the calendars into the state in which the task begins; that state, which is always the same."""
        await self._scene.prepare(task.seeds)
        if task.name not in self._seeded:
            self._seeded[task.name] = await self.state()
        return self._seeded[task.name]

    async def state(self) -> State:
        """What stands in the calendars now, and what was mailed since the task began."""
        return state_of(await self._scene.read(), self._scene.mails())

    @asynccontextmanager
    async def host(self) -> AsyncGenerator[Host]:
        """A new server process and a client that is connected to it; Dana's calendar is connected."""
        self._sandbox.freeze_clock(NOW)
        self._sandbox.unfreeze_clock()
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "evaluation.server"],
            env=self._environment,
            cwd=Path(__file__).parent.parent,
        )
        client = Client(stdio_client(server, errlog=self._log), read_timeout_seconds=_READ_TIMEOUT_SECONDS)
        async with client:
            if not self._connected:
                await self._consent(client)
                self._connected = True
            tools = (await client.list_tools()).tools
            offered = [
                Tool(tool.name, tool.description or "", tool.input_schema) for tool in tools if tool.name != "authorize"
            ]
            yield Host(client, tuple(offered), client.instructions or "")

    async def _consent(self, client: Client) -> None:
        link: dict[str, Any] = (await client.call_tool("authorize", {})).structured_content or {}
        async with Network().client([], make=httpx.AsyncClient, cookies=True) as http:
            await consent(Browser(http), link["authorization_url"], DANA)
        stands: dict[str, Any] = (await client.call_tool("authorize", {})).structured_content or {}
        if stands.get("status") != "ACTIVE":
            raise RuntimeError(f"the sandbox's calendar could not be connected: {stands}")


@asynccontextmanager
async def open_place() -> AsyncGenerator[Place]:
    """A place of its own; everything of it is gone afterwards."""
    sandbox = Sandbox()
    sandbox.freeze_clock(NOW)
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(sandbox.serve())
        made = tempfile.TemporaryDirectory(prefix="scalekit-mcp-evaluation-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(made))
        log = stack.enter_context((folder / "server.log").open("w", encoding="utf-8"))
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith((*_OURS, "EVALUATION_"))},
            **sandbox.environment(base_url),
            "SCALEKIT_MCP_MODE": "embedded",
            "SCALEKIT_MCP_IDENTIFIER": "dana",
            "SCALEKIT_MCP_TOOLSETS": "all",
            "SCALEKIT_MCP_TIMEZONE": ZONE,
            "SCALEKIT_MCP_LOG_LEVEL": "WARNING",
            "SCALEKIT_MCP_DATABASE_URL": f"sqlite+aiosqlite:///{(folder / 'vault.sqlite3').as_posix()}",
            "SCALEKIT_MCP_VAULT_KEYS": f"evaluation:{b64encode(secrets.token_bytes(32)).decode()}",
        }
        yield Place(sandbox, environment, log)
