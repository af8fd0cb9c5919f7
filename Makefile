# `make run` starts a desk, `make test` runs all tests; both install what they need. `make help` lists the rest.

PYTHON ?= python3
JOBS ?= 3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CSS := portal/static/portal.css
SASS := node_modules/.bin/sass --no-source-map --style=compressed portal/styles/portal.scss
COMPILE := $(VENV)/uv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE)

.PHONY: help run setup setup-dev servers test check css golden bench crash screenshots migration lock clean

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

run: setup ## start a desk on this machine: portal on port 8000, mail on port 8025
	@$(BIN)/letterdesk run --samples

setup: $(VENV)/.installed ## make the environment and install the desk into it

setup-dev: $(VENV)/.installed-dev

servers:
	@sh tests/install_packages.sh servers

test: servers setup-dev check ## install everything the tests need, check, and run all tests, JOBS=3 at once
	@$(BIN)/python -m pytest --numprocesses=$(JOBS) --dist=worksteal --durations=15

check: setup-dev node_modules/.installed ## lint, types, who imports whom, dependencies, migrations, compiled styles
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .
	$(BIN)/vulture
	$(BIN)/python -m tests.schema check
	@$(SASS) | cmp - $(CSS) || { echo "$(CSS) is not what portal/styles make; run: make css" >&2; exit 1; }

css: node_modules/.installed ## compile portal/styles into portal/static/portal.css
	@npm run --silent css

golden: setup-dev ## take the present readings of the sample mails as right; NAME=… for some of them
	@$(BIN)/python -m tests.mails.accept $(NAME)

bench: setup-dev ## print how fast mail is read and sent, and that its time is linear
	@$(BIN)/python -m tests.benchmarks.speed
	@$(BIN)/python -m tests.benchmarks.linear
	@$(BIN)/python -m tests.benchmarks.sending

crash: servers setup-dev ## kill a whole desk over 200 times under load and say what was lost or doubled; ARGS="--seed 7"
	@$(BIN)/python -m tests.crash $(ARGS)

screenshots: servers setup-dev ## take the pictures in docs/screenshots again
	@sh tests/install_packages.sh fonts
	@$(BIN)/python -m tests.e2e.screenshots

migration: setup-dev ## write a migration for what the models have and the tables lack; NAME="what it does"
	@$(BIN)/python -m tests.schema revision "$(NAME)"

lock: $(BIN)/pip ## pin the dependencies of pyproject.toml again; UPGRADE=--upgrade for newer versions
	@test -x $(VENV)/uv/bin/uv || { $(PYTHON) -m venv $(VENV)/uv && $(VENV)/uv/bin/pip install --quiet uv; }
	@$(COMPILE) --extra build --extra dev --output-file requirements-dev.lock
	@$(COMPILE) --extra build --constraint requirements-dev.lock --output-file requirements.lock

clean: ## remove what was installed and compiled here; the desk's own var/ stays
	rm -rf $(VENV) node_modules build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Letterdesk needs Python 3.11 or newer; name one with: make $(MAKECMDGOALS) PYTHON=python3.13" >&2; exit 1; }
	@PYTHON=$(PYTHON) sh tests/install_packages.sh venv
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/pip requirements.lock pyproject.toml
	@echo "Installing Letterdesk into $(VENV) …"
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@echo "Installing the tools of the tests into $(VENV) …"
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@touch $@

node_modules/.installed: package.json package-lock.json
	@echo "Installing the compiler of the styles …"
	@npm ci --silent
	@touch $@
