# The targets below are the whole vocabulary of the house; `make` alone lists them.
# A fresh machine needs Python 3.11+, make and a package registry, nothing else:
# every target installs what it needs into this folder (.venv, and .tools if uv is not there).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
UV_VERSION := 0.13.9
WORKERS ?= 3
# Files as they come: the longest (a notebook) first, many short ones (doctests) last.
SPREAD := --dist loadfile --no-loadscope-reorder

# One environment, in this folder, with compiled bytecode (mlflow imports three times faster).
export UV_PROJECT_ENVIRONMENT := .venv
export UV_COMPILE_BYTECODE := 1
export UV_PYTHON_DOWNLOADS := never
# Certificates of the machine count, as for pip: many companies have one of their own.
export UV_SYSTEM_CERTS ?= true
export MLFLOW_DISABLE_TELEMETRY := true
unexport VIRTUAL_ENV PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME

BIN := .venv/bin
READY := .venv/.ready
READY_DEV := .venv/.ready-dev
READY_BENCH := .venv/.ready-bench

.PHONY: help setup format check test test-long browser demo serve bench bench-scoring bench-serving bench-recording bench-learning bench-pages soak crm test-clients clean

help:  ## Print this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY_DEV)  ## Install everything into .venv (the other targets do so by themselves)

# $(call sync,UV OPTIONS): the locked environment by uv; a uv that is not there is put into .tools.
define sync
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "leadml needs Python 3.11 or newer; '$(PYTHON)' is not. Fix: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@if uv --version >/dev/null 2>&1 && uv sync --help 2>/dev/null | grep -q -- --group; then uv=uv; \
	 else uv=.tools/bin/uv; [ -x $$uv ] || { \
	    echo "installing uv $(UV_VERSION) into .tools"; \
	    { $(PYTHON) -m venv .tools/venv && .tools/venv/bin/python -m pip install -q --target .tools uv==$(UV_VERSION); } \
	    || { rm -rf .tools/venv; $(PYTHON) -m pip install -q --target .tools uv==$(UV_VERSION); }; }; fi; \
	 echo "installing the locked libraries into .venv (a few minutes the first time)"; \
	 $$uv sync --frozen --inexact --python $(PYTHON) --extra train $(1)
endef

$(READY): uv.lock pyproject.toml
	$(call sync,)
	@touch $@

$(READY_DEV): uv.lock pyproject.toml
	$(call sync,--group dev --extra crm)
	@touch $(READY) $@

$(READY_BENCH): uv.lock pyproject.toml
	$(call sync,--group dev --group bench --extra crm)
	@touch $(READY) $(READY_DEV) $@

format: $(READY_DEV)  ## Rewrite the code in the house style, refresh generated documents
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/python docs/refresh.py

check: $(READY_DEV)  ## Style, types and imports: exactly what CI runs beside the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(READY_DEV)  ## Run all tests, doctests and notebooks (6 minutes on two cores)
	$(BIN)/python -m pytest -n $(WORKERS) $(SPREAD)

test-long: $(READY_DEV)  ## Run the long suites too
	TEST_EXAMPLES=long $(BIN)/python -m pytest -n $(WORKERS) $(SPREAD) -m "slow or not slow"

test-clients: $(READY_DEV)  ## Generate clients of the OpenAPI 3.0 and Swagger 2.0 documents and use them
	$(BIN)/python -m pytest tests/test_crm_clients.py -m "slow or not slow"

soak: $(READY_DEV)  ## Serve for minutes under load, swaps, overload and broken clients
	$(BIN)/python -m pytest -m slow -s tests/test_steadiness.py

browser:  ## Install Chromium for the page tests, where apt allows (they are skipped without)
	@if command -v chromium chromium-browser google-chrome >/dev/null; then echo "a browser is there"; \
	 elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	   apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null \
	   && echo "Chromium is installed"; \
	 else echo "no browser, and no right to install one: page tests will be skipped" >&2; exit 1; fi

demo: $(READY)  ## Simulate a CRM, train, register, serve and score: the whole walk in a minute
	@$(BIN)/leadml demo

crm: $(READY_DEV)  ## Start a real CRM beside leadml: its leads are scored, worked on and won
	@$(BIN)/python -m serve.crm.walk

serve: $(READY)  ## Serve the champion at http://127.0.0.1:8000
	@$(BIN)/leadml serve

bench: $(READY_DEV)  ## Measure scoring speed on this machine
	$(BIN)/python -m benchmarks

bench-scoring: $(READY_DEV)  ## Compare scoring with LightGBM, shap and EBM in process; fails below its ratios
	$(BIN)/python -m benchmarks.scoring.run

bench-serving: $(READY_DEV)  ## Compare leadml's server with what people use instead; fails below its ratios
	$(BIN)/python -m benchmarks.serving.run

bench-recording: $(READY_DEV)  ## Measure what remembering every score costs; fails below its ratio
	$(BIN)/python -m benchmarks.serving.recording

bench-learning: $(READY_BENCH)  ## Compare leadml with what people use instead, on public lead data
	$(BIN)/python -m benchmarks.learning.run

bench-pages: $(READY_DEV)  ## Measure the pages on a million decisions; fails above 150 ms
	$(BIN)/python -m benchmarks.pages.run

clean:  ## Remove the environment and caches (data, models and runs stay)
	rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
