# Everything a newcomer needs is `make demo` and `make test`; both build the environment first.
#
# PYTHON names another interpreter for the environment: make test PYTHON=python3.13
# ARGS goes on to the program: make demo ARGS="--style mosaic"    make test ARGS="-k gram"

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo web test lint bench docs clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    stylize a photo with the bundled network and print where the picture is"
	@echo "make web     open the page in the browser"
	@echo "make test    run the tests"
	@echo "make lint    check style and types"
	@echo "make bench   measure speed"
	@echo "make docs    write the reference of the Python API and print where it is"
	@echo "make clean   remove what was built; the environment $(VENV) stays"

demo: $(INSTALLED)
	@$(BIN)/python examples/demo.py $(ARGS)

web: $(INSTALLED)
	@$(BIN)/swag web --open $(ARGS)

# A worker for each processor, with one thread each (tests/conftest.py).
test: $(INSTALLED)
	$(BIN)/python -m pytest -n auto --dist worksteal --durations 0 --durations-min 10 $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy benchmarks

# The options of the tests are dropped: they disable the benchmarks.
bench: $(INSTALLED)
	$(BIN)/python -m pytest -o addopts= benchmarks $(ARGS)

docs: $(INSTALLED)
	@$(BIN)/python -W error -m pdoc --docformat google --output-directory build/docs swag
	@echo "$(CURDIR)/build/docs/swag.html"

clean:
	rm -rf build dist .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "SWAG needs Python 3.11 or newer, and '$(PYTHON)' is not; say make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# One command installs torch and torchvision, which must be built for each other.
$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --no-input --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
