#!/usr/bin/env bash
# Deletes the kind cluster.
set -eu -o pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
set -x

kind delete cluster --name "${KIND_CLUSTER_NAME}"
