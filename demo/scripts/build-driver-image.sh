#!/usr/bin/env bash
# Builds the driver's image with docker, from the Dockerfile.
set -eu -o pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
set -x

IMAGE="${DRIVER_IMAGE}" CONTAINER_TOOL=docker "${PROJECT_DIR}/hack/build-image.sh" \
  ${DRIVER_IMAGE_PLATFORM:+--platform "${DRIVER_IMAGE_PLATFORM}"}
