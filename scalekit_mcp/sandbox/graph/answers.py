"""What every path checks of a request, and what every answer is built from."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

from scalekit_mcp.sandbox.graph.errors import GraphError, access_denied
from scalekit_mcp.sandbox.graph.request import Answer, Request
from scalekit_mcp.sandbox.world import Person, World


def need(request: Request, any_of: frozenset[str]) -> None:
    """Refuse with 403 unless one of the scopes was granted."""
    if not request.scopes & any_of:
        raise access_denied()


def only(request: Request, method: str) -> None:
    """Refuse any other method with 405."""
    if request.method != method:
        raise GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")


def no_segment(name: str) -> GraphError:
    """400: the path has no such segment."""
    return GraphError(400, "RequestBroker--ParseUri", f"Resource not found for the segment '{name}'.")


def json_answer(status: int, value: dict[str, Any]) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, json.dumps(value, separators=(",", ":")).encode())


def user_id(world: World, person: Person) -> str:
    """The `id` of /me: the object id, for personal accounts a number of 16 hexadecimal digits."""
    if world.tenants[person.tenant_id].personal:
        return hashlib.sha256(person.oid.encode()).hexdigest()[:16]
    return person.oid


def context_of(request: Request, world: World, person: Person, what: str) -> str:
    """The `@odata.context` of something of a person."""
    return f"{request.base_url}/$metadata#users('{user_id(world, person)}')/{what}"


def applied(request: Request) -> dict[str, str]:
    """The header that says which preferences were followed."""
    return {"Preference-Applied": request.prefer.applied} if request.prefer.applied else {}


def next_link(request: Request, skip: int) -> str:
    """The address of the next page: the same request from `skip` on."""
    kept = [
        part for part in request.query_string.split("&") if part and not part.lower().startswith(("$skip=", "%24skip="))
    ]
    path = "/".join(quote(segment, safe="'()=-_.@") for segment in request.segments[1:])
    return f"{request.base_url}/{path}?{'&'.join([*kept, f'$skip={skip}'])}"


def selected(request: Request) -> frozenset[str]:
    """The names of a `$select`, unchecked; empty for everything."""
    return frozenset(name.strip() for name in request.query.get("$select", "").split(",") if name.strip())


def picked(resource: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """A resource with the selected members alone; the id always comes."""
    return {name: value for name, value in resource.items() if not names or name in names or name == "id"}
