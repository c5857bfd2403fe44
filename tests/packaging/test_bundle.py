"""The `.mcpb` bundle and `server.json`: in step with the product, accepted by the tools that read them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from packaging_support import ROOT

from scalekit_mcp.settings import Settings
from scalekit_mcp.tools import offered_tools
from tests.support.node import npx
from tests.support.processes import environment

SERVER = json.loads((ROOT / "packaging" / "server.json").read_text("utf-8"))


def variables() -> set[str]:
    """Every environment variable that the settings read."""
    found: set[str] = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        found |= set(getattr(alias, "choices", [])) or {str(alias) if alias else f"SCALEKIT_MCP_{name.upper()}"}
    return found | {f"{name}_FILE" for name in found}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundle") / "scalekit-mcp.mcpb"
    line = [sys.executable, str(ROOT / "packaging" / "build_mcpb.py"), "--output", str(target)]
    subprocess.run(line, check=True, capture_output=True)
    return target


def manifest(bundle: Path) -> dict[str, Any]:
    with zipfile.ZipFile(bundle) as archive:
        return json.loads(archive.read("manifest.json"))


def test_the_bundle_lists_the_tools_and_carries_what_uv_installs_from(bundle: Path):
    read = manifest(bundle)
    assert [tool["name"] for tool in read["tools"]] == list(offered_tools())
    with zipfile.ZipFile(bundle) as archive:
        names = set(archive.namelist())
    assert {"pyproject.toml", "README.md", "LICENSE", "scalekit_mcp/py.typed", read["server"]["entry_point"]} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith(("tests/", "."))]


def test_the_bundles_variables_are_settings_and_its_questions_are_used(bundle: Path):
    read = manifest(bundle)
    env: dict[str, str] = read["server"]["mcp_config"]["env"]
    assert set(env) <= variables()
    assert {value.removeprefix("${user_config.").removesuffix("}") for value in env.values()} == set(
        read["user_config"]
    )
    assert read["user_config"]["client_secret"]["sensitive"] is True


def test_the_same_sources_give_the_same_bundle(bundle: Path, tmp_path: Path):
    again = tmp_path / "again.mcpb"
    line = [sys.executable, str(ROOT / "packaging" / "build_mcpb.py"), "--output", str(again)]
    subprocess.run(line, check=True, capture_output=True)
    assert again.read_bytes() == bundle.read_bytes()


@pytest.mark.full
def test_the_manifest_passes_the_validator_of_its_makers(bundle: Path, tmp_path: Path):
    (tmp_path / "manifest.json").write_text(json.dumps(manifest(bundle)), "utf-8")
    done = npx("@anthropic-ai/mcpb", "validate", str(tmp_path / "manifest.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passes" in done.stdout


@pytest.mark.full
async def test_the_unpacked_bundle_starts_as_its_manifest_says(bundle: Path, tmp_path: Path):
    uv = shutil.which("uv") or os.environ.get("UV")
    if uv is None:
        pytest.skip("uv is not installed (set UV to its path)")
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path / "unpacked")
    read = manifest(bundle)
    defaults = {name: str(question["default"]).lower() for name, question in read["user_config"].items()}
    defaults["sandbox"] = "true"
    config = read["server"]["mcp_config"]
    values = {name: defaults[value[len("${user_config.") : -1]] for name, value in config["env"].items()}
    arguments = [part.replace("${__dirname}", str(tmp_path / "unpacked")) for part in config["args"]]
    assert config["command"] == "uv"
    parameters = StdioServerParameters(command=uv, args=arguments, env=environment(tmp_path, **values))
    with (tmp_path / "log").open("w") as log:
        async with Client(stdio_client(parameters, errlog=log), read_timeout_seconds=300) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == list(offered_tools())


def test_the_registry_entry_names_the_package_of_the_readme():
    assert f"mcp-name: {SERVER['name']}" in (ROOT / "README.md").read_text("utf-8")
    (package,) = SERVER["packages"]
    assert package["identifier"] == "scalekit-mcp"
    assert {variable["name"] for variable in package["environmentVariables"]} <= variables()
    assert [v["name"] for v in package["environmentVariables"] if v.get("isSecret")] == ["MICROSOFT_CLIENT_SECRET"]


def test_the_registry_entry_keeps_the_limits_of_its_format():
    """The limits that the published schema of 2025-12-11 sets, as far as this file uses them."""
    limits = {
        "type": "object",
        "required": ["$schema", "name", "description", "version", "packages"],
        "properties": {
            "name": {"type": "string", "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", "maxLength": 200},
            "title": {"type": "string", "minLength": 1, "maxLength": 100},
            "description": {"type": "string", "minLength": 1, "maxLength": 100},
            "version": {"type": "string", "maxLength": 255},
        },
        "additionalProperties": {},
    }
    jsonschema.validate(SERVER, limits)
