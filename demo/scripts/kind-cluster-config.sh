#!/usr/bin/env bash
# Prints the configuration of the kind cluster: a control plane and a worker, with DRA and CDI switched on where their
# Kubernetes and its container runtime have them off.
set -eu -o pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

case "$(sed -E 's/^v1\.([0-9]+)\..*/\1/' <<<"${KIND_K8S_TAG}")" in
  2[789] | 30) API_VERSIONS=(v1alpha2) ;;
  32) API_VERSIONS=(v1beta1) ;;
  33) API_VERSIONS=(v1beta1 v1beta2) ;;
  3[4-9] | [4-9][0-9]) API_VERSIONS=() ;;
  *)
    echo "There is no DRA for this driver in KIND_K8S_TAG=${KIND_K8S_TAG}: take v1.27 to v1.30, or v1.32 or later." >&2
    exit 1
    ;;
esac

cat <<'YAML'
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
  - role: worker
YAML
if [ "${#API_VERSIONS[@]}" -gt 0 ]; then
  cat <<'YAML'
containerdConfigPatches:
  # The first is containerd 1.7's name of the setting, where it is off by default; the second is that of 2.x.
  - |-
    [plugins."io.containerd.grpc.v1.cri"]
      enable_cdi = true
    [plugins."io.containerd.cri.v1.runtime"]
      enable_cdi = true
featureGates:
  DynamicResourceAllocation: true
runtimeConfig:
YAML
  printf '  resource.k8s.io/%s: "true"\n' "${API_VERSIONS[@]}"
fi
