"""A LangChain agent whose application, not its model, handles a calendar that is not connected.

In a checkout: pip install '.[langchain]' langchain langchain-openai; set OPENAI_API_KEY.
"""

import sys
import time

from langchain.agents import create_agent

import scalekit_mcp.client
from scalekit_mcp.errors import AuthorizationRequired
from scalekit_mcp.langchain import get_tools

USER = "user_outlook_789"
scalekit = scalekit_mcp.client.ScalekitClient(sandbox=True)
agent = create_agent(
    "openai:gpt-4o",
    get_tools("outlook", USER, scalekit.actions, on_authorization_required="raise"),
    system_prompt=f"You schedule meetings in Outlook. Today is {time.strftime('%A %Y-%m-%d')}. "
    "Addresses end in @company.com.",
)


def ask(question: str) -> str:
    """One question; raises AuthorizationRequired."""
    return agent.invoke({"messages": [{"role": "user", "content": question}]})["messages"][-1].content


for question in sys.stdin:
    try:
        answer = ask(question)
    except AuthorizationRequired as refused:
        print("Connect your calendar:", refused.details["authorization_url"], flush=True)
        scalekit.actions.wait_for_authorization(USER, timeout_seconds=300)
        answer = ask(question)
    print(answer, flush=True)
