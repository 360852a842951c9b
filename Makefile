# Everything runs in .venv; only Python >= 3.11, pip and make are needed beforehand.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Byte code is compiled once at set-up, so that no start pays for it, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=
NAME   ?=

.PHONY: setup demo gpu-check test check wheel-check soak bench pictures sample-data clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,dev]'
	@# The tests build a stand-in for NVIDIA's library: without a C compiler by the one in this package (100 MB).
	@command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt ziglang
	$(BIN)/python -m compileall -q core tui
	touch $(STAMP)

demo: setup
	@$(BIN)/python -m compileall -q core tui
	@$(BIN)/tunedeck demo

# On a machine with an NVIDIA GPU: real runs, forecast, readings, resume, speed; under eight minutes, no network.
gpu-check: setup
	@$(BIN)/tunedeck doctor --gpu

test: setup
	@$(BIN)/python -m compileall -q core tui
	@# Three workers for two processors: most tests of the screens wait, those of the training compute.
	@began=$$(date +%s); $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder; code=$$?; \
	  took=$$(($$(date +%s) - began)); echo "tests took $$((took / 60)) min $$((took % 60)) s"; exit $$code

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel-check: setup
	$(BIN)/python -m tests.wheel_check

soak: setup
	$(BIN)/python -m pytest -m slow --hypothesis-profile=random

# `make bench` measures everything; `make bench NAME=start` (or `make bench-start`) one thing.
bench: setup
	@$(BIN)/python -m compileall -q core tui
	$(BIN)/python -m tests.benchmarks $(NAME) $(filter-out bench,$(MAKECMDGOALS))

pictures: setup
	$(BIN)/python -m docs.make_pictures

# Builds the sample data and the tiny base model again (about four minutes).
sample-data: setup
	$(BIN)/python -m sample_data.build

clean:
	rm -rf $(VENV) dist build

# `make bench start`: the words after `bench` are names of benchmarks, not targets.
ifneq (,$(filter bench,$(MAKECMDGOALS)))
%:
	@:
endif
