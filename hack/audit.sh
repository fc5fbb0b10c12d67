#!/usr/bin/env bash
# audit.sh: looks up known vulnerabilities of everything that the lock files name. Needs the network.
#
# One that does not concern this project, or has no fix yet, is accepted in hack/audit-accepted.txt until a day that is
# given there; after that day it is a finding again.
#
# PYTHON      the interpreter to make an environment for pip-audit with (default: python3)
# PIP_AUDIT   a pip-audit that is there already, in place of the one in requirements-audit.lock
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

accepted=()
today=$(date --utc +%F)
while read -r id until reason; do
  case ${id} in '' | '#'*) continue ;; esac
  [[ ${until} =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}$ && -n ${reason} ]] ||
    { echo "hack/audit-accepted.txt: ${id} has no day and no reason." >&2; exit 1; }
  if [[ ${until} < ${today} ]]; then
    echo "${id} was accepted until ${until} (${reason}), and is a finding again."
  else
    accepted+=(--ignore-vuln "${id}")
  fi
done <hack/audit-accepted.txt

audit=${PIP_AUDIT:-}
if [ -z "${audit}" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "${folder}"' EXIT
  "${PYTHON:-python3}" -m venv "${folder}"
  "${folder}/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --only-binary :all: \
    --require-hashes --requirement requirements-audit.lock
  audit=${folder}/bin/pip-audit
fi

# Strict: a library that the database does not know is a failure, and not one without vulnerabilities.
status=0
for lock in requirements*.lock; do
  echo "=== ${lock}"
  "${audit}" --strict --require-hashes --disable-pip --progress-spinner off --desc on "${accepted[@]}" \
    --requirement "${lock}" || status=1
done
exit "${status}"
