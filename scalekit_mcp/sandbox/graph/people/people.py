"""`GET /me/people` (Graph pages "List people", "person resource type")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from scalekit_mcp.sandbox.graph.answers import (
    context_of,
    json_answer,
    need,
    next_link,
    no_segment,
    only,
    picked,
    selected,
)
from scalekit_mcp.sandbox.graph.calendar.mailboxes import Mailboxes
from scalekit_mcp.sandbox.graph.errors import GraphError, bad_request
from scalekit_mcp.sandbox.graph.odata import number_option
from scalekit_mcp.sandbox.graph.people.matching import matches
from scalekit_mcp.sandbox.graph.people.relevance import Known, known_to
from scalekit_mcp.sandbox.graph.request import Answer, Request
from scalekit_mcp.sandbox.world import Person, World

_SCOPES = frozenset({"People.Read", "People.Read.All"})
_SOURCES = "x-peoplequery-querysources"
_OPTIONS = frozenset({"$search", "$select", "$filter", "$top", "$skip", "$format", "$count"})
_PAGE = 10
_MOST_ON_A_PAGE = 1000
_FILTER = re.compile(r"\s*personType/(class|subclass)\s+(eq|ne)\s+'([^']*)'\s*")
_PROPERTIES = (
    "id",
    "displayName",
    "givenName",
    "surname",
    "birthday",
    "personNotes",
    "isFavorite",
    "jobTitle",
    "companyName",
    "yomiCompany",
    "department",
    "officeLocation",
    "profession",
    "userPrincipalName",
    "imAddress",
    "scoredEmailAddresses",
    "phones",
    "postalAddresses",
    "websites",
    "personType",
)


@dataclass(frozen=True, slots=True)
class _Page:
    select: frozenset[str]
    top: int
    skip: int


class People:
    """Answers who is relevant to somebody, from their own calendar and, where it is asked for, the directory."""

    def __init__(self, world: World, mailboxes: Mailboxes) -> None:
        self._world = world
        self._mailboxes = mailboxes

    def answer(self, request: Request, person: Person, rest: tuple[str, ...]) -> Answer:
        """The answer to a signed-in person's request.

        Raises:
            GraphError: 403, the scope is missing; 404, the cloud has no people; 400, an option is wrong.
        """
        switches = self._world.switches
        if switches.people_api == "absent":
            raise GraphError(404, "ResourceNotFound", "Resource could not be discovered.")
        if len(rest) > 1:
            raise no_segment(rest[1])
        only(request, "GET")
        need(request, _SCOPES)
        page = _page_of(request)
        search = _search_of(request)
        if search is not None and "'" in search and switches.people_apostrophe == "refuse":
            raise bad_request("The value of the query option '$search' has a character that is not valid.")
        directory = "directory" in _sources(request) or switches.people_sources == "both"
        found = known_to(self._world, self._mailboxes.of(person), directory=directory)
        if search is not None:
            found = [one for one in found if matches(search, [one.name, one.address], fuzzy=switches.people_fuzzy)]
        if "$filter" in request.query:
            found = _filtered(found, request.query["$filter"])
        found = [one for one in found if self._is_listed(one)]
        shown = found[page.skip : page.skip + page.top]
        body: dict[str, Any] = {
            "@odata.context": context_of(request, self._world, person, "people"),
            "value": [picked(self._resource(one, place), page.select) for place, one in enumerate(shown, page.skip)],
        }
        if page.skip + page.top < len(found) and page.top:
            body["@odata.nextLink"] = next_link(request, page.skip + page.top)
        return json_answer(200, body)

    def _resource(self, one: Known, place: int) -> dict[str, Any]:
        resource = _resource(one, place)
        if self._world.switches.people_primary == "last":
            resource["scoredEmailAddresses"].reverse()
        return resource

    def _is_listed(self, one: Known) -> bool:
        switches = self._world.switches
        return (switches.people_groups or one.kind[0] != "Group") and (switches.people_nameless or bool(one.address))


def _sources(request: Request) -> set[str]:
    return {source.strip().lower() for source in request.headers.get(_SOURCES, "").split(",")}


def _search_of(request: Request) -> str | None:
    """The searched text, without its quotes; None when nothing is searched.

    Raises:
        GraphError: 400, an empty text, an unclosed quote, or `$skip` beside it.
    """
    text = request.query.get("$search")
    if text is None:
        return None
    if "$skip" in request.query:
        raise bad_request("The query option '$skip' cannot be used together with '$search'.")
    inner = text.strip()
    if inner.startswith('"'):
        if len(inner) < 2 or not inner.endswith('"'):
            raise bad_request(f"Syntax error: character '\"' is not valid in '{text}'.")
        inner = inner[1:-1]
    inner = inner.replace('\\"', "").replace('"', " ").strip()
    if not inner:
        raise bad_request("The value of the query option '$search' is empty.")
    return inner


def _page_of(request: Request) -> _Page:
    for name in request.query:
        if name.startswith("$") and name not in _OPTIONS:
            raise bad_request(f"The query parameter '{name}' is not supported.")
    select = selected(request)
    for name in sorted(select):
        if name not in _PROPERTIES:
            raise bad_request(f"Could not find a property named '{name}' on type 'microsoft.graph.person'.")
    top = number_option("$top", request.query.get("$top", str(_PAGE)))
    if top > _MOST_ON_A_PAGE:
        raise bad_request(f"The limit of '{_MOST_ON_A_PAGE}' for Top query has been exceeded.")
    return _Page(select, top, number_option("$skip", request.query.get("$skip", "0")))


def _filtered(found: list[Known], text: str) -> list[Known]:
    for part in re.split(r"\s+and\s+", text):
        match = _FILTER.fullmatch(part)
        if match is None:
            raise bad_request(f"Invalid filter clause: '{text}'.")
        place, wanted = int(match[1] == "subclass"), match[2] == "eq"
        found = [one for one in found if (one.kind[place].lower() == match[3].lower()) is wanted]
    return found


def _resource(one: Known, place: int) -> dict[str, Any]:
    given, _, family = one.name.partition(" ")
    kind, subkind = one.kind
    scored = [
        {"address": address, "relevanceScore": float(30 - place - further), "selectionLikelihood": "notSpecified"}
        for further, address in enumerate((one.address, *one.further_addresses))
        if address
    ]
    return {
        "id": one.id,
        "displayName": one.name,
        "givenName": given if kind == "Person" else None,
        "surname": (family or None) if kind == "Person" else None,
        "birthday": "",
        "personNotes": "",
        "isFavorite": False,
        "jobTitle": None,
        "companyName": None,
        "yomiCompany": "",
        "department": None,
        "officeLocation": None,
        "profession": "",
        "userPrincipalName": one.address if subkind == "OrganizationUser" else "",
        "imAddress": f"sip:{one.address}" if subkind == "OrganizationUser" else None,
        "scoredEmailAddresses": scored,
        "phones": [],
        "postalAddresses": [],
        "websites": [],
        "personType": {"class": kind, "subclass": subkind},
    }
