#!/usr/bin/env bash
# Makes sure that there is a node image for the kind cluster. A published one is left for kind to pull.
set -eu -o pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
set -x

if image_exists "${KIND_IMAGE}"; then
  exit 0
fi
# Only what the registry does not have is built: where it cannot be reached, neither can the sources.
PROBLEM="$(docker manifest inspect "${KIND_IMAGE}" 2>&1 >/dev/null || true)"
if [ -z "${KIND_IMAGE_BASE}" ] && ! grep -Eq 'no such manifest|manifest unknown|not found' <<<"${PROBLEM}"; then
  exit 0
fi

"${SCRIPTS_DIR}/need.sh" git
SOURCES="$(mktemp -d)"
trap 'rm -rf -- "${SOURCES}"' EXIT
git clone --depth 1 --branch "${KIND_K8S_TAG}" -- "${KIND_K8S_REPO}" "${SOURCES}/kubernetes"
kind build node-image --image "${KIND_IMAGE}" ${KIND_IMAGE_BASE:+--base-image "${KIND_IMAGE_BASE}"} \
  "${SOURCES}/kubernetes"
