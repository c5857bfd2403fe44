"""A scheduling agent in LangChain with one user's calendar.

In a checkout: pip install '.[langchain]' langchain langchain-openai; set OPENAI_API_KEY. Then ask, one question a line:
Schedule a 1-hour Q2 planning meeting next Monday at 10am EST with alice and bob, add a Teams link
"""

import sys
import time

from langchain.agents import create_agent

import scalekit_mcp.client
from scalekit_mcp.langchain import get_tools

# The built-in Microsoft; leave `sandbox=True` out to use the credentials of the environment.
scalekit = scalekit_mcp.client.ScalekitClient(sandbox=True)
tools = get_tools(connection_name="outlook", identifier="user_outlook_789", actions=scalekit.actions)

agent = create_agent(
    "openai:gpt-4o",
    tools,
    system_prompt=f"You schedule meetings in Outlook. Today is {time.strftime('%A %Y-%m-%d')}. "
    "Addresses end in @company.com. When a tool gives an authorization link, show it to the user.",
)

for question in sys.stdin:
    answer = agent.invoke({"messages": [{"role": "user", "content": question}]})
    print(answer["messages"][-1].content, flush=True)
