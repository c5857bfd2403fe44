"""What the documentation says of tools, commands, errors and settings is what the code has; links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from docs_support import ROOT, pages, rows

from scalekit_mcp import errors
from scalekit_mcp.accounts.model.statuses import STATUS_REASONS
from scalekit_mcp.cli import cli
from scalekit_mcp.network import VARIABLES
from scalekit_mcp.settings import SECRETS, Settings
from scalekit_mcp.tools import TOOLS, markdown_table
from tests.support.processes import command, environment

LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
MARKDOWN = [*pages(), *(ROOT / name for name in ("SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"))]


def generate(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(cwd / "scripts" / "generate_docs.py"), *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)


def test_the_generated_blocks_are_up_to_date():
    done = generate("--check")
    assert done.returncode == 0, f"{done.stdout} Run: python scripts/generate_docs.py"


def test_a_stale_block_is_noticed_and_written_anew(tmp_path: Path):
    for name in ("scripts/generate_docs.py", "scripts/sandbox_tables.py", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text("utf-8"), "utf-8")
    right = (tmp_path / "README.md").read_text("utf-8")
    (tmp_path / "README.md").write_text(right.replace("### `authorize`", "### `authorise`"), "utf-8")
    assert generate("--check", cwd=tmp_path).returncode == 1
    assert generate(cwd=tmp_path).returncode == 0
    assert (tmp_path / "README.md").read_text("utf-8") == right


def test_the_readme_carries_the_tool_table_and_the_commands():
    text = (ROOT / "README.md").read_text("utf-8")
    assert markdown_table().strip() in text
    assert [f"### `{name}`" for name in TOOLS] == re.findall(r"^### `outlook_\w+`|^### `authorize`", text, re.MULTILINE)
    assert not [name for name in cli.commands if not re.search(rf"^  {name} ", text, re.MULTILINE)]


@pytest.mark.parametrize("name", [(), ("serve",), ("accounts", "list"), ("doctor",)], ids=" ".join)
def test_the_help_in_the_documentation_is_what_the_command_prints(tmp_path: Path, name: tuple[str, ...]):
    page = ROOT / ("docs/cli.md" if name else "README.md")
    values = environment(tmp_path, COLUMNS="80")
    done = subprocess.run(command(*name, "--help"), env=values, capture_output=True, text=True, check=True, timeout=60)
    printed = done.stdout.strip().replace("python -m scalekit_mcp", "scalekit-mcp")
    assert " ".join(printed.split()) in " ".join(page.read_text("utf-8").split())


def every_code(kind: type[errors.ScalekitMCPError] = errors.ScalekitMCPError) -> set[str]:
    return {kind.code}.union(*(every_code(child) for child in kind.__subclasses__()))


def test_troubleshooting_has_every_error_code_with_who_acts_and_what_next():
    text = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    table = {row[0].strip("`"): row for row in rows(text) if len(row) == 5 and row[4] in ("yes", "no")}
    ours = {code for code in every_code() if code in (errors.__doc__ or "")}
    assert set(table) == ours
    assert all(all(cells) for cells in table.values())


def test_troubleshooting_has_every_status_and_reason_with_who_acts_and_what_next():
    text = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    table = [row for row in rows(text) if row[0].strip("`") in {status.value for status in STATUS_REASONS}]
    expected = {
        (status.value, reason.value if reason else "")
        for status, reasons in STATUS_REASONS.items()
        for reason in reasons
    }
    assert {(row[0].strip("`"), row[1].strip("`")) for row in table} == expected
    assert len(table) == len(expected)
    assert all(row[2] and row[3] and row[4] for row in table)


def test_the_settings_page_has_every_variable_and_marks_the_secrets():
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    listed: dict[str, bool] = {}
    for row in rows(text):
        for name in re.findall(r"`([A-Z_]+)`", row[0]):
            listed[name] = "°" in row[0]
    expected: set[str] = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        expected.add(getattr(alias, "choices", [alias or f"SCALEKIT_MCP_{name.upper()}"])[0])
    expected |= {name for name in VARIABLES if name.isupper()}
    assert set(listed) == expected
    assert {name for name, secret in listed.items() if secret} == set(SECRETS)


def test_no_page_names_a_variable_that_does_not_exist():
    known = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text("utf-8")))
    for path in MARKDOWN:
        named = set(re.findall(r"\b(?:SCALEKIT_MCP|MICROSOFT)_[A-Z_]+[A-Z]\b", path.read_text("utf-8")))
        unknown = {name for name in named if name not in known and name.removesuffix("_FILE") not in known}
        assert not unknown - {"SCALEKIT_MCP_SESSION_TOKEN"}, path.name


def anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(path: Path):
    for target in LINK.findall(path.read_text("utf-8")):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, heading = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if heading:
            assert heading in anchors(there.read_text("utf-8")), target


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_every_file_of_python_that_a_page_names_is_there(path: Path):
    roots = (ROOT, ROOT / "scalekit_mcp", ROOT / "scalekit_mcp" / "sandbox", ROOT / "tests", ROOT / "examples")
    named = set(re.findall(r"[\w.-]+(?:/[\w.-]+)*\.py\b", path.read_text("utf-8")))
    assert not {name for name in named if not any((root / name).is_file() for root in roots)}


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_every_page_is_reached_from_the_readme(path: Path):
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        for target in LINK.findall(page.read_text("utf-8")):
            there = (page.parent / target.partition("#")[0]).resolve()
            if there.suffix == ".md" and there.is_file():
                waiting.append(there)
    assert path in seen
