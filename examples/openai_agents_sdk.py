"""The OpenAI Agents SDK with one user's calendar over MCP.

In a checkout: pip install . openai-agents; set OPENAI_API_KEY.
"""

import asyncio
import sys
import time

from agents import Agent, Runner
from agents.mcp import MCPServerStdio


async def main() -> None:
    """Answer one question a line, in one session."""
    outlook = {"command": "scalekit-mcp", "args": ["serve", "--sandbox"]}
    async with MCPServerStdio(params=outlook, client_session_timeout_seconds=60) as server:
        agent = Agent(
            name="Scheduler",
            model="gpt-4o",
            instructions=f"You schedule meetings in Outlook. Today is {time.strftime('%A %Y-%m-%d')}. "
            "Addresses end in @company.com. When a tool gives an authorization link, show it to the user.",
            mcp_servers=[server],
        )
        while question := await asyncio.to_thread(sys.stdin.readline):
            result = await Runner.run(agent, question)
            print(result.final_output, flush=True)


asyncio.run(main())
