# The same words here, in CI and in CONTRIBUTING: demo test check bench docs.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
# The first of these that runs and is new enough; a name on PATH alone proves nothing.
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
STAMP := $(VENV)/.installed
TACHO := $(VENV)/bin/tacho
ARGS ?=
# That share the tests, file by file, and the engines; a part of the tests needs no second.
PROCESSES ?= $(if $(ARGS),,2)

.PHONY: help install demo test fuzz check format bench docs lock schemas clean browser

help:  ## Show these targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

install: $(STAMP)  ## Install everything into .venv from the lock file.

$(STAMP): requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Tachograph needs Python 3.11 or newer: put it on PATH or say make PYTHON=..." >&2; exit 2; }
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked dependencies into $(VENV) ..." >&2
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)  ## Start the real engines, send an agent's work through, prove the claims (ARGS="--exit --json").
	@$(TACHO) demo $(ARGS)

# Debian's package, as root only, within five minutes; without it the browser's tests skip and say so.
browser:  ## Install Chromium for the console's tests, where that can be done.
	@command -v chromium >/dev/null 2>&1 || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null 2>&1 && echo "Installing Chromium ..." >&2 && \
		DEBIAN_FRONTEND=noninteractive timeout 300 sh -c 'get="apt-get install -y -qq --no-install-recommends chromium"; \
			$$get >/dev/null 2>&1 || { apt-get update -qq && $$get; } >/dev/null 2>&1'; } || \
		echo "No Chromium here: the console's tests in a browser will skip." >&2

test: $(STAMP) browser  ## Run every test, the end-to-end ones against real Kafka and OpenSearch.
	$(VENV)/bin/pytest $(if $(PROCESSES),-n $(PROCESSES) --dist loadfile --no-loadscope-reorder) $(ARGS)

fuzz: $(STAMP)  ## Look for new counter-examples of every law, 1,000 examples each (ARGS=tests/schemas).
	$(VENV)/bin/pytest -m "hypothesis and not engines" --hypothesis-profile=fuzz $(ARGS)

check: $(STAMP)  ## Lint, types, import contracts.
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: $(STAMP)  ## Rewrite the code in the house's format.
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: bench-ingress bench-pipeline bench-masking bench-access  ## Run every benchmark.

bench-ingress: $(STAMP) .venv-bench/.installed  # its peers have an environment of their own
	$(VENV)/bin/python -m bench.ingress $(ARGS)

bench-masking: $(STAMP) .venv-bench/.installed
	$(VENV)/bin/python -m bench.masking $(ARGS)

.venv-bench/.installed: bench/peers.lock $(STAMP)
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

bench-%: $(STAMP)
	$(VENV)/bin/python -m bench.$* $(ARGS)

docs: schemas  ## Regenerate what is generated from the code: JSON Schemas, coverage table.
	$(VENV)/bin/python tests/processors/masking/test_coverage.py

schemas: $(STAMP)
	$(VENV)/bin/python -m tachograph.schemas.generate
	$(VENV)/bin/python -m tachograph.schemas.reference

# Needs uv (https://docs.astral.sh/uv); hashes for every platform in one file.
lock:  ## Resolve the lock files anew.
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra stack --extra hyperscan pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra stack --extra hyperscan --extra demo --extra dev pyproject.toml -o requirements-dev.lock

clean:  ## Remove the environment and the local engines' data.
	rm -rf $(VENV) .tacho build dist
