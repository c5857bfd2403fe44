#!/bin/sh
# Writes requirements/*.txt anew from pyproject.toml and requirements/*.in. Run it as `make lock`.
# The three files are resolved together, so that adding the next one to an environment never changes the last.
# Each framework has a file and an environment of its own; one that needs `mcp` 1.x cannot hold this project beside it, and
# that of the Vercel AI SDK brings Node alone, whose packages `npm` locks in examples/vercel_ai_sdk/package-lock.json.
set -eu
uv=${UV:-uv}
compile() { "$uv" pip compile --quiet --no-header --universal --python-version 3.11 --generate-hashes --no-annotate "$@"; }
cd "$(dirname "$0")/.."
compile pyproject.toml --extra postgres --extra langchain --extra otel requirements/runtime.in requirements/dev.in requirements/full.in -o requirements/full.txt
compile pyproject.toml --extra postgres requirements/runtime.in requirements/dev.in -c requirements/full.txt -o requirements/dev.txt
compile pyproject.toml requirements/runtime.in -c requirements/full.txt -o requirements/runtime.txt
compile pyproject.toml --extra postgres --extra otel requirements/runtime.in -c requirements/full.txt -o requirements/server.txt
frameworks=requirements/frameworks
for name in langchain langchain-classic; do
  compile pyproject.toml --extra langchain requirements/runtime.in $frameworks/$name.in -o $frameworks/$name.txt
done
for name in openai-agents anthropic pydantic-ai google-adk; do
  compile pyproject.toml requirements/runtime.in $frameworks/$name.in -o $frameworks/$name.txt
done
for name in langchain-mcp-adapters vercel-ai; do
  compile $frameworks/$name.in -o $frameworks/$name.txt
done
for name in mcp-1 fastmcp; do
  compile requirements/clients/$name.in -o requirements/clients/$name.txt
done
for name in outlook-graph-mcp msgraph-mcp-server; do # those out of npm: bench/peers/npm/
  compile requirements/peers/$name.in -o requirements/peers/$name.txt
done
