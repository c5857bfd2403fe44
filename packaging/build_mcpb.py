"""Build `dist/scalekit-mcp.mcpb`: the package, its manifest and the project file that the host's `uv` installs from.

The tools of the manifest are written from the catalogue. Validate with `npx @anthropic-ai/mcpb validate`.
"""

import argparse
import json
import subprocess
import sys
import zipfile
from pathlib import Path

from scalekit_mcp import __version__
from scalekit_mcp.tools import offered_tools

ROOT = Path(__file__).resolve().parent.parent
TOP = ("pyproject.toml", "README.md", "LICENSE")
EPOCH = (2026, 1, 1, 0, 0, 0)
"""One time for every entry: the same sources give the same bytes."""


def manifest() -> dict[str, object]:
    """The manifest with the version and the tools of this checkout."""
    read: dict[str, object] = json.loads((ROOT / "packaging" / "mcpb" / "manifest.json").read_text("utf-8"))
    tools = [{"name": name, "description": spec.description.split(". ")[0]} for name, spec in offered_tools().items()]
    return {**read, "version": __version__, "tools": tools}


def contents() -> dict[str, bytes]:
    """Every file of the bundle by its name in it."""
    package = ROOT / "scalekit_mcp"
    files = [file for file in sorted(package.rglob("*")) if file.is_file() and "__pycache__" not in file.parts]
    found = {file.relative_to(ROOT).as_posix(): file.read_bytes() for file in files}
    found |= {name: (ROOT / name).read_bytes() for name in TOP}
    found["manifest.json"] = json.dumps(manifest(), indent=2).encode()
    return found


def build(target: Path) -> None:
    """Write the bundle."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in sorted(contents().items()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            bundle.writestr(entry, content)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Build the .mcpb bundle.")
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "scalekit-mcp.mcpb")
    parser.add_argument("--validate", action="store_true", help="check the manifest with @anthropic-ai/mcpb (Node)")
    given = parser.parse_args()
    build(given.output)
    print(given.output)
    if given.validate:
        checked = given.output.with_name("manifest.json")
        checked.write_text(json.dumps(manifest(), indent=2), "utf-8")
        return subprocess.run(["npx", "-y", "@anthropic-ai/mcpb", "validate", str(checked)], check=False).returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
