# A machine needs Python 3.11 or newer, make and git; everything else goes into .venv here.
PYTHON ?= python3
BIN := .venv/bin
# Two halves in the order of the files; who has done one takes some of what is left of the other.
PYTEST := $(BIN)/pytest --numprocesses 2 --dist worksteal
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test test-all fuzz lint fix clean bench-gpu

demo: .venv/demo.done  ## the main job, offline, on real checkpoints
	$(BIN)/hubscan demo --folder .demo

test: .venv/dev.done .olah/bin/olah-cli  ## the tests, offline once set up
	$(BIN)/hubscan demo --folder .demo --build-only
	$(PYTEST)

test-all: .venv/dev.done .olah/bin/olah-cli  ## the slow ones too, every command started as a user starts it
	$(BIN)/hubscan demo --folder .demo --build-only
	$(PYTEST) --cold -m "not gpu"

fuzz: .venv/dev.done  ## everything that is parsed from outside, spoilt in 300 ways each
	HUBSCAN_FUZZ_EXAMPLES=$${HUBSCAN_FUZZ_EXAMPLES:-300} $(PYTEST) tests/fuzz

lint: .venv/dev.done  ## what CI checks besides the tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

fix: .venv/dev.done  ## what a machine can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:  ## back to the clone
	rm -rf .venv .olah .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/pip.done: constraints.txt
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("hubscan needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) pip
	touch $@

# torch first and by itself: its version decides which build everything else finds installed.
.venv/demo.done: .venv/pip.done pyproject.toml
	$(PIP) torch
	$(PIP) --editable '.[demo]'
	touch $@

.venv/dev.done: .venv/demo.done
	$(PIP) --group dev
	touch $@

# A Hub mirror that somebody else wrote, to check ours against. It needs older versions of what .venv
# has, so it lives by itself; the tests that use it say so and are skipped where it cannot be had.
.olah/bin/olah-cli:
	-$(PYTHON) -m venv .olah && .olah/bin/python -m pip install --quiet olah==0.5.4

bench-gpu: .venv/dev.done  ## on a machine with a GPU: its tests, and the table of speeds
	$(BIN)/pytest -m gpu
	$(BIN)/python benchmarks/gpu.py
