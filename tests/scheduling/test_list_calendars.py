"""outlook_list_calendars: which calendars there are, over the sandbox's Graph."""

from __future__ import annotations

from scalekit_mcp.sandbox import Sandbox
from tests.support.microsoft import signed_in

LIST = "outlook_list_calendars"


async def test_the_default_calendar_stands_first_and_each_says_whose_it_is_and_if_it_can_be_changed() -> None:
    async with signed_in(box := Sandbox()) as me:
        box.add_calendar(me.address, "Alice", owner="alice@company.com")
        answer = await me.schedule(LIST)
        rows = {row["name"]: row for row in answer["value"]}
        assert answer["value"][0]["name"] == "Calendar"
        assert [row["name"] for row in answer["value"] if row["is_default"]] == ["Calendar"]
        assert rows["Calendar"]["owner"]["address"] == me.address
        assert rows["Calendar"]["can_edit"] is True
        assert rows["Birthdays"]["can_edit"] is False
        assert rows["Alice"]["owner"]["address"] == "alice@company.com"
        assert answer["now"]["timeZone"] == "UTC"


async def test_every_id_and_every_name_is_what_calendar_id_takes() -> None:
    async with signed_in(box := Sandbox()) as me:
        box.add_calendar(me.address, "Team")
        for row in (await me.schedule(LIST))["value"]:
            for given in (row["id"], row["name"]):
                window = {"start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-04-02T00:00:00"}
                assert "value" in await me.list(calendar_id=given, timezone="UTC", **window)


async def test_more_calendars_than_a_page_holds_are_all_listed() -> None:
    async with signed_in(box := Sandbox()) as me:
        for number in range(120):
            box.add_calendar(me.address, f"Project {number}")
        assert len((await me.schedule(LIST))["value"]) >= 120


async def test_names_of_others_come_out_without_hidden_characters() -> None:
    async with signed_in(box := Sandbox()) as me:
        box.add_calendar(me.address, "Te\u202eam\u200b", owner="alice@company.com")
        assert "Te\ufffdam" in [row["name"] for row in (await me.schedule(LIST))["value"]]
