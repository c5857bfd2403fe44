"""The page under `/`: what this server is, and how an app is connected to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scalekit_mcp.server.web.pages import Pages

_NAME = "outlook"
"""What the server is called in the settings of an app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What decides what the page says: how callers prove who they are, and for `oidc` where they sign in."""

    auth: Literal["session-token", "microsoft", "oidc", "gateway", "none"]
    issuer: str = ""

    def route(self, pages: Pages, base_url: str) -> Route:
        """The page, of a server whose address is `base_url`."""
        hosts = _hosts(self.auth, f"{base_url}/mcp")

        async def show(request: Request) -> Response:
            return pages.for_reader(request).home(
                base_url=base_url, auth=self.auth.replace("-", "_"), issuer=self.issuer, hosts=hosts
            )

        return Route("/", show, methods=["GET"])


@dataclass(frozen=True, slots=True)
class Host:
    """One app: its name, the key of what to do there, and what to copy into it. Either may be left out."""

    name: str
    key: str = ""
    code: str = ""


def _hosts(auth: str, address: str) -> tuple[Host, ...]:
    """The apps that can be connected by hand, for each way of calling; more in docs/remote-hosts.md."""
    claude_code = f"claude mcp add --transport http {_NAME} {address}"
    vscode = Host("VS Code", "vscode", _config("servers", {"type": "http", "url": address}))
    inspector = f"npx @modelcontextprotocol/inspector --cli {address} --transport http --method tools/list"
    match auth:
        case "microsoft" | "oidc":
            return (
                Host("Claude, Claude Desktop", "claude"),
                Host("Claude Code", "claude_code", claude_code),
                Host("ChatGPT", "chatgpt"),
                vscode,
                Host("Cursor", "cursor", _config("mcpServers", {"url": address})),
                Host("Copilot Studio", "copilot_studio"),
                Host("MCP Inspector", "inspector", inspector),
            )
        case "session-token":
            return (Host("Claude Code", "with_token", f'{claude_code} --header "Authorization: Bearer $TOKEN"'),)
        case "none":
            return (Host("Claude Code", code=claude_code), vscode, Host("MCP Inspector", code=inspector))
        case _:
            return ()


def _config(member: str, server: dict[str, str]) -> str:
    return json.dumps({member: {_NAME: server}}, indent=2)
