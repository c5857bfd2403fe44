"""Scalekit's published Outlook sample; only the import and the credentials differ.

With SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET and SCALEKIT_ENV_URL in the environment it is hosted by Scalekit, with
MICROSOFT_CLIENT_ID and MICROSOFT_CLIENT_SECRET it uses your own Azure app, with SCALEKIT_MCP_SANDBOX=true the sandbox.
"""

import os

import scalekit_mcp.client

scalekit = scalekit_mcp.client.ScalekitClient(
    client_id=os.getenv("SCALEKIT_CLIENT_ID"),
    client_secret=os.getenv("SCALEKIT_CLIENT_SECRET"),
    env_url=os.getenv("SCALEKIT_ENV_URL"),
)
actions = scalekit.actions

response = actions.get_or_create_connected_account(connection_name="outlook", identifier="user_outlook_789")
print(response.connected_account.status)
if response.connected_account.status != "ACTIVE":
    link = actions.get_authorization_link(connection_name="outlook", identifier="user_outlook_789")
    print("Authorize Outlook:", link.link, flush=True)
    input("Press Enter after authorizing ...")
    response = actions.get_or_create_connected_account(connection_name="outlook", identifier="user_outlook_789")
    print(response.connected_account.status)

events = actions.execute_tool(
    identifier="user_outlook_789",
    tool_name="outlook_list_calendar_events",
    tool_input={
        "filter": "start/dateTime ge '2026-04-01T00:00:00' and end/dateTime le '2026-04-07T23:59:59'",
        "select": "subject,start,end,location,attendees",
        "orderby": "start/dateTime asc",
        "top": 20,
    },
)
print("listed", len(events["value"]))

created = actions.execute_tool(
    identifier="user_outlook_789",
    tool_name="outlook_create_calendar_event",
    tool_input={
        "subject": "Q2 Planning Kickoff",
        "start_datetime": "2026-04-01T10:00:00",
        "start_timezone": "America/New_York",
        "end_datetime": "2026-04-01T11:00:00",
        "end_timezone": "America/New_York",
        "attendees_required": "alice@company.com,bob@company.com",
        "attendees_optional": "carol@company.com",
        "body_content": "Please review the Q2 roadmap doc before joining.",
        "body_contentType": "text",
        "isOnlineMeeting": True,
        "onlineMeetingProvider": "teamsForBusiness",
        "isReminderOn": True,
        "reminderMinutesBeforeStart": 15,
    },
)
print("created", created["subject"], created.data["onlineMeeting"]["joinUrl"][:27])

updated = actions.execute_tool(
    identifier="user_outlook_789",
    tool_name="outlook_update_calendar_event",
    tool_input={
        "event_id": created["id"],
        "start_datetime": "2026-04-01T14:00:00",
        "start_timezone": "America/New_York",
        "end_datetime": "2026-04-01T15:00:00",
        "end_timezone": "America/New_York",
        "attendees_required": "alice@company.com,bob@company.com,dave@company.com",
    },
)
print("updated", sorted(attendee["emailAddress"]["address"] for attendee in updated["attendees"]))

series = actions.execute_tool(
    identifier="user_outlook_789",
    tool_name="outlook_create_calendar_event",
    tool_input={
        "subject": "Weekly Team Standup",
        "start_datetime": "2026-04-06T09:00:00",
        "start_timezone": "America/Chicago",
        "end_datetime": "2026-04-06T09:30:00",
        "end_timezone": "America/Chicago",
        "isOnlineMeeting": True,
        "recurrence_type": "weekly",
        "recurrence_interval": 1,
        "recurrence_days_of_week": "Monday",
        "recurrence_range_type": "endDate",
        "recurrence_start_date": "2026-04-06",
        "recurrence_end_date": "2026-06-30",
    },
)
print("series", series["type"], series["recurrence"]["range"]["endDate"])
