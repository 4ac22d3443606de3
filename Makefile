# make demo: the main job on drawn data. make test: the tests. Both create .venv first if it is missing.
# make image: the container image. make test-image: tests on it, with a container engine.
PYTHON ?= python3
PY := .venv/bin/python
SET_UP := .venv/set-up

.PHONY: demo train inference test test-precision test-long lint lock image test-image sdk-check
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

demo: export SM_CHANNEL_TRAIN = demo/data/train
demo: export SM_CHANNEL_VALIDATION =
demo: export SM_CHANNEL_EVAL = demo/data/eval
demo: export SM_CHANNEL_MODEL = demo/model
demo: export SM_MODEL_DIR = demo/model
demo: export SM_GROUND_TRUTH_DIR = demo/data/gt
demo: $(SET_UP)
	rm -rf demo
	$(PY) -m exploration demo --output demo/data
	SM_OUTPUT_DATA_DIR= $(PY) train.py --config configs/demo.yaml --name classic
	SM_OUTPUT_DATA_DIR=demo/output $(PY) inference.py
	SM_OUTPUT_DATA_DIR=demo/output-TTA $(PY) inference_TTA.py
	SM_OUTPUT_DATA_DIR=demo/output $(PY) evaluation.py --output demo --compare demo/output-TTA --pictures demo/data/eval
	@echo
	@$(PY) -m exploration scores --evaluation demo/evaluation.json
	@printf '\nmodel        demo/model/classic\npredictions  demo/output/output.csv, demo/output/probabilities.csv\n'
	@printf 'with TTA     demo/output-TTA/output.csv\nevaluation   demo/evaluation.json\nreport       demo/report.html\nimages       demo/data\n'

CONFIGS ?= $(wildcard configs/*.yaml)
NAMES = $(basename $(notdir $(CONFIGS)))
MODELS = $(or $(SM_MODEL_DIR),runs)

train: $(SET_UP)
	@for config in $(CONFIGS); do name=$$(basename $${config%.*}); \
	  test -e $(MODELS)/$$name/metrics.json -o -e $(MODELS)/$$name/ensemble.json && echo "$$name is trained" || \
	  $(PY) train.py --config $$config --name $$name || exit; done

inference: $(SET_UP)
	@for name in $(NAMES); do $(PY) inference.py --model_dir $(MODELS)/$$name --output $$name.csv || exit; done

TWO_AT_ONCE = --numprocesses 2 --dist worksteal
test test-long: export OMP_NUM_THREADS = 1

test: $(SET_UP)
	$(PY) -m pytest $(TWO_AT_ONCE) --cov --cov-report=term:skip-covered --cov-fail-under=90

# The tests that predict, with `precision auto` forced to each on any processor, in another order of sets.
PREDICTING = tests/test_inference.py tests/test_plan.py tests/test_processing.py tests/test_shards.py \
  tests/test_earlier_versions.py tests/model/artifacts tests/model/prediction tests/model/training tests/container/serve
test-precision: export OMP_NUM_THREADS = 1
test-precision: $(SET_UP)
	PYTHONHASHSEED=1 $(PY) -m pytest $(TWO_AT_ONCE) --auto_precision bf16 $(PREDICTING)
	PYTHONHASHSEED=2 $(PY) -m pytest $(TWO_AT_ONCE) --auto_precision fp32 $(PREDICTING)

# Tests that take minutes: whole runs, the server under load.
test-long: $(SET_UP)
	$(PY) -m pytest -m long $(TWO_AT_ONCE)

lint: $(SET_UP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports --no-logo

# The image's wheels: requirements.txt and all that it needs, pinned and hashed, for every Python from 3.11 on.
# UPGRADE=1 takes the newest of what requirements.txt does not pin.
lock: $(SET_UP)
	.venv/bin/uv pip compile requirements.txt --universal --python-version 3.11 --no-build --generate-hashes \
	  --no-annotate --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade) --quiet --output-file requirements.lock

DOCKER ?= docker
IMAGE ?= rarebird
BASE_IMAGE ?=

image:
	DOCKER_BUILDKIT=1 $(DOCKER) build $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) --tag $(IMAGE) .

test-image: $(SET_UP)
	$(PY) -m pytest -m image

# The SageMaker Python SDK's local mode as a client of the image: about 2 GB of packages in environments of their own.
sdk-check: $(SET_UP)
	$(PY) -m pytest -m sdk
