#!/usr/bin/env bash
# Copies the driver's image to the nodes of the kind cluster.
set -eu -o pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
set -x

kind load docker-image --name "${KIND_CLUSTER_NAME}" "${DRIVER_IMAGE}"
