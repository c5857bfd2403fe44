#!/bin/sh
# Writes requirements/*.txt anew from pyproject.toml and requirements/*.in. Run it as `make lock`.
# The three files are resolved together, so that adding the next one to an environment never changes the last.
set -eu
uv=${UV:-uv}
compile() { "$uv" pip compile --quiet --no-header --universal --python-version 3.11 --generate-hashes --no-annotate "$@"; }
cd "$(dirname "$0")/.."
compile pyproject.toml --extra postgres --extra langchain --extra otel requirements/runtime.in requirements/dev.in requirements/full.in -o requirements/full.txt
compile pyproject.toml --extra postgres requirements/runtime.in requirements/dev.in -c requirements/full.txt -o requirements/dev.txt
compile pyproject.toml requirements/runtime.in -c requirements/full.txt -o requirements/runtime.txt
