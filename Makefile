# Every target calls a script or cargo; what they do is said there.

SHELL := /bin/bash
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin
scripts := deploy/scripts

.DEFAULT_GOAL := help
.PHONY: help setup build run dev test test-faults fuzz audit cluster bench fmt lint clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\): ## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup: ## install what is missing on a Debian or Ubuntu machine
	@bash $(scripts)/setup.sh

build: ## build the page and both programs in release mode
	@bash $(scripts)/setup.sh build
	@bash $(scripts)/page.sh
	cargo build --release --workspace

run: ## start the stand-alone program on http://localhost:8000
	@bash $(scripts)/run.sh

dev: ## run the stand-alone program and the page, built again as they are changed
	@bash $(scripts)/dev.sh

test: ## run all checks and tests, beside a private PostgreSQL and Redis
	@bash $(scripts)/test.sh

test-faults: ## run the long fault suite: everything that can be killed is, under load
	@bash $(scripts)/test-faults.sh

fuzz: ## feed what strangers send to libFuzzer's targets, a minute each, and hold the API against its document
	@bash $(scripts)/fuzz.sh
	@cargo build -p lastseen-api
	@bash $(scripts)/fuzz-api.sh

audit: ## hold dependencies against advisories, licences and sources
	@bash $(scripts)/audit.sh

cluster: ## start the distributed form: PostgreSQL, Redis, one API, two workers
	@bash $(scripts)/cluster.sh

bench: ## run the benchmarks
	@bash deploy/bench/run.sh

fmt: ## format the code
	cargo fmt --all

lint: ## lint the code, and the scripts where shellcheck is installed
	cargo clippy --workspace --all-targets -- -D warnings
	@if command -v shellcheck >/dev/null; then shellcheck -x .ci/run $(scripts)/*.sh deploy/bench/*.sh deploy/debian/p*; else echo "shellcheck is not installed, the scripts are not linted."; fi

clean: ## remove what was built; ./data stays
	cargo clean
	rm -rf web/dist web/node_modules
