"""Claims challenges, continuous access evaluation, access tokens and signing keys."""

from __future__ import annotations

import base64
import json

import jwt
import pytest
from identity_client import Application, refusal

from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.identity.tokens import InvalidTokenError

DANA, PAT = "dana@company.com", "pat@outlook.example"


# Claims and continuous access evaluation

CHALLENGE = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
CP1 = '{"access_token":{"xms_cc":{"values":["cp1"]}}}'


def challenge_of(refused: InvalidTokenError) -> dict[str, object]:
    header = refused.www_authenticate
    assert 'error="insufficient_claims"' in header
    return json.loads(base64.b64decode(header.split('claims="')[1].split('"')[0]))


async def test_a_refresh_with_the_claims_satisfies_the_challenge() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    body = await app.connect(DANA)
    sandbox.claims_challenge(CHALLENGE)
    with pytest.raises(InvalidTokenError) as refused:
        sandbox.halves.tokens.check(f"Bearer {body['access_token']}")
    assert challenge_of(refused.value) == json.loads(CHALLENGE)
    plain = (await app.refresh(body["refresh_token"])).json()
    with pytest.raises(InvalidTokenError):
        sandbox.halves.tokens.check(f"Bearer {plain['access_token']}")
    merged = json.loads(CHALLENGE)
    merged["access_token"] |= json.loads(CP1)["access_token"]
    better = (await app.refresh(body["refresh_token"], claims=json.dumps(merged))).json()
    accepted = sandbox.halves.tokens.check(f"Bearer {better['access_token']}")
    assert json.loads(accepted.claims or "{}") == merged


async def test_an_interactive_challenge_needs_a_new_sign_in_with_the_claims() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    body = await app.connect(DANA)
    sandbox.claims_challenge(CHALLENGE, interactive=True)
    refused = await app.refresh(body["refresh_token"], claims=CHALLENGE)
    assert refusal(refused) == (400, "interaction_required", [50076], "basic_action")
    assert json.loads(refused.json()["claims"]) == json.loads(CHALLENGE)
    again = await app.connect(DANA, claims=CHALLENGE)
    assert sandbox.halves.tokens.check(f"Bearer {again['access_token']}")


async def test_a_client_that_declares_cp1_gets_a_long_token_that_ends_with_the_sessions() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    body = await app.connect(DANA, claims=CP1)
    assert 72_000 <= body["expires_in"] <= 100_800
    assert body["refresh_in"] == body["expires_in"] // 2
    assert sandbox.halves.tokens.check(f"Bearer {body['access_token']}")
    sandbox.revoke_sessions(DANA)
    with pytest.raises(InvalidTokenError) as refused:
        sandbox.halves.tokens.check(f"Bearer {body['access_token']}")
    assert "nbf" in challenge_of(refused.value)["access_token"]  # type: ignore[operator]


async def test_claims_that_are_no_json_object_are_refused() -> None:
    app = Application(Sandbox())
    token = (await app.connect(DANA))["refresh_token"]
    assert refusal(await app.refresh(token, claims="[1]"))[2] == [9002313]


# Access tokens


async def test_graph_hears_why_a_token_is_refused() -> None:
    sandbox = Sandbox()
    tokens = sandbox.halves.tokens
    body = await Application(sandbox).connect(DANA)
    sandbox.freeze_clock()
    sandbox.expire_access_tokens(DANA)
    for header, text in (
        (None, "empty"),
        ("Bearer ", "empty"),
        ("Basic abc", "empty"),
        ("Bearer garbage", "80049217"),
        ("Bearer a.b.c", "IDX14100"),
        (f"Bearer {body['access_token']}", "expired"),
    ):
        with pytest.raises(InvalidTokenError, match=text) as refused:
            tokens.check(header)
        assert refused.value.code == "InvalidAuthenticationToken"
        assert refused.value.www_authenticate.startswith("Bearer ")


async def test_the_lifetime_can_be_set() -> None:
    sandbox = Sandbox()
    sandbox.access_token_lifetime(600)
    sandbox.freeze_clock()
    body = await Application(sandbox).connect(DANA)
    assert body["expires_in"] == 600
    sandbox.advance_clock(599)
    assert sandbox.halves.tokens.check(f"Bearer {body['access_token']}")
    sandbox.advance_clock(1)
    with pytest.raises(InvalidTokenError, match="expired"):
        sandbox.halves.tokens.check(f"Bearer {body['access_token']}")


async def test_rolled_keys_leave_the_key_set() -> None:
    sandbox = Sandbox()
    body = await Application(sandbox).connect(DANA)
    sandbox.roll_signing_keys()
    again = await Application(sandbox).connect(DANA)
    before, after = (jwt.get_unverified_header(entry["id_token"])["kid"] for entry in (body, again))
    assert before != after


async def test_reprs_show_no_token_and_no_secret() -> None:
    sandbox = Sandbox()
    body = await Application(sandbox).connect(DANA)
    store, tokens = sandbox.halves.identity.store, sandbox.halves.tokens
    shown = " ".join(map(repr, [tokens.check(f"Bearer {body['access_token']}"), *store.refresh_tokens.values()]))
    shown += " ".join(map(repr, store.codes.values()))
    assert body["refresh_token"] not in shown
    assert "sandbox-secret" not in shown + repr(sandbox.world.apps)


async def test_a_personal_revocation_can_also_come_without_a_number() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    token = (await app.connect(PAT))["refresh_token"]
    sandbox.revoke_grant(PAT, numbered=False)
    assert refusal(await app.refresh(token)) == (400, "invalid_grant", [], None)


async def test_the_text_can_be_separated_by_spaces() -> None:
    sandbox = Sandbox()
    sandbox.world.switches.error_separator = " "
    text = (await Application(sandbox).refresh("any")).json()["error_description"]
    assert "\r\n" not in text
    assert " Trace ID: " in text
