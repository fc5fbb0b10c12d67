#!/usr/bin/env bash
# package-chart.sh IMAGE DIGEST FOLDER: packages the chart into FOLDER, for a release, and prints the package's path. The
# chart that comes out runs this image, named by its digest, where the one in the source tree runs a local one.
#
# HELM   the helm to use (default: helm)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
image=$1 digest=$2 folder=$3
chart=deployments/helm/fake-dra-driver

[[ ${digest} =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "${digest} is not the digest of an image." >&2; exit 1; }
copy=$(mktemp -d)
trap 'rm -rf "${copy}"' EXIT
cp -R "${chart}" "${copy}/"
values=${copy}/fake-dra-driver/values.yaml
sed -i -e "s|^  repository: \"fake-dra-driver\"\$|  repository: \"${image}\"|" \
  -e "/^image:/,/^\$/s|^  digest: \"\"\$|  digest: \"${digest}\"|" "${values}"
if [ "$(grep -c -F -e "\"${image}\"" -e "\"${digest}\"" "${values}")" != 2 ]; then
  echo "values.yaml has no such lines as this script replaces: image.repository and image.digest." >&2
  exit 1
fi
"${HELM:-helm}" package --destination "${folder}" "${copy}/fake-dra-driver" >&2
echo "${folder}"/fake-dra-driver-*.tgz
