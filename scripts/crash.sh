#!/usr/bin/env bash
# Kills the service with SIGKILL while sessions rotate, again and again, and checks after each restart
# that every refresh token whose rotation was acknowledged is still good.
#
#   scripts/crash.sh [--kills N] [--binary PATH] [--sessions N] [--seed N]
#
# A store that had lost an acknowledged rotation would accept the newer token all the same, and count it
# as healed: the service's own count of these is therefore part of what is lost.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
source scripts/lib.sh

kills=20
binary=target/release/daypass
sessions=2000
seed=$((${EPOCHREALTIME//[!0-9]/} % 32768))
while (($#)); do
  case $1 in
    --kills) kills=${2:?} ;;
    --binary) binary=${2:?} ;;
    --sessions) sessions=${2:?} ;;
    --seed) seed=${2:?} ;;
    *) die "unknown argument $1; there are --kills N, --binary PATH, --sessions N, --seed N" ;;
  esac
  shift 2
done
[[ -x $binary ]] || die "there is no $binary: build it first"
binary=$(realpath "$binary")

mkdir -p target
work=$(mktemp -d "$root/target/crash.XXXXXX")
data=$work/data
log=$work/service.log
port=$(free_port)
RANDOM=$seed
target=http://127.0.0.1:$port

# member FILE NAME: a number from the bench's JSON report; `wrong` is an object of counts.
member() { sed -n "s/^ *\"$2\": *\([0-9][0-9]*\),*\$/\1/p" "$1" | head -n 1; }
wrong() { awk '/"wrong": *[{]/ { inside = 1 } inside && /: *[0-9]+,?$/ { gsub(/,/, "", $NF); sum += $NF } inside && /[}]/ { exit } END { printf "%d", sum }' "$1"; }

say "crash: $kills kills of $binary, $sessions sessions, seed $seed"
note "working folder $work"
(cd "$work" && "$binary" bench prepare --data "$data" --sessions "$sessions" --sample "$sessions" --tokens "$work/held.0") >"$work/prepare.log" 2>&1 ||
  { cat "$work/prepare.log" >&2; die "the store could not be prepared"; }

total=0
lost=0
rotated=0
held=$work/held.0
start_service "$binary" "$data" "$port" "$log"
for ((turn = 1; turn <= kills; turn++)); do
  delay_ms=$((300 + RANDOM % 1200))
  (cd "$work" && exec "$binary" bench refresh --target "$target" --tokens "$held" --tokens-out "$work/rotated.$turn" \
    --connections 32 --duration 60s --warm-up 0s --until-lost --json) >"$work/rotated.$turn.json" 2>"$work/rotated.$turn.log" &
  load=$!
  children+=("$load")
  sleep "$(printf '%d.%03d' $((delay_ms / 1000)) $((delay_ms % 1000)))"
  stop_child "$service" KILL
  wait "$load" || { cat "$work/rotated.$turn.json" "$work/rotated.$turn.log" >&2; die "an answer before kill $turn was wrong"; }
  acknowledged=$(member "$work/rotated.$turn.json" verified)

  start_service "$binary" "$data" "$port" "$log"
  verdict=0
  (cd "$work" && "$binary" bench refresh --target "$target" --tokens "$work/rotated.$turn" --tokens-out "$work/held.$turn" \
    --connections 32 --once --json) >"$work/checked.$turn.json" 2>"$work/checked.$turn.log" || verdict=$?
  good=$(member "$work/checked.$turn.json" verified)
  [[ -n $good ]] || { cat "$work/checked.$turn.log" >&2; die "the check after kill $turn gave no report"; }
  bad=$(wrong "$work/checked.$turn.json")
  healed=$(counter "$port" daypass_healed_total) || die "the service does not tell how many rotations it healed"
  presented=$(wc -l <"$work/rotated.$turn")
  gone=$((sessions - presented)) # chains that the load generator dropped count as lost, too
  missing=$((bad + healed + gone))
  ((verdict == 0 || missing > 0)) || { cat "$work/checked.$turn.json" >&2; die "the check after kill $turn failed"; }
  say "kill $turn after $delay_ms ms, ${acknowledged:-0} rotations in flight or done: acknowledged successors checked: $((good + bad)), lost: $missing"
  total=$((total + good + bad))
  lost=$((lost + missing))
  rotated=$((rotated + ${acknowledged:-0}))
  sessions=$(wc -l <"$work/held.$turn")
  held=$work/held.$turn
done
stop_child "$service"

if ((rotated == 0)); then die "nothing rotated before the kills, so nothing was shown"; fi
say "$kills kills, $rotated rotations acknowledged under load"
if ((lost > 0)); then
  say "${red}acknowledged successors checked: $total, lost: $lost${plain}"
  note "what is left of it: $work; again with the same delays: --seed $seed"
  exit 1
fi
say "${green}acknowledged successors checked: $total, lost: 0${plain}"
rm -rf "$work"
