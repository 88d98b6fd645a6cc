#!/usr/bin/env bash
# Breaks something on purpose, one thing after the other, and checks that the run under faults fails by the zero that is
# meant to notice.
#
#   scripts/sabotage.sh [--binary PATH] [--rotations N] [--seed N]
#
# PATH is the harness, `daypass-chaos`; the service's program is the `daypass` beside it.
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

# zero FILE NAME: how often a zero was not one, from the report in JSON.
zero() {
  awk -v name="\"$2\":" '
    /^  "zeros": [{]/ { inside = 1; next }
    inside && /^  [}]/ { exit }
    inside && $1 == name { sub(/,/, "", $2); print $2; exit }' "$1"
}

failed=0
for sabotage in "${sabotages[@]}"; do
  read -r name expected <<<"$sabotage"
  began=$(now_us) code=0
  "$binary" --rotations "$rotations" --seed "$seed" --json --sabotage "$name" >"$work/$name.json" 2>"$work/$name.log" || code=$?
  seconds=$((($(now_us) - began) / 1000000))
  count=$(zero "$work/$name.json" "$expected")
  if ((code == 1)) && ((${count:-0} > 0)); then
    say "${green}noticed${plain}  $name: $expected $count, after $seconds s"
  else
    say "${red}missed${plain}   $name: exit code $code, $expected ${count:-not told}, after $seconds s"
    failed=1
  fi
done

if ((failed)); then
  die "something was broken and not noticed; reports and stores are in $work"
fi
rm -rf "$work"
