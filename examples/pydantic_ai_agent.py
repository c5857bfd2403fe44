"""Pydantic AI with one user's calendar over MCP.

In a checkout: pip install . "pydantic-ai-slim[openai,mcp]"; set OPENAI_API_KEY.
"""

import asyncio
import sys
import time

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset

outlook = MCPToolset(StdioTransport(command="scalekit-mcp", args=["serve", "--sandbox"]))


async def main() -> None:
    """Answer one question a line, in one session."""
    agent = Agent(
        "openai:gpt-4o",
        instructions=f"You schedule meetings in Outlook. Today is {time.strftime('%A %Y-%m-%d')}. "
        "Addresses end in @company.com. When a tool gives an authorization link, show it to the user.",
        toolsets=[outlook],
    )
    async with agent:
        while question := await asyncio.to_thread(sys.stdin.readline):
            result = await agent.run(question)
            print(result.output, flush=True)


asyncio.run(main())
