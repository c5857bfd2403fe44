"""Teams meetings: the join block inside a body, and what keeps or ends a meeting.

Graph page "Create or set an event as an online meeting in an Outlook calendar"; "Update event" warns that a body
without the block ends the meeting.
"""

from __future__ import annotations

import hashlib
import html
from typing import Any
from urllib.parse import quote

from scalekit_mcp.sandbox.world import World
from scalekit_mcp.sandbox.world.mailbox import Event, Mailbox

_RULE = (
    '<div style="width:100%; height:20px"><span style="white-space:nowrap; color:gray; opacity:.36">'
    + "_" * 80
    + "</span></div>"
)


def online_providers(world: World, mailbox: Mailbox) -> list[str]:
    """Which online meetings this mailbox may hold; personal accounts have no Teams for work."""
    owner = mailbox.owner
    tenant = world.tenants[owner.tenant_id]
    if tenant.personal or not tenant.teams_allowed or not owner.teams_allowed:
        return []
    return ["teamsForBusiness"]


def set_online(world: World, mailbox: Mailbox, event: Event, provider: str | None) -> None:
    """Make the event a Teams meeting where the mailbox may hold one; otherwise leave it as it is, silently."""
    if event.is_online:
        return
    allowed = online_providers(world, mailbox)
    wanted = provider if provider not in (None, "unknown") else (allowed[0] if allowed else None)
    if wanted is None or wanted not in allowed:
        return
    event.is_online, event.provider = True, wanted
    event.meeting_was_destroyed = False
    event.online_meeting = _meeting(mailbox, event)
    event.body = f"{event.body}{_join_block(event.online_meeting)}"


def after_body_change(world: World, mailbox: Mailbox, event: Event, *, content_type: str) -> None:
    """What a new body does to the meeting: without the join block it ends; the next such body may make a new one."""
    if event.is_online:
        link = (event.online_meeting or {}).get("joinUrl", "")
        kept = content_type == "html" and (link in event.body or html.escape(link) in event.body)
        if not kept:
            event.is_online, event.provider, event.online_meeting = False, "unknown", None
            event.meeting_was_destroyed = True
    elif event.meeting_was_destroyed and world.switches.teams_body_alternates:
        set_online(world, mailbox, event, "teamsForBusiness")


def _meeting(mailbox: Mailbox, event: Event) -> dict[str, Any]:
    digest = hashlib.sha256(f"{event.key}/{event.version}".encode()).hexdigest()
    thread = quote(f"19:meeting_{digest[:32]}@thread.v2", safe="")
    context = quote(f'{{"Tid":"{mailbox.owner.tenant_id}","Oid":"{mailbox.owner.oid}"}}', safe="-")
    return {
        "joinUrl": f"https://teams.microsoft.com/l/meetup-join/{thread}/0?context={context}",
        "conferenceId": str(100_000_000 + int(digest[32:48], 16) % 900_000_000),
        "tollNumber": "+1 323-555-0166",
    }


def _join_block(meeting: dict[str, Any]) -> str:
    link = html.escape(meeting["joinUrl"])
    return (
        f"<br>\r\n{_RULE}\r\n"
        '<div class="me-email-text" lang="en-US">'
        '<div><span style="font-size:24px">Microsoft Teams meeting</span></div>'
        "<div><b>Join on your computer, mobile app or room device</b></div>"
        f'<div><a class="me-email-headline" href="{link}">Click here to join the meeting</a></div>'
        f"<div>Or call in (audio only) {meeting['tollNumber']}</div>"
        f"<div>Phone Conference ID: {meeting['conferenceId']}</div>"
        f"</div>\r\n{_RULE}"
    )
