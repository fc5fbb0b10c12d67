# Tiers of checks, timed one by one, and real clusters to run them on. To be sourced by .ci/run and hack/e2e-all.sh.
#
# A script runs step after step, also after one that has failed, and ends with `finish`. Needs root on Debian, python3, go,
# and the folder of `cluster`, `build` and `base-image` (KUBE_DIR, default ../shared/kube).
# shellcheck shell=bash
set -uo pipefail
exec </dev/null
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
KUBE_DIR=$(realpath -m "${KUBE_DIR:-../shared/kube}")
KUBE_CACHE=${KUBE_CACHE:-$HOME/.cache/kube-assets}
export KUBE_DIR KUBE_CACHE

# Kubernetes with classic DRA, the oldest and the newest; the first with structured DRA, as v1beta1; the first with v1; the
# newest.
# shellcheck disable=SC2034 # for those that source this
readonly supported_versions=(1.27.4 1.30.14 1.32.2 1.34.4 1.37.2)

readonly node=fake-dra-driver-cluster-worker # the quickstart's UUIDs are a function of this name
readonly namespace=fake-system release=fake-dra-driver chart=deployments/helm/fake-dra-driver
readonly image=fake-dra-driver:v0.2.0
readonly packages=(buildah debootstrap shellcheck prometheus)

work=$(mktemp -d) || exit
archives=$work/images
# The drivers of demo/drivers that are tested on real nodes, too.
readonly demo_drivers=(lamp fpga)
cluster='' builder='' behind_titles=() testers=() failures=() closing=() minutes=()

# Runs on every way out: nothing that was started here may go on.
clean_up() {
  local status=$?
  trap - EXIT INT TERM HUP
  stop_cluster
  local group
  for group in $builder "${testers[@]}"; do kill -- "-$group" 2>/dev/null || true; done
  rm -rf "$work"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# --- Steps, and what is told of them at the end

# say TEXT: a heading, with the minutes so far and the load of the machine, without which they mean little.
say() { printf '\n=== %s (after %d min, load %s)\n' "$1" "$((SECONDS / 60))" "$(cut -d ' ' -f 1 /proc/loadavg)"; }

# step TITLE COMMAND...: runs it, and notes how long it took. When it fails, the whole will, at its end.
step() {
  local title=$1 start=$SECONDS status=0
  shift
  say "$title"
  "$@" || status=$?
  note_minutes "$title" "$start"
  [ "$status" = 0 ] || failures+=("$title")
  return "$status"
}

# note_minutes TITLE START: how long something took that began at this second.
note_minutes() {
  local seconds=$((SECONDS - $2))
  minutes+=("$(printf '%4d.%d  %s' "$((seconds / 60))" "$((seconds % 60 / 6))" "$1")")
}

# tier TITLE COMMAND...: a step that runs pytest. Keeps its closing lines, with each test that failed and why, and what
# took longest; a test that was skipped is a failure.
tier() { step "$1" run_tier "$@"; }

run_tier() {
  local log=$work/tier.log status=0
  PYTEST_ADDOPTS=$(report_durations) "${@:2}" 2>&1 | tee "$log" || status=$?
  note_tier "$1" "$log" && return "$status"
}

report_durations() { echo "${PYTEST_ADDOPTS:-} --durations=10 --durations-min=3"; }

told='(FAILED|ERROR) tests/|SAMPLE: |[0-9.]+s (call|setup|teardown) '
told+='|=+ .*(passed|failed|errors?|skipped|no tests ran).* in [0-9.]+'
readonly told

# note_tier TITLE LOG: keeps what is to be told of a tier at the end. Fails when it left tests out.
note_tier() {
  local line status=0
  while IFS= read -r line; do
    closing+=("$1: $line")
    case $line in =*skipped* | *'no tests ran'*) status=1; echo "FAILED: $1 left tests out: $line" ;; esac
  done < <(sed 's/\x1b\[[0-9;]*m//g' "$2" | grep -E "^($told)" || true)
  return "$status"
}

# behind TITLE COMMAND...: has a tier run, at a low priority, while others mostly wait for a cluster. One runs at a time, in
# the order in which they were given; each in the environment as it is now.
behind() {
  local number=${#testers[@]}
  say "$1, in the background"
  set -m # a process group of its own, so that all of it can be stopped
  run_behind "$number" "${testers[*]: -1}" "${@:2}" &
  set +m
  testers+=("$!") behind_titles+=("$1")
}

# run_behind NUMBER PREVIOUS COMMAND...: runs it once the previous process has ended; leaves its output, and its seconds.
run_behind() {
  local status=0 start
  while [ -n "$2" ] && kill -0 "$2" 2>/dev/null; do sleep 2; done
  start=$SECONDS
  PYTEST_ADDOPTS=$(report_durations) nice -n 10 "${@:3}" >"$work/behind-$1.log" 2>&1 || status=$?
  echo "$((SECONDS - start))" >"$work/behind-$1.seconds"
  return "$status"
}

# join: waits for the tiers that are in the background, at the usual priority, and tells of each as of any other.
join() {
  local number
  for number in "${!testers[@]}"; do join_one "$number"; done
}

join_one() {
  local title=${behind_titles[$1]} log=$work/behind-$1.log status=0
  say "$title, to its end"
  renice -n 0 --pgrp "${testers[$1]}" >/dev/null 2>&1 || true
  wait "${testers[$1]}" || status=$?
  testers[$1]=''
  cat "$log"
  note_tier "$title" "$log" || status=1
  note_minutes "$title" "$((SECONDS - $(<"$work/behind-$1.seconds")))"
  [ "$status" = 0 ] || failures+=("$title")
}

# finish: what the tiers said last, the minutes of every step, and whether all went well.
finish() {
  say "result"
  printf '%s\n' "${closing[@]}" '' 'Minutes:' "${minutes[@]}" "$(printf '%4d.%d  in all' "$((SECONDS / 60))" "$((SECONDS % 60 / 6))")"
  if [ ${#failures[@]} -gt 0 ]; then
    printf 'FAILED: %s\n' "${failures[@]}"
    exit 1
  fi
  echo "all passed"
}

# --- What has to be there first

install_packages() {
  local package missing=()
  for package in "${packages[@]}"; do command -v "$package" >/dev/null || missing+=("$package"); done
  [ ${#missing[@]} = 0 ] && return
  apt-get -q update || return
  # RUNLEVEL=1: prometheus is wanted for promtool, not as a service that starts at once.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"
}

# why_no_kubernetes VERSION...: says why these releases cannot be had, or nothing: they are there, or their source is.
why_no_kubernetes() {
  [ -x "$KUBE_DIR/cluster" ] || { echo "there is no $KUBE_DIR/cluster"; return; }
  local version
  for version; do
    [ -x "$KUBE_CACHE/$version/kubelet" ] && continue
    command -v go >/dev/null || { echo "there is no go"; return; }
    (cd "$work" && go mod download "k8s.io/kubernetes@v$version") || { echo "Go modules cannot be reached"; return; }
  done
}

# why_no_go: says why programs in Go cannot be built, or nothing.
why_no_go() {
  command -v go >/dev/null || { echo "there is no go"; return; }
  (cd tests/go && go mod download) || echo "Go modules cannot be reached"
}

# start_build WHAT...: builds these in the background, in this order and at the lowest priority: `helm`, `kwok`, releases of
# Kubernetes, or `go` for the programs of tests/go. Each leaves a file in $work, which says where the program or release is.
start_build() {
  local what
  set -m # a process group of its own, so that all of it can be stopped
  (
    for what; do
      case $what in
        helm | kwok) built "$what" "$KUBE_DIR/build" "$what" || exit ;;
        go) built go env -C tests/go go build -o /dev/null ./program || exit ;;
        *) built "kubernetes-$what" "$KUBE_DIR/cluster" assets --version "$what" || exit ;;
      esac
    done
  ) >"$work/build.log" 2>&1 &
  builder=$!
  set +m
  build_priority 19
}

built() { "${@:2}" >"$work/$1.tmp" && mv "$work/$1.tmp" "$work/$1"; }

# wait_for NAME: waits until the build has made it; fails when the build has ended without it. Meanwhile the build is all
# there is to do, and has the usual priority: at the lowest it would starve beside whatever else the machine has to do.
wait_for() {
  build_priority 0
  while [ ! -e "$work/$1" ] && kill -0 "$builder" 2>/dev/null; do sleep 2; done
  build_priority 19
  [ -e "$work/$1" ] || { tail -n 40 "$work/build.log"; return 1; }
}

# build_priority NICENESS: of all processes of the build. It may have ended by now.
build_priority() { renice -n "$1" --pgrp "$builder" >/dev/null 2>&1 || true; }

use_helm() {
  wait_for helm || return
  HELM=$(<"$work/helm")
  export HELM
}

# use_kubernetes VERSION: the tests that need a real API server get this one.
use_kubernetes() {
  wait_for "kubernetes-$1" || return
  KUBEBUILDER_ASSETS=$(<"$work/kubernetes-$1")
  export KUBEBUILDER_ASSETS
}

# build_images: from the Dockerfile, and from those of the demo's drivers, which are built on that image; as archives that
# `cluster image` takes. On a stand-in for its base image, which is made here under the tag of the real one, but cannot have
# its digest.
build_images() {
  export CONTAINER_TOOL=buildah STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
  local base driver
  base=$(sed -n 's/^ARG BASE_IMAGE=\(.*\)@.*/\1/p' Dockerfile)
  mkdir -p "$KUBE_CACHE" "$archives" || return # on a new machine base-image may come before the build that makes it
  "$KUBE_DIR/base-image" "$base" && BASE_IMAGE=$base build_image . "$image" || return
  for driver in "${demo_drivers[@]}"; do
    BASE_IMAGE=localhost/$image build_image "demo/drivers/$driver" "$driver-driver:v0.1.0" || return
  done
}

# build_image FOLDER IMAGE
build_image() {
  FOLDER=$1 make image IMAGE="$2" && buildah push "$2" "docker-archive:$archives/${2%:*}.tar:docker.io/library/$2"
}

# --- Tiers on a cluster

# dra_of VERSION: what this release has of DRA, `classic`, `beta` (structured, and only where it is switched on) or `v1`.
dra_of() {
  local minor=${1#1.}
  minor=${minor%%.*}
  if [ "$minor" -le 30 ]; then echo classic; elif [ "$minor" -le 33 ]; then echo beta; else echo v1; fi
}

# e2e_on VERSION [FLAG]... [VARIABLE=VALUE]...: `make e2e` with these variables, on a cluster of this release, which is
# started with these flags.
e2e_on() { make_on e2e "$@"; }

# scenarios_on VERSION [FLAG]... [VARIABLE=VALUE]...: `make scenarios`, likewise.
scenarios_on() { make_on scenarios "$1" --static-nodes "${@:2}"; }

# make_on TARGET VERSION [FLAG]... [VARIABLE=VALUE]...
make_on() {
  local target=$1 version=$2 flags=()
  shift 2
  while [[ ${1:-} == --* ]]; do flags+=("$1"); shift; done
  on_cluster "$target on $version${flags[*]:+ ${flags[*]}}" "$version" "${flags[@]}" -- make "$target" "$@"
}

# on_cluster TITLE VERSION FLAG... -- COMMAND...: a tier on a cluster of its own, of one node, with the driver installed.
on_cluster() {
  local title=$1 version=$2 flags=()
  shift 2
  while [ "$1" != -- ]; do flags+=("$1"); shift; done
  shift
  cluster=$work/cluster-$version
  export KUBECONFIG=$cluster/kubeconfig FAKE_DRA_E2E_LOCAL_CLUSTER_DIR=$cluster
  local failed_before=${#failures[@]}
  if step "cluster for $title" start_cluster "$version" "${flags[@]}"; then
    # A driver that does not work at all would make each test wait for its deadline.
    PYTEST_ADDOPTS=--maxfail=6 tier "$title" "$@"
  fi
  [ ${#failures[@]} = "$failed_before" ] || show_cluster_logs
  stop_cluster
}

# start_cluster VERSION FLAG...: with the images in it and the chart installed.
start_cluster() {
  [ -e "$archives/${image%:*}.tar" ] || { echo "there is no image"; return 1; }
  [ -n "${HELM:-}" ] || { echo "there is no helm"; return 1; }
  "$KUBE_DIR/cluster" up --version "$1" --node --system-paths --node-name "$node" --dir "$cluster" "${@:2}" || return
  local archive
  for archive in "$archives"/*; do "$KUBE_DIR/cluster" image "$archive" --dir "$cluster" || return; done
  # A new node has a not-ready taint; with --static-nodes the controller that would take it away is off.
  kubectl patch node "$node" --type=merge --patch='{"spec":{"taints":null}}' || return
  "$HELM" upgrade -i --create-namespace --namespace "$namespace" "$release" "$chart" || return
  local part
  for part in "deployment/$release-controller" "daemonset/$release-kubeletplugin"; do
    kubectl rollout status -n "$namespace" "$part" --timeout=30s || {
      kubectl describe pods -n "$namespace"
      kubectl logs -n "$namespace" --all-containers --prefix "$part"
      return 1
    }
  done
}

stop_cluster() {
  [ -n "$cluster" ] || return 0
  "$KUBE_DIR/cluster" down --dir "$cluster" || true
  cluster=''
}

# show_cluster_logs: what the cluster's own processes complained about last.
show_cluster_logs() {
  local log
  for log in kubelet containerd kube-scheduler kube-controller-manager kube-apiserver; do
    printf '\n--- %s\n' "$log.log"
    grep -E '^[EFW][0-9]|level=(error|warning|fatal)' "$cluster/logs/$log.log" | tail -n 25 | cut -c 1-400 || true
  done
}
