#!/usr/bin/env bash
# Builds the driver's image, and loads it into the kind cluster if there is one.
set -eu -o pipefail
# shellcheck source-path=SCRIPTDIR source=scripts/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/scripts/common.sh"
"${SCRIPTS_DIR}/need.sh" docker
set -x

"${SCRIPTS_DIR}/build-driver-image.sh"
if kind_cluster_exists; then
  "${SCRIPTS_DIR}/load-driver-image-into-kind.sh"
fi
complete "Driver build" "${DRIVER_IMAGE}"
