"""Sign-ins that apps begin, over SQLite in memory, SQLite in a file, and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text

from scalekit_mcp.accounts.model.grants import GrantEnd, GrantTokens, SignInState
from scalekit_mcp.accounts.model.records import Reason
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.sign_ins import (
    CODE_SECONDS,
    SIGN_IN_SECONDS,
    WRONG_TRIES,
    CodeError,
    CodeRefusal,
    SignInError,
    SignInRefusal,
)
from scalekit_mcp.accounts.vault.changes import SignInKey
from scalekit_mcp.accounts.vault.grants import sign_ins as sign_in_statements
from scalekit_mcp.accounts.vault.grants.sign_ins import KEPT, MOST_OPEN
from scalekit_mcp.accounts.vault.sealing.key_ring import sha256_text
from scalekit_mcp.accounts.vault.tables import sign_ins
from scalekit_mcp.errors import VaultError
from tests.accounts.grants_support import BROWSER, KEY, SCOPES, GrantRoom, open_grants, presented, request


@pytest.fixture
async def room(database_url: str) -> AsyncIterator[GrantRoom]:
    async with open_grants(database_url) as room:
        yield room


async def test_a_sign_in_ends_with_a_code_that_brings_a_grant_and_a_refresh_token(room: GrantRoom):
    code = await room.code()
    tokens = await room.sign_ins.redeem(presented(code))
    assert (tokens.grant.key, tokens.grant.scopes, tokens.grant.client.host) == (KEY, SCOPES, "claude.ai")
    assert tokens.refresh_token is not None
    assert tokens.refresh_token.startswith("rt_")
    assert len(tokens.refresh_token) == 46
    assert await room.grants.list(KEY) == [tokens.grant]


async def test_the_request_comes_back_as_it_went_in(room: GrantRoom):
    """The app's own `state` is returned unchanged, whatever characters it has (RFC 6749 section 4.1.2)."""
    asked = request(state="a&b=c#d \u00e9\u4e2d\u202e" * 100, redirect_uri_given=False, refreshes=False)
    begun = await room.sign_ins.begin(asked, browser_secret=BROWSER)
    taken = await room.sign_ins.take(begun.secrets.state or "", browser_secret=BROWSER)
    assert taken.request == asked
    assert taken.secrets == begun.secrets
    assert (begun.secrets.state or "").startswith("si.")


async def test_a_callback_is_taken_once(room: GrantRoom):
    begun = await room.sign_ins.begin(request(), browser_secret=BROWSER)
    state = begun.secrets.state or ""

    async def take() -> bool:
        try:
            await room.sign_ins.take(state, browser_secret=BROWSER)
        except SignInError as refused:
            return refused.why is not SignInRefusal.USED
        return True

    assert sum(await asyncio.gather(*(take() for _ in range(20)))) == 1


@pytest.mark.parametrize("secret", [None, "another browser's secret"])
async def test_another_browser_takes_nothing_and_uses_nothing_up(room: GrantRoom, secret: str | None):
    """A captured address that is sent to somebody else is the attack behind CVE-2026-27124."""
    begun = await room.sign_ins.begin(request(), browser_secret=BROWSER)
    with pytest.raises(SignInError) as refused:
        await room.sign_ins.take(begun.secrets.state or "", browser_secret=secret)
    assert refused.value.why is SignInRefusal.OTHER_BROWSER
    await room.sign_ins.take(begun.secrets.state or "", browser_secret=BROWSER)


async def test_an_unknown_state_is_refused(room: GrantRoom):
    with pytest.raises(SignInError) as refused:
        await room.sign_ins.take("si.unknown", browser_secret=BROWSER)
    assert refused.value.why is SignInRefusal.UNKNOWN


async def test_a_sign_in_is_over_after_a_quarter_of_an_hour(room: GrantRoom):
    begun = await room.sign_ins.begin(request(), browser_secret=BROWSER)
    room.clock.advance(SIGN_IN_SECONDS)
    with pytest.raises(SignInError) as refused:
        await room.sign_ins.take(begun.secrets.state or "", browser_secret=BROWSER)
    assert refused.value.why is SignInRefusal.EXPIRED


async def test_a_sign_in_is_taken_until_the_last_second(room: GrantRoom):
    begun = await room.sign_ins.begin(request(), browser_secret=BROWSER)
    room.clock.advance(SIGN_IN_SECONDS - 1)
    await room.sign_ins.take(begun.secrets.state or "", browser_secret=BROWSER)


async def test_pressing_the_button_twice_voids_the_first_state(room: GrantRoom):
    first = await room.sign_ins.begin(request(), browser_secret=BROWSER)
    second = await room.sign_ins.begin(request(), browser_secret=BROWSER)
    with pytest.raises(SignInError) as refused:
        await room.sign_ins.take(first.secrets.state or "", browser_secret=BROWSER)
    assert refused.value.why is SignInRefusal.UNKNOWN
    await room.sign_ins.take(second.secrets.state or "", browser_secret=BROWSER)


async def test_sign_ins_for_other_requests_or_in_other_browsers_go_on(room: GrantRoom):
    first = await room.sign_ins.begin(request(), browser_secret=BROWSER)
    await room.sign_ins.begin(request(state="another"), browser_secret=BROWSER)
    await room.sign_ins.begin(request(), browser_secret="another browser")
    await room.sign_ins.take(first.secrets.state or "", browser_secret=BROWSER)


async def test_one_browser_has_a_bounded_number_of_open_sign_ins(room: GrantRoom):
    begun = []
    for number in range(MOST_OPEN + 2):
        room.clock.advance(1)
        begun.append(await room.sign_ins.begin(request(state=str(number)), browser_secret=BROWSER))
    known = [await room.vault.find_sign_in(SignInKey.ID, each.id) is not None for each in begun]
    assert known == [False, False] + [True] * MOST_OPEN


async def test_all_browsers_together_have_a_bounded_number_of_open_sign_ins(
    room: GrantRoom, monkeypatch: pytest.MonkeyPatch
):
    """Whoever makes up a browser for every request is bounded by this alone."""
    monkeypatch.setattr(sign_in_statements, "MOST_OPEN_OF_ALL", 5)
    monkeypatch.setattr(sign_in_statements, "LOOKED_EVERY", 1)
    code = await room.code()
    begun: list[str] = []
    for number in range(9):
        room.clock.advance(1)
        begun.append((await room.sign_ins.begin(request(), browser_secret=f"browser {number}")).id)
    kept = [each for each in begun if await room.vault.find_sign_in(SignInKey.ID, each) is not None]
    assert kept == begun[-6:]  # five, and the one that looked
    assert isinstance(await redemption(room, code), GrantTokens)


def test_the_bounds_of_sign_ins():
    assert (SIGN_IN_SECONDS, CODE_SECONDS, WRONG_TRIES, MOST_OPEN) == (900, 60, 3, 20)
    assert sign_in_statements.MOST_OPEN_OF_ALL == 100_000
    assert sign_in_statements.LOOKED_EVERY < sign_in_statements.PURGED_AT_ONCE


async def test_old_sign_ins_are_purged_when_new_ones_begin(room: GrantRoom):
    old = await room.sign_ins.begin(request(), browser_secret="somebody")
    room.clock.advance(SIGN_IN_SECONDS + KEPT.total_seconds() + 1)
    await room.sign_ins.begin(request(), browser_secret=BROWSER)
    assert await room.vault.find_sign_in(SignInKey.ID, old.id) is None


async def test_after_a_failure_the_same_person_tries_again_with_a_new_state(room: GrantRoom):
    begun = await room.sign_ins.begin(request(), browser_secret=BROWSER)
    taken = await room.sign_ins.take(begun.secrets.state or "", browser_secret=BROWSER)
    failed = await room.sign_ins.fail(taken)
    assert failed.secrets.code_verifier is None
    again = await room.sign_ins.try_again(failed.id, browser_secret=BROWSER)
    assert again.secrets.state != begun.secrets.state
    assert again.secrets.code_verifier != begun.secrets.code_verifier
    with pytest.raises(SignInError):
        await room.sign_ins.take(begun.secrets.state or "", browser_secret=BROWSER)
    await room.sign_ins.issue_code(await room.sign_ins.take(again.secrets.state or "", browser_secret=BROWSER), KEY)


async def test_trying_again_needs_the_browser_a_failure_and_the_time(room: GrantRoom):
    begun = await room.sign_ins.begin(request(), browser_secret=BROWSER)
    with pytest.raises(SignInError) as refused:
        await room.sign_ins.try_again(begun.id, browser_secret=BROWSER)
    assert refused.value.why is SignInRefusal.USED
    await room.sign_ins.fail(await room.sign_ins.take(begun.secrets.state or "", browser_secret=BROWSER))
    with pytest.raises(SignInError) as refused:
        await room.sign_ins.try_again(begun.id, browser_secret="another browser")
    assert refused.value.why is SignInRefusal.OTHER_BROWSER
    assert (await room.sign_ins.failed(begun.id, browser_secret=BROWSER)).request == request()
    room.clock.advance(SIGN_IN_SECONDS)
    with pytest.raises(SignInError) as refused:
        await room.sign_ins.try_again(begun.id, browser_secret=BROWSER)
    assert refused.value.why is SignInRefusal.EXPIRED


async def test_a_code_of_a_sign_in_that_failed_after_it_is_void(room: GrantRoom):
    """The answer to the writing of a code may be lost, so that nobody knows whether it was written."""
    code, taken = await room.code_and_sign_in()
    failed = await room.sign_ins.fail(taken)
    assert (failed.status, failed.expires_at) == (SignInState.FAILED, taken.expires_at)
    with pytest.raises(CodeError) as refused:
        await room.sign_ins.redeem(presented(code))
    assert refused.value.why is CodeRefusal.UNKNOWN
    again = await room.sign_ins.try_again(taken.id, browser_secret=BROWSER)
    assert again.status is SignInState.AT_PROVIDER
    with pytest.raises(SignInError):
        await room.sign_ins.fail(taken)


async def test_a_sign_in_that_was_overtaken_issues_no_second_code(room: GrantRoom):
    _, taken = await room.code_and_sign_in()
    with pytest.raises(SignInError):
        await room.sign_ins.issue_code(taken, KEY)


async def redemption(room: GrantRoom, code: str, **values: object) -> GrantTokens | CodeRefusal:
    try:
        return await room.sign_ins.redeem(presented(code, **values))
    except CodeError as refused:
        return refused.why


async def test_a_code_lives_for_a_minute(room: GrantRoom):
    first, second = await room.code(), await room.code(state="2")
    room.clock.advance(CODE_SECONDS - 1)
    assert isinstance(await redemption(room, first), GrantTokens)
    room.clock.advance(1)
    assert await redemption(room, second) is CodeRefusal.EXPIRED


async def test_twenty_parallel_redemptions_give_one_success(room: GrantRoom):
    code = await room.code()
    answers = await asyncio.gather(*(redemption(room, code) for _ in range(20)))
    assert sum(isinstance(answer, GrantTokens) for answer in answers) == 1
    assert answers.count(CodeRefusal.REUSED) == 19


async def test_a_code_that_comes_again_with_the_right_verifier_ends_the_grant(room: GrantRoom):
    """OAuth 2.1 section 4.1.3."""
    code = await room.code()
    tokens = await redemption(room, code)
    assert isinstance(tokens, GrantTokens)
    room.clock.advance(CODE_SECONDS + 1)
    assert await redemption(room, code) is CodeRefusal.REUSED
    grant = await room.vault.find_grant(tokens.grant.id)
    assert grant is not None
    assert grant.ended_why is GrantEnd.CODE_REUSED


WRONG = {
    "verifier": ({"code_verifier": "w" * 43}, CodeRefusal.WRONG_VERIFIER),
    "client": ({"client_sha256": sha256_text("another")}, CodeRefusal.OTHER_CLIENT),
    "redirect": ({"redirect_uri": "https://evil.example/cb"}, CodeRefusal.OTHER_REDIRECT_URI),
}


@pytest.mark.parametrize("which", WRONG)
async def test_a_code_that_comes_again_with_anything_wrong_ends_nothing(room: GrantRoom, which: str):
    """Whoever saw the address has no lever."""
    code = await room.code()
    tokens = await redemption(room, code)
    assert isinstance(tokens, GrantTokens)
    assert await redemption(room, code, **WRONG[which][0]) is CodeRefusal.REUSED
    assert await room.grants.list(KEY) == [tokens.grant]


@pytest.mark.parametrize("which", WRONG)
async def test_a_wrong_first_use_does_not_use_the_code_up_twice(room: GrantRoom, which: str):
    values, why = WRONG[which]
    code = await room.code()
    assert [await redemption(room, code, **values) for _ in range(WRONG_TRIES - 1)] == [why] * (WRONG_TRIES - 1)
    assert isinstance(await redemption(room, code), GrantTokens)


async def test_the_third_wrong_use_ends_the_code(room: GrantRoom):
    code = await room.code()
    for _ in range(WRONG_TRIES):
        assert await redemption(room, code, code_verifier="w" * 43) is CodeRefusal.WRONG_VERIFIER
    assert await redemption(room, code) is CodeRefusal.EXPIRED


async def test_the_checks_of_a_code_come_in_their_order(room: GrantRoom):
    """Client binding, redirect URI, verifier, resource, account."""
    code = await room.code()
    await room.move(Cause.DISCONNECTED, Reason.DISCONNECTED)
    wrong: dict[str, object] = {**WRONG["client"][0], **WRONG["redirect"][0], **WRONG["verifier"][0]}
    wrong["resource_holds"] = False
    seen = []
    for right in ("client_sha256", "redirect_uri"):
        seen.append(await redemption(room, code, **wrong))
        del wrong[right]
    assert seen == [CodeRefusal.OTHER_CLIENT, CodeRefusal.OTHER_REDIRECT_URI]
    del wrong["code_verifier"]
    assert await redemption(room, code, **wrong) is CodeRefusal.OTHER_RESOURCE
    assert await redemption(room, code) is CodeRefusal.ACCOUNT_NOT_ACTIVE


async def test_an_app_may_leave_the_redirect_uri_out_when_it_redeems(room: GrantRoom):
    """OAuth 2.1 dropped it from the token request."""
    assert isinstance(await redemption(room, await room.code(), redirect_uri=None), GrantTokens)


async def test_no_grant_comes_of_a_code_once_the_account_is_gone(room: GrantRoom):
    code = await room.code()
    account = await room.account()
    entry = (await room.vault.history(connection_name=None, identifier=None, since=None, limit=1))[0]
    assert await room.vault.delete_account(account.id, entry)
    assert await redemption(room, code) is CodeRefusal.ACCOUNT_NOT_ACTIVE


async def test_an_app_without_refresh_tokens_gets_a_grant_for_an_hour(room: GrantRoom):
    tokens = await redemption(room, await room.code(refreshes=False))
    assert isinstance(tokens, GrantTokens)
    assert tokens.refresh_token is None
    assert tokens.grant.expires_at == room.clock.now() + timedelta(hours=1)


async def test_nothing_of_a_sign_in_shows_in_its_repr(room: GrantRoom):
    code, taken = await room.code_and_sign_in()
    shown = repr((taken, presented(code), await redemption(room, code)))
    for secret in (code, taken.secrets.state, taken.secrets.nonce, taken.secrets.code_verifier, "the app's state"):
        assert secret is not None
        assert secret not in shown


async def test_a_state_and_a_code_stand_nowhere_in_the_database(tmp_path):
    path = tmp_path / "vault.sqlite3"
    async with open_grants(f"sqlite+aiosqlite:///{path.as_posix()}") as room:
        code, taken = await room.code_and_sign_in()
        tokens = await room.sign_ins.redeem(presented(code))
    stored = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    secrets = (code, tokens.refresh_token, taken.secrets.state, taken.secrets.code_verifier, BROWSER, "the app's state")
    for secret in secrets:
        assert secret is not None
        assert secret.encode() not in stored


async def test_a_used_code_that_was_put_back_does_not_open(tmp_path):
    path = tmp_path / "vault.sqlite3"
    async with open_grants(f"sqlite+aiosqlite:///{path.as_posix()}") as room:
        code = await room.code()
        engine = create_engine(f"sqlite:///{path.as_posix()}")
        with closing(engine.raw_connection()) as raw:
            before = raw.execute("SELECT * FROM sign_ins").fetchone()
        await room.sign_ins.redeem(presented(code))
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM sign_ins"))
            connection.execute(sign_ins.insert().values(tuple(before)))
        engine.dispose()
        with pytest.raises(VaultError):
            await room.sign_ins.redeem(presented(code))
