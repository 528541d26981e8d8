# Two commands matter: `make demo` and `make test`. Each makes the environment where it is missing.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; done)
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.isthmus-installed
EXTRAS := data,finance,test
# More than the two processors that CI has: tests wait for processes, pages and PostgreSQL.
WORKERS ?= 3
PYTEST := $(PY) -m pytest -n $(WORKERS)

# Tests start hundreds of Pythons: a machine that lets none keep what it compiled makes each compile the platform anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: docs help check style types browser test test-slow demo bench bench-soak translations screenshots clean

help: ## Say what there is to make
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml kits/storefront/pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "Isthmus needs Python 3.11 or newer: on Debian, apt-get install python3 python3-venv" >&2; exit 1; fi
	@if ! [ -x $(PY) ] || ! $(PY) -m pip --version >/dev/null 2>&1; then \
		echo "making $(VENV) with $$($(PYTHON) --version)"; \
		rm -rf $(VENV); \
		$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
			|| { rm -rf $(VENV); $(PYTHON) -m virtualenv --quiet $(VENV) 2>/dev/null; } \
			|| { $(PYTHON) -m pip install --quiet --user --break-system-packages virtualenv 2>/dev/null \
				&& $(PYTHON) -m virtualenv --quiet $(VENV); } \
			|| { rm -rf $(VENV); \
				echo "$(PYTHON) can make no environment: on Debian, apt-get install python3-venv, and run this again" >&2; \
				exit 1; }; \
	fi
	@echo "installing Isthmus and what it needs into $(VENV) (once, and again when a pyproject.toml changes)"
	@$(PY) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --editable '.[$(EXTRAS)]' \
		--editable kits/storefront
	@touch $@

check: style types

style: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-logo

types: $(STAMP)
	$(VENV)/bin/basedpyright

# Types are checked on one core, and tests wait for processes often enough: beside each other both end sooner.
test: style browser ## Check style, imports and types, and run every test but the slow ones
	@mkdir -p build; $(VENV)/bin/basedpyright >build/types.txt 2>&1 & typed=$$!; \
	$(PYTEST) -m 'not slow' && tested=0 || tested=$$?; \
	wait $$typed && typed=0 || { typed=$$?; cat build/types.txt; }; \
	exit $$((tested | typed))

browser: $(STAMP)
	@$(PY) -m tests.browser

test-slow: $(STAMP) ## Run the tests that take minutes, on PostgreSQL 14 to 17, Python 3.12 to 3.14 and Spark too where they can be had
	@if command -v java >/dev/null; then \
		$(PY) -c 'import pyspark' 2>/dev/null || $(PY) -m pip install --quiet --disable-pip-version-check '.[spark]' \
			|| echo "pyspark cannot be installed: metrics are NOT tried on Spark" >&2; \
	else echo "there is no Java: metrics are NOT tried on Spark" >&2; fi
	@$(PY) -m tests.older_postgres
	$(PY) -m pytest -m slow
	@$(PY) -m tests.newer_pythons

demo: $(STAMP) ## Sell a year of real baskets, check every total, keep serving; ARGS="--orders 500 --exit"
	@$(VENV)/bin/isthmus demo $(ARGS)

bench: $(STAMP) ## Measure against peers and limits, print a table, write build/bench.json; ARGS="kernel --rounds 7"
	@$(PY) -c 'import ibis, metricflow, zope.interface' 2>/dev/null || $(PY) -m pip install --quiet --disable-pip-version-check '.[bench]'
	@$(PY) -m bench $(ARGS)

bench-soak: $(STAMP) ## Sell for ten minutes and see whether memory grows over the second half
	@ISTHMUS_BENCH_MINUTES=10 $(PY) -m bench process $(ARGS)

docs: $(STAMP) ## Write the reference from the code and build the site, with search, into build/site
	@$(PY) -c 'import material' 2>/dev/null || $(PY) -m pip install --quiet --disable-pip-version-check '.[docs]'
	@$(PY) -m docs.generate
	@$(PY) -m mkdocs build --quiet
	@echo "the site is in build/site; to read it: $(PY) -m http.server --directory build/site"

# what no page shows: commands, settings, what only a start says, and what front ends and products say of themselves
UNSEEN := cli,gateway,testing,products,runtime/adopt,runtime/isolation,app/config.py,app/secrets.py,app/server.py,app/jobs.py,store/embedded.py,store/migrate.py,store/front_end_tables.py,store/versions.py

translations: $(STAMP) ## Bring what the console says into the catalogues of its languages; say what is not translated
	@$(VENV)/bin/isthmus translate src/isthmus --leave-out $(UNSEEN)
	@for pack in src/isthmus/packs/*/pack.py src/isthmus/flows/*/pack.py; do $(VENV)/bin/isthmus translate $$(dirname $$pack); done

screenshots: $(STAMP) ## Take the pictures of the console and the shops again (needs Chromium)
	@$(PY) -m tests.console.screenshots $(ARGS)

clean: ## Remove the environment and everything that was built
	rm -rf $(VENV) build .isthmus .pytest_cache .ruff_cache .hypothesis
