"""Plans a meeting with LangChain's tools step by step, without a model, on the built-in Microsoft.

In a checkout: pip install '.[langchain]'. It finds Alice and Bob by name, asks when all three can meet next, and books
the best time: what an agent does when it is asked to.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import scalekit_mcp.client
from scalekit_mcp.langchain import get_tools

scalekit = scalekit_mcp.client.ScalekitClient(sandbox=True)
TOOLS = get_tools("outlook", "user_outlook_789", scalekit, toolsets=("calendar", "scheduling"))
ZONE = "America/Chicago"


def call(name: str, **arguments: object) -> dict:
    """The answer of one tool, called as an agent calls it."""
    tool = next(tool for tool in TOOLS if tool.name == name)
    message = tool.invoke({"type": "tool_call", "id": "call-1", "name": name, "args": arguments})
    if message.status == "error":
        raise SystemExit(message.content)
    return message.artifact


account = call("authorize")
if account["status"] != "ACTIVE":
    print("Authorize Outlook:", account["authorization_url"], flush=True)
    input("Press Enter after authorizing ...")

people = [call("outlook_search_people", query=name)["value"][0]["address"] for name in ("alice", "bob")]
today = datetime.now(ZoneInfo(ZONE)).date()
monday = today + timedelta(days=7 - today.weekday())
window = {"start_datetime": f"{monday}T00:00:00", "end_datetime": f"{monday + timedelta(days=5)}T00:00:00"}
found = call("outlook_find_meeting_times", duration_minutes=45, timezone=ZONE, attendees=people, **window)
if not found["suggestions"]:
    raise SystemExit(found["reason"])
for suggestion in found["suggestions"]:
    print("possible", suggestion["start"]["dateTime"], suggestion["availability"])
times = {f"{edge}_datetime": found["suggestions"][0][edge]["dateTime"] for edge in ("start", "end")}
zones = {"start_timezone": ZONE, "end_timezone": ZONE}
event = call("outlook_create_calendar_event", subject="Planning", attendees_required=people, **times, **zones)
print("booked", event["subject"], event["start"]["dateTime"])
