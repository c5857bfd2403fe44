"""Creating, reading, changing and deleting single events."""

from __future__ import annotations

from graph_client import Graph, create, event_body, path, refusal


async def test_a_created_event_can_be_read_listed_viewed_changed_and_deleted():
    graph = Graph()
    async with graph.signed_in() as client:
        made = await create(client)
        assert made["start"] == {"dateTime": "2026-04-01T14:00:00.0000000", "timeZone": "UTC"}
        assert made["originalStartTimeZone"] == "America/New_York"
        assert (await client.get(path(made))).json() == made
        listed = (await client.get("/me/events", params={"$top": "100"})).json()["value"]
        assert made["id"] in [event["id"] for event in listed]
        window = {"startDateTime": "2026-04-01T00:00:00Z", "endDateTime": "2026-04-02T00:00:00Z"}
        assert [e["subject"] for e in (await client.get("/me/calendarView", params=window)).json()["value"]] == [
            "Q2 Planning Kickoff"
        ]
        changed = await client.patch(path(made), json={"subject": "Later"})
        assert (changed.status_code, changed.json()["subject"]) == (200, "Later")
        assert changed.json()["@odata.etag"] != made["@odata.etag"]
        gone = await client.delete(path(made))
        assert (gone.status_code, gone.content) == (204, b"")
        assert refusal(await client.delete(path(made))) == (404, "ErrorItemNotFound")


async def test_a_request_without_a_token_is_told_so_in_graphs_shape():
    graph = Graph()
    async with graph.signed_in() as client:
        answer = await client.get("/me/events", headers={"Authorization": "Bearer x.y.z", "client-request-id": "abc"})
        assert refusal(answer) == (401, "InvalidAuthenticationToken")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        inner = answer.json()["error"]["innerError"]
        assert inner["client-request-id"] == answer.headers["client-request-id"] == "abc"
        assert inner["request-id"] == answer.headers["request-id"]


async def test_a_read_permission_may_not_write():
    graph = Graph()
    async with graph.signed_in(scopes=frozenset({"Calendars.Read"})) as client:
        assert (await client.get("/me/events")).status_code == 200
        assert refusal(await client.post("/me/events", json=event_body())) == (403, "ErrorAccessDenied")


async def test_somebody_without_a_mailbox_is_told_so():
    graph = Graph()
    async with graph.signed_in("nora@company.com") as client:
        assert refusal(await client.get("/me/events")) == (404, "MailboxNotEnabledForRESTAPI")
