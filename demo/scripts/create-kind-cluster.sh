#!/usr/bin/env bash
# Creates the kind cluster. When that fails the nodes stay, for a look at their logs.
set -eu -o pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
set -x

if [ -n "${KIND_CLUSTER_CONFIG_PATH}" ]; then
  CONFIG="$(<"${KIND_CLUSTER_CONFIG_PATH}")"
else
  CONFIG="$("${SCRIPTS_DIR}/kind-cluster-config.sh")"
fi
kind create cluster \
  --retain \
  --name "${KIND_CLUSTER_NAME}" \
  --image "${KIND_IMAGE}" \
  --config - <<<"${CONFIG}"
