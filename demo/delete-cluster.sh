#!/usr/bin/env bash
# Deletes the kind cluster. The images stay.
set -eu -o pipefail
# shellcheck source-path=SCRIPTDIR source=scripts/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/scripts/common.sh"
"${SCRIPTS_DIR}/need.sh" docker kind
set -x

"${SCRIPTS_DIR}/delete-kind-cluster.sh"
complete "Cluster deletion" "${KIND_CLUSTER_NAME}"
