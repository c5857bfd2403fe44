"""Two further connectors of the look-alike, a mail one and a chat one: their tools, and people's boxes in memory.

Their schemas are as varied as published ones: references, alternatives, numbers with a point, names that hosts refuse.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from scalekit_mcp.sandbox.scalekit.tools import BadParameters

_VERSIONS: dict[str, Any] = {
    "schema_version": {"type": "string", "description": "Optional schema version to use for tool execution"},
    "tool_version": {"type": "string", "description": "Optional tool version to use for execution"},
}
_READS = {"read_only_hint": True, "destructive_hint": False, "idempotent_hint": True, "open_world_hint": True}


class ServiceError(Exception):
    """The service behind a connector refuses a call; `status` is that of its own answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass
class Box:
    """What one account of a service holds."""

    mails: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    channels: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])

    @classmethod
    def seeded(cls, identifier: str) -> Box:
        """A box as it is found after the first consent."""
        mail = {
            "id": "18f0a1",
            "threadId": "18f0a1",
            "from": "alice@company.com",
            "to": [f"{identifier}@company.com"],
            "subject": "Offsite",
            "body": "Error budgets first, then lunch.",
        }
        return cls([mail], {"C01GENERAL": [{"ts": "1.000", "user": "U02", "text": "Welcome"}], "C02RANDOM": []})


@dataclass(frozen=True)
class ServiceTool:
    """One tool of a connector. Without `annotations` nothing says whether it changes anything."""

    name: str
    description: str
    input_schema: Mapping[str, Any]
    run: Callable[[Box, dict[str, Any]], dict[str, Any] | None]
    annotations: Mapping[str, Any] | None = None

    def call(self, box: Box, params: dict[str, Any]) -> dict[str, Any] | None:
        """The data of the answer; raises `BadParameters` and `ServiceError`."""
        properties = self.input_schema.get("properties", {})
        for name in self.input_schema.get("required", ()):
            if params.get(name) in (None, ""):
                raise BadParameters(f"missing required parameter: {name}")
        for name in params:
            if name not in properties:
                raise BadParameters(f"unknown parameter: {name}")
        return self.run(box, params)

    def definition(self) -> dict[str, Any]:
        """The tool as a list shows it."""
        shown: dict[str, Any] = {
            "name": self.name,
            "display_name": self.name.replace("_", " ").capitalize(),
            "description": self.description,
            "input_schema": dict(self.input_schema),
        }
        return shown if self.annotations is None else {**shown, "annotations": dict(self.annotations)}


def _fetch_mails(box: Box, params: dict[str, Any]) -> dict[str, Any]:
    wanted = str(params.get("query") or "").casefold()
    found = [mail for mail in box.mails if wanted in f"{mail['subject']} {mail['body']}".casefold()]
    return {"messages": found[: int(params.get("max_results") or 10)], "resultSizeEstimate": len(found)}


def _get_mail(box: Box, params: dict[str, Any]) -> dict[str, Any]:
    for mail in box.mails:
        if mail["id"] == params["message_id"]:
            return mail
    raise ServiceError(404, '{"error": {"code": 404, "message": "Requested entity was not found."}}')


def _send_mail(box: Box, params: dict[str, Any]) -> dict[str, Any]:
    message = params["message"]
    if not isinstance(message, dict):
        raise BadParameters("parameter message must be object")
    given = cast("dict[str, Any]", message)
    to = [person.get("email") for person in cast("list[dict[str, Any]]", given.get("to") or [])]
    if not to or not all(to):
        raise ServiceError(400, '{"error": {"code": 400, "message": "Recipient address required"}}')
    mail_id = secrets.token_hex(8)
    sent = {"id": mail_id, "threadId": mail_id, "to": to, "subject": given.get("subject"), "body": given.get("body")}
    box.mails.append({"from": "me", **sent})
    return {"id": mail_id, "threadId": mail_id, "labelIds": ["SENT"]}


def _empty_trash(box: Box, params: dict[str, Any]) -> None:
    del box, params


def _list_channels(box: Box, params: dict[str, Any]) -> dict[str, Any]:
    names = list(box.channels)[: int(params.get("$limit") or 100)]
    return {"ok": True, "channels": [{"id": name, "name": name[3:].casefold()} for name in names]}


def _history(box: Box, params: dict[str, Any]) -> dict[str, Any]:
    messages = box.channels.get(params["channel"])
    return {"ok": False, "error": "channel_not_found"} if messages is None else {"ok": True, "messages": messages}


def _send_message(box: Box, params: dict[str, Any]) -> dict[str, Any]:
    messages = box.channels.get(params["channel"])
    if messages is None:
        return {"ok": False, "error": "channel_not_found"}
    message = {"ts": f"{len(messages) + 1}.000", "user": "U01", "text": params["text"]}
    messages.append(message)
    return {"ok": True, "channel": params["channel"], "ts": message["ts"], "message": message}


def _delete_message(box: Box, params: dict[str, Any]) -> dict[str, Any]:
    messages = box.channels.get(params["channel"], [])
    for message in messages:
        if message["ts"] == params["ts"]:
            messages.remove(message)
            return {"ok": True, "ts": params["ts"]}
    return {"ok": False, "error": "message_not_found"}


_ADDRESS = {
    "type": "object",
    "properties": {"email": {"type": "string", "format": "email"}, "name": {"type": ["string", "null"]}},
    "required": ["email"],
}
_MESSAGE = {
    "type": "object",
    "properties": {
        "to": {"type": "array", "items": {"$ref": "#/$defs/Address"}, "minItems": 1.0, "maxItems": 100.0},
        "subject": {"anyOf": [{"type": "string", "maxLength": 998.0}, {"type": "null"}], "default": None},
        "body": {"type": "string", "description": "Plain text"},
        "importance": {"enum": ["low", "normal", "high"], "default": "normal"},
    },
    "required": ["to", "body"],
}
_CHANNEL = {"type": "string", "description": "Channel id such as C01GENERAL"}

GMAIL: dict[str, ServiceTool] = {
    tool.name: tool
    for tool in (
        ServiceTool(
            "gmail_fetch_mails",
            "Fetch emails from the user's mailbox. Returns subject, sender and body.",
            {
                "type": "object",
                "properties": {
                    "query": {"type": "string", "description": "Search words"},
                    "max_results": {"type": "integer", "minimum": 1.0, "maximum": 100.0, "default": 10.0},
                    "include_spam_trash": {"type": "boolean", "default": False},
                    **_VERSIONS,
                },
            },
            _fetch_mails,
            _READS,
        ),
        ServiceTool(
            "gmail_get_message_by_id",
            "Retrieve one email by its id.",
            {
                "type": "object",
                "properties": {
                    "message_id": {"type": "string"},
                    "format": {"oneOf": [{"const": "full"}, {"const": "metadata"}, {"type": "null"}]},
                    **_VERSIONS,
                },
                "required": ["message_id"],
            },
            _get_mail,
            _READS,
        ),
        ServiceTool(
            "gmail_send_email",
            "Send an email from the user's mailbox.",
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "$defs": {"Address": _ADDRESS, "Message": _MESSAGE},
                "properties": {"message": {"$ref": "#/$defs/Message", "description": "What to send"}, **_VERSIONS},
                "required": ["message"],
            },
            _send_mail,
        ),
        ServiceTool(
            "gmail.empty_trash",  # a dot, which hosts refuse in a name
            "Empty the trash for good.",
            {"type": "object", "properties": {}},
            _empty_trash,
            {"destructive_hint": True},
        ),
    )
}
SLACK: dict[str, ServiceTool] = {
    tool.name: tool
    for tool in (
        ServiceTool(
            "slack_list_channels",
            "List the channels of the workspace.",
            {"type": "object", "properties": {"$limit": {"type": "integer", "minimum": 1.0, "maximum": 1000.0}}},
            _list_channels,
            _READS,
        ),
        ServiceTool(
            "slack_fetch_conversation_history",
            "Fetch the messages of a channel.",
            {"type": "object", "properties": {"channel": _CHANNEL}, "required": ["channel"]},
            _history,
            _READS,
        ),
        ServiceTool(
            "slack_send_message",
            "Send a message to a channel.",
            {
                "type": "object",
                "properties": {"channel": _CHANNEL, "text": {"type": "string", "minLength": 1}, **_VERSIONS},
                "required": ["channel", "text"],
            },
            _send_message,
            {"read_only_hint": False, "destructive_hint": False},
        ),
        ServiceTool(
            "slack_delete_message",
            "Delete a message from a channel.",
            {
                "type": "object",
                "properties": {"channel": _CHANNEL, "ts": {"type": "string"}},
                "required": ["channel", "ts"],
            },
            _delete_message,
            {"destructive_hint": True},
        ),
    )
}
SERVICES: dict[str, dict[str, ServiceTool]] = {"gmail": GMAIL, "slack": SLACK}
"""The tools of each further connection."""
