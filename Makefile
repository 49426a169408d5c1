# make run: set up and run the main job.  make test: set up and run the tests but the slow ones.
# make test-slow: run the slow tests.  make test-all: run all, also the thorough ones.  make lint, make bench: as they say.
# make test-torch: install PyTorch, which is large, and run the tests that need it; without it they are skipped.
# make coverage: install pytest-cov, and tell which lines the tests of `make test` run.
# make docs: the documentation as a site, into site/.
# make refresh: after a change of plugins, bring the tables, schemas and pictures of them in line.
# make faults: kill runs and workers, break files, and generate YAML files, many times; it takes hours.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Three processes also use two cores best, because many tests wait for other processes.
PARALLEL := --numprocesses=3 --dist=worksteal
export NO_MKDOCS_2_WARNING := 1

.PHONY: run test test-slow test-all test-torch coverage lint docs refresh bench faults clean
.DELETE_ON_ERROR:

run: $(READY)
	$(BIN)/fooldeap run configs/mnist.yaml

test: $(READY)
	$(BIN)/pytest $(PARALLEL) -m "not slow"

test-slow: $(READY)
	$(BIN)/pytest $(PARALLEL) -m "slow and not thorough"

test-all: $(READY)
	$(BIN)/pytest $(PARALLEL)

test-torch: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[torch]'
	$(BIN)/pytest $(PARALLEL) tests/plugins/classifier/test_other_classifiers.py tests/faults/test_hostile_torch.py \
		tests/plugins/classifier/test_torch_files.py tests/plugins/classifier/test_preprocessing.py \
		tests/plugins/classifier/test_confidence.py tests/plugins/classifier/test_recipes.py \
		tests/plugins/classifier/test_unusual_torch_models.py tests/plugins/classifier/test_torch_cures.py

coverage: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pytest-cov
	$(BIN)/pytest $(PARALLEL) -m "not slow" --cov=fooldeap --cov=fooldeap_plugins --cov-report=term:skip-covered

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy fooldeap plugins
	$(BIN)/lint-imports
	$(BIN)/mkdocs build --strict --quiet

docs: $(READY)
	$(BIN)/mkdocs build --strict

refresh: $(READY)
	$(BIN)/python tools/refresh.py
	$(BIN)/python tools/docs/pictures.py

bench: $(READY)
	$(BIN)/python benchmarks/all.py --json benchmarks.json

faults: $(READY)
	FOOLDEAP_FAULTS=20 $(BIN)/pytest $(PARALLEL) tests/faults tests/plugins/executor/test_scoop_killed.py \
		tests/plugins/executor/test_dask_killed.py tests/plugins/executor/test_same_bits.py tests/sweep/test_sweep.py

clean:
	rm -rf $(VENV) site

$(READY): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "fooldeap needs Python 3.11 or newer; say which: make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,dev]'
	@touch $@
