#!/usr/bin/env bash
# e2e-all.sh [VERSION...]: the whole of `make e2e` on every supported Kubernetes, or on these: about three quarters of an
# hour for each. Also `make scenarios`, with classic DRA and on the newest; with the API v1, which is there without being
# switched on, the walk once more on a cluster that has only the feature gates that are on by default.
# CI has a sample of it, on two. hack/tiers.sh says what it needs of the machine.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
source hack/tiers.sh

versions=("$@")
[ $# -gt 0 ] || versions=("${supported_versions[@]}")

step "Debian packages" install_packages || finish
start_build helm kwok "${versions[@]}"
step "make install" make install || finish
step "images" build_images || finish
step "waiting for helm" use_helm || finish
step "waiting for KWOK" wait_for kwok # scenarios of fleets fail without
for version in "${versions[@]}"; do
  step "waiting for Kubernetes $version" wait_for "kubernetes-$version" || continue
  e2e_on "$version"
  case $(dra_of "$version") in
    classic) scenarios_on "$version" ;;
    v1) e2e_on "$version" --default-gates PYTEST_FLAGS="-k 'quickstart or structured'" ;;
  esac
  [ "$version" != "${supported_versions[-1]}" ] || scenarios_on "$version" --default-gates
done
finish
