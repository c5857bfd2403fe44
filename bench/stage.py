"""What measurements of calls share: the sandbox, our server beside it, an account, the orders for the floor."""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
from base64 import b64encode
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
from mcp import Client, StdioServerParameters

from bench import over_stdio
from bench.over_http import process
from scalekit_mcp.demo.browser import Browser, consent

PERSON = "dana@company.com"
KEPT_HEADERS = {"prefer", "accept", "content-type"}
LIST, GET, CREATE = (
    f"outlook_{name}" for name in ("list_calendar_events", "get_calendar_event", "create_calendar_event")
)
SHORT = {LIST: "list of 20 events", GET: "get", CREATE: "create"}
EVENT = {
    "subject": "Benchmark",
    "start_datetime": "2031-04-01T10:00:00",
    "start_timezone": "America/New_York",
    "end_datetime": "2031-04-01T11:00:00",
    "end_timezone": "America/New_York",
}
EVENTS = 25
"""How many are made at first: enough for a list of twenty."""


@dataclass(frozen=True)
class Stage:
    """One sandbox in a process of its own, and what starts our server beside it."""

    folder: Path
    base: str
    machine: dict[str, str]
    """The environment of every process that is measured."""
    environment: dict[str, str]
    """And of our server."""
    http: httpx.AsyncClient

    @classmethod
    async def open(cls, stack: AsyncExitStack) -> Stage:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        sandbox = await process(stack, ["-m", "bench.sandbox_process"], stderr=None)
        assert sandbox.stdout is not None
        environment = json.loads(await sandbox.stdout.receive())
        # As after an installation: byte code is written once, also where the caller's environment forbids it.
        machine = {
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(folder / "byte-code"),
        }
        return cls(
            folder=folder,
            base=environment["MICROSOFT_GRAPH_URL"].removesuffix("/v1.0"),
            machine=machine,
            environment={
                **machine,
                **environment,
                "SCALEKIT_MCP_LOG_LEVEL": "WARNING",
                "SCALEKIT_MCP_DATABASE_URL": f"sqlite+aiosqlite:///{(folder / 'vault.sqlite3').as_posix()}",
                "SCALEKIT_MCP_VAULT_KEYS": f"bench:{b64encode(secrets.token_bytes(32)).decode()}",
            },
            http=await stack.enter_async_context(httpx.AsyncClient(timeout=20)),
        )

    def ours(self, *options: str) -> StdioServerParameters:
        serve = ["-m", "scalekit_mcp", "serve", "--identifier", "bench", *options]
        return StdioServerParameters(command=sys.executable, args=serve, env=self.environment)

    def floor(self, spec: str) -> StdioServerParameters:
        """The floor with the orders that `recorded` gave."""
        return StdioServerParameters(
            command=sys.executable, args=["-m", "bench.floor"], env={**self.machine, "FLOOR": spec}
        )

    async def connected(self, stack: AsyncExitStack, command: StdioServerParameters) -> tuple[Client, int | None]:
        """A client of a server over stdio, and the server's process where the system tells it."""
        before = over_stdio.children()
        client = Client(over_stdio.quiet(command), read_timeout_seconds=over_stdio.ANSWER_SECONDS)
        await stack.enter_async_context(client)
        return client, next(iter(over_stdio.children() - before), None)

    async def signed_in(self, client: Client, listed: dict[str, Any]) -> None:
        """Sign in with the link that a first list is refused with."""
        refused = await client.call_tool(LIST, listed)
        await consent(Browser(self.http), refused.structured_content["error"]["authorization_url"], PERSON)

    async def recorded(
        self, client: Client, listed: dict[str, Any], created_later: dict[str, Any] = EVENT, *, events: int = EVENTS
    ) -> tuple[dict[str, Any], str]:
        """Sign in, make events, and record the Graph request of each tool: our arguments, and the floor's orders.

        `listed` are the arguments of the list, `created_later` those of every create after the first `events`.
        """
        await self.signed_in(client, listed)
        created = None
        for number in range(events):
            created = await client.call_tool(CREATE, {**EVENT, "subject": f"Benchmark {number}"})
        assert created is not None
        arguments = {LIST: listed, GET: {"event_id": created.structured_content["id"]}, CREATE: created_later}
        orders: dict[str, list[Any]] = {}
        token = ""
        for tool, given in arguments.items():
            count = len(await self.graph_requests())
            result = await client.call_tool(tool, given)
            assert not result.is_error, result
            requests = await self.graph_requests()
            assert len(requests) == count + 1, f"{tool} made {len(requests) - count} requests, the floor makes one"
            last = requests[-1]
            token = last["headers"]["authorization"].removeprefix("Bearer ")
            body = {k: v for k, v in last["body"].items() if k != "transactionId"} if last["body"] else None
            headers = {name: value for name, value in last["headers"].items() if name in KEPT_HEADERS}
            orders[tool] = [last["method"], last["path"], last["query"], headers, body]
        return arguments, json.dumps({"base": self.base, "token": token, "calls": orders})

    async def graph_requests(self) -> list[Any]:
        answer = (await self.http.get(f"{self.base}/_sandbox/requests", params={"area": "graph"})).json()
        return answer["requests"] if isinstance(answer, dict) else answer
