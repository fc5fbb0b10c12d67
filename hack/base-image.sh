#!/usr/bin/env bash
# base-image.sh [--check]: puts the digest that the base image's tag has now into the Dockerfile, or with --check fails
# when the Dockerfile has another one. Needs docker with buildx, and the registry.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

named=$(sed -n 's/^ARG BASE_IMAGE=//p' Dockerfile)
tag=${named%@*}
# Of the index of all platforms.
digest=$(docker buildx imagetools inspect "${tag}" --format '{{.Manifest.Digest}}')
[[ ${digest} =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "The registry has no digest for ${tag}: ${digest}" >&2; exit 1; }
if [ "${named}" = "${tag}@${digest}" ]; then
  echo "${named} is what ${tag} is now."
elif [ "${1:-}" = --check ]; then
  echo "${tag} has been renewed, and is ${digest} now: run hack/base-image.sh, and make e2e with the image." >&2
  exit 1
else
  sed -i "s|^ARG BASE_IMAGE=.*|ARG BASE_IMAGE=${tag}@${digest}|" Dockerfile
  echo "The Dockerfile has ${tag}@${digest} now."
fi
