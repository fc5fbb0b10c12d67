#!/usr/bin/env bash
# Creates the kind cluster, and loads the driver's image into it if that has been built.
set -eu -o pipefail
# shellcheck source-path=SCRIPTDIR source=scripts/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/scripts/common.sh"
"${SCRIPTS_DIR}/need.sh" docker kind
set -x

"${SCRIPTS_DIR}/build-kind-image.sh"
"${SCRIPTS_DIR}/create-kind-cluster.sh"
if image_exists "${DRIVER_IMAGE}"; then
  "${SCRIPTS_DIR}/load-driver-image-into-kind.sh"
fi
complete "Cluster creation" "${KIND_CLUSTER_NAME}"
