"""What Scalekit answers about a change is held against the change, and words of one meaning are read as one."""

from __future__ import annotations

from typing import Any

import pytest
from actions_support import IDENTIFIER, HostedBench, fast_bench

from scalekit_mcp.errors import ConnectionMisconfigured, ProviderUnavailable
from tests.actions.test_hosted_wrong_accounts import ACCOUNT, answer


async def own_account(bench: HostedBench) -> dict[str, Any]:
    found = await bench.actions.get_connected_account(identifier=IDENTIFIER)
    return {**ACCOUNT, "id": found.connected_account.id}


async def test_a_disconnection_that_leaves_the_account_active_is_not_claimed() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        answer(bench, ":disconnect", {"connected_account": await own_account(bench)})
        with pytest.raises(ProviderUnavailable, match="still active"):
            await bench.actions.disconnect(identifier=IDENTIFIER)
        assert (await bench.status())[0] == "ACTIVE"


@pytest.mark.parametrize("status", ["ACTIVE", "EXPIRED", "", None])
async def test_a_disconnection_whose_answer_is_of_a_moment_before_is_looked_at(status: Any) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        before = {**await own_account(bench), "status": status}
        answer(bench, ":disconnect", {"connected_account": before}, apply=True)
        done = await bench.actions.disconnect(identifier=IDENTIFIER)
        assert (done.connected_account.status, done.connected_account.reason) == ("REVOKED", "disconnected")


async def test_a_disconnection_of_another_account_than_the_one_that_was_named_is_refused() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        other = {**ACCOUNT, "id": "ca_another", "status": "DISCONNECTED"}
        answer(bench, ":disconnect", {"connected_account": other})
        with pytest.raises(ProviderUnavailable):
            await bench.actions.disconnect(identifier=IDENTIFIER)


@pytest.mark.parametrize("status", ["DISCONNECTED", "disconnected", " Disconnected "])
async def test_a_status_is_read_without_regard_to_case(status: str) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        told = {**await own_account(bench), "status": status}
        answer(bench, ":disconnect", {"connected_account": told})
        assert (await bench.actions.disconnect(identifier=IDENTIFIER)).connected_account.status == "REVOKED"


@pytest.mark.parametrize("total", [2.0, "2", 2])
async def test_a_whole_number_counts_however_it_is_written(total: Any) -> None:
    async with fast_bench() as bench:
        body = {"connected_accounts": [ACCOUNT], "total_size": total}
        answer(bench, "/connected_accounts", body)
        assert (await bench.actions.list_connected_accounts()).total_size == 2


@pytest.mark.parametrize(
    "token",
    [None, "", 7, ["t"], {"t": 1}, "a b", "a\r\nb: c", "tök", "x" * 20_000],
    ids=lambda token: str(token)[:20],
)
async def test_an_access_token_that_no_header_can_carry_is_the_operators_matter(token: Any) -> None:
    async with fast_bench() as bench:
        answer(bench, "/oauth/token", {"access_token": token, "token_type": "Bearer", "expires_in": 60})
        with pytest.raises(ConnectionMisconfigured):
            await bench.actions.list_connected_accounts()


@pytest.mark.parametrize("seconds", [None, "", "soon", -1, 0, 10**40, True, [], 0.5])
async def test_a_life_of_an_access_token_that_is_none_is_no_reason_to_fail(seconds: Any) -> None:
    async with fast_bench() as bench:
        answer(bench, "/oauth/token", {"access_token": "token", "expires_in": seconds})
        # the look-alike did not make this token and refuses it, so that another one is asked for
        assert (await bench.actions.list_connected_accounts()).total_size == 0
        assert len(bench.received("/oauth/token")) == 2


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404])
async def test_an_access_token_in_a_refusal_is_none(status: int) -> None:
    async with fast_bench() as bench:
        answer(bench, "/oauth/token", {"access_token": "token", "expires_in": 60}, status=status)
        with pytest.raises(ConnectionMisconfigured):
            await bench.actions.list_connected_accounts()
