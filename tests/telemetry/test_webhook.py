"""The signed message on a change of status: what it says, that it arrives, and that nothing is lost silently."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import httpx2 as httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from telemetry_support import CONTENT, NO_PROVIDER, a_day, observed

from scalekit_mcp.accounts.model.records import AccountKey, AccountStatus, HistoryEntry, Reason
from scalekit_mcp.accounts.services import AccountServices
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.notifications.webhook import Webhook, WebhookSender, event_of, parse_secret, signed_headers
from scalekit_mcp.sandbox.serving import serving
from scalekit_mcp.settings import check_settings, load_settings
from scalekit_mcp.telemetry import Metrics
from tests.support.bounds import HANG_SECONDS
from tests.support.clock import HandClock

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Receiver:
    """The operator's endpoint: checks each signature as the specification says, and answers as it is told."""

    def __init__(self):
        self.events = []
        self.ids = []
        self.answers = []
        self.app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])

    async def _take(self, request):
        body = await request.body()
        message_id, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        signed = f"{message_id}.{timestamp}.".encode() + body
        expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert request.headers["webhook-signature"] == f"v1,{expected}"
        assert request.headers["content-type"] == "application/json"
        self.ids.append(message_id)
        status = self.answers.pop(0) if self.answers else 204
        if status == 204:
            self.events.append(json.loads(body))
        return Response(status_code=status)

    def moves(self):
        return [
            (event["type"].partition(".")[2], event["data"].get("old_status"), event["data"].get("status"))
            for event in self.events
        ]


class Bench:
    """A vault with an outbox, a services on it, and a sender that is moved by hand."""

    def __init__(self, vault, clock, receiver, http):
        self.vault, self.clock, self.receiver = vault, clock, receiver
        self.services = AccountServices.on(vault, providers=NO_PROVIDER, clock=clock)
        self.metrics = Metrics()
        self.http = http
        self.sender = self.another_sender()

    def another_sender(self, vault=None):
        return WebhookSender(
            Webhook("http://operator.example/hook", KEY),
            vault or self.vault,
            http=self.http,
            clock=self.clock,
            metrics=self.metrics,
        )

    async def account(self, identifier="ana"):
        await self.services.accounts.get_or_create(AccountKey("outlook", identifier))

    async def disconnect(self, identifier="ana"):
        await self.services.accounts.disconnect(AccountKey("outlook", identifier))

    async def rest(self):
        """What is still due at any time."""
        return await self.vault.due_deliveries(now=self.clock.now() + timedelta(days=1), limit=100)


@asynccontextmanager
async def bench(database_url="sqlite+aiosqlite:///:memory:", ring=None):
    receiver, clock = Receiver(), HandClock(AT)
    vault = Vault(database_url, ring or KeyRing.generate(), outbox=True)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=receiver.app)) as http:
        made = Bench(vault, clock, receiver, http)
        yield made
        await made.services.aclose()


async def test_a_change_is_told_once_with_old_and_new_status():
    async with bench() as here:
        await here.account()
        await here.disconnect()
        assert await here.sender.deliver_due() == 2
        assert await here.sender.deliver_due() == 0
        assert here.receiver.moves() == [
            ("created", None, "PENDING_AUTH"),
            ("status_updated", "PENDING_AUTH", "DISCONNECTED"),
        ]
        data = here.receiver.events[1]["data"]
        assert (data["old_account_status"], data["account_status"], data["reason"]) == (
            "PENDING",
            "REVOKED",
            "disconnected",
        )
        assert here.receiver.events[1]["object"] == "ConnectedAccount"


async def test_deleting_is_told_too():
    async with bench() as here:
        await here.account()
        await here.services.accounts.delete(AccountKey("outlook", "ana"))
        await here.sender.deliver_due()
        assert here.receiver.moves()[-1] == ("deleted", "PENDING_AUTH", None)


async def test_a_refused_message_is_sent_again_twice_with_the_same_id_and_then_given_up_aloud(caplog):
    async with bench() as here:
        await here.account()
        here.receiver.answers = [500, 301, 404]
        for pause in (0, 5, 30, 3600):
            here.clock.advance(pause)
            await here.sender.deliver_due()
        assert len(here.receiver.ids) == 3
        assert len(set(here.receiver.ids)) == 1
        assert await here.rest() == []
        assert 'webhook_deliveries_total{outcome="given_up"} 1' in here.metrics.render()
    loud = [entry for entry in caplog.records if entry.levelno == logging.ERROR]
    assert len(loud) == 1
    assert "audit" in loud[0].getMessage()


async def test_a_retry_waits_for_its_time():
    async with bench() as here:
        await here.account()
        here.receiver.answers = [500]
        await here.sender.deliver_due()
        here.clock.advance(4.9)
        assert await here.sender.deliver_due() == 0
        here.clock.advance(0.2)
        assert await here.sender.deliver_due() == 1


async def test_what_a_process_did_not_tell_the_next_one_tells(shared_database_url):
    database, ring = shared_database_url, KeyRing.generate()
    async with bench(database, ring) as first:
        await first.account()
        first.receiver.answers = [503]
        await first.sender.deliver_due()
    async with bench(database, ring) as second:
        second.clock.advance(6)
        await second.sender.deliver_due()
        assert second.receiver.moves() == [("created", None, "PENDING_AUTH")]


async def test_two_processes_tell_a_change_once(shared_database_url):
    database, ring = shared_database_url, KeyRing.generate()
    async with bench(database, ring) as here:
        other = Vault(database, ring, outbox=True)
        second = here.another_sender(other)
        for number in range(30):
            await here.account(f"user_{number}")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(here.sender.deliver_due)
            tasks.start_soon(second.deliver_due)
        assert len(here.receiver.ids) == len(set(here.receiver.ids)) == 30
        await other.aclose()


async def test_a_process_that_died_while_telling_is_made_up_for_after_its_lease():
    async with bench() as here:
        await here.account()
        ((entry_id, due_at, tries, _),) = await here.rest()
        lease = here.clock.now() + timedelta(seconds=60)
        assert await here.vault.settle_delivery(entry_id, due_at=due_at, next_due_at=lease, tries=tries)
        assert await here.sender.deliver_due() == 0
        here.clock.advance(61)
        assert await here.sender.deliver_due() == 1


async def test_what_happened_before_a_webhook_was_set_is_not_told(shared_database_url):
    database, ring = shared_database_url, KeyRing.generate()
    silent = Vault(database, ring)
    services = AccountServices.on(silent, providers=NO_PROVIDER, clock=HandClock(AT))
    await services.accounts.get_or_create(AccountKey("outlook", "ana"))
    await services.aclose()
    async with bench(database, ring) as here:
        await here.disconnect()
        await here.sender.deliver_due()
        assert here.receiver.moves() == [("status_updated", "PENDING_AUTH", "DISCONNECTED")]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((AccountStatus.ACTIVE, None), (AccountStatus.EXPIRED, Reason.INACTIVE), ("ACTIVE", "EXPIRED")),
        ((AccountStatus.ACTIVE, None), (AccountStatus.REVOKED, Reason.GRANT_REVOKED), ("ACTIVE", "EXPIRED")),
        (
            (AccountStatus.PENDING, Reason.AWAITING_CONSENT),
            (AccountStatus.PENDING, Reason.AWAITING_CONFIRMATION),
            ("PENDING_AUTH", "PENDING_VERIFICATION"),
        ),
        ((AccountStatus.PENDING, Reason.NEVER_AUTHORIZED), (AccountStatus.PENDING, Reason.AWAITING_CONSENT), None),
    ],
)
def test_statuses_are_named_as_scalekit_names_them(old, new, expected):
    entry = HistoryEntry(AT, "ca_1", "outlook", "ana", old[0], new[0], old[1], new[1], "cause")
    event = event_of("1", entry)
    found = None if event is None else (event["data"]["old_status"], event["data"]["status"])
    assert found == expected


@pytest.mark.full
@pytest.mark.parametrize("body", [b'{"identifier":"ana"}', '{"identifier":"b\u00e9a"}'.encode()])
def test_the_library_of_standard_webhooks_takes_what_is_signed_and_nothing_else(body):
    standardwebhooks = pytest.importorskip("standardwebhooks", reason="standardwebhooks is not installed")
    headers = signed_headers("evt_1", int(SystemClock().now().timestamp()), body, parse_secret(SECRET))
    theirs = standardwebhooks.Webhook(SECRET)
    assert theirs.verify(body, headers) == json.loads(body)
    for other, changed in ((body + b" ", headers), (body, headers | {"webhook-id": "evt_2"})):
        with pytest.raises(standardwebhooks.WebhookVerificationError, match="No matching signature"):
            theirs.verify(other, changed)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_short", SECRET.removeprefix("whsec_"), "whsec_" + "A" * 400])
def test_a_secret_of_another_form_is_refused(text):
    with pytest.raises(ValueError, match="whsec_"):
        parse_secret(text)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"webhook_url": "https://operator.example/hook"}, "set both"),
        ({"webhook_secret": SECRET}, "set both"),
        ({"webhook_url": "https://operator.example/hook", "webhook_secret": "hunter2"}, "must be whsec_"),
    ],
)
def test_a_start_with_half_a_webhook_is_refused(values, problem):
    settings = load_settings(MICROSOFT_CLIENT_ID="app", **values)
    with pytest.raises(ConfigurationError, match=problem) as refused:
        check_settings(settings)
    assert "hunter2" not in str(refused.value)


def test_a_webhook_in_hosted_mode_is_refused():
    settings = load_settings(mode="hosted", webhook_url="https://operator.example/hook", webhook_secret=SECRET)
    with pytest.raises(ConfigurationError, match="Scalekit sends"):
        check_settings(settings)


async def test_a_running_server_tells_a_lost_grant_and_shows_no_content():
    receiver = Receiver()
    async with (
        serving(receiver.app, port=0, host="127.0.0.1") as operator,
        observed(webhook_url=f"{operator}/hook", webhook_secret=SECRET) as seen,
    ):
        await a_day(seen)
        with anyio.fail_after(HANG_SECONDS):
            while ("status_updated", "ACTIVE", "EXPIRED") not in receiver.moves():
                await anyio.wait_all_tasks_blocked()
                await anyio.lowlevel.checkpoint()
        secrets = seen.secrets()
    assert receiver.moves() == [
        ("created", None, "PENDING_AUTH"),
        ("status_updated", "PENDING_AUTH", "ACTIVE"),
        ("status_updated", "ACTIVE", "EXPIRED"),
    ]
    text = json.dumps(receiver.events)
    for planted in (*CONTENT, *secrets, SECRET):
        assert planted not in text


async def test_a_receiver_that_hangs_up_delays_no_call():
    async def hang_up(scope, receive, send):
        raise ConnectionResetError

    async with (
        serving(hang_up, port=0, host="127.0.0.1") as operator,
        observed(webhook_url=f"{operator}/hook", webhook_secret=SECRET) as seen,
    ):
        await seen.connect()
        assert "value" in await seen.run("list_calendar_events")


async def test_a_vault_of_the_first_version_gets_its_outbox(tmp_path):
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine

    from scalekit_mcp.accounts.vault import migrations

    path = tmp_path / "vault.sqlite3"
    engine = create_engine(f"sqlite:///{path.as_posix()}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    async with bench(f"sqlite+aiosqlite:///{path.as_posix()}") as here:
        await here.account()
        assert await here.sender.deliver_due() == 1
