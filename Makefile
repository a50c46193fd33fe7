# Everything a person types. Plain `make` explains itself.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { command -v $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
FRONT := node_modules/.hub-static/vendor/htmx.min.js
CATALOGUE := locale/de/LC_MESSAGES/django.mo
JOBS ?= auto

help: ## This list
	@echo "Ticket Hub"
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make demo FRESH=1   starts the story over;  make demo ONCE=1   plays it, checks its end, exits 0 or 1"
	@echo "  make demo PORT=18000 VENDOR_PORT=18801 IMAP_PORT=18802 SMTP_PORT=18803   answers there"
	@echo "  DATABASE_URL, CELERY_BROKER_URL and the like switch to real servers: docs/settings.md"

demo: $(RUNTIME) $(FRONT) $(CATALOGUE) ## Watch a ticket travel through five organisations (http://127.0.0.1:8000)
	@exec env TICKETHUB_VAR="$(or $(TICKETHUB_VAR),$(CURDIR)/var/$(if $(ONCE),demo-once,demo))" \
		$(BIN)/python manage.py demo $(if $(FRESH),--fresh) $(if $(ONCE),--once) $(if $(PORT),--port $(PORT)) \
		$(if $(VENDOR_PORT),--vendor-port $(VENDOR_PORT)) $(if $(IMAP_PORT),--imap-port $(IMAP_PORT)) \
		$(if $(SMTP_PORT),--smtp-port $(SMTP_PORT))

test: $(DEV) $(FRONT) $(CATALOGUE) ## The whole test suite
	@$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

run: $(RUNTIME) $(FRONT) $(CATALOGUE) ## The hub without the story: a first-run page leads on
	@exec $(BIN)/python manage.py up $(if $(PORT),--port $(PORT))

check: $(DEV) $(FRONT) $(CATALOGUE) ## Style, prose, types, imports, migrations, settings
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/djlint --lint --quiet console/templates connectors/templates workflows/templates
	@$(BIN)/codespell
	@$(BIN)/python docs/check_prose.py
	@$(BIN)/python manage.py check
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python manage.py makemessages --check
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy hub workflows connectors worker console api fixtures

bench: $(DEV) ## Speed, as ratios within one run (JSON and a table in var/bench)
	@$(BIN)/python -m tests.bench $(ONLY)

profile: $(DEV) ## Where the time and the statements of one change go (ARGS="--functions 40" for the code)
	@$(BIN)/python -m tests.bench.profile $(ARGS)

mutants: $(DEV) ## Break the laws on a copy, and see that tests notice (ARGS=--all for every break)
	@$(BIN)/python -m tests.mutants $(ARGS)

screenshots: $(DEV) ## Pictures for the README, from a running demo
	@$(BIN)/python docs/screenshots.py $(ARGS)

messages: $(DEV) ## The message catalogues anew, from code and templates
	@$(BIN)/python manage.py makemessages

house: $(DEV) ## The packages and what they import, as pictures in docs/images; fails on a cycle
	@$(BIN)/python docs/draw_house.py

lock: $(DEV) ## Write the lock files anew from pyproject.toml
	@$(BIN)/pip install --quiet pip-tools
	@for kind in "" dev; do \
		$(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--no-header --allow-unsafe --strip-extras $${kind:+--extra $$kind} -o requirements$${kind:+-$$kind}.lock pyproject.toml; done

clean: ## Forget everything that was installed or written
	rm -rf $(VENV) node_modules var

$(VENV):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed (Debian: apt-get install python3-venv)."; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.lock | $(VENV)
	@echo "Installing what the hub needs …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(DEV): requirements-dev.lock | $(VENV)
	@echo "Installing what the hub and its tests need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@ $(RUNTIME)

# With npm where there is one, else with the one that comes as a Python package; the machine's own certificates count.
$(FRONT): package-lock.json console/vendor.mjs | $(VENV)
	@echo "Installing what the pages need …"
	@command -v npm >/dev/null 2>&1 && command -v node >/dev/null 2>&1 || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-node.lock
	@PATH="$$PATH:$(CURDIR)/$(BIN)"; NODE_USE_SYSTEM_CA=1; export PATH NODE_USE_SYSTEM_CA; \
		npm ci --ignore-scripts --loglevel error >/dev/null && node console/vendor.mjs
	@touch $@

# Compiled with Babel: a plain machine has no msgfmt.
%.mo: %.po | $(RUNTIME)
	@$(BIN)/pybabel --quiet compile --input-file $< --output-file $@ --locale de

.PHONY: help demo test run check bench profile mutants screenshots messages house lock clean
