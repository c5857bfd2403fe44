"""Accounts, lists and links in Scalekit's answers that are not those that were asked for are refused, never used."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from actions_support import IDENTIFIER, LIST, HostedBench, fast_bench

from scalekit_mcp.errors import InvalidInput, OutcomeUnknown, ProviderUnavailable
from scalekit_mcp.sandbox.scalekit.records import Fault
from scalekit_mcp.scalekit.wire_account import instant

ACCOUNT: dict[str, Any] = {
    "id": "ca_000000000000000001",
    "identifier": IDENTIFIER,
    "connector": "outlook",
    "status": "ACTIVE",
}

NOT_THE_ACCOUNT: dict[str, Any] = {
    "another identifier": {**ACCOUNT, "identifier": "somebody_else"},
    "the identifier in capitals": {**ACCOUNT, "identifier": IDENTIFIER.upper()},
    "the identifier with a blank": {**ACCOUNT, "identifier": IDENTIFIER + " "},
    "another connection": {**ACCOUNT, "connector": "outlook-2"},
    "no identifier": {key: value for key, value in ACCOUNT.items() if key != "identifier"},
    "an id that is no text": {**ACCOUNT, "id": 7},
    "an id that is a path": {**ACCOUNT, "id": "../tools"},
    "a connection that is no text": {**ACCOUNT, "connector": ["outlook"]},
    "null": None,
    "a list": [ACCOUNT],
    "text": json.dumps(ACCOUNT),
}


def answer(bench: HostedBench, path: str, body: Any, *, status: int = 200, **fault: Any) -> None:
    """Have the next request to `path` answered with this JSON."""
    text = body if isinstance(body, str) else json.dumps(body)
    bench.look_alike.switches.faults.append(Fault(status=status, body=text, path_contains=path, **fault))


@pytest.mark.parametrize("account", NOT_THE_ACCOUNT.values(), ids=NOT_THE_ACCOUNT.keys())
async def test_an_answer_that_is_not_the_account_is_refused_by_every_call(account: Any) -> None:
    async with fast_bench() as bench:
        actions = bench.actions
        body = {"connected_account": account}
        answer(bench, "/details", body)
        with pytest.raises(ProviderUnavailable) as refused:
            await actions.get_connected_account(identifier=IDENTIFIER)
        assert (refused.value.who_acts, refused.value.retryable) == ("operator", False)
        assert "somebody_else" not in json.dumps(refused.value.to_dict())
        answer(bench, "/details", body)
        with pytest.raises(ProviderUnavailable):
            await bench.run(LIST)
        assert bench.tools() == []
        answer(bench, "/connected_accounts", body, status=201, method="POST")
        with pytest.raises(ProviderUnavailable):
            await actions.get_or_create_connected_account(identifier=IDENTIFIER)
        await bench.connect()
        answer(bench, ":disconnect", body)
        with pytest.raises(ProviderUnavailable):
            await actions.disconnect(identifier=IDENTIFIER)
        answer(bench, "/connected_accounts", {"connected_accounts": [account]}, method="GET")
        with pytest.raises(ProviderUnavailable):
            await actions.list_connected_accounts(identifier=IDENTIFIER)


async def test_somebody_elses_account_in_the_answer_confirms_nobody() -> None:
    async with fast_bench(user_verification="url", user_verify_url="https://app.example/verified") as bench:
        await bench.actions.get_or_create_connected_account(identifier=IDENTIFIER)
        answer(bench, "/user/verify", {})
        answer(bench, "/details", {"connected_account": {**ACCOUNT, "identifier": "somebody_else"}})
        with pytest.raises(ProviderUnavailable):
            await bench.actions.verify_connected_account_user(auth_request_id="r", identifier=IDENTIFIER)


async def test_a_verification_that_fails_inside_a_success_connects_nobody() -> None:
    async with fast_bench() as bench:
        link = await bench.link()
        answer(bench, "/user/verify", {"error": {"code": 7, "message": "identifier does not match"}})
        async with bench.browser() as browser:
            page = await bench.agree(browser, link)
        assert "Connected" not in page.text
        assert (await bench.status())[0] == "PENDING"


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"connector": "OUTLOOK"}, "ACTIVE"),
        ({"connector": None}, "ACTIVE"),
        ({"status": "active"}, "ACTIVE"),
        ({"status": " Pending_Auth "}, "PENDING"),
        ({"status": "disconnected"}, "REVOKED"),
        ({"status": "HIBERNATING"}, "EXPIRED"),
        ({"status": None}, "EXPIRED"),
        ({"status": 1}, "EXPIRED"),
        ({"status": {"value": "ACTIVE"}}, "EXPIRED"),
        ({"reason": ["disconnected"], "last_authorization_error": 4}, "ACTIVE"),
    ],
    ids=str,
)
async def test_small_differences_of_an_account_are_read_and_unknown_words_make_no_calls(
    given: dict[str, Any], status: str
) -> None:
    async with fast_bench() as bench:
        answer(bench, "/details", {"connected_account": {**ACCOUNT, **given}})
        account = (await bench.actions.get_connected_account(identifier=IDENTIFIER)).connected_account
        assert (account.status, account.connection_name) == (status, "outlook")


@pytest.mark.parametrize(
    "value",
    ["", "soon", "2026-13-45T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 5, None, [], {}],
    ids=str,
)
def test_a_time_that_is_none_is_no_time(value: Any) -> None:
    assert instant(value) is None


async def test_an_account_is_found_by_its_id_on_its_own_connection_only() -> None:
    async with fast_bench() as bench:
        for connector in ("outlook-2", None, 3):
            answer(bench, "/details", {"connected_account": {**ACCOUNT, "connector": connector}})
            found = await bench.actions.list_connected_accounts(account_id=ACCOUNT["id"])
            assert found.connected_accounts == ()


ROWS: dict[str, Any] = {
    "a row of another connection": {"connected_accounts": [ACCOUNT, {**ACCOUNT, "connector": "gmail"}]},
    "a row that is null": {"connected_accounts": [ACCOUNT, None]},
    "rows that are an object": {"connected_accounts": {"0": ACCOUNT}},
    "rows that are text": {"connected_accounts": "none"},
    "a count in words": {"connected_accounts": [ACCOUNT], "total_size": "many"},
    "a negative count": {"connected_accounts": [ACCOUNT], "total_size": -1},
    "half an account": {"connected_accounts": [ACCOUNT], "total_size": 1.5},
    "a count that is an object": {"connected_accounts": [ACCOUNT], "total_size": {}},
    "a count without end": {"connected_accounts": [ACCOUNT], "total_size": 10**40},
    "a page token that is a number": {"connected_accounts": [ACCOUNT], "next_page_token": 7},
    "a page token without end": {"connected_accounts": [ACCOUNT], "next_page_token": "x" * 100_000},
}


@pytest.mark.parametrize("body", ROWS.values(), ids=ROWS.keys())
@pytest.mark.parametrize("status", [None, "ACTIVE"])
async def test_a_list_that_cannot_be_right_is_refused(body: Any, status: str | None) -> None:
    async with fast_bench() as bench:
        answer(bench, "/connected_accounts", body)
        with pytest.raises(ProviderUnavailable):
            await bench.actions.list_connected_accounts(status=status)


@pytest.mark.parametrize("total", [None, 0, "2", 2, 1])
async def test_a_list_counts_at_least_what_it_shows(total: Any) -> None:
    async with fast_bench() as bench:
        rows = [ACCOUNT, {**ACCOUNT, "id": "ca_2", "identifier": "b"}]
        answer(bench, "/connected_accounts", {"connected_accounts": rows, "total_size": total})
        assert (await bench.actions.list_connected_accounts()).total_size == 2


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"]], ids=str)
async def test_pages_that_come_again_end_the_list(tokens: list[str]) -> None:
    async with fast_bench() as bench:
        for token in tokens:
            answer(bench, "/connected_accounts", {"connected_accounts": [ACCOUNT], "next_page_token": token})
        with anyio.fail_after(20), pytest.raises(ProviderUnavailable, match="again and again"):
            await bench.actions.list_connected_accounts(status="ACTIVE")
        assert len(bench.received("/connected_accounts")) == len(tokens)


async def test_a_page_that_leads_to_itself_is_refused() -> None:
    async with fast_bench() as bench:
        answer(bench, "/connected_accounts", {"connected_accounts": [ACCOUNT], "next_page_token": "a"})
        with pytest.raises(ProviderUnavailable, match="again and again"):
            await bench.actions.list_connected_accounts(page_token="a")


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "http://scalekit.example/magicLink/1",
        "data:text/html,x",
        "//scalekit.example/x",
        "https://",
        "https://user:secret@scalekit.example/x",
        "https://[half",
        "https://scalekit.example/a b",
        "https://scalekit.example/\r\nSet-Cookie: a=b",
        "https://scalekit.example/" + "x" * 10_000,
        "",
        None,
        7,
        {"url": "https://scalekit.example"},
    ],
    ids=lambda link: str(link)[:40],
)
async def test_a_link_that_no_browser_should_follow_is_not_followed(link: Any) -> None:
    async with fast_bench() as bench:
        ours = await bench.link()
        answer(bench, "/magic_link", {"link": link, "expiry": "soon"})
        outcome = await bench.actions.start_authorization(ours.rpartition("/")[2])
        assert not isinstance(outcome, str)
        assert (outcome.kind.value, outcome.who_acts) == ("failed", "operator")


@pytest.mark.parametrize("body", ["null", "", "<html>", "[]", '"done"'], ids=str)
async def test_changes_of_an_account_that_are_answered_unreadably_are_looked_at(body: str) -> None:
    async with fast_bench() as bench:
        actions = bench.actions
        answer(bench, "/connected_accounts", body, status=201, method="POST", apply=True)
        created = await actions.get_or_create_connected_account(identifier=IDENTIFIER)
        assert created.connected_account.status == "PENDING"
        await bench.connect()
        answer(bench, ":disconnect", body, apply=True)
        assert (await actions.disconnect(identifier=IDENTIFIER)).connected_account.status == "REVOKED"
        answer(bench, ":delete", body, apply=True)
        await actions.delete_connected_account(identifier=IDENTIFIER)
        assert bench.look_alike.records.accounts == {}


async def test_changes_of_an_account_that_were_not_made_are_not_claimed() -> None:
    async with fast_bench() as bench:
        actions = bench.actions
        await bench.connect()
        answer(bench, ":disconnect", "null")
        with pytest.raises(OutcomeUnknown):
            await actions.disconnect(identifier=IDENTIFIER)
        for body in ("null", "<html>"):
            answer(bench, ":delete", body)
            with pytest.raises(OutcomeUnknown):
                await actions.delete_connected_account(identifier=IDENTIFIER)
        answer(bench, ":delete", {"error": {"message": "no"}})
        with pytest.raises(ProviderUnavailable):
            await actions.delete_connected_account(identifier=IDENTIFIER)
        assert len(bench.look_alike.records.accounts) == 1


@pytest.mark.parametrize("address", ["http://app.example/v", "https://me@app.example/v", "javascript:1", "https://["])
async def test_an_address_for_verifying_people_has_to_be_one_that_a_browser_may_follow(address: str) -> None:
    async with fast_bench(user_verification="url") as bench:
        with pytest.raises(InvalidInput) as refused:
            await bench.link(user_verify_url=address)
        assert refused.value.details["field"] == "user_verify_url"
