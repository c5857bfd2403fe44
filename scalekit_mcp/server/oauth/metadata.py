"""What a host learns before it signs in: the resource (RFC 9728), its authorization server (RFC 8414), the challenge.

The issuer is compared as a text with the address that the document was fetched from, and the resource with the one that
a person pasted: both are the public address as it is configured, without a slash at the end.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scalekit_mcp.server.callers.authentication import AuthenticationError
from scalekit_mcp.server.oauth.answers import open_to_all
from scalekit_mcp.server.oauth.clients import AUTH_METHODS, REGISTER
from scalekit_mcp.server.oauth.scopes import OFFLINE_ACCESS, supported_scopes

RESOURCE_METADATA = "/.well-known/oauth-protected-resource"
SERVER_METADATA = "/.well-known/oauth-authorization-server"
AUTHORIZE, TOKEN, REVOKE = "/authorize", "/token", "/revoke"
"""With `/register`, the places where hosts of the revision 2025-03-26 look without a document."""
MCP, SSE, MESSAGES = "/mcp", "/sse", "/messages"
_CACHED = {"cache-control": "public, max-age=3600"}


class OAuthMetadata:
    """The documents of one server at `public_url`; a read-only one has no scope for writing."""

    def __init__(self, public_url: str, *, read_only: bool = False) -> None:
        self.issuer = public_url.rstrip("/")
        self._scopes = supported_scopes(read_only=read_only)

    def authorization_server(self) -> dict[str, Any]:
        """The metadata of the authorization server (RFC 8414 section 2).

        `none` must stand among the methods, or hosts do not use their documents. There is no `jwks_uri`: whoever signs
        the tokens is the only one who reads them; nor `service_documentation`: the project has no published page.
        """
        return {
            "issuer": self.issuer,
            "authorization_endpoint": self.issuer + AUTHORIZE,
            "token_endpoint": self.issuer + TOKEN,
            "registration_endpoint": self.issuer + REGISTER,
            "revocation_endpoint": self.issuer + REVOKE,
            "scopes_supported": [*self._scopes, OFFLINE_ACCESS],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
            "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
            "code_challenge_methods_supported": ["S256"],
            "client_id_metadata_document_supported": True,
            "authorization_response_iss_parameter_supported": True,
        }

    def protected_resource(self, path: str) -> dict[str, Any]:
        """The metadata of the resource at `path` (RFC 9728 section 2)."""
        return {
            "resource": self.issuer + path,
            "authorization_servers": [self.issuer],
            "scopes_supported": list(self._scopes),
            "bearer_methods_supported": ["header"],
            "resource_name": "Outlook calendar over MCP",
        }

    def challenge(self, path: str, denied: AuthenticationError, *, with_token: bool) -> str:
        """The value of `WWW-Authenticate` for a request on `path`.

        An error is named only to a caller who brought a token (RFC 6750 section 3.1). The resource of the challenge is
        the one whose address the host talks to.
        """
        resource = SSE if path in (SSE, MESSAGES, MESSAGES + "/") else MCP
        parts = [f'resource_metadata="{self.issuer}{RESOURCE_METADATA}{resource}"']
        parts.append(f'scope="{denied.scope or " ".join(self._scopes)}"')
        if with_token:
            parts += [f'error="{denied.error}"', f'error_description="{denied.description}"']
        return "Bearer " + ", ".join(parts)

    def denial(self, path: str, denied: AuthenticationError, *, with_token: bool) -> Response:
        """The refusal of a request on `path`, with its challenge."""
        body = json.dumps({"error": denied.error, "error_description": denied.description})
        headers = {"cache-control": "no-store"}
        if denied.status == 503:  # nothing is wrong with the caller: a challenge would send the person to sign in
            headers["retry-after"] = "5"
        else:
            headers["www-authenticate"] = self.challenge(path, denied, with_token=with_token)
        return Response(body, denied.status, media_type="application/json", headers=headers)

    def routes(self) -> list[Route]:
        """The documents' routes, open to pages of any origin.

        The bare address of the resource serves the document of `/mcp`: older hosts look only there.
        """
        documents = {
            RESOURCE_METADATA + MCP: self.protected_resource(MCP),
            RESOURCE_METADATA + SSE: self.protected_resource(SSE),
            RESOURCE_METADATA: self.protected_resource(MCP),
            SERVER_METADATA: self.authorization_server(),
            SERVER_METADATA + MCP: self.authorization_server(),
        }
        return [_document_route(path, document) for path, document in documents.items()]


def _document_route(path: str, document: dict[str, Any]) -> Route:
    text = json.dumps(document)

    async def show(_: Request) -> Response:
        return Response(text, media_type="application/json", headers=_CACHED)

    return Route(path, open_to_all(show, methods="GET"), methods=["GET", "OPTIONS"])
