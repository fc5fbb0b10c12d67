#!/usr/bin/env bash
# build-image.sh [BUILD-OPTION...]: builds the driver's image with docker, or with buildah where no docker daemon runs.
#
# IMAGE              name and tag (default fake-dra-driver:v0.2.0)
# BASE_IMAGE         another base image than the Dockerfile's; Debian's or another with glibc, with Python 3.11 or later
# FOLDER             with the Dockerfile (default: of the repository), such as demo/drivers/lamp, whose image IMAGE then is
# CONTAINER_TOOL     docker or buildah (default: docker if its daemon answers)
# SOURCE_DATE_EPOCH  time of the files in the image (default: of the last commit)
#
# pip's variables (PIP_INDEX_URL, PIP_FIND_LINKS, PIP_TRUSTED_HOST, PIP_CERT, ...) are passed on to the build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

image=${IMAGE:-fake-dra-driver:v0.2.0}
tool=${CONTAINER_TOOL:-}
if [ -z "${tool}" ]; then
  if docker info >/dev/null 2>&1; then
    tool=docker
  elif command -v buildah >/dev/null; then
    tool=buildah
  else
    echo "Neither does a docker daemon answer here nor is buildah installed: start docker, or install buildah." >&2
    exit 1
  fi
fi
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}

arguments=(
  --build-arg "SOURCE_DATE_EPOCH=${epoch}"
  --build-arg "VERSION=${image##*:}"
  --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || true)"
  --build-arg "CREATED=$(date --utc --date="@${epoch}" +%Y-%m-%dT%H:%M:%SZ)"
)
for variable in BASE_IMAGE PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_TRUSTED_HOST PIP_CERT PIP_PROXY; do
  # Docker and buildah take the value of an argument without one from the environment.
  [ -z "${!variable:-}" ] || arguments+=(--build-arg "${variable}")
done
if [ "${tool}" = buildah ]; then
  arguments+=(--timestamp "${epoch}")
fi

set -x
"${tool}" build "${arguments[@]}" --tag "${image}" "$@" "${FOLDER:-.}"
