"""The switches, in Python and over HTTP, in process and on a real socket."""

from __future__ import annotations

import inspect
from datetime import UTC, date, datetime

import httpx2 as httpx
import pytest
from identity_client import Application, refusal

from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Sandbox
from scalekit_mcp.sandbox.control.controls import Controls
from scalekit_mcp.sandbox.control.http import SCHEDULING, SWITCHES
from scalekit_mcp.sandbox.control.scheduling import SchedulingControls
from scalekit_mcp.sandbox.control.start_forms import FORMS
from scalekit_mcp.sandbox.world.dropped import ConnectionDropped
from scalekit_mcp.sandbox.world.faults import take_graph_fault

DANA, ALICE = "dana@company.com", "alice@company.com"


def client_of(sandbox: Sandbox) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app), base_url="http://localhost")


# The token endpoint's failures


@pytest.mark.parametrize(
    ("code", "status", "error", "suberror"),
    [
        (50173, 400, "invalid_grant", None),
        (50076, 400, "invalid_grant", "basic_action"),
        (65001, 400, "invalid_grant", "consent_required"),
        (7000215, 401, "invalid_client", None),
        (7000112, 400, "unauthorized_client", None),
        (90033, 503, "temporarily_unavailable", None),
        (50196, 400, "invalid_grant", None),
        (999999, 400, "invalid_grant", None),
    ],
)
async def test_any_number_can_be_the_next_answer(code: int, status: int, error: str, suberror: str | None) -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    token = (await app.connect(DANA))["refresh_token"]
    sandbox.next_token_error(code)
    assert refusal(await app.refresh(token)) == (status, error, [code], suberror)
    assert (await app.refresh(token)).status_code == 200


async def test_a_token_failure_can_be_for_one_person_several_times_and_with_everything_given() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    dana, alice = [(await app.connect(address))["refresh_token"] for address in (DANA, ALICE)]
    sandbox.next_token_error(
        50158, error="interaction_required", suberror="message_only", claims="{}", status=403, person=ALICE, times=2
    )
    assert (await app.refresh(dana)).status_code == 200
    for _ in range(2):
        answer = await app.refresh(alice)
        assert refusal(answer) == (403, "interaction_required", [50158], "message_only")
        assert answer.json()["claims"] == "{}"
    assert (await app.refresh(alice)).status_code == 200


async def test_a_raw_answer_is_sent_as_it_is() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    sandbox.token_error_raw(429, "Too Many Requests", {"Retry-After": "60", "content-type": "text/plain"})
    sandbox.token_error_raw(502, "<html>Bad gateway</html>")
    throttled, gateway = await app.refresh("any"), await app.refresh("any")
    assert (throttled.status_code, throttled.text) == (429, "Too Many Requests")
    assert throttled.headers["retry-after"] == "60"
    assert (gateway.status_code, gateway.text) == (502, "<html>Bad gateway</html>")
    assert gateway.headers["content-type"].startswith("text/html")


async def test_an_answer_without_a_number_and_a_delayed_one() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    token = (await app.connect(DANA))["refresh_token"]
    sandbox.next_token_error(None)
    assert refusal(await app.refresh(token)) == (400, "invalid_grant", [], None)
    sandbox.delay_token_answer(0.001)
    assert (await app.refresh(token)).status_code == 200
    assert sandbox.world.switches.token_faults == []


async def test_a_connection_dropped_before_leaves_a_one_time_token_usable_and_after_does_not() -> None:
    sandbox = Sandbox()
    sandbox.rotation("one_time")
    app = Application(sandbox)
    token = (await app.connect(DANA))["refresh_token"]
    sandbox.drop_connection("before", area="identity")
    with pytest.raises(httpx.RemoteProtocolError):
        await app.refresh(token)
    newer = (await app.refresh(token)).json()["refresh_token"]
    sandbox.drop_connection("after", area="identity")
    with pytest.raises(ConnectionDropped):
        await app.refresh(newer)
    assert refusal(await app.refresh(newer))[2] == [70000]


# Graph's failures


def test_a_graph_failure_meets_the_method_path_and_person_it_is_for_as_often_as_it_says() -> None:
    sandbox = Sandbox()
    dana, alice = sandbox.people[DANA], sandbox.people[ALICE]
    sandbox.graph_error(503, "serviceNotAvailable", times=2, method="POST", path_contains="/events", person=DANA)
    take = lambda method, path, person: take_graph_fault(sandbox.world, method, path, person)  # noqa: E731
    assert take("GET", "/v1.0/me/events", dana) is None
    assert take("POST", "/v1.0/me/calendars", dana) is None
    assert take("POST", "/v1.0/me/events", alice) is None
    assert take("POST", "/v1.0/me/events", None) is None
    for _ in range(2):
        fault = take("POST", "/v1.0/me/events", dana)
        assert fault is not None
        assert fault.status == 503
    assert take("POST", "/v1.0/me/events", dana) is None


async def test_graph_is_throttled_with_retry_after_and_then_answers() -> None:
    sandbox = Sandbox()
    sandbox.throttle_graph(times=1, retry_after=7)
    headers = {"authorization": f"Bearer {sandbox.access_token(DANA)}"}
    async with client_of(sandbox) as client:
        throttled = await client.get("/v1.0/me/events", headers=headers)
        assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "7")
        assert throttled.json()["error"]["code"] == "ApplicationThrottled"
        assert (await client.get("/v1.0/me/events", headers=headers)).status_code == 200


async def test_switches_off_forgets_failures_and_keeps_people_and_consents() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    token = (await app.connect(DANA))["refresh_token"]
    sandbox.next_token_error(50173)
    sandbox.require_mfa()
    sandbox.slow(30)
    sandbox.switches_off()
    assert (await app.refresh(token)).status_code == 200


# HTTP


def test_every_switch_over_http_is_a_public_method_and_the_reverse() -> None:
    looks = {"person", "tenant", "registration", "environment", "state"}
    for kind, switches in ((Controls, SWITCHES), (SchedulingControls, SCHEDULING)):
        methods = {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}
        assert methods - looks == set(switches)


def test_every_form_of_the_start_page_names_a_switch_and_its_arguments() -> None:
    for _, forms in FORMS:
        for form in forms:
            owner = SchedulingControls if form.name in SCHEDULING else Controls
            parameters = inspect.signature(getattr(owner, form.name)).parameters
            assert {field.name for field in form.fields} <= set(parameters), form.name


async def test_a_switch_turned_over_http_acts_like_the_method() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    token = (await app.connect(DANA))["refresh_token"]
    async with client_of(sandbox) as client:
        answer = await client.post("/_sandbox/revoke_sessions", json={"address": DANA})
        assert answer.json() == {"ok": True, "switch": "revoke_sessions", "result": None}
        assert refusal(await app.refresh(token))[2] == [50173]
        ended = await client.post("/_sandbox/expire_access_tokens")
        assert ended.json()["result"] == 1


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("revoke_sessions", {"address": "nobody@company.com"}, "nobody"),
        ("revoke_sessions", {}, "address"),
        ("revoke_sessions", {"address": DANA, "colour": "red"}, "colour"),
        ("rotation", {"policy": "sometimes"}, "policy"),
        ("disable_app", {"tenant": "Nowhere Ltd"}, "Nowhere"),
        ("throttle_graph", {"times": "many"}, "times"),
        ("throttle_graph", ["times"], "object"),
    ],
)
async def test_a_wrong_argument_is_named(name: str, arguments: object, text: str) -> None:
    async with client_of(Sandbox()) as client:
        answer = await client.post(f"/_sandbox/{name}", json=arguments)
    assert answer.status_code == 400
    assert text in answer.json()["error"]


FORM = {"content-type": "application/x-www-form-urlencoded"}
"""What `curl -d` says of a body if it is told nothing else."""


async def test_json_is_read_as_json_whatever_its_content_type_says() -> None:
    sandbox = Sandbox()
    for address in (DANA, ALICE):
        sandbox.access_token(address)
    body = ' {"address": "' + DANA + '"}'
    async with client_of(sandbox) as client:
        for headers in (FORM, {"content-type": "text/plain"}, {}):
            answer = await client.post("/_sandbox/disable_person", content=body, headers=headers)
            assert answer.status_code == 200, answer.text
            assert answer.json() == {"ok": True, "switch": "disable_person", "result": None}
        ended = await client.post("/_sandbox/expire_access_tokens", content=body, headers=FORM)
    assert ended.json()["result"] == 1  # hers alone
    assert not sandbox.people[DANA].enabled
    assert sandbox.people[ALICE].enabled


@pytest.mark.parametrize(
    ("query", "body", "named"),
    [
        ("", '{"adress": "dana@company.com"}', "adress"),
        ("", "adress=dana@company.com", "adress"),
        ("", "dana@company.com", "dana@company.com"),
        ("", "'{address: dana@company.com}'", "address: dana"),
        ("", '{"address": "dana@company.com"', "JSON"),
        ("", '["dana@company.com"]', "JSON object"),
        ("", "address=dana@company.com&address=alice@company.com", "address"),
        ("?address=dana@company.com", "", "address"),
    ],
    ids=["json", "form", "no field", "quoted", "cut short", "list", "twice", "in the address"],
)
async def test_a_body_that_is_not_understood_turns_nothing_and_never_acts_on_everybody(
    query: str, body: str, named: str
) -> None:
    sandbox = Sandbox()
    sandbox.access_token(ALICE)
    async with client_of(sandbox) as client:
        answer = await client.post(f"/_sandbox/expire_access_tokens{query}", content=body, headers=FORM)
        assert answer.status_code == 400
        assert named in answer.json()["error"]
        everybody = await client.post("/_sandbox/expire_access_tokens")
    assert everybody.json()["result"] == 1  # still alive until now


async def test_unknown_switches_other_verbs_and_other_sites_are_refused() -> None:
    sandbox = Sandbox()
    async with client_of(sandbox) as client:
        assert (await client.post("/_sandbox/__init__", json={})).status_code == 404
        assert (await client.post("/_sandbox/person", json={"address": DANA})).status_code == 404
        assert (await client.get("/_sandbox/reset")).status_code == 405
        origin = {"origin": "https://evil.example"}
        assert (
            await client.post("/_sandbox/disable_person", json={"address": DANA}, headers=origin)
        ).status_code == 403
    assert sandbox.people[DANA].enabled


async def test_what_was_received_can_be_asked_for_with_form_headers_and_person() -> None:
    sandbox = Sandbox()
    app = Application(sandbox, headers={"x-planted": "needle"})
    token = (await app.connect(DANA))["refresh_token"]
    await app.refresh(token)
    async with client_of(sandbox) as client:
        await client.get("/v1.0/me/events", headers={"authorization": f"Bearer {sandbox.access_token(DANA)}"})
        everything = (await client.get("/_sandbox/requests")).json()
        identity = (await client.get("/_sandbox/requests?area=identity")).json()["requests"]
        graph = (await client.get("/_sandbox/requests?area=graph")).json()["requests"]
        assert len(identity) + len(graph) == len(everything["requests"]) == len(sandbox.requests)
        later = (await client.get(f"/_sandbox/requests?since={everything['last']}")).json()
        assert later == {"requests": [], "last": everything["last"]}
        assert (await client.get("/_sandbox/requests?since=yesterday")).status_code == 400
    refresh = identity[-1]
    assert refresh["path"] == "/common/oauth2/v2.0/token"
    assert refresh["body"]["refresh_token"] == token
    assert refresh["headers"]["x-planted"] == "needle"
    assert (refresh["person"], refresh["status"]) == (DANA, 200)
    assert graph[-1]["path"] == "/v1.0/me/events"


async def test_a_dropped_request_is_recorded_without_a_status() -> None:
    sandbox = Sandbox()
    sandbox.drop_connection("before", area="identity")
    with pytest.raises(ConnectionDropped):
        await Application(sandbox).refresh("any")
    assert sandbox.requests[-1].status is None


async def test_reset_starts_over_with_the_same_people() -> None:
    sandbox = Sandbox(seed=7)
    ids = {address: person.oid for address, person in sandbox.people.items()}
    app = Application(sandbox)
    body = await app.connect(DANA)
    sandbox.disable_person(ALICE)
    sandbox.reset()
    assert sandbox.requests == []
    assert {address: person.oid for address, person in sandbox.people.items()} == ids
    assert sandbox.people[ALICE].enabled
    assert refusal(await app.refresh(body["refresh_token"]))[2] == [70000]
    async with client_of(sandbox) as client:
        headers = {"authorization": f"Bearer {body['access_token']}"}
        assert (await client.get("/v1.0/me/events", headers=headers)).status_code == 401
    assert {address: person.oid for address, person in Sandbox(seed=8).people.items()} != ids


async def test_the_state_tells_people_apps_and_switches() -> None:
    sandbox = Sandbox()
    await Application(sandbox).connect(DANA)
    sandbox.next_token_error(50173)
    async with client_of(sandbox) as client:
        state = (await client.get("/_sandbox/state")).json()
    assert {person["address"] for person in state["people"]} == {person.address for person in sandbox.people.values()}
    assert state["switches"]["token_faults"][0]["code"] == 50173
    assert state["refresh_tokens"] == 1
    assert "not Microsoft" in state["sandbox"]


# Time


def test_the_clock_can_be_moved_stopped_and_let_go() -> None:
    sandbox = Sandbox()
    at = datetime(2026, 4, 1, 10, 0, tzinfo=UTC)
    sandbox.freeze_clock(at)
    sandbox.advance_clock(90)
    assert sandbox.clock.now() == datetime(2026, 4, 1, 10, 1, 30, tzinfo=UTC)
    sandbox.unfreeze_clock()
    assert sandbox.clock.now() >= datetime(2026, 4, 1, 10, 1, 30, tzinfo=UTC)


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        Sandbox().freeze_clock(datetime(2026, 4, 1))  # noqa: DTZ001 - the point of the test


async def test_a_person_added_later_signs_in_and_has_a_calendar() -> None:
    sandbox = Sandbox()
    sandbox.add_person("erin@company.com", "Erin", time_zone="Europe/Berlin")
    body = await Application(sandbox).connect("erin@company.com")
    async with client_of(sandbox) as client:
        events = await client.get("/v1.0/me/events", headers={"authorization": f"Bearer {body['access_token']}"})
    assert events.status_code == 200
    assert events.json()["value"]


# The start page


async def test_the_start_page_shows_people_weeks_apps_and_switches_and_loads_nothing_else() -> None:
    sandbox = Sandbox(week_of=date(2026, 4, 1))
    async with client_of(sandbox) as client:
        page = await client.get("/")
    assert page.status_code == 200
    for text in (
        DANA,
        DEFAULT_CLIENT_ID,
        DEFAULT_CLIENT_SECRET,
        "Wed 01 Apr",
        "/_sandbox/revoke_grant",
        "NOT Microsoft",
    ):
        assert text in page.text
    for text in ("<script", "<link", "<img", "src=", "@import", "url("):
        assert text not in page.text


async def test_a_form_of_the_start_page_turns_its_switch_and_comes_back() -> None:
    sandbox = Sandbox()
    async with sandbox.browser() as browser:
        await browser.open("http://localhost/")
        url = await browser.press("Disable a person", address=ALICE)
        assert url.startswith("http://localhost/")
        assert "Outlook sandbox" in browser.text
    assert not sandbox.people[ALICE].enabled


async def test_every_form_of_the_start_page_can_be_sent_as_it_stands() -> None:
    for _, forms in FORMS:
        for form in forms:
            sandbox = Sandbox()
            async with sandbox.browser() as browser:
                await browser.open("http://localhost/")
                shown = next(found for found in browser.forms if found.action.endswith(f"/_sandbox/{form.name}"))
                assert (await browser.submit(shown)).startswith("http://localhost/?turned="), form.name


def test_the_environment_names_the_default_application() -> None:
    assert Sandbox().environment("http://127.0.0.1:9400") == {
        "MICROSOFT_CLIENT_ID": DEFAULT_CLIENT_ID,
        "MICROSOFT_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
        "MICROSOFT_LOGIN_URL": "http://127.0.0.1:9400",
        "MICROSOFT_GRAPH_URL": "http://127.0.0.1:9400/v1.0",
    }
