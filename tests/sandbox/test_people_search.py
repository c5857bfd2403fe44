"""`/me/people`: who is found, where, and what is refused."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pytest
from identity_client import SCOPE, Application
from scheduling_client import ALICE, BOB, DANA, LISBON, TEAM, book, client_of, fixed_sandbox, invited, path

from scalekit_mcp.sandbox import Sandbox

PEOPLE = "People.Read Calendars.ReadWrite"
DIRECTORY = {"X-PeopleQuery-QuerySources": "Mailbox,Directory"}
FIELDS = "displayName,scoredEmailAddresses,personType"


async def found(client: httpx.AsyncClient, search: str, *, directory: bool = True, top: int = 10) -> list[str]:
    """The addresses of the hits, the name of an entry without one."""
    params = {"$search": search, "$select": FIELDS, "$top": str(top)}
    answer = await client.get("/me/people", params=params, headers=DIRECTORY if directory else {})
    assert answer.status_code == 200, answer.text
    return [addresses(entry)[0] if addresses(entry) else entry["displayName"] for entry in answer.json()["value"]]


def addresses(entry: dict[str, Any]) -> list[str]:
    return [scored["address"] for scored in entry["scoredEmailAddresses"]]


def quiet_sandbox() -> Sandbox:
    """Dana has met nobody."""
    return fixed_sandbox(DANA)


async def test_the_scope_is_needed() -> None:
    async with client_of(quiet_sandbox()) as dana:
        answer = await dana.get("/me/people")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ErrorAccessDenied")


async def test_people_read_can_be_consented_to_by_a_user_where_users_may_consent() -> None:
    sandbox = quiet_sandbox()
    app = Application(sandbox)
    tokens = await app.connect(DANA, scope=f"{SCOPE} People.Read")
    assert "https://graph.microsoft.com/People.Read" in tokens["scope"].split()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    async with client_of(sandbox) as client:
        assert (await client.get("/me/people", headers=headers)).status_code == 200


async def test_without_the_header_only_people_of_the_own_calendar_are_found() -> None:
    sandbox = quiet_sandbox()
    async with client_of(sandbox, scope=PEOPLE) as dana:
        assert await found(dana, '"alice"', directory=False) == []
        assert await found(dana, '"alice"') == [ALICE]
        await book(dana, attendees=[*invited("tyler.stone@elsewhere.example"), *invited(ALICE)])
        assert await found(dana, '"alice"', directory=False) == [ALICE]
        assert await found(dana, '"stone"', directory=False) == ["tyler.stone@elsewhere.example"]
        sandbox.behaviour("people_sources", "both")
        assert await found(dana, '"bob"', directory=False) == [BOB]


async def test_who_is_met_most_comes_first_and_oneself_never() -> None:
    sandbox = quiet_sandbox()
    async with client_of(sandbox, scope=PEOPLE) as dana:
        await book(dana, attendees=invited(ALICE, BOB))
        await book(dana, attendees=invited(BOB))
        for _ in range(3):
            gone = await book(dana, attendees=invited(ALICE))
            await dana.delete(path(gone))
        everybody = (await dana.get("/me/people", headers=DIRECTORY, params={"$top": "100"})).json()["value"]
    listed = [addresses(entry)[0] for entry in everybody if addresses(entry)]
    assert listed[:2] == [BOB, ALICE]
    assert DANA not in listed
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize(("fuzzy", "hits"), [(True, ["tyler.stone@elsewhere.example"]), (False, [])])
async def test_a_search_forgives_one_letter_unless_switched_off(fuzzy: bool, hits: list[str]) -> None:
    sandbox = quiet_sandbox()
    sandbox.behaviour("people_fuzzy", fuzzy)
    async with client_of(sandbox, scope=PEOPLE) as dana:
        await book(dana, attendees=invited("tyler.stone@elsewhere.example"))
        assert await found(dana, '"tiler"') == hits
        assert await found(dana, '"tyler"') == ["tyler.stone@elsewhere.example"]
        assert await found(dana, '"stone tyl"') == ["tyler.stone@elsewhere.example"]


async def test_names_and_addresses_are_searched_without_case_and_accents_and_with_apostrophes() -> None:
    sandbox = quiet_sandbox()
    sandbox.add_person("z.oreilly@company.com", "Zoë O'Reilly")
    async with client_of(sandbox, scope=PEOPLE) as dana:
        for search in ('"zoe"', '"ZOË"', '"o\'reilly"', "zoe", '"z.orei"'):
            assert await found(dana, search) == ["z.oreilly@company.com"], search
        sandbox.behaviour("people_apostrophe", "refuse")
        answer = await dana.get("/me/people", params={"$search": '"o\'reilly"'})
        assert answer.status_code == 400


async def test_rooms_lists_guests_and_entries_without_an_address_are_hits_too() -> None:
    sandbox = quiet_sandbox()
    sandbox.scheduling.add_list("makers@company.com", name="Makers", kind="group")
    async with client_of(sandbox, scope=PEOPLE) as dana:
        params = {"$top": "100"}
        everybody = (await dana.get("/me/people", headers=DIRECTORY, params=params)).json()["value"]
        kinds = {
            (addresses(entry) or [entry["displayName"]])[0]: tuple(entry["personType"].values()) for entry in everybody
        }
        only_people = {**params, "$filter": "personType/class eq 'Person'"}
        people = (await dana.get("/me/people", headers=DIRECTORY, params=only_people)).json()["value"]
        sandbox.behaviour("people_groups", False)
        sandbox.behaviour("people_nameless", False)
        fewer = (await dana.get("/me/people", headers=DIRECTORY, params=params)).json()["value"]
    assert kinds[ALICE] == ("Person", "OrganizationUser")
    assert kinds[LISBON] == ("Other", "Room")
    assert kinds[TEAM] == ("Group", "PublicDistributionList")
    assert kinds["makers@company.com"] == ("Group", "UnifiedGroup")
    assert kinds["gina_fabrikam.example#EXT#@company.com"] == ("Other", "Guest")
    assert kinds["Facilities desk"] == ("Person", "PersonalContact")
    assert "fiona@fabrikam.example" not in kinds
    assert {entry["personType"]["class"] for entry in people} == {"Person"}
    assert all(addresses(entry) and entry["personType"]["class"] != "Group" for entry in fewer)


async def test_an_entry_has_the_members_of_a_person_and_the_primary_address_first() -> None:
    sandbox = quiet_sandbox()
    sandbox.scheduling.add_alias(ALICE, "a.moreau@company.com")
    async with client_of(sandbox, scope=PEOPLE) as dana:
        params = {"$search": '"moreau"'}
        (entry,) = (await dana.get("/me/people", headers=DIRECTORY, params=params)).json()["value"]
        sandbox.behaviour("people_primary", "last")
        (other,) = (await dana.get("/me/people", headers=DIRECTORY, params=params)).json()["value"]
    assert addresses(entry) == [ALICE, "a.moreau@company.com"]
    assert addresses(other) == ["a.moreau@company.com", ALICE]
    assert entry["scoredEmailAddresses"][0]["relevanceScore"] > entry["scoredEmailAddresses"][1]["relevanceScore"]
    assert (entry["displayName"], entry["givenName"], entry["surname"]) == ("Alice Moreau", "Alice", "Moreau")
    assert entry["userPrincipalName"] == ALICE


async def test_pages_of_ten_a_size_and_a_link() -> None:
    sandbox = quiet_sandbox()
    for number in range(12):
        sandbox.add_person(f"twin{number}@company.com", f"Twin {number}")
    async with client_of(sandbox, scope=PEOPLE) as dana:
        assert len((await dana.get("/me/people", params={"$search": "twin"}, headers=DIRECTORY)).json()["value"]) == 10
        assert len(await found(dana, '"twin"', top=12)) == 12
        first = (await dana.get("/me/people", headers=DIRECTORY)).json()
        second = (await dana.get(first["@odata.nextLink"], headers=DIRECTORY)).json()
    assert len(first["value"]) == 10
    assert not {entry["id"] for entry in first["value"]} & {entry["id"] for entry in second["value"]}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"$search": ""}, "empty"),
        ({"$search": '""'}, "empty"),
        ({"$search": '"open'}, "not valid"),
        ({"$search": '"a"', "$skip": "1"}, "$skip"),
        ({"$select": "emailAddresses"}, "emailAddresses"),
        ({"$top": "1001"}, "1000"),
        ({"$top": "many"}, "many"),
        ({"$filter": "displayName eq 'x'"}, "filter"),
        ({"$expand": "x"}, "$expand"),
    ],
)
async def test_options_that_do_not_work_are_refused(options: dict[str, str], text: str) -> None:
    async with client_of(quiet_sandbox(), scope=PEOPLE) as dana:
        answer = await dana.get("/me/people", params=options)
    assert answer.status_code == 400
    assert text in answer.json()["error"]["message"]


async def test_a_cloud_may_have_no_people_and_the_service_may_fail() -> None:
    sandbox = quiet_sandbox()
    async with client_of(sandbox, scope=PEOPLE) as dana:
        assert (await dana.post("/me/people", json={})).status_code == 405
        sandbox.graph_error(503, path_contains="/me/people")
        assert (await dana.get("/me/people")).status_code == 503
        sandbox.behaviour("people_api", "absent")
        assert (await dana.get("/me/people")).status_code == 404
