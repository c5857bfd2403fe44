"""The Graph client against the sandbox: preferences, retries, lost answers, tokens, limits."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from dirty_equals import IsUUID
from starlette.types import ASGIApp

from scalekit_mcp.calendar.failures import ChangeAnswerLostError
from scalekit_mcp.errors import (
    AuthorizationRequired,
    EventNotFound,
    MailboxUnavailable,
    PermissionMissing,
    ProviderUnavailable,
    Throttled,
)
from scalekit_mcp.microsoft.graph.client import (
    MAX_ATTEMPTS,
    GraphClient,
    GraphRequest,
    GraphSession,
    Repeat,
    segment,
)
from scalekit_mcp.microsoft.graph.endpoint import DirectGraph
from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, Sandbox
from scalekit_mcp.sandbox.world import GraphFault, RecordedRequest
from tests.support.bounds import HANG_SECONDS
from tests.support.clock import HandClock
from tests.support.dropping import DroppingTransport

BASE = "http://localhost/v1.0"
CLAIMS = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
LIST = GraphRequest("GET", "/me/events", params={"$top": "2"}, prefer=('outlook.timezone="UTC"',))
BODY = {
    "subject": "Planning",
    "start": {"dateTime": "2026-04-01T10:00:00", "timeZone": "UTC"},
    "end": {"dateTime": "2026-04-01T11:00:00", "timeZone": "UTC"},
}
CREATE = GraphRequest("POST", "/me/events", json=BODY | {"transactionId": "t-1"}, repeat=Repeat.SAFE)


@dataclass
class SandboxTokens:
    """Tokens of one person; a rejected one is replaced, with the claims asked for."""

    sandbox: Sandbox
    address: str = "dana@company.com"
    asked: list[tuple[str | None, str | None]] = field(default_factory=list[tuple[str | None, str | None]])
    token: str | None = None
    stubborn: bool = False

    async def access_token(self, *, rejected: str | None = None, claims: str | None = None) -> str:
        self.asked.append((rejected, claims))
        if self.token is None or (rejected is not None and not self.stubborn):
            self.token = self.sandbox.halves.tokens.issue(
                self.sandbox.people[self.address],
                {"User.Read", "Calendars.ReadWrite"},
                client_id=DEFAULT_CLIENT_ID,
                claims=claims,
            )
        return self.token


@dataclass
class Stage:
    sandbox: Sandbox
    clock: HandClock
    client: GraphClient
    tokens: SandboxTokens
    session: GraphSession

    def fault(self, **fields: Any) -> None:
        self.sandbox.world.switches.graph_faults.append(GraphFault(**fields))

    @property
    def received(self) -> list[RecordedRequest]:
        return [request for request in self.sandbox.requests if request.area == "graph"]

    async def first_event(self) -> dict[str, Any]:
        return (await self.session.send(LIST)).body["value"][0]


@asynccontextmanager
async def stage(
    *,
    transport: Callable[[ASGIApp], httpx.AsyncBaseTransport] = DroppingTransport,
    base_url: str = BASE,
    jitter: Callable[[], float] = lambda: 0.5,
) -> AsyncIterator[Stage]:
    sandbox, clock = Sandbox(), HandClock()
    sandbox.clock.freeze(clock.at)
    async with httpx.AsyncClient(transport=transport(sandbox.app)) as http:
        client = GraphClient(http, endpoint=DirectGraph(base_url), clock=clock, jitter=jitter)
        tokens = SandboxTokens(sandbox)
        yield Stage(sandbox, clock, client, tokens, GraphSession(client, tokens, "dana"))


async def test_every_request_prefers_immutable_ids_and_carries_an_id_of_its_own() -> None:
    async with stage() as s:
        page = await s.session.send(LIST)
        await s.session.send(LIST, next_link=page.body["@odata.nextLink"])
        await s.session.send(GraphRequest("GET", "/me/calendar"))
        headers = [request.headers for request in s.received]
        assert [sent["prefer"] for sent in headers] == [
            'IdType="ImmutableId", outlook.timezone="UTC"',
            'IdType="ImmutableId", outlook.timezone="UTC"',
            'IdType="ImmutableId"',
        ]
        ids = {sent["client-request-id"] for sent in headers}
        assert len(ids) == 3
        assert all(sent == IsUUID(4) for sent in ids)
        assert page.request_id == IsUUID


async def test_a_query_and_an_id_are_encoded_so_that_nothing_is_lost() -> None:
    async with stage() as s:
        text = "subject eq 'Zoë & Bob + 100% #1/2?'"
        await s.session.send(GraphRequest("GET", "/me/events", params={"$filter": text, "$select": "id,subject"}))
        assert s.received[-1].query == {"$filter": text, "$select": "id,subject"}
    assert segment("AA/k+B==") == "AA%2Fk%2BB%3D%3D"
    assert segment("..") == "%2E%2E"
    assert segment("?#%") == "%3F%23%25"


async def test_a_body_goes_out_as_compact_json_and_an_empty_answer_is_an_empty_object() -> None:
    async with stage() as s:
        created = await s.session.send(CREATE)
        assert created.status == 201
        assert created.body["subject"] == "Planning"
        deleted = await s.session.send(GraphRequest("DELETE", f"/me/events/{segment(created.body['id'])}"))
        assert (deleted.status, deleted.body) == (204, {})
        assert s.received[0].body == CREATE.json
        assert s.received[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize("header", ["7", "Mon, 30 Mar 2026 09:00:07 GMT"], ids=["seconds", "date"])
async def test_a_throttled_call_waits_as_long_as_retry_after_says(header: str) -> None:
    async with stage() as s:
        s.fault(status=429, headers={"Retry-After": header})
        assert (await s.session.send(LIST)).status == 200
        assert s.clock.sleeps == [7.0]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_refused_change_is_repeated_because_nothing_was_done(status: int) -> None:
    async with stage() as s:
        event = await s.first_event()
        s.fault(status=status, headers={"Retry-After": "2"}, times=2)
        patch = GraphRequest("PATCH", f"/me/events/{segment(event['id'])}", json={"subject": "New"})
        assert (await s.session.send(patch)).body["subject"] == "New"
        assert s.clock.sleeps == [2.0, 2.0]


async def test_a_pause_longer_than_half_a_minute_is_handed_to_the_caller() -> None:
    async with stage() as s:
        s.fault(status=429, headers={"Retry-After": "31"})
        with pytest.raises(Throttled) as caught:
            await s.session.send(LIST)
        assert caught.value.details["retry_after_seconds"] == 31
        assert caught.value.retryable
        assert s.clock.sleeps == []
        assert len(s.received) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("retry_after", ["0", "2", "30", "45", "3600"])
async def test_a_failing_service_that_names_a_pause_is_unavailable_and_had_no_too_many_calls(
    status: int, retry_after: str
) -> None:
    async with stage() as s:
        s.fault(status=status, headers={"Retry-After": retry_after}, times=99)
        with pytest.raises(ProviderUnavailable) as caught:
            await s.session.send(LIST)
        assert caught.value.details["retry_after_seconds"] == max(1, int(retry_after))
        assert "too many" not in caught.value.message


@pytest.mark.parametrize("retry_after", ["0", "2", "30", "45", "3600"])
async def test_a_service_that_throttles_without_end_is_throttled(retry_after: str) -> None:
    async with stage() as s:
        s.fault(status=429, headers={"Retry-After": retry_after}, times=99)
        with pytest.raises(Throttled) as caught:
            await s.session.send(LIST)
        assert caught.value.details["retry_after_seconds"] == max(1, int(retry_after))


async def test_a_pause_of_exactly_half_a_minute_is_waited_for() -> None:
    async with stage() as s:
        s.fault(status=503, headers={"Retry-After": "30"})
        assert (await s.session.send(LIST)).status == 200
        assert s.clock.sleeps == [30.0]


async def test_all_pauses_of_a_call_together_stay_within_a_minute() -> None:
    async with stage() as s:
        s.fault(status=429, headers={"Retry-After": "25"}, times=9)
        with pytest.raises(Throttled) as caught:
            await s.session.send(LIST)
        assert s.clock.sleeps == [25.0, 25.0]
        assert caught.value.details["retry_after_seconds"] == 25


async def test_without_retry_after_the_pauses_double_with_jitter() -> None:
    async with stage(jitter=iter([0.0, 0.5, 0.9]).__next__) as s:
        s.fault(status=503, times=3)
        assert (await s.session.send(LIST)).status == 200
        assert s.clock.sleeps == pytest.approx([0.5, 2.0, 5.6])


async def test_attempts_are_counted_too() -> None:
    async with stage() as s:
        s.fault(status=503, headers={"Retry-After": "0"}, times=99)
        with pytest.raises(ProviderUnavailable):
            await s.session.send(LIST)
        assert len(s.received) == MAX_ATTEMPTS


async def test_a_service_that_stays_away_without_a_pause_is_unavailable() -> None:
    async with stage() as s:
        s.fault(status=503, times=99)
        with pytest.raises(ProviderUnavailable) as caught:
            await s.session.send(LIST)
        assert caught.value.retryable
        assert caught.value.details["graph_code"] == "serviceNotAvailable"


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 504},
        {"status": 502, "body": "<html>Bad gateway</html>"},
        {"status": 500, "code": "ErrorInternalServerTransientError"},
        {"drop": "before"},
        {"drop": "after"},
        {"status": 200, "body": "<html>a portal</html>"},
    ],
    ids=["504", "502-html", "500-transient", "drop-before", "drop-after", "200-html"],
)
async def test_a_read_whose_answer_was_lost_is_repeated(fault: dict[str, Any]) -> None:
    async with stage() as s:
        s.fault(**fault, times=3)
        assert (await s.session.send(LIST)).status == 200
        assert len(s.received) == 4


async def test_an_ordinary_failure_of_the_service_is_tried_once_more_and_then_reported() -> None:
    async with stage() as s:
        s.fault(status=500, times=9)
        with pytest.raises(ProviderUnavailable):
            await s.session.send(LIST)
        assert len(s.received) == 2


@pytest.mark.parametrize("drop", ["before", "after"])
async def test_a_create_with_a_key_is_repeated_and_books_once(drop: str) -> None:
    async with stage() as s:
        s.fault(drop=drop, method="POST", times=3)
        created = await s.session.send(CREATE)
        found = await s.session.send(GraphRequest("GET", "/me/events", params={"$filter": "subject eq 'Planning'"}))
        assert [event["id"] for event in found.body["value"]] == [created.body["id"]]
        bodies = [json.dumps(request.body) for request in s.received if request.method == "POST"]
        assert len(bodies) == 4
        assert len(set(bodies)) == 1


@pytest.mark.parametrize(
    "fault",
    [{"drop": "after"}, {"drop": "before"}, {"status": 500}, {"status": 504, "apply": True}],
    ids=["drop-after", "drop-before", "500", "504"],
)
@pytest.mark.parametrize("method", ["PATCH", "DELETE", "POST"])
async def test_a_change_whose_answer_was_lost_is_not_repeated(fault: dict[str, Any], method: str) -> None:
    async with stage() as s:
        path = f"/me/events/{segment((await s.first_event())['id'])}"
        if method == "POST":
            path += "/cancel"
        s.fault(**fault)
        before = len(s.received)
        with pytest.raises(ChangeAnswerLostError) as caught:
            await s.session.send(GraphRequest(method, path, json=None if method == "DELETE" else {"subject": "New"}))
        assert caught.value.sent
        assert caught.value.status == fault.get("status")
        assert len(s.received) == before + 1
        assert s.clock.sleeps == []


async def test_a_create_whose_first_answer_was_lost_stays_undecided_when_the_repeats_are_refused() -> None:
    async with stage() as s:
        s.fault(drop="after", method="POST")
        s.fault(status=429, headers={"Retry-After": "31"}, method="POST")
        with pytest.raises(ChangeAnswerLostError):
            await s.session.send(CREATE)


class BreaksWhileSending(DroppingTransport):
    """Fails the first request while it is being written."""

    failed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not self.failed:
            self.failed = True
            raise httpx.WriteError("broken pipe", request=request)
        return await super().handle_async_request(request)


async def test_a_change_that_broke_off_while_being_sent_says_so() -> None:
    async with stage(transport=BreaksWhileSending) as s:
        with pytest.raises(ChangeAnswerLostError) as caught:
            await s.session.send(GraphRequest("DELETE", "/me/events/x"))
        assert not caught.value.sent


def closed_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


async def test_a_change_is_repeated_while_no_connection_comes_about() -> None:
    clock, sandbox = HandClock(), Sandbox()
    async with httpx.AsyncClient() as http:
        client = GraphClient(
            http, endpoint=DirectGraph(f"http://127.0.0.1:{closed_port()}/v1.0"), clock=clock, jitter=lambda: 0.0
        )
        with pytest.raises(ProviderUnavailable, match="cannot be reached"):
            await client.send(GraphRequest("DELETE", "/me/events/x"), SandboxTokens(sandbox), mailbox="dana")
    assert clock.sleeps == [0.5, 1.0, 2.0, 4.0, 8.0]


async def test_a_rejected_token_is_refreshed_once_and_the_call_repeated_once() -> None:
    async with stage() as s:
        await s.session.send(LIST)
        s.sandbox.halves.tokens.expire()
        old = s.tokens.token
        assert (await s.session.send(LIST)).status == 200
        assert s.tokens.asked == [(None, None), (None, None), (old, None)]
        assert [request.status for request in s.received] == [200, 401, 200]


async def test_a_second_rejection_ends_the_call_without_a_loop() -> None:
    async with stage() as s:
        s.fault(status=401, times=9)
        with pytest.raises(ProviderUnavailable) as caught:
            await s.session.send(LIST)
        assert not caught.value.retryable
        assert len(s.received) == 2
        assert len(s.tokens.asked) == 2


async def test_a_claims_challenge_reaches_the_token_source() -> None:
    async with stage() as s:
        await s.session.send(LIST)
        s.sandbox.world.switches.claims_challenge = CLAIMS
        old = s.tokens.token
        assert (await s.session.send(LIST)).status == 200
        assert s.tokens.asked[-1] == (old, CLAIMS)


async def test_a_challenge_in_a_forbidden_answer_is_met_alike() -> None:
    async with stage() as s:
        challenge = 'Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ"'
        s.fault(status=403, headers={"WWW-Authenticate": challenge})
        assert (await s.session.send(LIST)).status == 200
        assert s.tokens.asked[-1][1] == '{"access_token":{}}'


async def test_a_challenge_that_a_fresh_token_does_not_meet_asks_for_a_new_sign_in() -> None:
    async with stage() as s:
        s.tokens.stubborn = True
        s.sandbox.world.switches.claims_challenge = CLAIMS
        with pytest.raises(PermissionMissing):
            await s.session.send(LIST)
        assert len(s.received) == 2


async def test_a_forbidden_answer_without_a_challenge_is_a_missing_permission_at_once() -> None:
    async with stage() as s:
        s.fault(status=403)
        with pytest.raises(PermissionMissing):
            await s.session.send(LIST)
        assert s.tokens.asked == [(None, None)]


async def test_what_the_token_source_raises_comes_out_unchanged() -> None:
    class NoTokens:
        async def access_token(self, *, rejected: str | None = None, claims: str | None = None) -> str:
            raise AuthorizationRequired("The account is not connected.")

    async with stage() as s:
        with pytest.raises(AuthorizationRequired):
            await s.client.send(LIST, NoTokens(), mailbox="dana")
        assert s.received == []


async def test_an_event_that_does_not_exist_is_not_found() -> None:
    async with stage() as s:
        event = await s.first_event()
        path = f"/me/events/{segment(event['id'])}"
        await s.session.send(GraphRequest("DELETE", path))
        s.sandbox.world.switches.deleted_readable = False
        with pytest.raises(EventNotFound) as caught:
            await s.session.send(GraphRequest("GET", path, about="event"))
        assert caught.value.details["request_id"] == IsUUID


async def test_an_account_without_a_mailbox_is_told_so() -> None:
    async with stage() as s:
        nora = SandboxTokens(s.sandbox, "nora@company.com")
        with pytest.raises(MailboxUnavailable):
            await s.client.send(LIST, nora, mailbox="nora")


@pytest.mark.parametrize(
    "link",
    [
        "http://evil.example/v1.0/me/events?$skip=2",
        "https://localhost/v1.0/me/events?$skip=2",
        "http://localhost:81/v1.0/me/events?$skip=2",
        "http://localhost@evil.example/v1.0/me/events",
        "http://user:secret@localhost/v1.0/me/events",
        "http://localhost.evil.example/v1.0/me/events",
        "http://localhost/v1.0/../beta/me/events",
        "http://localhost/v1.0\\@evil.example/me/events",
        "http://localhost/v1.00/me/events",
        "http://localhost/beta/me/events",
        "//localhost/v1.0/me/events",
        "http://localhost/v1.0/me/events?\x00",
        "http://localhost/v1.0/me/events?a b",
        "http://localhost/v1.0/me/\u202eevents",
        "/v1.0/me/events",
        "http://localhost:port/v1.0/me/events",
        "",
    ],
)
async def test_a_next_page_elsewhere_is_not_followed(link: str) -> None:
    async with stage() as s:
        with pytest.raises(ProviderUnavailable):
            await s.session.send(LIST, next_link=link)
        assert s.received == []
        assert s.tokens.asked == []


async def test_a_next_page_on_the_standard_port_is_the_same_host() -> None:
    async with stage() as s:
        assert (await s.session.send(LIST, next_link="http://LOCALHOST:80/v1.0/me/events?$top=1")).status == 200


async def test_a_redirect_takes_no_token_anywhere() -> None:
    async with stage() as s:
        s.fault(status=302, headers={"Location": "http://evil.example/"})
        with pytest.raises(ProviderUnavailable) as caught:
            await s.session.send(LIST)
        assert caught.value.who_acts == "operator"
        assert len(s.received) == 1


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff"])
async def test_a_success_without_sense_is_not_taken_for_an_empty_calendar(content: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    async with stage(transport=lambda _: transport) as s:
        with pytest.raises(ProviderUnavailable):
            await s.session.send(LIST)


async def test_an_answer_that_cannot_be_decoded_is_a_lost_one() -> None:
    broken = httpx.MockTransport(
        lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"not gzip"))
    )
    async with stage(transport=lambda _: broken) as s:
        with pytest.raises(ProviderUnavailable):
            await s.session.send(LIST)
        with pytest.raises(ChangeAnswerLostError):
            await s.session.send(GraphRequest("DELETE", "/me/events/x"))


class Gate(DroppingTransport):
    """Holds every request until the gate opens and counts how many are inside."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        self.open = anyio.Event()
        self.four_inside = anyio.Event()
        self.inside = 0
        self.most = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.inside == 4:
            self.four_inside.set()
        try:
            await self.open.wait()
            return await super().handle_async_request(request)
        finally:
            self.inside -= 1


async def test_at_most_four_requests_of_a_mailbox_are_in_flight_and_others_go_on() -> None:
    gates: list[Gate] = []

    def gate(app: ASGIApp) -> Gate:
        gates.append(Gate(app))
        return gates[0]

    async with stage(transport=gate) as s:
        answers: list[int] = []

        async def call(mailbox: str) -> None:
            answers.append((await s.client.send(LIST, s.tokens, mailbox=mailbox)).status)

        with anyio.fail_after(HANG_SECONDS):
            async with anyio.create_task_group() as group:
                for _ in range(7):
                    group.start_soon(call, "dana")
                await gates[0].four_inside.wait()
                await anyio.wait_all_tasks_blocked()
                assert gates[0].inside == 4
                group.start_soon(call, "another")
                await anyio.wait_all_tasks_blocked()
                assert gates[0].inside == 5
                gates[0].open.set()
        assert answers == [200] * 8
        assert gates[0].most == 5


async def test_a_cancelled_call_gives_its_place_back_and_no_mailbox_is_remembered() -> None:
    gates: list[Gate] = []

    def gate(app: ASGIApp) -> Gate:
        gates.append(Gate(app))
        return gates[0]

    async with stage(transport=gate) as s:
        with anyio.fail_after(HANG_SECONDS):
            async with anyio.create_task_group() as group:
                for _ in range(6):
                    group.start_soon(s.session.send, LIST)
                await gates[0].four_inside.wait()
                group.cancel_scope.cancel()
            gates[0].open.set()
            async with anyio.create_task_group() as group:
                for number in range(50):
                    group.start_soon(lambda n=number: s.client.send(LIST, s.tokens, mailbox=f"mailbox-{n}"))
            assert (await s.session.send(LIST)).status == 200
        assert len(s.client.slots) == 0


async def test_an_answer_that_never_ends_is_given_up() -> None:
    async with stage() as s, httpx.AsyncClient(transport=Gate(s.sandbox.app)) as http:
        client = GraphClient(http, endpoint=DirectGraph(BASE), clock=s.clock, request_seconds=0.01)
        with pytest.raises(ProviderUnavailable):
            await client.send(LIST, s.tokens, mailbox="dana")
        with pytest.raises(ChangeAnswerLostError):
            await client.send(GraphRequest("DELETE", "/me/events/x"), s.tokens, mailbox="dana")


async def test_no_token_and_no_content_shows_in_a_repr_or_an_error() -> None:
    async with stage() as s:
        response = await s.session.send(CREATE)
        assert "Planning" not in repr(response)
        s.fault(drop="after")
        with pytest.raises(ChangeAnswerLostError) as caught:
            await s.session.send(GraphRequest("PATCH", "/me/events/x", json={"subject": "Planning"}))
        shown = repr(caught.value) + str(caught.value) + repr(CREATE)
        assert "Planning" not in shown
        assert (s.tokens.token or "?") not in shown
