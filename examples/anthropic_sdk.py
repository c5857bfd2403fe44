"""The Anthropic SDK with one user's calendar over MCP.

In a checkout: pip install . anthropic; set ANTHROPIC_API_KEY.
"""

import asyncio
import sys
import time

from anthropic import AsyncAnthropic
from mcp import Client, StdioServerParameters

SYSTEM = f"""You schedule meetings in Outlook. Today is {time.strftime("%A %Y-%m-%d")}. Addresses end in @company.com.
When a tool gives an authorization link, show it to the user."""


async def main() -> None:
    """Answer one question a line, in one session."""
    claude, said = AsyncAnthropic(), []
    async with Client(StdioServerParameters(command="scalekit-mcp", args=["serve", "--sandbox"])) as server:
        listed = (await server.list_tools()).tools
        tools = [{"name": t.name, "description": t.description, "input_schema": t.input_schema} for t in listed]
        while question := await asyncio.to_thread(sys.stdin.readline):
            said.append({"role": "user", "content": question})
            while True:
                model = {"model": "claude-sonnet-4-5", "max_tokens": 4000, "system": SYSTEM, "tools": tools}
                answer = await claude.messages.create(**model, messages=said)
                said.append({"role": "assistant", "content": answer.content})
                results = []
                for call in (block for block in answer.content if block.type == "tool_use"):
                    done = await server.call_tool(call.name, call.input)
                    shown = {"content": done.content[0].text, "is_error": done.is_error}
                    results.append({"type": "tool_result", "tool_use_id": call.id, **shown})
                said += [{"role": "user", "content": results}] if results else []
                if not results:
                    break
            print(*(block.text for block in answer.content), flush=True)


asyncio.run(main())
