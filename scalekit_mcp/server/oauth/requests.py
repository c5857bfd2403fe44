"""Authorization requests (RFC 6749 section 4.1.1): what must hold, in which order, and where an error is told.

Until the client and its redirect URI are trusted, every fault is a page for the person; a redirect would carry it to
somebody unknown. After that it goes to the app, with the issuer (RFC 9207).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from scalekit_mcp.accounts import Client, SignInRequest, sha256_text
from scalekit_mcp.languages import Sentence, said
from scalekit_mcp.server.oauth import redirects
from scalekit_mcp.server.oauth.answers import unique_parameters
from scalekit_mcp.server.oauth.clients import OAuthClient, Registrations
from scalekit_mcp.server.oauth.documents import DocumentError
from scalekit_mcp.server.oauth.scopes import granted_scopes, is_our_resource

MOST_STATE_CHARACTERS = 4096
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_NOT_SUPPORTED = ("request", "request_uri", "registration")
_START_AGAIN = said("request.start_again")

logger = logging.getLogger(__name__)


class PageError(Exception):
    """A fault for the person, on a page of ours; nobody is told by a redirect."""

    def __init__(self, title: Sentence, message: Sentence, next_step: Sentence = _START_AGAIN) -> None:
        super().__init__(message.key)
        self.title = title
        self.message = message
        self.next_step = next_step


class RedirectError(Exception):
    """A fault for the app, told at its redirect URI. `url` is where the browser goes."""

    def __init__(self, error: str, url: str) -> None:
        super().__init__(error)
        self.error = error
        self.url = url


class DocumentClients(Protocol):
    """Finds a client by its document."""

    async def find(self, client_id: str) -> OAuthClient:
        """The client; raises `DocumentError`."""
        ...


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that holds. `parameters` are what it was made of, to be checked again when the person goes on."""

    client: OAuthClient
    request: SignInRequest
    parameters: Mapping[str, str] = field(repr=False)
    resources: Sequence[str] = ()

    @property
    def destination(self) -> redirects.Destination:
        """Where the answer goes."""
        return redirects.destination(self.request.redirect_uri)


class RequestChecks:
    """Checks the requests to one issuer."""

    def __init__(
        self, registrations: Registrations, documents: DocumentClients, *, issuer: str, read_only: bool = False
    ) -> None:
        self._registrations = registrations
        self._documents = documents
        self._issuer = issuer.rstrip("/")
        self._read_only = read_only

    async def of_query(self, query: str) -> AuthorizationRequest:
        """The request that a query makes; raises `PageError` or `RedirectError`."""
        try:
            parameters, lists = unique_parameters(query, repeatable=("resource",))
        except ValueError:
            raise PageError(said("request.unreadable_title"), said("request.twice")) from None
        return await self.of_parameters(parameters, lists["resource"])

    async def of_parameters(self, parameters: Mapping[str, str], resources: Sequence[str]) -> AuthorizationRequest:
        """The request that parameters make; raises `PageError` or `RedirectError`."""
        client = await self._client(parameters.get("client_id"))
        asked = parameters.get("redirect_uri")
        redirect_uri = redirects.chosen(client.redirect_uris, asked)
        if redirect_uri is None:
            raise PageError(said("request.address_title"), said("request.address"))
        state = parameters.get("state")
        if state is not None and len(state) > MOST_STATE_CHARACTERS:
            raise PageError(said("request.unreadable_title"), said("request.state_long", count=MOST_STATE_CHARACTERS))
        fault = self._fault(parameters, resources)
        if fault is not None:
            error, description = fault
            told = {"error": error, "error_description": description}
            raise RedirectError(error, _answer_url(self._issuer, redirect_uri, state, told))
        request = SignInRequest(
            client=Client(
                id_sha256=sha256_text(client.client_id),
                secret_sha256=None if client.secret is None else sha256_text(client.secret),
                name=client.name,
                host=redirects.destination(redirect_uri).name,
                kind=client.kind,
            ),
            redirect_uri=redirect_uri,
            code_challenge=parameters["code_challenge"],
            scopes=granted_scopes(parameters.get("scope"), read_only=self._read_only),
            state=state,
            refreshes=client.refreshes,
        )
        return AuthorizationRequest(client, request, parameters, tuple(resources))

    async def _client(self, client_id: str | None) -> OAuthClient:
        if client_id is None:
            raise PageError(said("request.unreadable_title"), said("request.no_app"))
        if client_id.startswith("https://"):
            try:
                return await self._documents.find(client_id)
            except DocumentError as refused:
                raise PageError(
                    said("request.document_title"),
                    said("request.document", rule=refused.rule),
                    said("request.document_next"),
                ) from None
        client = self._registrations.find(client_id)
        if client is None:
            raise PageError(
                said("request.unknown_app_title"), said("request.unknown_app"), said("request.unknown_app_next")
            )
        return client

    def _fault(self, parameters: Mapping[str, str], resources: Sequence[str]) -> tuple[str, str] | None:
        """The first thing that does not hold, as error and description."""
        if parameters.get("response_type") != "code":
            return "unsupported_response_type", "The response type of this server is code."
        if parameters.get("response_mode", "query") != "query":
            return "invalid_request", "The response mode of this server is query."
        if parameters.get("code_challenge_method") != "S256":
            return "invalid_request", "A code challenge by the method S256 is needed."
        if not _CHALLENGE.fullmatch(parameters.get("code_challenge", "")):
            return "invalid_request", "The code challenge must have 43 characters of base64url."
        if not all(is_our_resource(resource, self._issuer) for resource in resources):
            return "invalid_target", "The resource is not this server."
        for name in _NOT_SUPPORTED:
            if name in parameters:
                return f"{name}_not_supported", f"The parameter {name} is not supported."
        return None


def error_url(issuer: str, request: SignInRequest, error: str, description: str) -> str:
    """Where the browser goes to tell an app about an error (RFC 6749 section 4.1.2.1, RFC 9207 section 2)."""
    told = {"error": error, "error_description": description}
    return _answer_url(issuer, request.redirect_uri, request.state, told)


def code_url(issuer: str, request: SignInRequest, code: str) -> str:
    """Where the browser goes to bring an app its code (RFC 6749 section 4.1.2, RFC 9207 section 2)."""
    return _answer_url(issuer, request.redirect_uri, request.state, {"code": code})


def _answer_url(issuer: str, redirect_uri: str, state: str | None, answer: dict[str, str]) -> str:
    if state is not None:
        answer["state"] = state
    return redirects.with_parameters(redirect_uri, {**answer, "iss": issuer})
