"""Nothing tells people to install from PyPI, where the package is not published, except the one place that says so."""

from __future__ import annotations

import re

import pytest
from docs_support import ROOT

NAMES = re.compile(r"(?:install|uvx|pipx run|--with)\s+(?:-\S+\s+)*[\"'`]?scalekit-mcp\b(?! with)|scalekit-mcp\[")
PLACES = ("README.md", "CONTRIBUTING.md", "docs", "examples", "scalekit_mcp", "deploy", "mcp.json.example")
TEXTS = {".md", ".py", ".toml", ".json", ".yaml", ".example", ".js", ".mjs", ".ts", ""}


def promises() -> list[str]:
    """Lines that install the package by its name."""
    found: list[str] = []
    for place in PLACES:
        folder = ROOT / place
        for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in TEXTS and "node_modules" not in path.parts:
                lines = path.read_text("utf-8").splitlines()
                name = path.relative_to(ROOT).as_posix()
                found += [f"{name}: {line}" for line in lines if NAMES.search(line)]
    return found


def test_the_package_is_installed_from_a_checkout_everywhere():
    [place] = promises()
    assert place.startswith("README.md: ")
    assert "once it is published" in place


@pytest.mark.parametrize(
    ("text", "promises"),
    [
        ("pip install scalekit-mcp", True),
        ("pipx install 'scalekit-mcp[postgres]'", True),
        ("uvx scalekit-mcp demo", True),
        ("uvx --from . scalekit-mcp demo", False),
        ("pip install '.[langchain]'", False),
        ("install scalekit-mcp with its extra otel", False),
    ],
)
def test_what_counts_as_installing_by_name(text: str, promises: bool):
    assert bool(NAMES.search(text)) is promises
