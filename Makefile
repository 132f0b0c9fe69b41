# Everything about Candela that is typed into a shell: `make help` lists it.

PYTHON ?= python3
BENCH_ARGS ?=
# Many tests wait for something: three at a time keep two processors busy.
TEST_ARGS ?= --numprocesses 3 --dist loadfile --no-loadscope-reorder
LOCK_ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
UV := $(PY) -m uv
UV_VERSION := 0.13.8

# A stamp names the content of the requirements it stands for, so a second run is ready in milliseconds.
stamp = $(VENV)/.installed-$(subst $() ,-,$(strip $(shell cksum < $(1))))
RUN_READY := $(call stamp,requirements.txt)
DEV_READY := $(call stamp,requirements-dev.txt)
UV_READY := $(VENV)/.uv-$(UV_VERSION)

# Each recipe line is one process (exec), so that a signal to make reaches the program and nothing is left behind.
.PHONY: help run test check bench lock clean

help:
	@echo "make run     start Candela; the first time it installs, fetches and trains what it needs"
	@echo "make test    run the tests                         TEST_ARGS=\"-k name\""
	@echo "make check   format, lint, types, import floors, then the tests"
	@echo "make bench   run the benchmarks                    BENCH_ARGS=\"--json FILE -k NAME\""
	@echo "make lock    pin the requirements anew             LOCK_ARGS=--upgrade"
	@echo "make clean   remove what can be made again; instance/ and saved_models/ stay"
	@echo "PYTHON=...   use another Python than python3 to make $(VENV)"

run: $(RUN_READY)
	@exec $(PY) download_assets.py
	@exec $(PY) startup_optimizer.py --if-needed
	@exec $(PY) app.py

test: $(DEV_READY)
	@exec $(PY) -m pytest $(TEST_ARGS)

check: $(DEV_READY)
	@exec $(PY) -m ruff format --check .
	@exec $(PY) -m ruff check .
	@exec $(PY) -m mypy .
	@exec $(VENV)/bin/lint-imports
	@exec $(MAKE) --no-print-directory test

bench: $(DEV_READY)
	@exec $(PY) tests/performance/benchmark_suite.py $(BENCH_ARGS)

lock: $(UV_READY)
	$(UV) pip compile $(LOCK_OPTIONS) requirements.in --output-file requirements.txt
	$(UV) pip compile $(LOCK_OPTIONS) requirements-dev.in --constraints requirements.txt --output-file requirements-dev.txt

LOCK_OPTIONS = --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	--no-emit-find-links $(LOCK_ARGS)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis static/vendor features/_compiled
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv reads no settings of pip, so pip's index is handed on; where uv fails, pip installs the same files.
define install
	@echo "Installing $(1)"
	@index="$${PIP_INDEX_URL:-$$($(PY) -m pip config get global.index-url 2>/dev/null)}"; \
	if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$index}"; fi; \
	$(UV) pip install --python $(PY) --compile-bytecode --require-hashes -r $(1) || \
	$(PY) -m pip install --require-hashes -r $(1)
	@rm -f $(filter-out $(RUN_READY) $(DEV_READY),$(wildcard $(VENV)/.installed-*))
	@touch $@
endef

$(RUN_READY): requirements.txt | $(UV_READY)
	$(call install,requirements.txt)

$(DEV_READY): requirements-dev.txt | $(UV_READY)
	$(call install,requirements-dev.txt)

$(UV_READY): | $(PY)
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) || \
	echo "uv cannot be installed here; going on with pip, which takes longer"
	@touch $@

$(PY):
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || { \
	echo "Candela needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo not installed);" \
	"name another one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || { \
	echo "$(PYTHON) cannot make virtual environments here: install python3-venv (apt-get install python3-venv)" >&2; exit 2; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
