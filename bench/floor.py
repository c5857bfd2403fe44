"""The floor: a bare low-level MCP server whose tools each make one HTTP call and return what came back.

It reads a JSON object from the variable `FLOOR`: {"base": "...", "token": "...", "calls": {"tool": [method, path,
query, headers, body], ...}}. It validates nothing, keeps no account, and never refreshes.
"""

import json
import os
import uuid

import anyio
import httpx2 as httpx
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.types import CallToolResult, ListToolsResult, TextContent, Tool

SPEC = json.loads(os.environ.get("FLOOR", "{}"))


async def list_tools(ctx, params) -> ListToolsResult:
    names = SPEC.get("calls") or {"outlook_list_calendar_events": None}
    return ListToolsResult(
        tools=[Tool(name=name, description="One HTTP call.", input_schema={"type": "object"}) for name in names]
    )


def build() -> Server:
    """The server; its HTTP client is made with the first call, on the loop that serves."""
    clients: list[httpx.AsyncClient] = []

    async def call_tool(ctx, params) -> CallToolResult:
        method, path, query, headers, body = SPEC["calls"][params.name]
        if body is not None:
            body = {**body, "transactionId": str(uuid.uuid4())}
        if not clients:
            clients.append(httpx.AsyncClient(timeout=20))
        answer = await clients[0].request(
            method,
            SPEC["base"] + path,
            params=query,
            json=body,
            headers={**headers, "Authorization": f"Bearer {SPEC['token']}"},
        )
        value = answer.json()
        return CallToolResult(
            content=[TextContent(type="text", text=json.dumps(value))], structured_content=value, is_error=False
        )

    return Server("floor", on_list_tools=list_tools, on_call_tool=call_tool)


def main() -> None:
    server = build()

    async def run() -> None:
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(run)


if __name__ == "__main__":
    main()
