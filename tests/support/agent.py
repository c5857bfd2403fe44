"""An agent with a connected calendar: a real MCP client, the server, the embedded actions, the sandbox on a socket."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx2 as httpx
from mcp import Client
from mcp.types import CallToolResult, TextContent

from scalekit_mcp.actions import Actions, open_actions
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.world import GraphFault, RecordedRequest
from scalekit_mcp.server.callers.caller import fixed_caller
from scalekit_mcp.server.mcp.app import ServerOptions, create_server
from scalekit_mcp.server.stdio.listener import Listener
from tests.support.clock import SandboxTime
from tests.support.settings import sandbox_settings

DANA = "dana@company.com"
IDENTIFIER = "user_outlook_789"
SHORT = {
    "create": "outlook_create_calendar_event",
    "get": "outlook_get_calendar_event",
    "list": "outlook_list_calendar_events",
    "update": "outlook_update_calendar_event",
    "delete": "outlook_delete_calendar_event",
}


def text_of(result: CallToolResult) -> str:
    """What a model reads of a result."""
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


@dataclass
class Agent:
    """What an agent can do, and a look at what Microsoft received."""

    client: Client
    actions: Actions
    sandbox: Sandbox
    clock: SandboxTime

    async def call(self, tool: str, **arguments: Any) -> CallToolResult:
        """The result of a call, a refusal too; `tool` is the short name of a calendar tool, or `authorize`."""
        result = await self.client.call_tool(SHORT.get(tool, tool), arguments)
        assert isinstance(result, CallToolResult)
        return result

    async def did(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The answer of a call that succeeds."""
        result = await self.call(tool, **arguments)
        assert not result.is_error, result.content
        assert result.structured_content is not None
        return result.structured_content

    async def refused(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The error object of a call that is refused."""
        result = await self.call(tool, **arguments)
        assert result.is_error, result.content
        assert result.structured_content is not None
        error: dict[str, Any] = result.structured_content["error"]
        return error

    async def status(self) -> tuple[str, str | None]:
        account = (await self.actions.get_connected_account(identifier=IDENTIFIER)).connected_account
        return account.status, account.reason

    def fail(self, **fault: Any) -> None:
        """The next Graph requests meet this failure; failures switched before are taken back."""
        self.sandbox.world.switches.graph_faults[:] = [GraphFault(**fault)]

    def heal(self) -> None:
        self.sandbox.world.switches.graph_faults.clear()

    def received(self, method: str | None = None) -> list[RecordedRequest]:
        """The Graph requests, oldest first."""
        return [
            request
            for request in self.sandbox.requests
            if request.area == "graph" and (method is None or request.method == method)
        ]

    async def graph(self, method: str, path: str, body: Any = None, *, address: str = DANA) -> dict[str, Any]:
        """A bare call to the sandbox's Graph, as somebody else's application would make it for `address`."""
        token = self.sandbox.access_token(address)
        headers = {"Authorization": f"Bearer {token}", "Prefer": 'IdType="ImmutableId"'}
        async with httpx.AsyncClient(base_url=f"{self.sandbox.base_url}/v1.0", headers=headers, timeout=20) as http:
            answer = await http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else {}

    def forget(self) -> None:
        """Begin the record of requests anew."""
        self.sandbox.world.requests.clear()


@asynccontextmanager
async def agent(address: str = DANA, *, scopes: str | None = None, empty: bool = True) -> AsyncGenerator[Agent]:
    """An agent whose user has signed in as `address`; `empty` takes away the week that the sandbox comes with."""
    sandbox = Sandbox(week_of=date(2026, 4, 6))
    clock = SandboxTime(sandbox)
    async with sandbox.serve() as base_url, Listener(preferred_port=0, sandbox=True) as listener:
        given = {"microsoft_scopes": scopes} if scopes else {}
        settings = sandbox_settings(sandbox, base_url, **given)
        async with open_actions(settings, clock=clock, link_base=listener.base_url) as actions:
            listener.serve(actions)
            link = await actions.get_authorization_link(identifier=IDENTIFIER)
            async with httpx.AsyncClient(timeout=20) as http:
                page = await consent(Browser(http), link.link, address)
            assert page.status == 200, page.text
            server = create_server(actions, identify=fixed_caller(IDENTIFIER), options=ServerOptions())
            async with Client(server) as client:
                me = Agent(client, actions, sandbox, clock)
                if empty:
                    await me.call("list", top=1)  # the mailbox comes to be with its first request
                    sandbox.world.mailboxes[sandbox.people[address].oid].events.clear()
                    me.forget()
                yield me
