# make demo: the main job on demo data made on the spot. make test: the tests. Both make .venv first where it is missing.
PYTHON ?= python3
PY := .venv/bin/python
SET_UP := .venv/set-up

.PHONY: demo test lint
.DELETE_ON_ERROR:

.venv: $(SET_UP)

$(SET_UP): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "$(PYTHON) lacks venv or ensurepip; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	touch $@

demo: $(SET_UP)
	$(PY) -m exploration demo --output demo

test: $(SET_UP)
	$(PY) -m pytest --cov --cov-report=term:skip-covered --cov-fail-under=90

lint: $(SET_UP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports --no-logo
