"""What the tests of the authorization server share: registration bodies and documents in the shapes that hosts send."""

from __future__ import annotations

import json
from typing import Any

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing

RING = KeyRing([("one", bytes(range(32)))])
NEWER = KeyRing([("two", bytes(range(1, 33))), ("one", bytes(range(32)))])

CLAUDE = "https://claude.ai/api/mcp/auth_callback"
CLAUDE_COM = "https://claude.com/api/mcp/auth_callback"
REGISTRATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "Claude": (
        {
            "client_name": "Claude",
            "redirect_uris": [CLAUDE],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "scope": "calendar.read calendar.write offline_access",
        },
        CLAUDE,
    ),
    "Claude at claude.com": (
        {"client_name": "Claude", "redirect_uris": [CLAUDE_COM], "token_endpoint_auth_method": "none"},
        CLAUDE_COM,
    ),
    "Claude Code": (
        {
            "client_name": "Claude Code (outlook)",
            "redirect_uris": ["http://localhost:52341/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        },
        "http://localhost:60000/callback",
    ),
    "ChatGPT": (
        {
            "client_name": "ChatGPT",
            "redirect_uris": ["https://chatgpt.com/connector_platform_oauth_redirect"],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
        },
        "https://chatgpt.com/connector_platform_oauth_redirect",
    ),
    "Cursor": (
        {
            "client_name": "Cursor",
            "redirect_uris": [
                "cursor://anysphere.cursor-mcp/oauth/callback",
                "https://www.cursor.com/agents/mcp/oauth/callback",
                "http://localhost:8787/callback",
            ],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        },
        "cursor://anysphere.cursor-mcp/oauth/callback",
    ),
    "VS Code": (
        {
            "client_name": "Visual Studio Code",
            "client_uri": "https://code.visualstudio.com",
            "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
            "response_types": ["code"],
            "redirect_uris": [
                "https://insiders.vscode.dev/redirect",
                "https://vscode.dev/redirect",
                "http://127.0.0.1/",
                "http://127.0.0.1:33418/",
            ],
            "token_endpoint_auth_method": "none",
            "application_type": "native",
        },
        "http://127.0.0.1:49152/",
    ),
    "Copilot Studio": (
        {
            "client_name": "Power Platform",
            "redirect_uris": ["https://global.consent.azure-apim.net/redirect/cr2f1-outlook"],
            "token_endpoint_auth_method": "client_secret_basic",
        },
        "https://global.consent.azure-apim.net/redirect/cr2f1-outlook",
    ),
    "mcp 2.3": (
        {"redirect_uris": ["http://localhost:3030/callback"], "application_type": "native", "client_name": "mcp"},
        "http://localhost:3030/callback",
    ),
    "Inspector": (
        {
            "client_name": "MCP Inspector",
            "redirect_uris": ["http://127.0.0.1:6276/oauth/callback"],
            "application_type": "native",
            "token_endpoint_auth_method": "none",
        },
        "http://127.0.0.1:6276/oauth/callback",
    ),
}
"""By host: its registration body as it was seen or published, and the redirect URI with which it comes."""


_CHATGPT: dict[str, Any] = {
    "token_endpoint_auth_method": "private_key_jwt",
    "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
    "token_endpoint_auth_signing_alg": "RS256",
    "jwks_uri": "https://chatgpt.com/oauth/jwks.json",
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
}
DOCUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "Claude": (
        {"client_name": "Claude", "redirect_uris": [CLAUDE, CLAUDE_COM],
         "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
         "token_endpoint_auth_method": "none"},
        CLAUDE,
    ),
    "Claude Code": (
        {"client_name": "Claude Code", "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
         "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
         "token_endpoint_auth_method": "none"},
        "http://localhost:52341/callback",
    ),
    "VS Code": (
        {"client_name": "Visual Studio Code", "client_uri": "https://code.visualstudio.com/",
         "redirect_uris": ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
         "grant_types": ["authorization_code", "refresh_token"], "application_type": "native",
         "token_endpoint_auth_method": "none"},
        "http://127.0.0.1:50001/",
    ),
    "ChatGPT": (
        {"client_name": "ChatGPT", "client_uri": "https://chatgpt.com/",
         "redirect_uris": ["https://chatgpt.com/connector_platform_oauth_redirect"], **_CHATGPT},
        "https://chatgpt.com/connector_platform_oauth_redirect",
    ),
    "ChatGPT, one app": (
        {"client_name": "ChatGPT", "client_uri": "https://chatgpt.com/",
         "redirect_uris": ["https://chatgpt.com/connector/oauth/abc"], **_CHATGPT},
        "https://chatgpt.com/connector/oauth/abc",
    ),
    "Copilot CLI": (
        {"client_name": "GitHub Copilot CLI", "redirect_uris": ["http://127.0.0.1/callback"],
         "token_endpoint_auth_method": "none"},
        "http://127.0.0.1:41235/callback",
    ),
}  # fmt: skip
"""By host: what its document says beside its `client_id`, and the redirect URI with which it comes."""


def body(**members: Any) -> bytes:
    """A registration body; members that are None are left out."""
    asked = {"redirect_uris": [CLAUDE], "client_name": "Claude", **members}
    return json.dumps({name: value for name, value in asked.items() if value is not None}).encode()
