#!/usr/bin/env bash
# build-revision.sh REVISION FOLDER: chart and image of an earlier revision, for `make upgrade-test`.
#
# The image gets the tag upgrade-from, beside that of IMAGE. FOLDER gets `chart`, and with buildah also `image.tar`, which
# `cluster image` and `kind load image-archive` take. The variables are those of build-image.sh.
set -euo pipefail
[ $# = 2 ] || { sed -n 's/^# \{0,1\}//; 2,5p' "$0" >&2; exit 2; }
revision=$1 folder=$(realpath -m "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

image=${IMAGE:-fake-dra-driver:v0.2.0}
image=${image%:*}:upgrade-from
tree=$(mktemp -d)
trap 'rm -rf "${tree}"' EXIT
git archive "${revision}" | tar -x -C "${tree}"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "${revision}")
export SOURCE_DATE_EPOCH
IMAGE=${image} "${tree}/hack/build-image.sh"

mkdir -p "${folder}"
rm -rf "${folder}/chart" "${folder}/image.tar"
cp -r "${tree}/deployments/helm/fake-dra-driver" "${folder}/chart"
if [ "${CONTAINER_TOOL:-}" = buildah ] || ! docker info >/dev/null 2>&1; then
  buildah push "${image}" "docker-archive:${folder}/image.tar:docker.io/library/${image}"
fi
echo "FAKE_DRA_UPGRADE_FROM=${folder}/chart"
