#!/usr/bin/env bash
# generate-pb.sh [--check]: writes fake_dra_driver/pb from proto/*.proto, and the descriptors of proto/kubernetes for the
# embedded API server, or with --check fails when that would change them.
#
# PYTHON names the interpreter that has grpcio-tools and mypy-protobuf (default: .venv's, else python3). Other versions
# of the two than those of requirements-dev.lock write other files, so the check says which versions it found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-}
if [ -z "${python}" ]; then
  python=python3
  [ ! -x .venv/bin/python ] || python=.venv/bin/python
fi
scripts=$("${python}" -c 'import sysconfig; print(sysconfig.get_path("scripts"))')
package=fake_dra_driver/pb
descriptors=fake_dra_driver/kubeproto/kubernetes.binpb

generate() { # generate FOLDER: writes the stubs and the descriptors below FOLDER
  # The virtual folder makes protoc write imports that work inside the package.
  PATH="${scripts}:${PATH}" "${python}" -m grpc_tools.protoc "-I${package}=proto" \
    "--python_out=$1" "--grpc_python_out=$1" "--mypy_out=quiet:$1" "--mypy_grpc_out=quiet,async_only:$1" \
    proto/*.proto
  mkdir -p "$(dirname "$1/${descriptors}")"
  "${python}" -m grpc_tools.protoc -Iproto/kubernetes "--descriptor_set_out=$1/${descriptors}" proto/kubernetes/*.proto
}

target=$(mktemp -d)
trap 'rm -rf "${target}"' EXIT
generate "${target}"
cp "${package}/__init__.py" "${target}/${package}/"

if [ "${1:-}" = --check ]; then
  if ! { diff -ru --exclude=__pycache__ "${package}" "${target}/${package}" &&
    cmp "${descriptors}" "${target}/${descriptors}"; }; then
    echo "${package} or ${descriptors} is not what hack/generate-pb.sh makes of proto/ with" \
      "$("${python}" -m pip freeze 2>/dev/null | grep -E '^(grpcio-tools|mypy-protobuf)=' | tr '\n' ' ')" >&2
    exit 1
  fi
else
  find "${package}" -name '*_pb2*' -delete
  cp "${target}/${package}"/*_pb2* "${package}/"
  cp "${target}/${descriptors}" "${descriptors}"
fi
