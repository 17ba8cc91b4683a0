# The front door. Everything below works in a fresh clone with Python 3.11, make and git.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# uv and the build back end, by hash: what runs before any other hash is checked.
BUILD := deploy/build.lock
# One index for pip and uv: the one that pip is configured for, if any.
INDEX = $(shell $(BIN)/pip config get global.index-url 2>/dev/null)
UV = $(if $(INDEX),UV_DEFAULT_INDEX=$(INDEX) )$(BIN)/uv pip install --quiet --system-certs --compile-bytecode --build-constraint $(BUILD) --python $(BIN)/python
export OMP_NUM_THREADS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Crisol needs Python 3.11 or newer; set PYTHON=")'
	@echo "Setting up $(VENV) with $$($(PYTHON) --version); this takes about a minute"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement $(BUILD)

$(VENV)/.installed: pyproject.toml requirements.lock | $(BIN)/uv
	@$(UV) --reinstall-package crisol --constraint requirements.lock --editable '.[all]'
	@touch $@

$(VENV)/.installed-test: pyproject.toml requirements.lock | $(BIN)/uv
	@$(UV) --reinstall-package crisol --constraint requirements.lock --editable '.[test]'
	@touch $@ $(VENV)/.installed

.PHONY: setup
setup: $(VENV)/.installed ## make the virtual environment

.PHONY: run
run: setup ## the main job: ground truth, models, A/B experiment, report
	@$(BIN)/crisol demo

.PHONY: test
test: $(VENV)/.installed-test lint-only ## lint, types, import contract, all tests, notebooks
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

LOWEST := .venv-lowest

$(LOWEST)/.installed: pyproject.toml | $(BIN)/uv
	@$(PYTHON) -m venv --without-pip $(LOWEST)
	@$(if $(INDEX),UV_DEFAULT_INDEX=$(INDEX) )$(BIN)/uv pip install --quiet --system-certs --compile-bytecode \
	    --build-constraint $(BUILD) --python $(LOWEST)/bin/python --resolution lowest-direct --editable '.[test]'
	@touch $@

.PHONY: test-lowest
test-lowest: $(LOWEST)/.installed ## the tests of service and tracking with the oldest versions that pyproject.toml allows
	@$(LOWEST)/bin/python -m pytest -W default tests/tracking tests/service

.PHONY: lint
lint: $(VENV)/.installed-test lint-only ## lint, types and import contract alone

.PHONY: lint-only
lint-only: $(VENV)/.installed-test
	@$(BIN)/ruff check --quiet src tests notebooks experiments docs
	@$(BIN)/ruff format --quiet --check src tests experiments
	@$(BIN)/mypy
	@$(BIN)/lint-imports > .ruff_cache/imports.txt || (cat .ruff_cache/imports.txt; exit 1)

.PHONY: notebooks
notebooks: $(VENV)/.installed-test ## make the .ipynb files from their .py sources
	@$(BIN)/python -m crisol.lab.pairing notebooks

.PHONY: docs
docs: $(VENV)/.installed-test ## build the documentation as a site, into dist/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --config-file docs/site/mkdocs.yml
	@echo "the site is in dist/site: open dist/site/index.html"

.PHONY: screenshots
screenshots: $(VENV)/.installed-test ## make the pictures of docs/images after a run (needs chromium)
	@$(BIN)/python docs/site/screenshots.py

.PHONY: bench
bench: $(VENV)/.installed-test ## measure speed, as ratios against named baselines
	@for script in experiments/bench/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

.PHONY: audit
audit: $(BIN)/uv ## ask the advisory database about every pinned dependency; fails on findings alone
	@$(UV) pip-audit
	@if timeout 300 $(BIN)/pip-audit --requirement requirements.lock --require-hashes --disable-pip --progress-spinner off \
	    --output $(VENV)/audit.txt 2>$(VENV)/audit.log; then echo "audit: nothing is known against any pinned dependency"; \
	elif [ -s $(VENV)/audit.txt ]; then cat $(VENV)/audit.txt >&2; echo "audit: the above is vulnerable" >&2; exit 1; \
	else tail -n 1 $(VENV)/audit.log; echo "audit: NOTHING WAS AUDITED, the advisory database is out of reach"; fi

.PHONY: ui
ui: setup ## open MLflow on the runs
	@$(BIN)/crisol ui

.PHONY: lab
lab: setup ## start JupyterLab
	@$(BIN)/jupyter lab --notebook-dir=notebooks

.PHONY: lock
lock: $(BIN)/uv ## resolve the dependencies anew
	@$(BIN)/uv pip compile --quiet --system-certs --universal --python-version 3.11 --all-extras --generate-hashes --no-header \
	    --no-emit-index-url --no-annotate pyproject.toml -o requirements.lock
	@sed -n 's/^\(editables\|hatchling\|uv\)==.*/\1/p' $(BUILD) | $(BIN)/uv pip compile --quiet --system-certs --universal \
	    --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate --upgrade - -o $(BUILD)

.PHONY: clean
clean: ## remove what can be made again, but neither runs nor downloads
	@rm -rf $(VENV) $(LOWEST) .dmypy.json .mypy_cache .ruff_cache .pytest_cache .hypothesis
