# `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
# Test processes, for two cores: they wait a lot. Each starts a Prefect server of its own.
JOBS ?= 3
BIN := $(VENV)/bin
# The first of these that is new enough; PYTHON=… chooses another one.
ifndef PYTHON
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { command -v $$p; break; }; done)
endif

.PHONY: help setup run once check test soak lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Install what the product needs into .venv

run: setup ## Start everything and show the first reports; Ctrl-C stops it all
	@./orchestrator up

once: setup ## Show the first reports, then stop everything
	@./orchestrator up --once

check: $(VENV)/.installed-dev ## Format, lint, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Bytecode is kept, whatever the environment says: else hundreds of processes compile it all again.
test: $(VENV)/.installed-dev ## All tests; those whose database server is missing are skipped
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n $(JOBS) --dist worksteal

soak: $(VENV)/.installed-dev ## The slow proofs: 50 runs while their processes are killed, and the like
	$(BIN)/pytest -m soak -n 0 -o timeout=900

lock: $(VENV)/.installed-dev ## Write the hashed locks from requirements.in and requirements-dev.in
	for set in requirements requirements-dev; do \
		$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-header --no-annotate $$set.in --output-file $$set.txt; \
	done

clean: ## Remove .venv and caches; the state folder .orchestrator stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, with its venv module." \
		"Install it, or name one: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Using $(PYTHON)"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); echo "This Python has no venv module" \
		"(Debian and Ubuntu: install python3-venv)." >&2; exit 1; }

# pip's own settings decide where packages come from; the lock decides which ones. It is a
# constraint too, or older pips take the newest version of what is asked for with an extra.
$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo "Installing the locked requirements (about a minute the first time) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< -c $<
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "Installing the tools for tests and checks …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< -c $<
	@touch $@
