"""Every line of the threat model names the tests that hold it, and they exist."""

from __future__ import annotations

import ast
import re

import pytest
from docs_support import ROOT, rows

PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
REFERENCE = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
THREATS = [row for row in rows(PAGE) if len(row) == 3]
BOUNDS = [row for row in rows(PAGE) if len(row) == 4]


def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_page_has_a_table_for_each_part():
    heads = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert len(THREATS) >= 50
    assert len(heads) >= 7
    assert PAGE.count("| threat | what stands against it | test |") == 9


@pytest.mark.parametrize("row", THREATS + BOUNDS, ids=lambda row: row[0][:60])
def test_each_line_names_tests_that_exist(row: list[str]):
    named = REFERENCE.findall(row[-1])
    assert named
    assert not [f"{path}::{name}" for path, name in named if name not in names_in(path)]
    assert not re.sub(REFERENCE, "", row[-1]).strip(" ,")
