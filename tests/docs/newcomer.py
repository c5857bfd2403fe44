"""Somebody who copies the documentation's commands into one shell, in an empty home, with only Python and make."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx

from scalekit_mcp.network import VARIABLES
from tests.support.processes import environment

HERE = Path(__file__).parent
EXPORT = re.compile(r"^export (\w+)=(\S+)$")
SERVES = re.compile(r"serve --transport|scalekit-mcp sandbox|python -m examples\.")
"""Commands that run until they are stopped."""
READY = ("Ctrl-C stops", "Uvicorn running", "export ")
COMPOSE = "docker compose -f deploy/compose.yaml --env-file deploy/.env"
SECRET = "kubectl create secret generic"
PASTE_SECRET = "(umask 077; set -C; cat > ~/scalekit-mcp-secrets/client-secret)"
EVALUATE = "python -m evaluation --model"
LEFT_OUT = {
    "make test": "it would run the whole suite inside itself",
    f"{COMPOSE} build server-1": "it needs a container engine",
    f"{COMPOSE} up -d --no-deps --wait server-1": "it needs a container engine",
    f"{COMPOSE} up -d --no-deps --wait server-2": "it needs a container engine",
    "scalekit-mcp serve --transport http --env-file .env": "it needs an Azure app and a database",
    f"{SECRET} scalekit-mcp --from-file=deploy/kubernetes/secrets/scalekit-mcp": "it needs a cluster",
    f"{SECRET} pgbouncer --from-file=deploy/kubernetes/secrets/pgbouncer": "it needs a cluster",
    "kubectl apply -k deploy/kubernetes": "it needs a cluster",
    "kubectl rollout status deployment/scalekit-mcp --timeout=3m": "it needs a cluster",
    "kubectl rollout restart deployment/scalekit-mcp": "it needs a cluster",
    PASTE_SECRET: "it waits for a secret to be pasted",
    f"{EVALUATE} gpt-5-mini --url https://api.openai.com/v1 --json report.json": "it asks somebody's model",
    f"{EVALUATE} claude-sonnet-4-5 --url https://api.anthropic.com --protocol messages": "it asks somebody's model",
    f"{EVALUATE} qwen3 --url http://localhost:11434/v1 --parallel 1 recurring": "it asks a model on this machine",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def commands(text: str, *, prompt: bool) -> list[str]:
    """The commands of a block, without comments; in a console block those behind the prompt."""
    lines = text.replace("\\\n", " ").splitlines()
    if prompt:
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    return [line for line in (re.sub(r"(^|\s+)#\s.*$", "", line).strip() for line in lines) if line]


@dataclass
class Newcomer:
    """A shell: its folder, its variables, what it started. `sandbox_settings` take the place of real credentials."""

    checkout: Path
    home: Path
    sandbox_settings: dict[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        own = self.home / "bin"
        own.mkdir(parents=True, exist_ok=True)
        if not (own / "python3").exists():
            (own / "python3").symlink_to(Path(sys.executable).resolve())
        path = [str(self.checkout / ".venv" / "bin"), str(own), "/usr/bin", "/bin"]
        browser = f"{shlex.quote(sys.executable)} {shlex.quote(str(HERE / 'person.py'))} %s"
        pip = Path.home() / ".config" / "pip" / "pip.conf"
        return environment(
            self.home,
            PATH=os.pathsep.join(path),
            BROWSER=browser,
            COLUMNS="120",
            **({"PIP_CONFIG_FILE": str(pip)} if pip.exists() and "PIP_CONFIG_FILE" not in os.environ else {}),
            **self.variables,
        )

    def type(self, line: str) -> str:
        """Run one line as the documentation has it; what it printed. Raises AssertionError where it fails."""
        self.done.append(line)
        if line in LEFT_OUT:
            return ""
        if found := EXPORT.match(line):
            self.variables[found[1]] = self.sandbox_settings.get(found[1], found[2].replace("~", str(self.home), 1))
            return ""
        if line.startswith("open "):
            assert httpx.get(line.split()[1]).status_code == 200
            return ""
        if SERVES.search(line):
            return self.start(line)
        values = self.environment()
        if (
            "doctor" in line
        ):  # it names proxies and authorities; those of whoever runs the tests serve the package index
            values = {name: value for name, value in values.items() if name not in VARIABLES or name in self.variables}
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=self.checkout,
            env=values,
            input="y\n" if " delete " in line else "",
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def start(self, line: str) -> str:
        """Start what runs until it is stopped, and read until it says that it is ready."""
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {line}" if "=" not in line.split()[0] else line],
            cwd=self.checkout,
            env=self.environment() | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        heard = ""
        assert process.stdout
        for said in process.stdout:
            heard += said
            if any(word in said for word in READY):
                break
        watchdog.cancel()
        assert process.poll() is None, f"{line}\n{heard}"
        threading.Thread(target=process.stdout.read, daemon=True).start()
        return heard

    def stop(self) -> None:
        """End what was started here."""
        for process in self.started:
            os.killpg(process.pid, 15)
            process.wait(timeout=30)
            if process.stdout:
                process.stdout.close()
        self.started.clear()


@contextmanager
def newcomer(checkout: Path, home: Path, sandbox_settings: dict[str, str]) -> Iterator[Newcomer]:
    person = Newcomer(checkout, home, sandbox_settings)
    # The address at which pages and servers listen, so that parallel tests do not meet on 8754.
    person.variables["SCALEKIT_MCP_PORT"] = str(free_port())
    try:
        yield person
    finally:
        person.stop()
