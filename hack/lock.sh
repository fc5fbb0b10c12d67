#!/usr/bin/env bash
# lock.sh [uv options, such as --upgrade]: writes the lock files from pyproject.toml, with the hashes of every wheel.
#
#   requirements.lock          what the driver needs at run time (the image)
#   requirements-cluster.lock  that, and what the embedded cluster needs (make demo)
#   requirements-dev.lock      that, and what checks, tests and generators need (CI)
#   requirements-build.lock    what makes a wheel of the driver (the image's first stage)
#   requirements-audit.lock    pip-audit, for hack/audit.sh: in an environment of its own, since it needs many libraries
#
# They hold for every Python from requires-python on, and every platform. Versions stay as they are, unless pyproject.toml
# rules them out or --upgrade is given. Needs uv (pip install uv).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

lock() { # lock FILE UV-ARGUMENT...
  local file=$1
  shift
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
    --custom-compile-command hack/lock.sh --output-file "${file}" "$@" >/dev/null
}

lock requirements.lock pyproject.toml "$@"
# Each is held to the versions of the one before: what is tested is what is shipped.
lock requirements-cluster.lock --constraint requirements.lock --extra cluster pyproject.toml "$@"
lock requirements-dev.lock --constraint requirements-cluster.lock --extra cluster --group dev pyproject.toml "$@"
python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' |
  lock requirements-build.lock - "$@"
echo pip-audit | lock requirements-audit.lock - "$@"
