"""Tool results: our dictionaries and errors in the shape that clients and models read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.types import CallToolResult, TextContent

from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.tools import MAX_ERROR_CHARACTERS, fitted, shortened, to_json

ACTORS = {
    "user": "the user",
    "it_admin": "the user's IT administrator",
    "operator": "the operator of this server",
    "nobody": "nobody",
}


def success_result(content: Mapping[str, Any]) -> CallToolResult:
    """A success: structured content and the same JSON as text."""
    plain, text = fitted(content)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=plain)


def error_result(error: ScalekitMCPError) -> CallToolResult:
    """A failure that the model reads: prose, then the error object as JSON; the same object as structured content."""
    body = {"error": shortened(error.to_dict(), MAX_ERROR_CHARACTERS)[0]}
    text = f"{error_prose(error)}\n\n{to_json(body)}"
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=body, is_error=True)


def error_prose(error: ScalekitMCPError) -> str:
    """The sentences in front of the JSON: what happened, what to do next, who acts and where."""
    parts = [error.message]
    field = error.details.get("field")
    if isinstance(field, str) and field not in error.message:
        parts.append(f"Argument: {field}.")
    parts.append(error.next_step)
    for name, label in (("authorization_url", "Authorization link"), ("admin_consent_url", "Admin consent link")):
        url = error.details.get(name)
        if isinstance(url, str) and url not in error.message and url not in error.next_step:
            parts.append(f"{label}: {url}")
    if error.who_acts != "nobody":
        parts.append(f"Who acts: {ACTORS[error.who_acts]}.")
    return " ".join(parts)
