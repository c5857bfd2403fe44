"""The authorization endpoint's request, validated; and the ways back to the application."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from scalekit_mcp.sandbox.identity.directory import Directory, redirect_uri_registered
from scalekit_mcp.sandbox.identity.errors import IdentityError
from scalekit_mcp.sandbox.identity.scopes import parse_scopes
from scalekit_mcp.sandbox.identity.store import AuthorizeRequest
from scalekit_mcp.sandbox.identity.tokens import parse_claims
from scalekit_mcp.sandbox.world import AppRegistration

RESPONSE_MODES = ("query", "fragment", "form_post")
PROMPTS = ("login", "none", "consent", "select_account")
_MARKUP = re.compile(r"<[^>]*>")
CHALLENGE_LENGTHS = range(43, 129)


class RedirectedError(Exception):
    """A refusal that travels back to the application instead of being shown on a page."""

    def __init__(self, request: AuthorizeRequest, failure: IdentityError, *, subcode: str | None = None) -> None:
        super().__init__(failure.summary)
        self.request = request
        self.failure = failure
        self.subcode = subcode


@dataclass(frozen=True)
class WayBack:
    """Where the browser goes next: a URL, and form fields when it has to be a POST."""

    url: str
    form: dict[str, str] | None = None


def single_values(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The parameters as a dictionary. Raises IdentityError 9000411 when one was sent twice."""
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            raise IdentityError(9000411, f"Parameter: '{name}'.")
        values[name] = value
    return values


def trusted_app(directory: Directory, authority: str, query: dict[str, str]) -> tuple[AppRegistration, str]:
    """Application and redirect URI; whatever is wrong with them is shown on a page, never redirected.

    Raises:
        IdentityError: 90002, 900023, 900144, 700016, 50194, 9002331, 9002332, 50011.
    """
    directory.tenant_of(authority)
    if not query.get("client_id"):
        raise IdentityError(900144, "Parameter: 'client_id'.")
    app = directory.app(query["client_id"])
    directory.check_audience(app, authority)
    redirect_uri = query.get("redirect_uri") or app.redirect_uris[0]
    if not redirect_uri_registered(app, redirect_uri):
        raise IdentityError(50011, f"Redirect URI: '{redirect_uri}', application: '{app.client_id}'.")
    return app, redirect_uri


def parse_authorize(directory: Directory, authority: str, pairs: Sequence[tuple[str, str]]) -> AuthorizeRequest:
    """A validated authorization request.

    Raises:
        IdentityError: shown on a page.
        RedirectedError: sent back to the application.
    """
    query = single_values(pairs)
    app, redirect_uri = trusted_app(directory, authority, query)
    mode = query.get("response_mode") or "query"
    state = query.get("state")
    request = AuthorizeRequest(
        client_id=app.client_id,
        authority=authority,
        redirect_uri=redirect_uri,
        scopes=frozenset(),
        response_mode=mode if mode in RESPONSE_MODES else "query",
        state=_MARKUP.sub("", state) if state is not None else None,
        nonce=query.get("nonce"),
        prompt=query.get("prompt") or None,
        login_hint=query.get("login_hint") or None,
        domain_hint=(query.get("domain_hint") or "").lower() or None,
        code_challenge=query.get("code_challenge") or None,
        code_challenge_method=query.get("code_challenge_method") or "plain",
        claims=query.get("claims") or None,
        client_info=query.get("client_info") == "1",
    )
    try:
        _check(app, request, query)
        request.scopes = parse_scopes(query["scope"], permissions=app.permissions)
    except IdentityError as exc:
        raise RedirectedError(request, exc) from exc
    return request


def _check(app: AppRegistration, request: AuthorizeRequest, query: dict[str, str]) -> None:
    for name in ("response_type", "scope"):
        if not query.get(name):
            raise IdentityError(900144, f"Parameter: '{name}'.")
    if query["response_type"] != "code":
        raise IdentityError(70005, f"Value: '{query['response_type']}'.")
    if query.get("response_mode") and query["response_mode"] not in RESPONSE_MODES:
        raise IdentityError(70004, f"Value: '{query['response_mode']}'.")
    if request.prompt is not None and request.prompt not in PROMPTS:
        raise IdentityError(90023, f"Unsupported 'prompt' value: '{request.prompt}'.")
    if app.platform == "spa" and request.code_challenge is None:
        raise IdentityError(9002325)
    if request.code_challenge is not None:
        supported = request.code_challenge_method in ("S256", "plain")
        if not supported or len(request.code_challenge) not in CHALLENGE_LENGTHS:
            raise IdentityError(90023, "The size or method of the Code_Challenge parameter is not valid.")
    try:
        parse_claims(request.claims)
    except ValueError as exc:
        raise IdentityError(9002313, "The claims parameter is not a JSON object.") from exc


def way_back(request: AuthorizeRequest, fields: dict[str, str]) -> WayBack:
    """Back to the redirect URI with `fields` and the state, in the mode that was asked for."""
    if request.state is not None:
        fields = {**fields, "state": request.state}
    if request.response_mode == "form_post":
        return WayBack(request.redirect_uri, fields)
    parts = urlsplit(request.redirect_uri)
    encoded = urlencode(fields)
    if request.response_mode == "fragment":
        parts = parts._replace(path=parts.path or "/", fragment=encoded)
    else:
        parts = parts._replace(path=parts.path or "/", query=f"{parts.query}&{encoded}" if parts.query else encoded)
    return WayBack(urlunsplit(parts))
