# `make` alone lists the commands. Linux and macOS.
#
# Each command creates the environment it needs in .venv: with uv if it is on the PATH, otherwise with venv and
# pip. Stamp files record what is installed; a change to pyproject.toml reinstalls it, so a second run starts
# at once. Variables: make test VENV=/tmp/v, make demo PYTHON=python3.13, make test ARGS="-k paging", and UV=
# to skip uv.

VENV ?= .venv
UV ?= $(shell command -v uv 2>/dev/null)
RECENT = -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do $$p $(RECENT) && echo $$p && break; done)

BIN = $(VENV)/bin
ifneq ($(UV),)
make-venv = $(UV) venv --quiet --seed --allow-existing --python '$(or $(PYTHON),>=3.11)' $(VENV)
install = $(UV) pip install --quiet --python $(BIN)/python
else
make-venv = $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install -qq --upgrade 'pip>=25.1'
install = $(BIN)/python -m pip install -qq
endif

.PHONY: help demo test faults lab gallery pictures bench lint clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.core ## load a made-up location into pandas, chart it, reload it from the cache
	@$(BIN)/hlkit demo $(ARGS)

test: $(VENV)/.test ## run the tests, and all examples in notebooks, docstrings and README
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)
	@echo
	@echo "next: make lab opens the first notebook; run make lint before a commit"

faults: $(VENV)/.core ## list what can go wrong, and the tests that cover it
	@$(BIN)/python tests/faults.py

lab: $(VENV)/.lab ## open the first notebook in JupyterLab
	@$(BIN)/jupyter lab notebooks/00_start.ipynb $(ARGS)

gallery: $(VENV)/.test ## draw the charts of all analyses, docs/gallery.png
	@$(BIN)/python docs/gallery.py

pictures: $(VENV)/.test ## take the pictures of the README: overview, explorer; needs chromium
	@$(BIN)/python docs/pictures.py

bench: $(VENV)/.test ## measure: rows per second, requests, memory, import time
	@for file in benchmarks/*.py; do \
	    [ -e "$$file" ] || continue; \
	    echo "== $$file"; $(BIN)/python "$$file" $(ARGS) || exit 1; \
	done

lint: $(VENV)/.lint ## ruff and mypy; the types that editors read are current
	@$(BIN)/python docs/editor_types.py --check
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

clean: ## remove .venv, the tools' caches, and the demo's files
	rm -rf .venv build dist hlkit-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .ipynb_checkpoints
	find hlkit tests benchmarks notebooks -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.made:
	@$(or $(PYTHON),$(if $(UV),true,false)) $(RECENT) || { \
	    echo "hlkit needs Python 3.11 or newer; found: $(or $(PYTHON),none)." ;\
	    echo "Install one (python.org; brew install python; apt install python3 python3-venv)," ;\
	    echo "or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" ;\
	    exit 1; }
	@echo "Creating $(VENV) ($(if $(UV),uv,$(PYTHON) -m venv))"
	@$(make-venv)
	@touch $@

$(VENV)/.core: pyproject.toml | $(VENV)/.made
	@echo "Installing hlkit and its dependencies into $(VENV), once (430 MB; a minute or less)"
	@$(install) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.core
	@echo "Installing the test dependencies into $(VENV), once"
	@$(install) -e '.[all]' --group test
	@touch $@

$(VENV)/.lint: $(VENV)/.core
	@echo "Installing ruff, mypy and pre-commit into $(VENV), once"
	@$(install) --group dev
	@touch $@

$(VENV)/.lab: $(VENV)/.core
	@echo "Installing JupyterLab and all extras into $(VENV), once"
	@$(install) -e '.[all]'
	@touch $@
