# A façade: everything longer than a line is in hack/. `make` alone prints what there is.
.DEFAULT_GOAL := help
# `su` leaves out the folders of root's programs.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin
.NOTPARALLEL:
.PHONY: help demo test torture fuzz bench bench-micro bench-operator bench-scale soak build check lint fmt docs image deploy undeploy cluster-up cluster-down clean

help: ## Print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## The relay's main job, shown on a three-node Kubernetes that it starts on this machine
	@hack/install-deps build test image cluster
	@hack/demo/run

test: ## All tests, with a summary; hack/test --list shows the stages, hack/test STAGE runs one
	@hack/install-deps build lint test fuzz micro clients image cluster
	@hack/test

torture: ## A thousand kills and every fault we can make, judged by a checker: hack/torture --help, docs/durability.md
	@hack/install-deps build test cluster
	@hack/build programs
	@hack/previous/build
	@hack/torture

fuzz: ## A minute of libFuzzer for each target under tests/fuzz; hack/fuzz SECONDS TARGET... runs some for longer
	@hack/fuzz

bench: ## The relay beside Postfix and Exim, in one table: hack/bench/run --help; PEERS=NAME:PORT,... adds others
	@hack/install-deps build test
	@hack/build programs
	@hack/peers/unpack
	@hack/bench/run --write

bench-micro: ## The hot paths one by one, timed; hack/micro --instructions counts instructions and compares: docs/benchmarks
	@hack/micro

bench-operator: ## What the operator costs with 1, 1,000 and 5,000 SmtpRelays, against a real API server: docs/benchmarks
	@hack/install-deps build test
	@hack/build programs
	@hack/tools/build
	@hack/bench/operator --write

bench-scale: ## The relay with 10,000 connections, a million messages, a slow destination, large messages: docs/benchmarks
	@hack/install-deps build test
	@hack/build programs
	@hack/peers/unpack
	@hack/bench/scale --write

DURATION ?= 10m
REST ?= 10m
soak: ## Changes and faults for DURATION=10m, then REST=10m of nothing: does anything grow, or write at rest?
	@hack/install-deps build test
	@hack/build programs
	@hack/tools/build
	@hack/soak $(DURATION) --rest $(REST)

build: ## smtp-relay, smtp-relay-operator and relayctl, in build/bin
	@hack/build programs

check: ## A debug build, its unit and transcript tests, and the quick checks of lint
	@hack/build dev
	@ctest --test-dir build/dev --output-on-failure
	@hack/lint --quick

lint: ## Format, shell scripts, layers, the co_await rule, and clang-tidy
	@hack/lint

fmt: ## Format the sources
	@hack/lint --fix

docs: build ## Write docs/configuration.md and docs/metrics.md anew from the tables in the code
	@hack/docs

image: build ## Both images, with docker, nerdctl or buildah; prints their references
	@hack/image/build relay
	@hack/image/build operator

deploy: ## The operator into the cluster that KUBECONFIG names, else into the local one
	@hack/deploy

undeploy: ## The operator out of it; relays, their definition and their mail stay
	@hack/deploy uninstall

cluster-up: ## A three-node Kubernetes on this machine, with load balancer, DNS, smarthost (hack/cluster)
	@hack/cluster/up

cluster-down: ## Stop it; hack/cluster/down clean forgets its state as well
	@hack/cluster/down

clean: ## Forget the build, but not a cluster's state, nor the programs it consists of
	@rm -rf build/release build/dev build/asan build/tsan build/fuzz build/tidy build/bin build/test build/previous
