# What people type. `make` alone lists it. Everything is set up on first use in .venv; nothing needs root.

PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(abspath $(VENV))/bin
# Compiled C and C++ libraries are kept outside the checkout, so that a fresh clone does not build them again.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dsa110_contimg/target
export CMAKE_POLICY_VERSION_MINIMUM ?= 3.5
CARGO  := PATH="$(BIN):$$PATH" cargo
SOURCES := $(shell find src -type f) Cargo.toml Cargo.lock pyproject.toml $(wildcard build.rs)

.PHONY: help setup build demo demo-full test test-rust test-python test-oracle check format bench bench-ese docs clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(VENV)/.tools: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3" >&2; exit 1; }
	@command -v cargo >/dev/null || { echo "A Rust toolchain is needed: https://rustup.rs" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check "maturin>=1.9,<2" "cmake>=3.24" ninja
	@touch $@

$(VENV)/.built: $(VENV)/.tools $(SOURCES)
	PATH="$(BIN):$$PATH" VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --extras dev,docs -q
	@touch $@

setup build: $(VENV)/.built ## Make .venv and build the package into it

demo: $(VENV)/.built ## Simulate a campaign, run the pipeline over it, find the lens event, write a report
	$(BIN)/contimg demo --out demo-out

demo-full: $(VENV)/.built ## One full-size group, stage by stage: time, CPU, memory
	$(BIN)/contimg demo --full --out demo-out

test: test-rust test-python ## All tests but the oracle set

test-rust: $(VENV)/.tools
	$(CARGO) test --release

test-python: $(VENV)/.built
	$(BIN)/python -m pytest -m "not oracle" -n 2 --dist loadfile

$(VENV)/.oracle: $(VENV)/.built
	$(BIN)/python -m pip install -q --disable-pip-version-check $$($(BIN)/python ops/extra.py oracle)
	@touch $@

test-oracle: $(VENV)/.oracle ## Compare with CASA, pyuvdata, astropy, ducc0 and (where installed) WSClean
	$(BIN)/python -m pytest -m oracle

check: $(VENV)/.built ## Format, lints, types, layers, docs
	$(CARGO) fmt --check
	$(CARGO) clippy --release --all-targets --features python -- -D warnings
	$(BIN)/ruff check python tests benches ops
	$(BIN)/ruff format --check python tests benches ops
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest dsa110_contimg._core --allowlist ops/stubtest.allow
	$(BIN)/lint-imports
	$(BIN)/mkdocs build --strict -q -f docs/mkdocs.yml -d $(abspath site)

format: $(VENV)/.built ## Format Rust and Python
	$(CARGO) fmt
	$(BIN)/ruff check --fix -q python tests benches ops; $(BIN)/ruff format -q python tests benches ops

bench: $(VENV)/.oracle ## Side-by-side benchmarks against the peers (minutes)
	for bench in benches/python/bench_*.py; do echo "== $$bench"; $(BIN)/python $$bench || exit 1; done

bench-ese: $(VENV)/.built ## Completeness and purity of the nomination on injected events
	$(BIN)/python benches/python/bench_ese.py --source-years 30000 --events 1000
	$(BIN)/python benches/python/bench_ese.py --sky other --source-years 10000 --events 300
	$(BIN)/python benches/python/bench_ese.py --sky sixteen --source-years 3000 --events 300

docs: $(VENV)/.built ## Build the documentation into site/
	$(BIN)/mkdocs build --strict -f docs/mkdocs.yml -d $(abspath site)

clean: ## Remove what was built in the checkout
	rm -rf $(VENV) site demo-out python/dsa110_contimg/_core*.so
