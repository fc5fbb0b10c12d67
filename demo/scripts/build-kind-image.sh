#!/usr/bin/env bash
# Makes sure that there is a node image for the kind cluster. A published one is left for kind to pull.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

if image_exists "${KIND_IMAGE}"; then
  exit 0
fi
if [ -z "${KIND_IMAGE_BASE}" ] && docker manifest inspect "${KIND_IMAGE}" >/dev/null; then
  exit 0
fi

SOURCES="$(mktemp -d)"
trap 'rm -rf -- "${SOURCES}"' EXIT
git clone --depth 1 --branch "${KIND_K8S_TAG}" -- "${KIND_K8S_REPO}" "${SOURCES}/kubernetes"
kind build node-image --image "${KIND_IMAGE}" ${KIND_IMAGE_BASE:+--base-image "${KIND_IMAGE_BASE}"} \
  "${SOURCES}/kubernetes"
