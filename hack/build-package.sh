#!/usr/bin/env bash
# build-package.sh FOLDER: puts the wheel and the source distribution of this source tree into FOLDER, checked by twine.
#
# PROJECT_URL        address of the repository, such as https://github.com/example/fake-dra-driver: then the package names
#                    it, and README.md, which the package index shows, links to the files of this version there
# PYTHON             a Python with what requirements-dev.lock has (default: python3)
# SOURCE_DATE_EPOCH  time of the files in the package (default: of the last commit)
set -euo pipefail
[ $# = 1 ] || { sed -n 's/^# \{0,1\}//; 2,7p' "$0" >&2; exit 2; }
folder=$(realpath -m "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python3}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 315532800)} # zip knows no time before 1980
export SOURCE_DATE_EPOCH

copy=$(mktemp -d)
trap 'rm -rf "${copy}"' EXIT
cp -R --dereference pyproject.toml README.md LICENSE fake_dra_driver "${copy}/" # the demo's apps are links
if [ -n "${PROJECT_URL:-}" ]; then
  version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
  files=${PROJECT_URL}/blob/v${version}
  # Where a link begins with a letter and has no colon, it leads to a file of the source tree.
  sed -i -E "s|\]\(([a-zA-Z][^):]*)\)|](${files}/\1)|g" "${copy}/README.md"
  sed -i "/^\[project\.scripts\]\$/i [project.urls]\n\
Homepage = \"${PROJECT_URL}\"\n\
Documentation = \"${files}/docs\"\n\
Changelog = \"${files}/CHANGELOG.md\"\n\
Issues = \"${PROJECT_URL}/issues\"\n" "${copy}/pyproject.toml"
fi

# Without isolation: what builds is what the lock file has, not what an index has today.
"${python}" -m build --no-isolation --outdir "${folder}" "${copy}"
"${python}" -m twine check --strict "${folder}"/fake_dra_driver-*
