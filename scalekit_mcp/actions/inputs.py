"""Checks of the arguments that every implementation of `Actions` makes before it looks for an account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scalekit_mcp.accounts import AccountKey
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.identifiers import has_lone_surrogate
from scalekit_mcp.tools import Arguments, UnknownToolError, parse_arguments, shown


def account_key(connection_name: str | None, identifier: str, *, own_connection: str) -> AccountKey:
    """The key of a call's account; `own_connection` is the only configured connection, and the default.

    Raises `InvalidInput` for another connection, and for an identifier that cannot be one.
    """
    name = connection_name or own_connection
    if name != own_connection:
        raise InvalidInput(
            f"There is no connection {shown(name, 100)}; this server has '{own_connection}'.", field="connection_name"
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
