"""Secrets are compared in constant time: one that ends at the first difference tells how much of a guess was right."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator

import pytest

from scalekit_mcp.accounts.sign_ins import s256
from scalekit_mcp.accounts.vault.sealing.key_ring import sha256_text
from tests.oauth.oauth_room import CHALLENGE, COOKIE, ISSUER, OAuthRoom, form_of, open_oauth, state_of

WRONG = "a-wrong-value-of-enough-characters-for-all-of-them"


@pytest.fixture
async def room() -> AsyncIterator[OAuthRoom]:
    async with open_oauth() as room:
        yield room


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Every text that the standard library's comparison has seen."""
    seen: set[str] = set()
    compare = hmac.compare_digest

    def watched(first: bytes, second: bytes) -> bool:
        seen.update((bytes(first).decode(), bytes(second).decode()))
        return compare(first, second)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    return seen


async def test_the_proof_of_a_form_and_the_secret_of_a_browser(room: OAuthRoom, compared: set[str]):
    page = await room.show()
    fields = form_of(page)
    await room.browser.post("/authorize", data={**fields, "csrf": WRONG}, headers={"origin": ISSUER})
    assert {fields["csrf"], WRONG} <= compared
    state, secret = state_of(await room.press(page)), room.browser.cookies[COOKIE]
    room.browser.cookies.clear()
    room.browser.cookies.set(COOKIE, "w" * 43)
    assert (await room.browser.get("/oauth/callback", params={"state": state, "code": "x"})).status_code == 400
    assert {sha256_text(secret), sha256_text("w" * 43)} <= compared


async def test_the_secret_of_a_client_its_id_and_the_verifier(room: OAuthRoom, compared: set[str]):
    client = room.register(token_endpoint_auth_method="client_secret_post")
    code, secret = await room.code(), client["client_secret"]
    assert (await room.redeem(code, client_secret=WRONG)).status_code == 401
    assert {secret, WRONG} <= compared
    assert (await room.redeem(code, client_secret=secret, code_verifier=WRONG)).status_code == 400
    assert {CHALLENGE, s256(WRONG)} <= compared
    pair = (await room.redeem(code, client_secret=secret)).json()
    assert (await room.refresh(pair["refresh_token"], client_secret=WRONG)).status_code == 401
    assert {sha256_text(secret), sha256_text(WRONG)} <= compared
    assert (await room.refresh(pair["refresh_token"], client_id="another client")).status_code == 400
    assert {sha256_text(client["client_id"]), sha256_text("another client")} <= compared
