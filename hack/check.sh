#!/usr/bin/env bash
# check.sh: everything that can be said about the sources without running them. All of it is tried, then it fails if
# anything failed. `make check` runs it with the tools of .venv; shellcheck, helm and promtool are used where they
# are installed.
#
# HELM   the helm to use (default: helm)
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
PATH="${PWD}/.venv/bin:${PATH}"
helm=${HELM:-helm}
failed=()

step() { # step TITLE COMMAND...
  printf '=== %s\n' "$1"
  "${@:2}" || failed+=("$1")
}

# Every shell script of the tree, whatever its name.
scripts() {
  git ls-files --cached --others --exclude-standard | while read -r file; do
    if [ -f "${file}" ] && head -n 1 "${file}" | grep -q -E '^#!.*\b(ba)?sh\b|^# .*To be sourced'; then
      printf '%s\n' "${file}"
    fi
  done
}

step "format" ruff format --check .
step "lint" ruff check .
step "types" mypy
step "architecture" lint-imports
step "generated files" python -m fake_dra_driver generate --check
step "API reference" python hack/api-reference.py build/api
step "gRPC stubs" hack/generate-pb.sh --check
if command -v shellcheck >/dev/null; then
  mapfile -t files < <(scripts)
  step "shell scripts" shellcheck --external-sources "${files[@]}"
else
  echo "=== SHELL SCRIPTS NOT CHECKED: THERE IS NO SHELLCHECK"
fi
if command -v "${helm}" >/dev/null; then
  for version in 1.30 1.37; do # classic and structured DRA
    step "chart on Kubernetes ${version}" \
      "${helm}" lint --quiet --strict --kube-version "${version}" --namespace fake-system deployments/helm/fake-dra-driver
  done
else
  echo "=== CHART NOT CHECKED: THERE IS NO HELM"
fi

if command -v promtool >/dev/null; then
  step "alert rules" promtool test rules tests/unit/packaging/alerts.test.yaml
else
  echo "=== ALERT RULES NOT EVALUATED: THERE IS NO PROMTOOL (DEBIAN'S PACKAGE PROMETHEUS)"
fi

if [ ${#failed[@]} -gt 0 ]; then
  printf 'FAILED: %s\n' "${failed[@]}"
  exit 1
fi
echo "all checks passed"
