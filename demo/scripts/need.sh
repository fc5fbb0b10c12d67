#!/usr/bin/env bash
# need.sh TOOL...: says which of these tools are not here and where to get them, and fails if there is one.
set -eu -o pipefail

# home_of TOOL: where to get it.
home_of() {
  case "$1" in
    docker) echo https://docs.docker.com/engine/install/ ;;
    kind) echo https://kind.sigs.k8s.io/docs/user/quick-start/#installation ;;
    kubectl) echo https://kubernetes.io/docs/tasks/tools/ ;;
    helm) echo https://helm.sh/docs/intro/install/ ;;
    *) echo "the packages of this system" ;;
  esac
}

STATUS=0
for TOOL in "$@"; do
  NAME="$(basename -- "${TOOL}")"
  if ! command -v -- "${TOOL}" >/dev/null; then
    echo "${NAME} is not installed. Get it from $(home_of "${NAME}")" >&2
    STATUS=1
  elif [ "${NAME}" = docker ] && ! docker info >/dev/null 2>&1; then
    echo "docker is installed, but its daemon does not answer: start it, or see what 'docker info' says" >&2
    STATUS=1
  fi
done
exit "${STATUS}"
