# What a developer and a newcomer type. Everything runs in .venv, which `make install` makes.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: install demo demo-serve check test test-system soak catalogues clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "CertBridge needs Python 3.11 or newer; set PYTHON=python3.11 (or newer)."; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "python3 -m venv failed: on Debian and Ubuntu, install the package python3-venv."; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

catalogues: install
	@$(BIN)/python hatch_build.py

demo: catalogues
	@$(BIN)/certbridge demo

demo-serve: catalogues
	@$(BIN)/certbridge demo --serve

check: catalogues
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest -n 2

# Needs the Debian packages of apt.txt.
test-system: install
	$(BIN)/pytest -m system tests/system

# What takes long: more rounds of killing, 50,000 messages to a receiver that fails at random, the scan for secrets on SQLite too.
soak: install
	$(BIN)/pytest -m soak

clean:
	rm -rf .venv var
