#!/usr/bin/env bash
# Breaks something on purpose, one thing after the other, and checks that the run under faults fails by the zero that is
# meant to notice.
#
#   scripts/sabotage.sh [--binary PATH] [--rotations N] [--seed N]
#
# PATH is the harness, `daypass-chaos`; the service's program is the `daypass` beside it. If there is a `daypass-cluster`
# beside it, that is broken as well, for which PostgreSQL and nginx have to be installed.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
source scripts/lib.sh

binary=target/debug/daypass-chaos
rotations=1500
seed=1
while (($#)); do
  case $1 in
    --binary) binary=${2:?} ;;
    --rotations) rotations=${2:?} ;;
    --seed) seed=${2:?} ;;
    *) die "unknown argument $1; there are --binary PATH, --rotations N, --seed N" ;;
  esac
  shift 2
done
[[ -x $binary ]] || die "there is no $binary: build it first"

mkdir -p target
work=$(mktemp -d "$root/target/sabotage.XXXXXX")
export TMPDIR=$work

# What is broken, and the zero that has to notice.
sabotages=(
  "fresh-ids sign_outs"
  "late-copies false_alarms"
  "lost-commits lost_rotations"
  "shared-store unnoticed"
  "twins twins"
  "panic panics"
)

cluster=$(dirname "$binary")/daypass-cluster
cluster_sabotages=(
  "no-next-upstream failed_in_rolling_restart"
  "no-synchronous-standby revocations_lost+revocations_missed"
)

# zero FILE NAMES: how often zeros were none, from the report in JSON; several are joined by a plus.
zero() {
  awk -v names="+$2+" '
    /^  "zeros": [{]/ { inside = 1; next }
    inside && /^  [}]/ { exit }
    inside { gsub(/[",:]/, ""); if (index(names, "+" $1 "+")) { sum += $2; found = 1 } }
    END { if (found) print sum }' "$1"
}

failed=0
attempt() { # attempt NAME EXPECTED COMMAND...: it writes its report to NAME.json
  local name=$1 expected=$2 began code=0 seconds count
  shift 2
  began=$(now_us)
  "$@" --seed "$seed" --sabotage "$name" >"$work/$name.out" 2>"$work/$name.log" || code=$?
  [[ -e $work/$name.json ]] || mv "$work/$name.out" "$work/$name.json"
  seconds=$((($(now_us) - began) / 1000000))
  count=$(zero "$work/$name.json" "$expected")
  if ((code == 1)) && ((${count:-0} > 0)); then
    say "${green}noticed${plain}  $name: $expected $count, after $seconds s"
  else
    say "${red}missed${plain}   $name: exit code $code, $expected ${count:-not told}, after $seconds s"
    failed=1
  fi
}

for sabotage in "${sabotages[@]}"; do
  read -r name expected <<<"$sabotage"
  attempt "$name" "$expected" "$binary" --rotations "$rotations" --json
done
if [[ -x $cluster ]]; then
  for sabotage in "${cluster_sabotages[@]}"; do
    read -r name expected <<<"$sabotage"
    attempt "$name" "$expected" "$cluster" --short --json "$work/$name.json"
  done
fi

if ((failed)); then
  die "something was broken and not noticed; reports and stores are in $work"
fi
rm -rf "$work"
