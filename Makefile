# make demo: creates a virtual environment, installs movi-prep, and runs every stage on the embedded data set.
# make test: the whole test suite in the same environment; make quick leaves out slow tests (a minute or so).

PYTHON ?= python3
# Where the CPU build of torch comes from. `make TORCH_INDEX=https://pypi.org/simple` takes PyPI's build instead, which
# on Linux brings gigabytes of CUDA libraries.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
VENV ?= .venv
DEMO ?= demo
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TOOLS := $(VENV)/.tools_installed
# pip says nothing while it unpacks: this says every nine seconds that it is at work.
STILL := $(PYTHON) tools/keep_saying.py
# Nothing is compiled ahead: Python compiles what is used, and most modules of torch and OpenSim never are (200 MB).
# Where Python keeps nothing that it compiles, every process would compile OpenSim again, for seconds: there pip does it.
PIP := $(BIN)/python -m pip install $(if $(PYTHONDONTWRITEBYTECODE),--compile,--no-compile)

.PHONY: demo test quick check bench docs clean

demo: $(INSTALLED)
	$(BIN)/movi-prep demo $(DEMO)

test: $(TOOLS)
	$(BIN)/python -m pytest -q

quick: $(TOOLS)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "not slow and not slurm"

check: $(TOOLS)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(TOOLS)
	$(BIN)/python -m mkdocs build

bench: $(TOOLS)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) $(DEMO) build *.egg-info

$(INSTALLED): pyproject.toml requirements/constraints.txt
	$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f'movi-prep needs Python 3.11 to 3.13, this is {v[0]}.{v[1]}: try make PYTHON=python3.11')"
	@echo "creating $(VENV) and installing movi-prep in it: a few minutes, once"
	$(STILL) "creating $(VENV)" $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --upgrade pip
# Asked for first and by itself: pip would take PyPI's CUDA build as soon as it sees both.
	$(STILL) "installing torch" $(PIP) --no-deps --retries 1 --timeout 20 --index-url $(TORCH_INDEX) \
		--constraint requirements/constraints.txt torch \
		|| echo "$(TORCH_INDEX) has no torch for this machine or cannot be reached; pip takes the default build"
	$(STILL) "installing movi-prep" $(PIP) --constraint requirements/constraints.txt \
		--editable '.[plot,video]'
# pip compiles no editable package.
	$(BIN)/python -m compileall -q movi_prep
	touch $@

# What tests, checks and documents need beside it: `make demo` fetches none of this.
$(TOOLS): $(INSTALLED)
	$(STILL) "installing tools" $(PIP) --constraint requirements/constraints.txt --editable '.[dev]'
	touch $@
