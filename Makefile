# Everything runs in .venv, made from requirements.lock (versions and hashes, no addresses).
# `make setup` alone prepares it; every other target begins with it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export UV_SYSTEM_CERTS ?= 1
export UV_LINK_MODE ?= copy
ARGS ?=
NAME ?=
# Processes that tests are shared out to, a file at a time; WORKERS=0 runs them in one, as `-s` and a debugger want.
WORKERS ?= 2
PYTEST = $(BIN)/pytest -n $(WORKERS) --dist loadfile

.PHONY: setup run test prove bench check fix lock clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3,11) <= sys.version_info[:2] < (3,14))' \
	  || { echo "zhichao needs Python 3.11 to 3.13; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
	  || { echo "this Python lacks venv; on Debian: apt-get install python3-venv"; exit 1; }
	test -x $(BIN)/uv || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); \
	  sed -n '/^uv==/,/^    #/p' requirements.lock > $(VENV)/uv.lock && \
	  $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(VENV)/uv.lock; }
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

run: setup
	@$(BIN)/python -m service.demo $(ARGS)

# Every named test, at a reduced, seeded count (aim: 6 minutes on 2 cores).
test: setup
	$(PYTEST) $(ARGS)

# The same tests at the counts the promises are stated for (within 60 minutes).
prove: setup
	ZHICHAO_TEST_COUNTS=full $(PYTEST) $(ARGS)

bench: setup
	@$(BIN)/python -m benchmarks $(NAME) $(ARGS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy docs/verifier/verify_evidence.py
	$(BIN)/lint-imports
	$(BIN)/python -m tests.licences

fix: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(READY)
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	  --override overrides.txt --no-emit-index-url --no-header --quiet -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache weigh/__pycache__
