"""Tools of LangChain made of tools of the catalogue. Needs the extra `langchain`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scalekit_mcp.actions import (
    CatalogueTool,
    ListedTool,
    ToolFilter,
    carried_catalogue_tools,
    page_of,
)
from scalekit_mcp.errors import AuthorizationRequired, ConfigurationError, InvalidInput, ScalekitMCPError
from scalekit_mcp.identifiers import check_identifier
from scalekit_mcp.sdk.tool_calls import ToolCalls
from scalekit_mcp.tools import (
    MAX_ANSWER_CHARACTERS,
    TOOLS,
    Carrier,
    ConnectorTool,
    ToolSpec,
    carried_tools,
    fitted,
    offered_tools,
    parse_arguments,
    shown,
)

try:
    from langchain_core.tools import StructuredTool, ToolException
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "scalekit_mcp.langchain needs langchain-core: install scalekit-mcp with its extra langchain.", name=missing.name
    ) from missing


class LangChainTools:
    """Makes tools that act for one user on one connection.

    `raises`: an account that is not ACTIVE raises `AuthorizationRequired` to the application instead of telling it to
    the model.
    """

    def __init__(self, calls: ToolCalls, connection_name: str | None, identifier: str, *, raises: bool = False) -> None:
        self._calls = calls
        self._connection_name = connection_name
        self._identifier = check_identifier(identifier)
        self._raises = raises

    @property
    def carrier(self) -> Carrier:
        """What carries out calls now."""
        return self._calls.carrier()

    def tool(self, spec: ToolSpec | CatalogueTool | ConnectorTool) -> StructuredTool:
        """One tool of the catalogue."""

        def call(**arguments: Any) -> tuple[str, dict[str, Any]]:
            if self._calls.wait is None:
                raise ConfigurationError(
                    "These tools were made from asynchronous calls.", next_step="Call them with `ainvoke`."
                )
            try:
                return _answer(self._calls.wait(**self._call(spec.name, arguments)))
            except ScalekitMCPError as error:
                raise self._translated(error) from error

        async def call_async(**arguments: Any) -> tuple[str, dict[str, Any]]:
            try:
                return _answer(await self._calls.soon(**self._call(spec.name, arguments)))
            except ScalekitMCPError as error:
                raise self._translated(error) from error

        return StructuredTool.from_function(
            func=call,
            coroutine=call_async,
            name=spec.name,
            description=spec.description,
            args_schema=dict(spec.input_schema),
            infer_schema=False,
            response_format="content_and_artifact",
            handle_tool_error=True,
        )

    def _call(self, tool_name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        given: Any = self._calls.before(tool_name, arguments)
        if tool_name in TOOLS:  # tools of Scalekit's catalogue read their parameters themselves
            given = parse_arguments(tool_name, given).with_limit(MAX_ANSWER_CHARACTERS)
        return {
            "tool_name": tool_name,
            "tool_input": given,
            "identifier": self._identifier,
            "connection_name": self._connection_name,
        }

    def _translated(self, error: ScalekitMCPError) -> Exception:
        if self._raises and isinstance(error, AuthorizationRequired):
            return error
        return ToolException(json.dumps({"error": error.to_dict()}, ensure_ascii=False))


def _answer(result: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    plain, text = fitted(result)
    return text, plain


class LangChain:
    """`actions.langchain` of Scalekit's SDK."""

    def __init__(self, calls: ToolCalls, own_connection: str) -> None:
        self._calls = calls
        self._own_connection = own_connection

    def get_tools(
        self,
        identifier: str,
        providers: Sequence[str] | None = None,
        tool_names: Sequence[str] | None = None,
        connection_names: Sequence[str] | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
    ) -> list[StructuredTool]:
        """The tools of the toolset `calendar`, or those of `tool_names`, as tools that act for `identifier`.

        None where only other providers or connections are asked for. Raises `InvalidInput` for a wrong identifier, for
        a name that no tool has, and for a page that there is not.
        """
        make = LangChainTools(self._calls, self._own_connection, identifier)
        wanted = ToolFilter(providers=providers or (), connection_names=connection_names or ())
        carrier = self._calls.carrier()
        chosen = (
            _named(tool_names, carrier)
            if tool_names
            else tuple(map(ListedTool, offered_tools(carrier=carrier).values()))
        )
        if wanted.connection_names and self._own_connection not in wanted.connection_names:
            chosen = ()
        page = page_of([tool for tool in chosen if wanted.takes(tool)], page_size=page_size, page_token=page_token)
        return [make.tool(tool.spec) for tool in page.rows]


def _named(names: Sequence[str], carrier: Carrier) -> tuple[ListedTool, ...]:
    known: dict[str, ToolSpec | CatalogueTool] = {**carried_catalogue_tools(carrier), **carried_tools(carrier)}
    for name in names:
        if name not in known:
            raise InvalidInput(f"There is no tool {shown(name, 100)}.", field="tool_names")
    return tuple(ListedTool(known[name]) for name in names)
