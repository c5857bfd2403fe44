"""An agent as it was written for `mcp` 1.x and HTTP+SSE. Run by Python of an environment of its own.

Arguments: the URL of /sse and the bearer token. Prints one JSON line for each step; waits for a line on stdin while the
person signs in.
"""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.sse import sse_client


def say(**fields):
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


async def main(url, token):
    async with (
        sse_client(url, headers={"Authorization": f"Bearer {token}"}) as streams,
        ClientSession(*streams) as session,
    ):
        hello = await session.initialize()
        say(
            step="initialize",
            version=hello.protocolVersion,
            capabilities=hello.capabilities.model_dump(exclude_none=True),
        )
        tools = await session.list_tools()
        say(step="tools", names=[tool.name for tool in tools.tools])
        refused = await session.call_tool("outlook_list_calendar_events", {"top": 2})
        say(
            step="refused", is_error=refused.isError, structured=refused.structuredContent, text=refused.content[0].text
        )
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        created = await session.call_tool(
            "outlook_create_calendar_event",
            {
                "subject": "From an old client",
                "start_datetime": "2026-04-01T10:00:00",
                "start_timezone": "UTC",
                "end_datetime": "2026-04-01T11:00:00",
                "end_timezone": "UTC",
            },
        )
        say(step="created", is_error=created.isError, structured=created.structuredContent)
        found = await session.call_tool("outlook_get_calendar_event", {"event_id": created.structuredContent["id"]})
        say(step="found", is_error=found.isError, subject=json.loads(found.content[0].text)["subject"])
        wrong = await session.call_tool("outlook_get_calendar_event", {})
        say(step="wrong", is_error=wrong.isError)
        state = await session.call_tool("authorize", {})
        say(step="state", is_error=state.isError, status=state.structuredContent["status"])
    say(step="closed")


asyncio.run(main(*sys.argv[1:]))
