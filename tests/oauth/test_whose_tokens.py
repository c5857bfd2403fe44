"""Which tokens come in and which go out, end to end: a real process, and the sandbox as Microsoft."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt

from scalekit_mcp.clock import SystemClock
from scalekit_mcp.server.callers.session_tokens import SessionTokens, parse_keys
from tests.oauth.remote_server import SESSION_KEYS, serving
from tests.support.stepped_host import stepped_host


def bearer_of(headers: dict[str, str]) -> str:
    return next((value for name, value in headers.items() if name.lower() == "authorization"), "").partition(" ")[2]


async def test_no_token_of_microsoft_and_none_of_another_purpose_comes_in_and_ours_never_goes_out(tmp_path: Path):
    async with serving(tmp_path) as (sandbox, server), stepped_host(server.base) as host:
        await host.sign_in()
        await host.call()
        ours = host.tokens["access_token"]
        at_graph = {bearer_of(request.headers) for request in sandbox.requests if request.area == "graph"}
        assert at_graph
        assert ours not in at_graph
        assert not [request for request in sandbox.requests if ours in f"{request.headers} {request.body}"]
        claims: dict[str, Any] = jwt.decode(ours, options={"verify_signature": False})
        header = jwt.get_unverified_header(ours)
        key = parse_keys(SESSION_KEYS)[header["kid"]]
        sessions = SessionTokens(parse_keys(SESSION_KEYS), audience=claims["aud"], clock=SystemClock())
        foreign = {
            "Graph's": at_graph.pop(),
            "signed with the session key itself": jwt.encode(claims, key, "HS256", headers=header),
            "a session token": sessions.mint(claims["sub"])[0],
            "a refresh token": host.tokens["refresh_token"],
            "an authorization code": host.code,
        }
        for what, token in foreign.items():
            host.tokens = {"access_token": token}
            answer = await host.called()
            assert answer.status_code == 401, what
            assert 'error="invalid_token"' in answer.headers["www-authenticate"], what
