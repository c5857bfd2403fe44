"""Every public name of Scalekit's SDK for agents is here, with the same keywords in the same order, or refused by name.

The SDK's wheel is what is compared with; the product never imports it.
"""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

import scalekit_mcp.client
from scalekit_mcp.errors import NotOffered, ScalekitMCPError
from scalekit_mcp.sdk.names import SDK_NAMES, Standing

VERSION = "2.21.0"
REFUSED = [path for path, name in SDK_NAMES.items() if name.standing is Standing.REFUSED]
OFFERED = [path for path in SDK_NAMES if path not in REFUSED]
KEYWORDS = [(path, keyword) for path, name in SDK_NAMES.items() for keyword in name.keywords]

IN_THE_SOURCE = {
    "actions": ("actions/actions.py", "ActionClient"),
    "actions.mcp": ("actions/actions.py", "ActionMcp"),
    "actions.providers": ("actions/actions.py", "ActionProviders"),
    "actions.langchain": ("actions/frameworks/langchain.py", "LangChain"),
    "actions.google": ("actions/frameworks/google_adk.py", "GoogleADK"),
    "tools": ("tools.py", "ToolsClient"),
    "connected_accounts": ("connected_accounts.py", "ConnectedAccountsClient"),
    "": ("client.py", "ScalekitClient"),
}
"""Where each object of the SDK is defined; read as text, for one of them needs a library that nobody has."""


@pytest.fixture(scope="module")
def source() -> Path:
    scalekit = pytest.importorskip("scalekit", reason="scalekit-sdk-python is not installed (`make test-full` does)")
    from importlib.metadata import version

    assert version("scalekit-sdk-python") == VERSION, "compare with the new version, then change the table"
    return Path(scalekit.__file__).parent


def keywords_of(function: ast.FunctionDef) -> tuple[list[str], set[str]]:
    """The parameters that may be positional, in order, and those by keyword alone."""
    given = function.args
    return [one.arg for one in (*given.posonlyargs, *given.args)][1:], {one.arg for one in given.kwonlyargs}


def names_in(source: Path, path: str) -> dict[str, tuple[list[str], set[str]] | None]:
    """The public names of one object of the SDK with their parameters; None for what is no method of its own."""
    file, wanted = IN_THE_SOURCE[path]
    tree = ast.parse((source / file).read_text("utf-8"))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == wanted)
    found: dict[str, tuple[list[str], set[str]] | None] = {}
    for node in body.body:
        if isinstance(node, ast.Assign):
            [target], value = node.targets, node.value
            assert isinstance(target, ast.Name)
            assert isinstance(value, ast.Name)
            found[target.id] = found[value.id]
        if not isinstance(node, ast.FunctionDef):
            continue
        if any(isinstance(one, ast.Name) and one.id == "property" for one in node.decorator_list):
            continue  # an object of its own
        if not node.name.startswith("_"):
            found[node.name] = keywords_of(node)
    for node in ast.walk(body):
        if path == "" and isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found[node.attr] = None
    return found


def ours(path: str) -> Any:
    """What stands under a path below our client's class, as a function; for signatures alone."""
    from scalekit_mcp.sdk.actions import SynchronousActions
    from scalekit_mcp.sdk.clients import ConnectedAccountsClient, ToolsClient

    owner, _, name = path.rpartition(".")
    if owner == "actions.langchain":
        pytest.importorskip("langchain_core", reason="langchain-core is not installed (`make test-full` does)")
        from scalekit_mcp.sdk.langchain_tools import LangChain

        return getattr(LangChain, name)
    owners = {"actions": SynchronousActions, "tools": ToolsClient, "connected_accounts": ConnectedAccountsClient}
    return getattr(owners[owner], name)


@pytest.mark.full
@pytest.mark.parametrize("path", IN_THE_SOURCE)
def test_the_table_has_exactly_the_public_names_of_the_sdk(source: Path, path: str) -> None:
    theirs = set(names_in(source, path))
    if path == "":
        theirs -= {"actions", "connect", "tools", "connected_accounts"}  # objects with tables of their own
    prefix = f"{path}." if path else ""
    known = {name.removeprefix(prefix) for name in SDK_NAMES if name.rpartition(".")[0] == path}
    assert known == theirs


@pytest.mark.full
@pytest.mark.parametrize("path", OFFERED)
def test_a_name_that_works_takes_the_sdks_keywords_in_the_sdks_order(source: Path, path: str) -> None:
    owner, _, name = path.rpartition(".")
    theirs = names_in(source, owner)[name]
    assert theirs is not None
    parameters = list(inspect.signature(ours(path)).parameters.values())[1:]
    positional = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    assert positional[: len(theirs[0])] == theirs[0]
    assert theirs[1] <= {one.name for one in parameters}
    beyond = [one for one in parameters if one.name not in {*theirs[0], *theirs[1]}]
    assert all(one.default is not one.empty for one in beyond)


@pytest.mark.full
@pytest.mark.parametrize(("path", "keyword"), KEYWORDS)
def test_a_keyword_in_the_table_is_one_of_the_sdk_or_of_its_wire(source: Path, path: str, keyword: str) -> None:
    assert keyword in inspect.signature(ours(path)).parameters


@pytest.fixture(scope="module")
def client() -> Any:
    with scalekit_mcp.client.ScalekitClient(sandbox=True) as opened:
        yield opened


def under(client: Any, path: str) -> Any:
    for name in path.split("."):
        client = getattr(client, name)
    return client


@pytest.mark.parametrize("path", REFUSED)
def test_a_refused_name_is_there_and_says_why_not_and_what_instead(client: Any, path: str) -> None:
    with pytest.raises(NotOffered) as raised:
        under(client, path)("anything", with_any="keyword")
    assert path in raised.value.message
    assert SDK_NAMES[path].note in raised.value.message
    assert SDK_NAMES[path].instead in raised.value.next_step
    assert "docs/coming-from-scalekit.md" in raised.value.next_step
    assert isinstance(raised.value, ScalekitMCPError)


@pytest.mark.parametrize("path", [path for path in OFFERED if "langchain" not in path])
def test_a_name_that_works_is_a_method(client: Any, path: str) -> None:
    assert inspect.ismethod(under(client, path))


LEAST: dict[str, dict[str, Any]] = {
    "actions.list_tools": {},
    "actions.list_connected_accounts": {},
    "connected_accounts.list_connected_accounts": {},
}
"""What a call needs besides the keyword under test."""


@pytest.mark.parametrize(("path", "keyword"), KEYWORDS)
def test_a_keyword_that_cannot_be_followed_is_refused_by_its_name(client: Any, path: str, keyword: str) -> None:
    connection = "connector" if path.startswith("connected_accounts") else "connection_name"
    given = LEAST.get(path, {connection: "outlook", "identifier": "ana"})
    with pytest.raises(NotOffered) as raised:
        under(client, path)(**given, **{keyword: {"oauth_token": {}} if "id" not in keyword.split("_") else "other"})
    assert raised.value.details["field"] == keyword


@pytest.mark.parametrize("name", ["actions.fly", "tools.fly", "fly", "actions._modifier_of"])
def test_a_name_that_the_sdk_has_not_either_is_no_attribute(client: Any, name: str) -> None:
    with pytest.raises(AttributeError):
        under(client, name)


def test_looking_at_a_client_calls_nothing(client: Any) -> None:
    assert "not offered" in repr(client.organization)
    assert "not offered" in repr(client.actions.mcp.create_config)
    assert not hasattr(client.organization, "__wrapped__")
