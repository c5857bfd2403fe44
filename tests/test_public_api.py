"""The public names are the documented ones, typed and described; nothing optional is imported without need."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import scalekit_mcp
from scalekit_mcp import client, errors
from scalekit_mcp.actions.protocol import Actions
from scalekit_mcp.client import SynchronousActions
from scalekit_mcp.sdk.names import SDK_NAMES
from tests.support.processes import environment

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "python.md").read_text("utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## `{title}`\n")[1].split("\n## ")[0]


def first_cells(text: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def methods(cls: type) -> dict[str, inspect.Signature]:
    found = inspect.getmembers(cls, inspect.isfunction)
    return {name: inspect.signature(function) for name, function in found if not name.startswith("_")}


def as_documented(name: str, signature: inspect.Signature) -> str:
    shown: list[str] = []
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        shown.append(parameter.name)
    return f"{name}({', '.join(shown)})"


def run(program: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_all_is_what_the_page_documents():
    assert sorted(scalekit_mcp.__all__) == sorted(first_cells(section("scalekit_mcp")))
    for name in scalekit_mcp.__all__:
        assert getattr(scalekit_mcp, name) is not None


def test_the_client_is_what_the_page_documents():
    documented = first_cells(section("scalekit_mcp.client"))
    signatures = [as_documented(name, signature) for name, signature in methods(SynchronousActions).items()]
    assert sorted(documented) == sorted([*client.__all__, *signatures])


@pytest.mark.parametrize("module", ["scalekit_mcp.actions.models", "scalekit_mcp.server.web.app"])
def test_every_documented_name_of_a_module_exists_and_is_described(module):
    names = first_cells(section(module))
    assert names
    for name in names:
        assert getattr(importlib.import_module(module), name).__doc__


@pytest.mark.parametrize("name", ["ConnectedAccountView", "AuthorizationLinkResponse", "ListConnectedAccountsResponse"])
def test_every_documented_field_of_an_answer_exists(name):
    row = next(line for line in section("scalekit_mcp.actions.models").splitlines() if line.startswith(f"| `{name}`"))
    fields = re.findall(r"`\.(\w+)`", row)
    assert fields
    models = importlib.import_module("scalekit_mcp.actions.models")
    for field in fields:
        assert hasattr(getattr(models, name), field)


def test_the_errors_are_what_the_page_documents():
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|$", section("scalekit_mcp.errors"), re.MULTILINE)
    classes = {
        name: cls.code
        for name, cls in vars(errors).items()
        if isinstance(cls, type) and issubclass(cls, errors.ScalekitMCPError) and cls is not errors.ScalekitMCPError
    }
    assert dict(rows) == classes


def test_the_synchronous_calls_cover_what_an_application_needs_of_the_asynchronous_ones():
    pages = {"authorization_prompt", "start_authorization", "complete_authorization", "cancel_held_authorization"}
    pages |= {"complete_admin_consent"}  # these are for the consent pages, which Web serves
    pages |= {"check", "prepare"}  # for the probe and the start of a server
    pages |= {"present"}  # for the answer of `authorize`, which is a tool
    of_the_sdk = {path.partition(".")[2] for path in SDK_NAMES if path.startswith("actions.")} - set(methods(Actions))
    own = set(methods(SynchronousActions)) - of_the_sdk
    assert own == (set(methods(Actions)) - pages) | {"execute_tool_soon", "list_scoped_tools"}


def test_every_call_is_described_and_typed():
    for cls in (Actions, SynchronousActions, scalekit_mcp.ScalekitClient):
        for name, signature in methods(cls).items():
            assert (getattr(cls, name).__doc__ or "").strip(), name
            assert signature.return_annotation is not signature.empty, name
            for parameter in list(signature.parameters.values())[1:]:
                assert parameter.annotation is not parameter.empty, (name, parameter.name)


def test_the_package_says_that_it_is_typed():
    assert files("scalekit_mcp").joinpath("py.typed").is_file()


def test_importing_the_package_imports_none_of_its_rooms(tmp_path):
    done = run("import sys, scalekit_mcp; print([n for n in sys.modules if n.startswith('scalekit_mcp.')])", tmp_path)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_nothing_of_langchain_is_imported_by_a_client_in_use(tmp_path):
    done = run(
        "import sys, scalekit_mcp.client\n"
        "with scalekit_mcp.client.ScalekitClient(sandbox=True) as client:\n"
        "    client.actions.execute_tool({}, 'authorize', 'x')\n"
        "print([name for name in sys.modules if name.startswith('lang')])\n",
        tmp_path,
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_without_langchain_the_import_says_which_extra_is_missing(tmp_path):
    done = run("import sys; sys.modules['langchain_core'] = None; import scalekit_mcp.langchain", tmp_path)
    assert done.returncode == 1
    assert "with its extra langchain" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("number", [0, 1])
def test_the_programs_of_the_page_run_as_they_stand(number, tmp_path):
    program = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)[number]
    done = run(program, tmp_path)
    assert done.stderr == ""
    assert done.stdout.split()[0] == "PENDING"


def test_get_tools_has_the_documented_parameters():
    tree = ast.parse((ROOT / "scalekit_mcp" / "langchain.py").read_text("utf-8"))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "get_tools")
    shown = [*(each.arg for each in function.args.args), "*", *(each.arg for each in function.args.kwonlyargs)]
    assert f"`get_tools({', '.join(shown)})`" in section("scalekit_mcp.langchain")
    assert first_cells(section("scalekit_mcp.langchain")) == ["get_tools"]
