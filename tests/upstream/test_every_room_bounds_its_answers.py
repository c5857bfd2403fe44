"""Whatever a service upstream answers, each room that calls it says in its own words that the service is of no use."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from scalekit_mcp.accounts.model.records import AccountStatus, HistoryEntry, ProviderAccount, Reason
from scalekit_mcp.accounts.provider import GrantError, GrantFault
from scalekit_mcp.calendar.failures import ChangeAnswerLostError
from scalekit_mcp.cli.doctor.checks import Doctor
from scalekit_mcp.errors import ProviderUnavailable
from scalekit_mcp.microsoft.graph.client import GraphClient, GraphRequest, GraphSession
from scalekit_mcp.microsoft.graph.endpoint import DirectGraph
from scalekit_mcp.microsoft.identity.credentials import PublicClient
from scalekit_mcp.microsoft.identity.oauth import MicrosoftOAuth
from scalekit_mcp.notifications.webhook import Webhook, WebhookSender
from scalekit_mcp.scalekit.rest import ScalekitRest
from scalekit_mcp.server.callers.oidc import OidcOptions, OidcTokens
from scalekit_mcp.settings import load_settings
from scalekit_mcp.telemetry import Metrics
from scalekit_mcp.upstream import UpstreamClient
from tests.support import odd_service as odd
from tests.support.clock import HandClock
from tests.support.microsoft import FixedToken
from tests.support.odd_service import MEGABYTE, odd_service

CAP = MEGABYTE
FLOODS = {
    "100 MB": odd.plain(100 * MEGABYTE),
    "endless": odd.endless(),
    "gzip bomb": odd.bomb("gzip", 200),
    "deflate bomb": odd.bomb("raw deflate", 200),
}
ODD = {
    **FLOODS,
    "html": odd.whole(b"<html>", headers="content-type: text/html\r\n"),
    "null": odd.whole(b"null"),
    "list": odd.whole(b"[]"),
    "number": odd.whole(b"5"),
    "deep": odd.whole(b"[" * 100_000),
    "deep object": odd.whole(b'{"a":' * 100_000),
    "not UTF-8": odd.whole(b'{"access_token": "\xff\xfe"}'),
    "endless number": odd.whole(b'{"expires_in": ' + b"9" * 10_000 + b"}"),
    "NaN": odd.whole(b'{"value": [NaN]}'),
    "broken gzip": odd.whole(b"{}", headers="content-encoding: gzip\r\n"),
    "brotli": odd.whole(b"{}", headers="content-encoding: br\r\n"),
}
answers = pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
floods = pytest.mark.parametrize("answer", FLOODS.values(), ids=FLOODS)


@asynccontextmanager
async def client():
    async with UpstreamClient(max_answer_bytes=CAP) as http:
        yield http


@answers
async def test_graph_reads(answer: odd.Bytes) -> None:
    async with odd_service(answer) as base, client() as http:
        session = GraphSession(
            GraphClient(http, endpoint=DirectGraph(base + "/v1.0"), clock=HandClock()), FixedToken("t"), "m"
        )
        with pytest.raises(ProviderUnavailable):
            await session.send(GraphRequest("GET", "/me/events"))


@answers
async def test_graph_changes_were_made_although_their_answer_cannot_be_read(answer: odd.Bytes) -> None:
    async with odd_service(answer) as base, client() as http:
        session = GraphSession(
            GraphClient(http, endpoint=DirectGraph(base + "/v1.0"), clock=HandClock()), FixedToken("t"), "m"
        )
        with pytest.raises(ChangeAnswerLostError) as lost:
            await session.send(GraphRequest("PATCH", "/me/events/1", json={}))
    assert lost.value.sent


@answers
async def test_microsofts_token_endpoint_says_nothing_about_the_grant(answer: odd.Bytes) -> None:
    async with odd_service(answer) as base, client() as http:
        oauth = MicrosoftOAuth(
            http,
            client_id="app",
            credentials=PublicClient(),
            login_url=base,
            tenant="common",
            scopes=("Calendars.ReadWrite",),
            graph_url=base + "/v1.0",
            clock=HandClock(),
        )
        account = ProviderAccount(tid="t", oid="o", preferred_username="ana", personal=False)
        with pytest.raises(GrantError) as failure:
            await oauth.refresh_token_grant(refresh_token="r", account=account, scopes=("Calendars.ReadWrite",))
    assert failure.value.fault is GrantFault.TRANSIENT


@floods
async def test_scalekits_reads_and_changes(answer: odd.Bytes) -> None:
    async with odd_service(answer) as base, client() as http:
        rest = ScalekitRest(http, env_url=base, client_id="c", client_secret="s", clock=HandClock())
        with pytest.raises(ProviderUnavailable):
            await rest.get("/connected_accounts", {})


@floods
async def test_the_oidc_issuer(answer: odd.Bytes) -> None:
    from starlette.datastructures import Headers

    from scalekit_mcp.server.callers.authentication import AuthenticationError

    async with odd_service(answer) as base, client() as http:
        tokens = OidcTokens(OidcOptions(issuer=base, audience="a"), http=http, clock=HandClock())
        with pytest.raises(AuthenticationError) as denied:
            await tokens.authenticate(Headers({"authorization": "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}))
    assert denied.value.status in (401, 503)


class OneDelivery:
    """An outbox with one change of status to tell."""

    def __init__(self) -> None:
        self.settled: list[datetime | None] = []
        at = datetime(2026, 3, 30, tzinfo=UTC)
        revoked = (AccountStatus.REVOKED, Reason.GRANT_REVOKED)
        self.entry = HistoryEntry(
            at, "ca_1", "outlook", "ana", AccountStatus.ACTIVE, revoked[0], None, revoked[1], "refresh_refused"
        )

    async def due_deliveries(self, *, now, limit):
        return [("1", now, 0, self.entry)] if not self.settled else []

    async def settle_delivery(self, entry_id, *, due_at, next_due_at, tries):
        self.settled.append(next_due_at)
        return True


@floods
async def test_a_webhook_that_was_taken_is_delivered_whatever_the_receiver_writes(answer: odd.Bytes) -> None:
    outbox = OneDelivery()
    async with odd_service(answer) as base, client() as http:
        sender = WebhookSender(Webhook(base, b"k" * 32), outbox, http=http, clock=HandClock(), metrics=Metrics())
        assert await sender.deliver_due() == 1
    assert outbox.settled[-1] is None


async def test_a_webhook_that_was_refused_at_length_is_sent_again() -> None:
    outbox = OneDelivery()
    async with odd_service(odd.endless(status="500 Error")) as base, client() as http:
        sender = WebhookSender(Webhook(base, b"k" * 32), outbox, http=http, clock=HandClock(), metrics=Metrics())
        assert await sender.deliver_due() == 0
    assert outbox.settled[-1] is not None


@answers
async def test_the_doctor(answer: odd.Bytes) -> None:
    async with odd_service(answer) as base, client() as http:
        settings = load_settings(
            mode="embedded",
            login_url=base,
            graph_url=base + "/v1.0",
            microsoft_client_id="app",
            microsoft_client_secret="s",
            database_url="sqlite+aiosqlite:///:memory:",
        )
        report = await Doctor(settings, http, HandClock()).check()
    assert report.mistakes
