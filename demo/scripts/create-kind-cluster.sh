#!/usr/bin/env bash
# Creates the kind cluster. When that fails the nodes stay, for a look at their logs.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

kind create cluster \
  --retain \
  --name "${KIND_CLUSTER_NAME}" \
  --image "${KIND_IMAGE}" \
  --config "${KIND_CLUSTER_CONFIG_PATH}"
