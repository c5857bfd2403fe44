"""The switches over HTTP.

`GET /_sandbox/state`, `GET /_sandbox/requests?since=N&area=identity|graph`, and `POST /_sandbox/<switch>` with a JSON
object of arguments: the names and arguments are those of the methods of `Controls`. Forms are taken too, for the start
page; `curl -d` calls everything a form, so that JSON is told by its first character. What is not understood is refused:
several switches without an argument act on everybody. A request that carries another site's `Origin` is refused, so
that no web page turns switches behind one's back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from scalekit_mcp.sandbox.control.state import request_as_json

if TYPE_CHECKING:
    from scalekit_mcp.sandbox.control.controls import Controls

SCHEDULING = (
    "add_alias",
    "add_busy",
    "add_list",
    "add_room",
    "clear_calendar",
    "set_working_hours",
    "share_schedule",
)
"""Those of `SchedulingControls`."""
SWITCHES = (
    "access_token_lifetime",
    "add_calendar",
    "add_certificate",
    "add_person",
    "add_redirect_uri",
    "advance_clock",
    "answer_invitation",
    "approve_admin_request",
    "assign_person",
    "behaviour",
    "claims_challenge",
    "clear_faults",
    "conditional_access",
    "delay_token_answer",
    "delete_app",
    "delete_person",
    "delete_registration",
    "deleted_app_answer",
    "deny_admin_request",
    "disable_app",
    "disable_person",
    "drop_connection",
    "enable_app",
    "enable_person",
    "expire_access_tokens",
    "expire_client_secret",
    "expire_refresh_tokens",
    "freeze_clock",
    "grant_admin_consent",
    "graph_error",
    "next_token_error",
    "no_mailbox",
    "require_assignment",
    "require_mfa",
    "reset",
    "revoke_connection",
    "revoke_grant",
    "revoke_sessions",
    "roll_signing_keys",
    "rotation",
    "scalekit_proxy",
    "scalekit_proxy_error",
    "set_consent_policy",
    "slow",
    "switches_off",
    "teams_allowed",
    "throttle_graph",
    "token_error_raw",
    "unfreeze_clock",
    "withhold_scopes",
)


class ControlApp:
    """Everything under `/_sandbox` and the start page."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the control surface does not record its own."""
        response = await self._respond(Request(scope, receive))
        response.headers.setdefault("cache-control", "no-store")
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path, method = request.url.path.rstrip("/"), request.method
        if path == "" and method in ("GET", "HEAD"):
            from scalekit_mcp.sandbox.control.start_page import start_page

            base_url = f"{request.url.scheme}://{request.headers.get('host', 'localhost')}"
            turned = request.query_params.get("turned", "")
            return start_page(self._controls, base_url, turned=turned if turned in (*SWITCHES, *SCHEDULING) else "")
        name = path.removeprefix("/_sandbox/")
        if method == "GET" and name == "state":
            return JSONResponse(self._controls.state())
        if method == "GET" and name == "requests":
            return self._requests(request)
        if name in (*SWITCHES, *SCHEDULING):
            return await self._turn(request, name)
        error = f"unknown: {method} {request.url.path}"
        return JSONResponse({"error": error, "switches": (*SWITCHES, *SCHEDULING)}, status_code=404)

    def _requests(self, request: Request) -> Response:
        since, area = request.query_params.get("since", "0"), request.query_params.get("area")
        if not since.isdecimal():
            return JSONResponse({"error": "since: a number is expected"}, status_code=400)
        found = [
            request_as_json(entry)
            for entry in self._controls.world.requests
            if entry.number > int(since) and area in (None, "", entry.area)
        ]
        return JSONResponse({"requests": found, "last": found[-1]["number"] if found else int(since)})

    def _switch(self, name: str) -> Callable[..., object]:
        return getattr(self._controls.scheduling if name in SCHEDULING else self._controls, name)

    async def _turn(self, request: Request, name: str) -> Response:
        if request.method != "POST":
            return JSONResponse({"error": "use POST"}, status_code=405, headers={"allow": "POST"})
        origin = request.headers.get("origin")
        if origin and origin.partition("://")[2] != request.headers.get("host"):
            return JSONResponse({"error": "refused: the request comes from another site"}, status_code=403)
        from pydantic import ValidationError, validate_call

        if request.query_params:
            names = ", ".join(request.query_params)
            error = f"{names}: arguments stand in the body, not in the address"
            return JSONResponse({"error": error}, status_code=400)
        body = (await request.body()).strip()
        is_form = _is_form(request, body)
        try:
            arguments = _form_arguments(body) if is_form else _json_arguments(body)
            result: object = validate_call(self._switch(name))(**arguments)
        except ValidationError as exc:
            faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in exc.errors()]
            return JSONResponse({"error": "; ".join(faults)}, status_code=400)
        except (LookupError, ValueError) as exc:
            return JSONResponse({"error": str(exc)}, status_code=400)
        if is_form:
            return RedirectResponse(f"/?turned={name}#switches", status_code=303)
        return JSONResponse({"ok": True, "switch": name, "result": result})


def _is_form(request: Request, body: bytes) -> bool:
    declared = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return declared and not body.startswith((b"{", b"["))


def _json_arguments(body: bytes) -> dict[str, Any]:
    try:
        arguments: Any = json.loads(body) if body else {}
    except ValueError as error:
        raise ValueError(f"the body is not JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise ValueError("a JSON object of arguments is expected")  # noqa: TRY004 - a bad value from outside
    return {str(name): value for name, value in arguments.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON


def _form_arguments(body: bytes) -> dict[str, Any]:
    """Fields that were left empty count as left out."""
    from urllib.parse import parse_qsl

    text = body.decode()
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise ValueError(f"neither a JSON object of arguments nor a form: {text[:100]}") from error
    arguments = dict(pairs)
    if len(arguments) < len(pairs):
        twice = {name for name, _ in pairs if [given for given, _ in pairs].count(name) > 1}
        raise ValueError(f"{', '.join(sorted(twice))}: given more than once")
    return {name: value for name, value in arguments.items() if value}
