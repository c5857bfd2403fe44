"""What the services behind further connections are called for a person."""

from __future__ import annotations

import re

_NAMES = {
    "confluence": "Confluence",
    "github": "GitHub",
    "gmail": "Gmail",
    "googlecalendar": "Google Calendar",
    "googledocs": "Google Docs",
    "googledrive": "Google Drive",
    "hubspot": "HubSpot",
    "jira": "Jira",
    "linear": "Linear",
    "notion": "Notion",
    "outlook": "Outlook",
    "salesforce": "Salesforce",
    "slack": "Slack",
    "zendesk": "Zendesk",
    "zoom": "Zoom",
}


def service_name(connection_name: str) -> str:
    """The service that a connection is named after; the connection's own name where it is named otherwise.

    Scalekit makes names such as `slack-b1fqL2Dr`; an operator may choose any.
    """
    return _NAMES.get(re.split(r"[-_: ]", connection_name, maxsplit=1)[0].casefold(), connection_name)


def provider_key(connection_name: str) -> str:
    """Scalekit's key of that service, as far as the name tells: `GMAIL`, `GOOGLECALENDAR`."""
    return service_name(connection_name).replace(" ", "").upper()
