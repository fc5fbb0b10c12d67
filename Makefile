# Everything that people and CI run here. `make` alone, or `make help`, lists it.

PYTHON ?= python3
HELM ?= helm
IMAGE ?= fake-dra-driver:v0.2.0
KIND_CLUSTER_NAME ?= fake-dra-driver-cluster
NAMESPACE ?= fake-system
PYTEST_FLAGS ?=
# More than two cores can do at once: most tests of a cluster wait. Each process starts a real API server of its own, where
# there is one.
PARALLEL ?= -n 4 --dist worksteal
BENCH_FLAGS ?=
# Any text: the demo's cluster stays up until Ctrl-C.
KEEP ?=
# The Kubernetes release that the demo's cluster is like, such as 1.37; left out, the latest with classic DRA.
KUBERNETES ?=
# Any text, such as a commit's hash. It chooses a share of the kills, scenarios and walks, which runs instead of all of them.
SAMPLE ?=
# The Kubernetes releases that e2e-all runs on; left out, one of each kind that is supported.
KUBE_VERSIONS ?=
DRAW = $(if $(SAMPLE),--sample='$(SAMPLE)')
NEED_CLUSTER := $(addprefix --ignore=tests/,e2e go soak upgrade)

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := .venv/bin
# Made once everything is installed, so that it is installed again only when a lock file changes.
INSTALLED := .venv/.installed
# The demo needs no tools for development, but uses them where they are installed anyway.
DEMO_INSTALLED := $(if $(wildcard $(INSTALLED)),$(INSTALLED),.venv/.installed-demo)
RELEASE := fake-dra-driver
CHART := deployments/helm/fake-dra-driver
CONTEXT := kind-$(KIND_CLUSTER_NAME)

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Variables: PYTHON=$(PYTHON) HELM=$(HELM) IMAGE=$(IMAGE)"
	@echo "  KIND_CLUSTER_NAME=$(KIND_CLUSTER_NAME) NAMESPACE=$(NAMESPACE)"
	@echo "  KEEP KUBERNETES PYTEST_FLAGS BENCH_FLAGS SAMPLE"
	@echo "  KUBE_VERSIONS KUBEBUILDER_ASSETS KUBE_DIR"

.PHONY: install
install: $(INSTALLED) ## Make .venv from the lock file, checked by hashes

$(INSTALLED): requirements-dev.lock pyproject.toml
	@PYTHON='$(PYTHON)' hack/venv.sh requirements-dev.lock
	@touch $@

.PHONY: demo
demo: $(DEMO_INSTALLED) ## Walk through the quickstart; with KUBERNETES=1.37, KEEP=1
	@$(BIN)/fake-dra-driver demo $(if $(KUBERNETES),--kubernetes-version='$(KUBERNETES)') $(if $(KEEP),--keep)

.venv/.installed-demo: requirements-cluster.lock requirements-build.lock pyproject.toml
	@PYTHON='$(PYTHON)' hack/venv.sh requirements-cluster.lock requirements-build.lock
	@touch $@

.PHONY: generate
generate: $(INSTALLED) ## Write all generated files: CRDs, chart, docs, gRPC stubs
	$(BIN)/python -m fake_dra_driver generate
	for folder in demo/drivers/*/; do (cd "$$folder"; $(CURDIR)/$(BIN)/python ./*.py generate); done
	hack/generate-pb.sh

.PHONY: check
check: $(INSTALLED) ## Check format, types, layers, docs, generated files, scripts
	HELM=$(HELM) hack/check.sh

.PHONY: test
test: $(INSTALLED) ## Run unit and integration tests; some need KUBEBUILDER_ASSETS
	HELM=$$(command -v $(HELM) || true) $(BIN)/python -m pytest $(PARALLEL) $(PYTEST_FLAGS) $(DRAW) $(NEED_CLUSTER)

.PHONY: test-kube
test-kube: $(INSTALLED) ## Run only those that need KUBEBUILDER_ASSETS
	@: $${KUBEBUILDER_ASSETS:?name the folder with etcd, kube-apiserver and kubectl}
	$(BIN)/python -m pytest $(PARALLEL) $(PYTEST_FLAGS) $(NEED_CLUSTER) -m apiserver

.PHONY: test-go
test-go: $(INSTALLED) ## Run programs in Go in the embedded cluster
	$(BIN)/python -m pytest $(PYTEST_FLAGS) tests/go

.PHONY: docs
docs: $(INSTALLED) ## Make the API reference in build/api, and check its links
	$(BIN)/python hack/api-reference.py build/api

.PHONY: demo-svg
demo-svg: $(INSTALLED) ## Record docs/mock-devices.svg, in an embedded cluster
	$(BIN)/python -m fake_dra_driver.demo.recording docs/mock-devices.svg

.PHONY: package
package: $(INSTALLED) ## Make wheel and source distribution in dist
	PYTHON=$(CURDIR)/$(BIN)/python hack/build-package.sh dist

.PHONY: image
image: ## Build the image
	IMAGE=$(IMAGE) hack/build-image.sh

.PHONY: deploy
deploy: ## Install image and chart in a kind cluster, made if missing
	@demo/scripts/need.sh docker kind kubectl $(HELM)
	@kind get clusters 2>/dev/null | grep -Fqx -- $(KIND_CLUSTER_NAME) || \
		KIND_CLUSTER_NAME=$(KIND_CLUSTER_NAME) demo/create-cluster.sh
	DRIVER_IMAGE=$(IMAGE) KIND_CLUSTER_NAME=$(KIND_CLUSTER_NAME) demo/build-driver.sh
	kubectl --context=$(CONTEXT) apply --server-side --force-conflicts --filename=crds
	@# The annotation makes new pods when the image has changed under the same tag.
	image=$(IMAGE); id=$$(docker images --quiet --no-trunc -- $(IMAGE)); \
	$(HELM) upgrade -i --wait --timeout=3m --kube-context=$(CONTEXT) --create-namespace --namespace=$(NAMESPACE) \
		--set=image.repository=$${image%:*} --set=image.tag=$${image##*:} \
		--set=controller.podAnnotations.image-id=$$id --set=kubeletPlugin.podAnnotations.image-id=$$id \
		$(RELEASE) $(CHART)
	kubectl --context=$(CONTEXT) get pods --namespace=$(NAMESPACE)

.PHONY: undeploy
undeploy: ## Uninstall the driver there; CRDs and their objects stay
	@demo/scripts/need.sh $(HELM)
	$(HELM) uninstall --wait --ignore-not-found --kube-context=$(CONTEXT) --namespace=$(NAMESPACE) $(RELEASE)

.PHONY: e2e
e2e: $(INSTALLED) ## Test the quickstart, and kills, on the kubeconfig's cluster
	HELM=$(HELM) $(BIN)/python -m pytest $(PYTEST_FLAGS) $(DRAW) tests/e2e

.PHONY: e2e-all
e2e-all: $(INSTALLED) ## Do e2e and scenarios on each Kubernetes of KUBE_DIR: hours
	hack/e2e-all.sh $(KUBE_VERSIONS)

.PHONY: soak
soak: $(INSTALLED) ## Test stops, faults, random lives and hostile input for longer
	@# Of the unit tests, those that have bounds to lift (tests/crash/bounds.py).
	SOAK=1 HELM=$$(command -v $(HELM) || true) $(BIN)/python -m pytest $(PARALLEL) $(PYTEST_FLAGS) \
		tests/crash tests/hostile tests/integration/kubeconfig tests/integration/chart tests/kubescheduler \
		$$(grep -rl --include='test_*.py' 'tests\.crash\.bounds' tests/unit)
	@if [[ -n "$${FAKE_DRA_E2E_LOCAL_CLUSTER_DIR:-}" ]]; then $(BIN)/python -m pytest -s $(PYTEST_FLAGS) tests/soak; \
	else echo "LEFT OUT: the long run on a real node, which needs FAKE_DRA_E2E_LOCAL_CLUSTER_DIR"; fi

.PHONY: upgrade-test
upgrade-test: $(INSTALLED) ## Test an upgrade and a rollback on the kubeconfig's cluster
	@: $${FAKE_DRA_UPGRADE_FROM:?name the chart that hack/build-revision.sh has made}
	HELM=$(HELM) $(BIN)/python -m pytest $(PYTEST_FLAGS) tests/upgrade

.PHONY: scenarios
scenarios: $(INSTALLED) ## Run the scenarios on the kubeconfig's cluster
	FAKE_DRA_SCENARIOS_ON=kubeconfig $(BIN)/python -m pytest $(PYTEST_FLAGS) $(DRAW) tests/scenarios

.PHONY: bench
bench: $(INSTALLED) ## Measure the driver on a real control plane from KUBE_DIR
	$(BIN)/python -m tests.bench $(BENCH_FLAGS)

.PHONY: lock
lock: ## Write the lock files from pyproject.toml; needs uv
	hack/lock.sh

.PHONY: clean
clean: ## Remove .venv, caches and builds
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache ./*.egg-info
