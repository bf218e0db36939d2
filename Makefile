# streamapp: everything a newcomer needs. `make demo` first, `make test` second.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test faults bench up down setup check lint types contracts tools format clean

demo: setup  ## set everything up, run the system on real input, print what the diary says
	$(BIN)/streamapp demo

test: setup tools check  ## everything: style, types, import contracts, all tests on real brokers
	$(BIN)/pytest

faults: setup tools  ## every fault, also the long ones, on real brokers; ends with a table
	$(BIN)/pytest -m long tests/integration --ignore tests/integration/test_bench_peers.py
	$(BIN)/pytest -m "long or not long" tests/faults tests/model tests/e2e/test_replay.py

bench: setup  ## streamapp beside its peers, on brokers of its own; prints a table and writes bench/results/; BENCH=--everything takes an hour
	$(BIN)/python -m bench $(BENCH)

up: setup  ## start brokers and every role, and keep them running
	$(BIN)/streamapp up

down: setup  ## stop what `make up` started
	$(BIN)/streamapp down

setup: $(READY)  ## the virtual environment, from the lock file

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' || \
	  { echo "streamapp needs Python 3.11 or 3.12: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(READY)

check: lint types contracts  ## style, types and import contracts

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup
	$(BIN)/mypy

contracts: setup
	$(BIN)/lint-imports

format: setup  ## put the code into its form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# kcat is a plain Kafka client, libfaketime sets clocks wrong, Chromium looks at the dashboard.
TOOLS := kcat libfaketime chromium fonts-liberation

tools:  ## what the tests need besides Python
	@dpkg -s $(TOOLS) >/dev/null 2>&1 || { echo "installing $(TOOLS)"; \
	  { [ "$$(id -u)" = 0 ] && as= || as=sudo; $$as apt-get -qq update && \
	    $$as env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends $(TOOLS) \
	    >/dev/null; } || { echo "the tests need them: apt-get install $(TOOLS)"; exit 1; }; }

clean: down  ## remove all data and the environment
	rm -rf .streamapp $(VENV)
