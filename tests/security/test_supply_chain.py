"""What the product is made of is pinned, hashed and bounded, and its addresses are safe."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.settings import load_settings

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").rglob("*.txt"))
PINNED = re.compile(r"^[A-Za-z0-9._-]+(\[[A-Za-z0-9,._-]+\])?==[^\s;]+")


def requirements(text: str) -> list[str]:
    """The requirements of a lock file, each with its continuation lines."""
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.relative_to(ROOT).as_posix())
def test_every_locked_requirement_is_pinned_and_hashed(lock: Path):
    lines = requirements(lock.read_text("utf-8"))
    assert lines
    assert not [line for line in lines if not PINNED.match(line) or "--hash=sha256:" not in line]
    assert not [line for line in lines if "://" in line.partition("--hash")[0]]


def test_a_line_without_a_hash_would_be_noticed():
    assert requirements("a==1 \\\n    --hash=sha256:00\nb>=1\n") == ["a==1 --hash=sha256:00", "b>=1"]
    assert not PINNED.match("b>=1")


def test_every_runtime_dependency_has_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    unbounded = [line for line in [*project["dependencies"], *extras] if not re.search(r">=[^,]+,<\d", line)]
    # Versions that are dates or security updates: a cap would keep corrections out.
    assert sorted(re.split(r"[>\[]", line)[0] for line in unbounded) == ["cryptography", "tzdata"]


@pytest.mark.parametrize("name", ["MICROSOFT_LOGIN_URL", "MICROSOFT_GRAPH_URL", "SCALEKIT_ENV_URL", "public_url"])
def test_an_address_without_tls_is_refused_unless_it_is_loopback(name: str):
    refused: dict[str, Any] = {name: "http://login.example"}
    taken: dict[str, Any] = {name: "http://127.0.0.1:9400"}
    with pytest.raises(ConfigurationError, match="https://"):
        load_settings(**refused)
    assert load_settings(**taken)
