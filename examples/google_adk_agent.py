"""Google's Agent Development Kit with one user's calendar over MCP.

In a checkout: pip install . "google-adk[mcp]"; set GOOGLE_API_KEY.
"""

import asyncio
import sys
import time

from google.adk.agents import LlmAgent
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StdioConnectionParams
from mcp import StdioServerParameters

outlook = StdioServerParameters(command="scalekit-mcp", args=["serve", "--sandbox"])


async def main() -> None:
    """Answer one question a line, in one session."""
    toolset = McpToolset(connection_params=StdioConnectionParams(server_params=outlook, timeout=60))
    agent = LlmAgent(
        name="scheduler",
        model="gemini-2.5-flash",
        instruction=f"You schedule meetings in Outlook. Today is {time.strftime('%A %Y-%m-%d')}. "
        "Addresses end in @company.com. When a tool gives an authorization link, show it to the user.",
        tools=[toolset],
    )
    async with InMemoryRunner(agent=agent) as runner:
        while question := await asyncio.to_thread(sys.stdin.readline):
            for event in await runner.run_debug(question, quiet=True):
                if event.is_final_response() and event.content:
                    print(event.content.parts[0].text, flush=True)


asyncio.run(main())
