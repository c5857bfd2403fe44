"""Our plural rules against those of a JavaScript engine, which has all of CLDR."""

from __future__ import annotations

import json
import subprocess

import pytest

from scalekit_mcp.languages import LANGUAGES
from scalekit_mcp.languages.plurals import PLURALS
from tests.support.node import node_program

COUNTS = [*range(1200), 999_999, 1_000_000, 1_000_001, 2_000_000, 3_500_000, 10_000_000]
ASK = """
const [language, counts] = JSON.parse(process.argv[1]);
const rules = new Intl.PluralRules(language);
const {pluralCategories} = rules.resolvedOptions();
console.log(JSON.stringify([counts.map(count => rules.select(count)), pluralCategories]));
"""


@pytest.mark.full
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_count_has_the_category_that_cldr_gives_it(language: str) -> None:
    asked = [str(node_program()), "-e", ASK, json.dumps([language, COUNTS])]
    told = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout
    selected, categories = json.loads(told)
    rule, ours = PLURALS[language]
    assert [rule(count) for count in COUNTS] == selected
    assert ours == set(categories)
