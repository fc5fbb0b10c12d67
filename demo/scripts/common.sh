# Settings of all the scripts here; each can be set in the environment. To be sourced, not run.
# shellcheck shell=bash
# shellcheck disable=SC2034 # they are for the scripts that source this

SCRIPTS_DIR="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
PROJECT_DIR="$(cd -- "${SCRIPTS_DIR}/../.." && pwd)"

# The driver's image. The tag is the chart's appVersion.
: "${DRIVER_NAME:=fake-dra-driver}"
: "${DRIVER_IMAGE_NAME:=${DRIVER_NAME}}"
: "${DRIVER_IMAGE_TAG:=v0.2.0}"
: "${DRIVER_IMAGE:=${DRIVER_IMAGE_NAME}:${DRIVER_IMAGE_TAG}}"
# Platform to build for, as docker names it (linux/arm64); empty for this machine's.
: "${DRIVER_IMAGE_PLATFORM:=}"

# Kubernetes in the kind cluster: v1.32 or later for structured DRA, or v1.27 to v1.30 for classic DRA.
: "${KIND_K8S_TAG:=v1.36.1}"
# Node image, of that version. It is taken as it is when it is here or published, and built from KIND_K8S_REPO otherwise.
: "${KIND_IMAGE:=kindest/node:${KIND_K8S_TAG}}"
: "${KIND_K8S_REPO:=https://github.com/kubernetes/kubernetes.git}"
# Base image to build the node image on; setting it means: build it, do not take the published one.
: "${KIND_IMAGE_BASE:=}"

: "${KIND_CLUSTER_NAME:=${DRIVER_NAME}-cluster}"
# Configuration of the cluster for kind; empty for what kind-cluster-config.sh prints.
: "${KIND_CLUSTER_CONFIG_PATH:=}"

# kind_cluster_exists: whether kind knows a cluster of that name.
kind_cluster_exists() {
  kind get clusters 2>/dev/null | grep --fixed-strings --line-regexp --quiet -- "${KIND_CLUSTER_NAME}"
}

# image_exists IMAGE: whether docker has the image here.
image_exists() {
  [ -n "$(docker images --quiet -- "$1")" ]
}

# complete WHAT NAME: the last line of a script that went well, in green.
complete() {
  { set +x; } 2>/dev/null
  printf '\033[0;32m%s complete: %s\033[0m\n' "$1" "$2"
}
