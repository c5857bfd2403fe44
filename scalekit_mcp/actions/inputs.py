"""Checks of the arguments that every implementation of `Actions` makes before it looks for an account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scalekit_mcp.accounts import AccountKey
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.identifiers import has_lone_surrogate
from scalekit_mcp.tools import Arguments, UnknownToolError, parse_arguments, shown

_ADD_IT = "Use one of these, or the operator adds the connection to SCALEKIT_MCP_CONNECTIONS."
_NEEDS_SCALEKIT = (
    "Use that one. Other connections need Scalekit: the operator sets SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET, "
    "SCALEKIT_ENV_URL, SCALEKIT_MCP_MODE=hosted and SCALEKIT_MCP_CONNECTIONS."
)


def account_key(
    connection_name: str | None, identifier: str, *, connections: Sequence[str], hosted: bool
) -> AccountKey:
    """The key of a call's account; the first of the configured `connections` is the default.

    Raises `InvalidInput` for another connection, saying what would be needed for it, and for an identifier that cannot
    be one.
    """
    name = connection_name or connections[0]
    if name not in connections:
        has = ", ".join(f"'{one}'" for one in connections)
        raise InvalidInput(
            f"There is no connection {shown(name, 100)}; this server has {has}.",
            field="connection_name",
            next_step=_ADD_IT if hosted else _NEEDS_SCALEKIT,
        )
    return AccountKey(name, identifier)


def check_texts(**given: str | None) -> None:
    """Raise `InvalidInput`, naming the argument, for a text that holds half of a surrogate pair."""
    for name, text in given.items():
        if text and has_lone_surrogate(text):
            raise InvalidInput(f"{name} holds half of a surrogate pair; send plain text.", field=name)


def tool_arguments(tool_name: str, tool_input: Mapping[str, Any] | Arguments | None) -> Arguments:
    """The arguments of a tool of the catalogue; raises `InvalidInput`, for an unknown tool, too."""
    try:
        return parse_arguments(tool_name, tool_input or {})
    except UnknownToolError as error:
        raise InvalidInput(
            f"There is no tool {shown(tool_name, 100)}.", field="tool_name", next_step="Use a name of the catalogue."
        ) from error
