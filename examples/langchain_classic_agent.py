"""The agent of the published guide: `AgentExecutor` with `create_tool_calling_agent`, now in langchain-classic.

In a checkout: pip install '.[langchain]' langchain-classic langchain-openai; set OPENAI_API_KEY.
"""

import sys
import time

from langchain_classic.agents import AgentExecutor, create_tool_calling_agent
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_openai import ChatOpenAI

import scalekit_mcp.client
from scalekit_mcp.langchain import get_tools

scalekit = scalekit_mcp.client.ScalekitClient(sandbox=True)
tools = get_tools(connection_name="outlook", identifier="user_outlook_789", actions=scalekit.actions)

prompt = ChatPromptTemplate.from_messages(
    [
        ("system", "You schedule meetings in Outlook. Today is {today}. Addresses end in @company.com."),
        ("human", "{input}"),
        MessagesPlaceholder("agent_scratchpad"),
    ]
)
agent = create_tool_calling_agent(ChatOpenAI(model="gpt-4o"), tools, prompt)
executor = AgentExecutor(agent=agent, tools=tools)

for question in sys.stdin:
    answer = executor.invoke({"input": question, "today": time.strftime("%A %Y-%m-%d")})
    print(answer["output"], flush=True)
