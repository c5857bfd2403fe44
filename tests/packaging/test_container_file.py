"""The steps of `deploy/Containerfile`, run without a container engine: each path of the image is one of a folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from packaging_support import ROOT, checkout

from tests.support.processes import environment
from tests.support.remote_process import free_port

CONTAINER = (ROOT / "deploy" / "Containerfile").read_text("utf-8")
ROOT_ONLY = ("useradd ",)
"""Steps that change the users of the machine."""

pytestmark = [pytest.mark.full, pytest.mark.skipif(os.name == "nt", reason="the image is one of Linux")]


@dataclass
class Image:
    """The folders of all stages, which share one root: an environment of Python only runs where it was made."""

    context: Path
    root: Path
    home: Path
    folder: Path = Path("/")
    variables: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    """What the last stage holds."""

    def build(self) -> None:
        for line in re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", CONTAINER, flags=re.MULTILINE)).splitlines():
            if line.strip():
                instruction, rest = line.split(maxsplit=1)
                getattr(self, f"_{instruction.lower()}", self._keep(instruction))(rest)

    def inside(self, path: str | Path) -> Path:
        return self.root / (self.folder / path).relative_to("/")

    def mapped(self, text: str) -> str:
        """The text with the image's absolute paths of ours as they are here."""
        return re.sub(r"(?<![\w./])/(app|src)\b", lambda found: str(self.root / found[1]), text)

    def environment(self, **values: str) -> dict[str, str]:
        own = self.home / "bin"
        own.mkdir(parents=True, exist_ok=True)
        if not (own / "python").exists():
            (own / "python").symlink_to(Path(sys.executable).resolve())
        path = os.pathsep.join([str(own), "/usr/bin", "/bin"])
        set_here = {name: self.mapped(value.replace("$PATH", path)) for name, value in self.variables.items()}
        pip = Path.home() / ".config" / "pip" / "pip.conf"
        index = {"PIP_CONFIG_FILE": str(pip)} if pip.exists() and "PIP_CONFIG_FILE" not in os.environ else {}
        return environment(self.home, **{"PATH": path, **index, **set_here, **values})

    def _keep(self, instruction: str):
        return lambda rest: self.texts.__setitem__(instruction, rest)

    def _from(self, rest: str) -> None:
        assert re.fullmatch(r"python:3\.1[1-4]-slim( AS \w+)?", rest)
        self.folder, self.variables, self.made = Path("/"), {}, set()

    def _workdir(self, rest: str) -> None:
        self.folder = Path(rest)
        self.inside(".").mkdir(parents=True, exist_ok=True)

    def _copy(self, rest: str) -> None:
        *sources, target = rest.removeprefix("--from=build ").split()
        if rest.startswith("--from="):
            assert sources == [target]
            assert self.inside(target).is_dir()
            self.made.add(target)
            return
        for source in sources:
            name = self.context / source
            if name.is_dir():
                shutil.copytree(name, self.inside(target), dirs_exist_ok=True)
            else:
                place = self.inside(target) / name.name if target.endswith("/") else self.inside(target)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(name, place)

    def _env(self, rest: str) -> None:
        self.variables |= dict(part.split("=", 1) for part in rest.split())

    def _run(self, rest: str) -> None:
        if rest.startswith(ROOT_ONLY):
            return
        done = subprocess.run(
            ["/bin/sh", "-c", self.mapped(rest)],
            cwd=self.inside("."),
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode and ("Could not find" in done.stderr or "No matching" in done.stderr):
            pytest.skip(f"the package index cannot be reached: {done.stderr.strip().splitlines()[-1]}")
        assert done.returncode == 0, f"{rest}\n{done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("image")
    made = Image(checkout(folder / "context"), folder / "root", folder / "home")
    made.home.mkdir()
    made.build()
    for path in (made.context, *made.root.iterdir()):
        if f"/{path.name}" not in made.made:
            shutil.rmtree(path)  # of the stage that is left behind
    return made


def test_the_image_holds_the_locked_server_and_no_tool_of_ours(image: Image):
    assert image.made == {"/app"}
    assert image.texts["USER"] == "server"
    listed = subprocess.run(
        [str(image.root / "app/bin/python"), "-m", "pip", "list", "--format=json"],
        env=image.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    names = {entry["name"].lower() for entry in json.loads(listed.stdout)}
    assert {"scalekit-mcp", "asyncpg", "opentelemetry-sdk"} <= names
    assert not names & {"pytest", "ruff", "basedpyright"}


def test_the_image_serves_is_found_healthy_and_stops_at_its_signal(image: Image, tmp_path: Path):
    line = [*json.loads(image.texts["ENTRYPOINT"]), *json.loads(image.texts["CMD"])]
    port = free_port()
    assert image.variables["SCALEKIT_MCP_HOST"] == "0.0.0.0"  # noqa: S104 - inside a container
    values = {"SCALEKIT_MCP_HOST": "127.0.0.1", "SCALEKIT_MCP_PORT": str(port), "SCALEKIT_MCP_SANDBOX": "true"}
    health = json.loads(image.texts["HEALTHCHECK"].split("CMD", 1)[1].replace("8754", str(port)))
    assert image.texts["EXPOSE"] == "8754"
    ran = image.environment(**values)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(image.root / "app/bin" / line[0]), *line[1:]], env=ran, cwd=tmp_path, stdout=log, stderr=log
        )
    try:
        for _ in range(100):  # each asks for up to 2 seconds, with an interpreter of its own
            assert process.poll() is None, (tmp_path / "log").read_text("utf-8")
            asked = [str(image.root / "app/bin" / health[0]), *health[1:]]
            if subprocess.run(asked, env=ran, capture_output=True, check=False).returncode == 0:
                break
        else:
            pytest.fail(f"it is not healthy: {(tmp_path / 'log').read_text('utf-8')}")
        process.send_signal(getattr(signal, image.texts["STOPSIGNAL"]))
        assert process.wait(timeout=60) == 0, (tmp_path / "log").read_text("utf-8")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(timeout=30)
    for logged in (tmp_path / "log").read_text("utf-8").splitlines():
        assert json.loads(logged), "the image logs JSON"
