# The front door. Each target is complete in itself: it installs what is missing (asking for
# sudo only if needed), builds, runs. CMake does the work underneath; see `make help`.

PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
FUZZ_SECONDS ?= 60
BENCH_OUTPUT ?= quick_test
BUILD = scripts/build.sh

.DEFAULT_GOAL := all
.PHONY: all bench bench-peers bench-gpu-peers test test-gpu test-real soak install lint format asan tsan fuzz coverage clean help

all: ## build build/tokenmark
	@scripts/install_dependencies.sh build
	@JOBS=$(JOBS) $(BUILD) default

bench: ## measure gpt2 (random weights, no download) with quick_test; report and plots
	@scripts/install_dependencies.sh build plots
	@JOBS=$(JOBS) $(BUILD) default
	build/tokenmark bench --model gpt2 --weights random --preset quick_test \
	  --output-file $(BENCH_OUTPUT) --force
	build/tokenmark analyze $(BENCH_OUTPUT).json

test: ## run every test
	@scripts/install_dependencies.sh build plots test
	@JOBS=$(JOBS) $(BUILD) test
	@scripts/run_tests.sh build

test-real: all ## real weights (a package of 90 MB): the tokens that transformers gives
	@scripts/test_real.sh

test-gpu: ## on a GPU: kernels under compute-sanitizer, every family against goldens and CPU
	@scripts/install_dependencies.sh build plots test
	@JOBS=$(JOBS) $(BUILD) test
	@scripts/test_gpu.sh

bench-gpu-peers: all ## on a GPU: compare with transformers (PEERS="--rounds 3 ...")
	@scripts/bench_gpu_peers.sh $(PEERS)

bench-peers: all ## compare with other engines on this machine (PEERS="--rounds 3 ...")
	@scripts/bench_peers.sh $(PEERS)

soak: ## the long loops: kills, failing allocations, sanitizers over everything
	@scripts/install_dependencies.sh build plots test clang
	@JOBS=$(JOBS) $(BUILD) test
	@TOKENMARK_SOAK=1 scripts/run_tests.sh build
	@$(MAKE) --no-print-directory asan tsan

install: all ## install into PREFIX (/usr/local)
	cmake --install build --prefix $(PREFIX)

lint: ## formatting, clang-tidy, layers
	@scripts/install_dependencies.sh build test clang lint
	@JOBS=$(JOBS) $(BUILD) test
	@scripts/lint.sh

format: ## rewrite the sources as .clang-format says
	@git ls-files '*.c' '*.h' '*.cpp' '*.cu' '*.cuh' | xargs clang-format -i

asan: ## every test under AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/install_dependencies.sh build plots test
	@JOBS=$(JOBS) $(BUILD) asan
	@scripts/run_tests.sh build-asan

tsan: ## the threaded tests and the CUDA kernels under ThreadSanitizer
	@scripts/install_dependencies.sh build plots test clang
	@JOBS=$(JOBS) $(BUILD) tsan
	@scripts/run_tests.sh build-tsan -L threads

fuzz: ## every fuzz target for FUZZ_SECONDS (60)
	@scripts/install_dependencies.sh build test clang
	@JOBS=$(JOBS) $(BUILD) fuzz
	@scripts/run_fuzzers.sh build-fuzz $(FUZZ_SECONDS)

coverage: ## test coverage by file (needs gcovr)
	@scripts/install_dependencies.sh build plots test coverage
	@JOBS=$(JOBS) $(BUILD) coverage
	@scripts/run_tests.sh build-coverage
	gcovr -r . --filter src/ build-coverage

clean: ## remove every build folder
	rm -rf build build-asan build-tsan build-fuzz build-coverage

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{sub(/:.*/, "", $$1); printf "  make %-12s %s\n", $$1, $$2}' Makefile
