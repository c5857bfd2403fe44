"""The tools that a caller may run, listed as Scalekit's SDK and API list them: filtered, in pages, for one user."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from scalekit_mcp.actions.catalogue.calls import carried_catalogue_tools
from scalekit_mcp.actions.catalogue.tool import CatalogueTool
from scalekit_mcp.actions.protocol import Actions
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.identifiers import check_identifier
from scalekit_mcp.tools import Carrier, ConnectorTool, ToolSpec, carried_tools

Row = TypeVar("Row")

PROVIDER = "OUTLOOK"
"""Scalekit's key of the provider of all these tools."""
MAX_TOKEN_CHARACTERS = 9
MAX_ACCOUNTS_OF_ONE_IDENTIFIER = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFilter:
    """Which tools are wanted; what is empty or None does not narrow.

    `providers` are compared without case, `tool_names` and `connection_names` exactly. `query` is words that all stand
    in a tool's name, title or description. `read_only` leaves out what changes something.
    """

    providers: Collection[str] = ()
    tool_names: Collection[str] = ()
    connection_names: Collection[str] = ()
    query: str | None = None
    read_only: bool = False

    def takes(self, tool: ListedTool) -> bool:
        """Whether a tool is wanted, whoever's account it would run on."""
        spec = tool.spec
        if self.read_only and not (spec.read_only or spec.name == "authorize"):
            return False
        if self.providers and tool.provider not in {provider.upper() for provider in self.providers}:
            return False
        if self.tool_names and spec.name not in self.tool_names:
            return False
        words = (self.query or "").casefold().split()
        said = f"{spec.name} {spec.title} {spec.description}".casefold()
        return all(word in said for word in words)


@dataclass(frozen=True, slots=True)
class ListedTool:
    """One tool under the names of Scalekit's SDK; `definition` has its name, description, schemas and annotations."""

    spec: ToolSpec | CatalogueTool | ConnectorTool = field(repr=False)

    @property
    def id(self) -> str:
        """The tool's name, which is its only id here."""
        return self.spec.name

    @property
    def provider(self) -> str:
        """Scalekit's key of the provider."""
        return self.spec.provider if isinstance(self.spec, ConnectorTool) else PROVIDER

    @property
    def definition(self) -> dict[str, Any]:
        """What Scalekit's answers have under this name."""
        spec = self.spec
        return {
            "name": spec.name,
            "display_name": spec.title,
            "description": spec.description,
            "input_schema": spec.input_schema,
            "output_schema": {} if isinstance(spec, ConnectorTool) else spec.output_schema,
            "annotations": {
                "read_only_hint": spec.read_only,
                "destructive_hint": spec.destructive,
                "idempotent_hint": spec.idempotent,
                "open_world_hint": spec.open_world,
            },
        }

    def to_dict(self) -> dict[str, Any]:
        """For a program, and for the wire."""
        return {"id": self.id, "provider": self.provider, "definition": self.definition}


@dataclass(frozen=True, slots=True)
class ScopedTool:
    """A tool and the account of `identifier` on which it runs."""

    tool: ListedTool
    identifier: str
    connected_account_id: str

    def to_dict(self) -> dict[str, Any]:
        """For a program, and for the wire."""
        return {
            "tool": self.tool.to_dict(),
            "identifier": self.identifier,
            "connected_account_id": self.connected_account_id,
        }


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of a list; `next_page_token` is None on the last."""

    rows: Sequence[Row]
    total_size: int
    next_page_token: str | None = None


def every_tool(carrier: Carrier) -> Sequence[ListedTool]:
    """Everything that `execute_tool` runs where this carrier carries it, in the order in which it is listed."""
    specs = (*carried_tools(carrier).values(), *carried_catalogue_tools(carrier).values())
    return tuple(ListedTool(spec) for spec in specs)


def listed_tools(wanted: ToolFilter, *, own_connection: str, carrier: Carrier = Carrier.GRAPH) -> Sequence[ListedTool]:
    """The tools of the catalogue that are wanted; none where only other connections are asked for."""
    if wanted.connection_names and own_connection not in wanted.connection_names:
        return ()
    return tuple(tool for tool in every_tool(carrier) if wanted.takes(tool))


async def scoped_tools(
    actions: Actions, identifier: str, wanted: ToolFilter, *, own_connection: str
) -> Sequence[ScopedTool]:
    """The tools of each account that `identifier` has, whatever its status; none where there is no account.

    Of another connection than `own_connection` they are what Scalekit lists. Raises `ScalekitMCPError` where they could
    not be read.
    """
    check_identifier(identifier)
    page = await actions.list_connected_accounts(identifier=identifier, page_size=MAX_ACCOUNTS_OF_ONE_IDENTIFIER)
    further = await actions.connector_tools(identifier=identifier)
    own_tools = every_tool(actions.carrier)
    rows: list[ScopedTool] = []
    for account in page.connected_accounts:
        name = account.connection_name
        if wanted.connection_names and name not in wanted.connection_names:
            continue
        if name in further.failures:
            raise further.failures[name]
        theirs = [ListedTool(tool) for tool in further.tools if tool.connection_name == name]
        tools = own_tools if name == own_connection else theirs
        rows += [ScopedTool(tool, account.identifier, account.id) for tool in tools if wanted.takes(tool)]
    return tuple(rows)


def page_of(rows: Sequence[Row], *, page_size: int | None, page_token: str | None) -> Page[Row]:
    """One page of `rows`; without a size all that is left, where Scalekit would stop after ten without a word.

    Raises `InvalidInput` for a size or a token that is none.
    """
    if page_size is not None and page_size < 1:
        raise InvalidInput("page_size must be at least 1.", field="page_size")
    token = page_token or "0"
    if not (token.isascii() and token.isdigit() and len(token) <= MAX_TOKEN_CHARACTERS):
        raise InvalidInput("This page is not known.", field="page_token", next_step="Begin without page_token.")
    begin = int(token)
    end = len(rows) if page_size is None else begin + page_size
    return Page(rows[begin:end], len(rows), str(end) if end < len(rows) else None)
