#!/usr/bin/env bash
# release-notes.sh TAG: prints what CHANGELOG.md says of the version of a tag, such as v0.2.0, without its heading.
set -euo pipefail
[ $# = 1 ] || { sed -n 's/^# \{0,1\}//; 2p' "$0" >&2; exit 2; }
cd "$(dirname "${BASH_SOURCE[0]}")/.."

notes=$(awk -v heading="## [${1#v}] - " '
  /^## /    { within = index($0, heading) == 1; next }
  within' CHANGELOG.md)
[ -n "${notes}" ] || { echo "CHANGELOG.md says nothing of ${1#v}." >&2; exit 1; }
printf '%s\n' "${notes}"
