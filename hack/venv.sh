#!/usr/bin/env bash
# venv.sh LOCK-FILE...: makes .venv with the libraries of these lock files, checked by hashes, and the programs of this
# source tree. On a machine that lacks something for that it says what, in a sentence.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON=${PYTHON:-python3}
readonly is_recent='import sys; sys.exit(sys.version_info < (3, 11))'

# fail WORD...: the last words, in lines that fit a terminal.
fail() {
  fmt -w 79 <<<"$*" >&2
  exit 1
}

# recent_python: a Python on the PATH that is recent enough, or the name of one that would be.
recent_python() {
  local name
  for name in python3 python3.{14..11}; do
    if "$name" -c "$is_recent" &>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo /path/to/python3.12
}

# check_python: ends the script when no virtual environment can be made with this Python.
check_python() {
  local found
  if ! found=$("$PYTHON" --version 2>&1); then
    fail "$PYTHON does not run on this machine. Install Python 3.11 or later; where it is here under another" \
      "name, say so, as in: make demo PYTHON=$(recent_python)"
  fi
  if ! "$PYTHON" -c "$is_recent"; then
    fail "$PYTHON is $found, which is too old. Install Python 3.11 or later; where it is here under another name," \
      "say so, as in: make demo PYTHON=$(recent_python)"
  fi
  # Debian keeps these apart from Python, and leaves half an environment behind where they are missing.
  if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
    fail "$PYTHON cannot make virtual environments: it lacks the modules venv and ensurepip. On" \
      "Debian and Ubuntu: apt install python3-venv"
  fi
}

# pip_install ARGUMENT...: quiet; on a terminal it shows which library pip is at, since this takes a while.
pip_install() {
  local install=(.venv/bin/python -m pip install --disable-pip-version-check)
  if [ -t 1 ]; then
    "${install[@]}" --progress-bar off "$@" | awk '
      /^Collecting /           { printf "\r\033[K  %s", $2; fflush() }
      /^Installing collected / { printf "\r\033[K  unpacking all of them"; fflush() }
      END                      { printf "\r\033[K" }'
  else
    "${install[@]}" --quiet "$@"
  fi
}

# An environment that was left half made, or whose Python is gone, is made again.
if ! .venv/bin/python -c "$is_recent" &>/dev/null || ! .venv/bin/python -m pip --version &>/dev/null; then
  check_python
  echo "Making .venv with $("$PYTHON" --version)."
  "$PYTHON" -m venv --clear .venv
fi
echo "Installing libraries from a package index into .venv. It takes up to a minute."
if ! pip_install --require-hashes "${@/#/--requirement=}"; then
  fail "The libraries could not be installed; the reason is above. They come from PyPI, or from" \
    "the package index in PIP_INDEX_URL; behind a proxy pip needs HTTPS_PROXY."
fi
pip_install --no-index --no-deps --no-build-isolation --editable .
