# Needs Python >= 3.11 and make; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= runs/demo
MINUTES ?= 2.5
JOBS ?= auto
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --maxprocesses=4 --dist loadfile

.PHONY: help demo test test-slow lint bench docs clean
help:
	@echo "make demo       train, sample and report the critical Ising model on 16x16 (under 6 minutes)"
	@echo "make test       the tests       make test-slow  the longer physics checks"
	@echo "make lint       style, types, layers       make bench   speed       make docs   the documentation"

.venv/pip:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed"'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -U "pip>=25.1"
	@touch $@
.venv/core: .venv/pip pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@
.venv/test: .venv/core
	$(BIN)/python -m pip install -q --disable-pip-version-check --group test
	@touch $@
.venv/dev: .venv/core
	$(BIN)/python -m pip install -q --disable-pip-version-check --group dev
	@touch $@
.venv/docs: .venv/core
	$(BIN)/python -m pip install -q --disable-pip-version-check --group docs
	@touch $@

demo: .venv/core
	rm -rf $(OUT)
	$(BIN)/deeprg train flow --hamiltonian ising --size 16 --temperature critical --preset default \
		--minutes $(MINUTES) --seed 0 --out $(OUT)
	$(BIN)/deeprg sample $(OUT) -n 100000 --method independence
	$(BIN)/deeprg report $(OUT)

test: .venv/test
	$(PYTEST)

test-slow: .venv/test
	$(PYTEST) -m slow

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: .venv/dev
	$(BIN)/python benchmarks/run.py

docs: .venv/docs
	$(BIN)/python -m sphinx -W -b html docs docs/_build/html

clean:
	rm -rf .venv docs/_build .pytest_cache .ruff_cache .hypothesis
