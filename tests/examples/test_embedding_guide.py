"""The code of the embedding guide is the code of the application that the tests run."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "docs" / "embedding.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.+?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_piece_of_the_guide_stands_in_the_application(number):
    code = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "examples" / "web_app").glob("*.py")))
    assert BLOCKS[number] in code


def test_the_guide_shows_every_step():
    assert len(BLOCKS) == 7
    for call in ("open_actions", "get_authorization_link", "verify_connected_account_user", "execute_tool"):
        assert any(call in block for block in BLOCKS)


def test_the_tests_that_the_guide_names_exist():
    for path in re.findall(r"`((?:tests|examples)/[\w/.]+)`", GUIDE):
        assert (ROOT / path).exists()
