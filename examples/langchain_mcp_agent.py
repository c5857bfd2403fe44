"""LangChain over MCP: `langchain-mcp-adapters` starts the server and takes its tools.

pip install langchain langchain-openai langchain-mcp-adapters; set OPENAI_API_KEY.
The adapters need `mcp` 1.x, so scalekit-mcp is installed elsewhere (`pipx install .` in a checkout) and is on the PATH.
"""

import asyncio
import sys
import time

from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools

OUTLOOK = {"transport": "stdio", "command": "scalekit-mcp", "args": ["serve", "--sandbox"]}


async def main() -> None:
    """Answer one question a line, in one session."""
    client = MultiServerMCPClient({"outlook": OUTLOOK})
    async with client.session("outlook") as session:
        agent = create_agent(
            "openai:gpt-4o",
            await load_mcp_tools(session),
            system_prompt=f"You schedule meetings in Outlook. Today is {time.strftime('%A %Y-%m-%d')}. "
            "Addresses end in @company.com. When a tool gives an authorization link, show it to the user.",
        )
        while question := await asyncio.to_thread(sys.stdin.readline):
            answer = await agent.ainvoke({"messages": [{"role": "user", "content": question}]})
            print(answer["messages"][-1].content, flush=True)


asyncio.run(main())
