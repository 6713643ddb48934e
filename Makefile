# make demo: virtual environment, installation, the embedded data set, every stage on it.
# make test: the same environment, then the whole test suite; make quick leaves out the slow tests.

PYTHON ?= python3
VENV ?= .venv
DEMO ?= demo
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test quick check bench clean

demo: $(INSTALLED)
	$(BIN)/movi-prep demo $(DEMO)

test: $(INSTALLED)
	$(BIN)/python -m pytest -q

quick: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "not slow"

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) $(DEMO) build *.egg-info

$(INSTALLED): pyproject.toml requirements/constraints.txt
	$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f'movi-prep needs Python 3.11 to 3.13, this is {v[0]}.{v[1]}: try make PYTHON=python3.11')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint requirements/constraints.txt --editable '.[dev]'
	touch $@
