#!/usr/bin/env bash
# Measures the service against the budgets in docs/performance.md.
#
#   scripts/bench.sh [ratio|postgres|growth|memory|storm|start|verify|all]
#
#   ratio   refresh rate as a share of the floor's, a bare program, interleaved
#   postgres  the same on PostgreSQL, on a private cluster on the same cores, and what a refresh costs the database
#   growth  refresh rate with few and with many sessions, interleaved
#   memory  resident memory under load
#   storm   refresh latency while people sign in as fast as they can
#   start   time from exec to the first answer on an existing store
#   verify  time to judge an access token, seen before and new, beside the bare signature check
#
# Settings, from the environment:
#   ROUNDS=3  ROUND_SECONDS=15  CONNECTIONS=64  SESSIONS=1000000  SAMPLE=100000  ALGORITHM=ES256
#   GROWTH=10000000            one more size for `growth`
#   STORM_CONNECTIONS=16       connections that sign in
#   FLOOR_SRC=../shared/floor  the floor's source; the ratio is skipped where it is absent
#   BINARY=PATH                measure this binary instead of building the `dist` profile
#   STRICT=1                   exit 1 if a budget is missed; a wrong answer always does
#
# The result is a table on stdout and target/bench/result.json.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
source scripts/lib.sh

rounds=${ROUNDS:-3}
seconds=${ROUND_SECONDS:-15}
connections=${CONNECTIONS:-64}
sessions=${SESSIONS:-1000000}
sample=${SAMPLE:-100000}
algorithm=${ALGORITHM:-ES256}
storm_connections=${STORM_CONNECTIONS:-16}
floor_src=${FLOOR_SRC:-../shared/floor}
floor_port=8099 # fixed in the floor's source
bench=$root/target/bench
misses=0

# --- building -------------------------------------------------------------------------------------

build_service() {
  if [[ -n ${BINARY:-} ]]; then
    binary=$(realpath "$BINARY")
  else
    title "building the service (profile dist)"
    cargo build --locked --profile dist -p daypass
    binary=$root/target/dist/daypass
  fi
}

build_floor() {
  title "building the floor"
  local copy=$root/target/floor-src
  mkdir -p "$copy" # what an earlier build resolved stays: its Cargo.lock
  cp -R "$floor_src/." "$copy"
  chmod -R u+w "$copy" # the source may be read-only
  # As its own source says: the copy lies below this repository's .cargo/config.toml, whose flags are not its.
  (cd "$copy" && LIBSQLITE3_FLAGS='' cargo build --release --target-dir "$root/target/floor")
  floor=$root/target/floor/release/floor
}

# --- stores ---------------------------------------------------------------------------------------

# prepared N: fills a store with N sessions, once for each build of the binary; sets `ready` to its folder.
prepared() {
  local count=$1 draw=$sample stamp
  ((draw <= count)) || draw=$count
  ready=$bench/prepared-$count
  stamp="$(sha256sum "$binary" | cut -d' ' -f1) $count $draw"
  [[ -f $ready/stamp && $(<"$ready/stamp") == "$stamp" ]] && return
  rm -rf "$ready"
  mkdir -p "$ready"
  say "preparing a store of $count sessions, $draw of them to rotate"
  (cd "$ready" && "$binary" bench prepare --data "$ready/data" --sessions "$count" --sample "$draw" --tokens "$ready/tokens.txt")
  printf '%s' "$stamp" >"$ready/stamp"
}

# fresh N: a copy of the prepared store, so that every run starts from unused tokens; sets `run`.
fresh() {
  prepared "$1"
  run=$bench/run
  rm -rf "$run"
  mkdir -p "$run"
  mkdir -p "$run/data"
  # Page by page, as SQLite itself writes: after a copy in large blocks the page cache holds large folios, in which
  # Linux takes ten times as long to write a single page, and a store that was filled in place is not like that.
  local file
  for file in "$ready"/data/* "$ready/tokens.txt"; do
    dd if="$file" of="$run/${file#"$ready"/}" bs=4k status=none
  done
  sync -f "$run" # or the copy's write-back would disturb what is measured
}

# --- one run --------------------------------------------------------------------------------------

# load NAME URL TOKENS EXTRA: drives wrk; sets `requests rate p50 p99`; ends the script if an answer was wrong.
load() {
  local name=$1 output=$bench/wrk.txt
  drive "$2" "$3" "$4" 2 "$connections" >"$output" 2>&1 || { cat "$output" >&2; die "wrk failed against $name"; }
  result "$name" "$output"
}

# drive URL TOKENS EXTRA THREADS CONNECTIONS: runs wrk.
drive() {
  TOKENS=$2 FORM_EXTRA=$3 THREADS=$4 \
    wrk -t"$4" -c"$5" -d"${seconds}s" --timeout 10s -s "$root/scripts/refresh.lua" "$1"
}

# result NAME OUTPUT: sets `requests rate p50 p99` from what wrk said; ends the script if an answer was wrong.
result() {
  local name=$1 output=$2 line
  line=$(grep '^RESULT ' "$output") || { cat "$output" >&2; die "wrk gave no result for $name"; }
  local wrong silent
  requests=$(field "$line" requests) rate=$(field "$line" rate) p50=$(field "$line" p50) p99=$(field "$line" p99)
  wrong=$(field "$line" wrong) silent=$(field "$line" silent)
  if ((wrong + silent > 0 || requests == 0)); then
    cat "$output" >&2
    die "$name: of $requests answers $wrong were wrong, and $silent never came: the figures are worth nothing"
  fi
}

field() { sed -n "s/.* $2=\([0-9.]*\).*/\1/p" <<<"$1"; }

run_floor() {
  local dir=$bench/floor log=$bench/floor.log deadline=$((SECONDS + 300)) pid
  rm -rf "$dir"
  mkdir -p "$dir"
  if is_listening "$floor_port"; then die "port $floor_port, the floor's, is taken"; fi
  FLOOR_DIR=$dir "$floor" "$algorithm" "$sessions" "$sample" >"$log" 2>&1 &
  pid=$!
  disown "$pid"
  children+=("$pid")
  until is_listening "$floor_port"; do
    if ! kill -0 "$pid" 2>/dev/null; then
      cat "$log" >&2
      die "the floor ended before it was ready"
    fi
    ((SECONDS < deadline)) || die "the floor was not ready within 5 min"
    sleep 0.1
  done
  sync -f "$dir"
  load floor "http://127.0.0.1:$floor_port/token" "$dir/tokens.txt" ''
  stop_child "$pid"
}

# run_service N: starts the service on a fresh store and drives it; leaves it running as `service` on `port`.
run_service() {
  fresh "$1"
  port=$(free_port)
  start_service "$binary" "$run/data" "$port" "$bench/service.log"
  load service "http://127.0.0.1:$port/oauth2/token" "$run/tokens.txt" '&client_id=daypass'
  check_count
}

# Every answer that wrk counted is a refresh that the service counted; those in flight at the end may be more.
check_count() {
  local counted
  counted=$(counter "$port" daypass_refresh_total) || { note "the service does not count its refreshes; not compared"; return 0; }
  if ((counted < requests || counted > requests + connections)); then
    die "wrk had $requests answers, but the service counts $counted refreshes"
  fi
}

# --- results --------------------------------------------------------------------------------------

median() { printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
quotient() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }
list() { local IFS=,; printf '[%s]' "$*"; }

# verdict NAME VALUE OPERATOR BUDGET UNIT: says whether a budget is met.
verdict() {
  if awk -v a="$2" -v b="$4" -v op="$3" 'BEGIN { exit !(op == ">=" ? a >= b : a < b) }'; then
    say "${green}met${plain}     $1: $2$5, budget $3 $4$5"
  else
    misses=$((misses + 1))
    say "${red}missed${plain}  $1: $2$5, budget $3 $4$5"
  fi
}

# keep PART JSON: notes a part's result and joins all parts into one file.
keep() {
  local part
  printf '%s' "$2" >"$bench/part-$1.json"
  {
    printf '{"machine":{"cores":%d,"cpu":"%s","kernel":"%s","memory_kib":%d},"settings":{"rounds":%d,"seconds":%d,"connections":%d,"sessions":%d,"sample":%d,"algorithm":"%s"}' \
      "$(nproc)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1 | tr -cd '[:alnum:] @().-')" "$(uname -r)" \
      "$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)" \
      "$rounds" "$seconds" "$connections" "$sessions" "$sample" "$algorithm"
    for part in ratio postgres growth memory storm start verify; do
      [[ -f $bench/part-$part.json ]] || continue
      printf ',"%s":%s' "$part" "$(<"$bench/part-$part.json")"
    done
    printf '}\n'
  } >"$bench/result.json"
}

# --- the parts ------------------------------------------------------------------------------------

ratio() {
  if [[ ! -f $floor_src/Cargo.toml ]]; then
    say "ratio: skipped, since there is no floor at $floor_src"
    return 0
  fi
  [[ $algorithm == ES256 || $algorithm == Ed25519 ]] || die "the floor signs with ES256 or Ed25519, not $algorithm"
  [[ -x ${floor:-} ]] || build_floor
  title "ratio: $algorithm, $connections connections, $sessions sessions, $sample rotating, $rounds rounds of $seconds s"
  prepared "$sessions"
  printf '%-7s %12s %8s %8s %14s %8s %8s %7s %9s\n' round 'floor /s' p50 p99 'service /s' p50 p99 ratio 'RSS MiB'
  local round floors=() services=() ratios=() floor_p99s=() service_p99s=() floor_p50s=() service_p50s=() row rss=0
  for ((round = 1; round <= rounds; round++)); do
    run_floor
    row=$(printf '%-7s %12s %8s %8s' "$round" "$rate" "$p50" "$p99")
    floors+=("$rate") floor_p50s+=("$p50") floor_p99s+=("$p99")
    run_service "$sessions"
    rss=$(memory_of VmRSS)
    stop_child "$service"
    services+=("$rate") service_p50s+=("$p50") service_p99s+=("$p99")
    ratios+=("$(quotient "$rate" "${floors[-1]}")")
    printf '%s %14s %8s %8s %7s %9s\n' "$row" "$rate" "$p50" "$p99" "${ratios[-1]}" "$((rss / 1024))"
  done
  local share floor_p99 service_p99
  share=$(median "${ratios[@]}") floor_p99=$(median "${floor_p99s[@]}") service_p99=$(median "${service_p99s[@]}")
  printf '%-7s %12s %8s %8s %14s %8s %8s %7s\n' median "$(median "${floors[@]}")" "$(median "${floor_p50s[@]}")" \
    "$floor_p99" "$(median "${services[@]}")" "$(median "${service_p50s[@]}")" "$service_p99" "$share"
  verdict 'share of the floor' "$share" '>=' 0.65 ''
  note "p99 of the service as a share of the floor's: $(quotient "$service_p99" "$floor_p99")"
  keep ratio "{\"ratio\":$share,\"ratios\":$(list "${ratios[@]}"),\"floor_per_s\":$(list "${floors[@]}"),\"service_per_s\":$(list "${services[@]}"),\
\"floor_p50_ms\":$(list "${floor_p50s[@]}"),\"service_p50_ms\":$(list "${service_p50s[@]}"),\"floor_p99_ms\":$(list "${floor_p99s[@]}"),\"service_p99_ms\":$(list "${service_p99s[@]}"),\"rss_kib\":$rss}"
}

# --- PostgreSQL ------------------------------------------------------------------------------------

# start_cluster: a private cluster with fsync on, that ends with this script; sets `DAYPASS_DATABASE` to its URL.
start_cluster() {
  local settings="shared_preload_libraries = 'pg_stat_statements'
shared_buffers = 512MB
max_wal_size = 4GB
checkpoint_timeout = 15min" url=$bench/cluster.url deadline=$((SECONDS + 60))
  title "building and starting a cluster"
  cargo build --locked --release -p daypass-postgres --features testing --example cluster
  rm -f "$bench/cluster.fifo" "$url"
  mkfifo "$bench/cluster.fifo"
  "$root/target/release/examples/cluster" "$bench" "$settings" <"$bench/cluster.fifo" >"$url" &
  children+=("$!")
  exec 9>"$bench/cluster.fifo"
  until [[ -s $url ]]; do
    ((SECONDS < deadline)) || die "the cluster was not ready within a minute"
    sleep 0.1
  done
  DAYPASS_DATABASE=$(<"$url")
  export DAYPASS_DATABASE
  [[ $(sql "show fsync") == on ]] || die "fsync is off: the figures are worth nothing"
}

sql() { psql "$DAYPASS_DATABASE" -XqAt -c "$1"; }

# counters: bytes of the log, page images in it, committed transactions, statements, updates, HOT ones.
counters() {
  sql "select pg_current_wal_insert_lsn() - '0/0', wal_fpi, (select xact_commit from pg_stat_database where datname = current_database()),
    (select sum(calls) from pg_stat_statements), n_tup_upd, n_tup_hot_upd from pg_stat_wal, pg_stat_all_tables
    where relid = 'daypass.sessions'::regclass" | tr '|' ' '
}

# begin_anew: the tokens are those of the beginning again.
begin_anew() {
  sql "update daypass.sessions set generation = 0, attempts = null, grace_run = 0, grace_used = false where generation > 0"
  sql "vacuum daypass.sessions"
  sql "checkpoint"
}

# two_nodes HOME CONNECTIONS: drives two nodes at the same time, each by so many connections; sets `rate`, of both together.
two_nodes() {
  local home=$1 each=$2 half ports=() nodes=() loads=() sum=0
  for half in 0 1; do
    ports+=("$(free_port)")
    start_service "$binary" "$home/data" "${ports[-1]}" "$bench/service.log"
    nodes+=("$service")
  done
  for half in 0 1; do
    drive "http://127.0.0.1:${ports[half]}/oauth2/token" "$home/half$half.txt" '&client_id=daypass' 1 "$each" \
      >"$bench/wrk$half.txt" 2>&1 &
    loads+=("$!")
  done
  for half in 0 1; do
    wait "${loads[half]}" || { cat "$bench/wrk$half.txt" >&2; die "wrk failed against node $half"; }
    stop_child "${nodes[half]}"
    result "node $half" "$bench/wrk$half.txt"
    sum=$((sum + rate))
  done
  rate=$sum
}

postgres() {
  command -v psql >/dev/null || die "PostgreSQL is missing: scripts/setup.sh bench installs it"
  [[ -f $floor_src/Cargo.toml ]] || { say "postgres: skipped, since there is no floor at $floor_src"; return 0; }
  [[ $algorithm == ES256 || $algorithm == Ed25519 ]] || die "the floor signs with ES256 or Ed25519, not $algorithm"
  [[ -x ${floor:-} ]] || build_floor
  start_cluster
  local home=$bench/postgres draw=$sample
  ((draw <= sessions)) || draw=$sessions
  rm -rf "$home"
  mkdir -p "$home"
  (cd "$home" && "$binary" migrate && "$binary" keys new-master --data "$home/data" &&
    "$binary" bench prepare --data "$home/data" --sessions "$sessions" --sample "$draw" --tokens "$home/tokens.txt") || die "filling failed"
  sql "create extension pg_stat_statements"
  sql "vacuum analyze"
  title "postgres: $algorithm, $connections connections, $sessions sessions, $sample rotating, $rounds rounds of $seconds s"
  # Each of two nodes gets half of the sessions: a chain of tokens has one holder.
  awk -v home="$home" '{ print > home "/half" NR % 2 ".txt" }' "$home/tokens.txt"
  printf '%-7s %12s %14s %8s %8s %7s %10s %8s %11s %11s %6s %14s %7s %14s %7s\n' round 'floor /s' 'service /s' p50 p99 ratio 'WAL B each' images statements transact. HOT \
    'two nodes /s' 'of one' 'shared out /s' 'of one'
  local round ratios=() services=() floors=() p99s=() wal=() said=() pairs=() gains=() shared=() shares=() before after row
  for ((round = 1; round <= rounds; round++)); do
    run_floor
    floors+=("$rate")
    begin_anew
    port=$(free_port)
    start_service "$binary" "$home/data" "$port" "$bench/service.log"
    read -ra before <<<"$(counters)"
    load service "http://127.0.0.1:$port/oauth2/token" "$home/tokens.txt" '&client_id=daypass'
    check_count
    stop_child "$service"
    read -ra after <<<"$(counters)"
    services+=("$rate") p99s+=("$p99") ratios+=("$(quotient "$rate" "${floors[-1]}")")
    wal+=("$(quotient "$((after[0] - before[0]))" "$requests")") said+=("$(quotient "$((after[3] - before[3]))" "$requests")")
    row=$(printf '%-7s %12s %14s %8s %8s %7s %10s %8s %11s %11s %6s' "$round" "${floors[-1]}" "$rate" "$p50" "$p99" "${ratios[-1]}" "${wal[-1]}" \
      "$(quotient "$((after[1] - before[1]))" "$requests")" "${said[-1]}" "$(quotient "$((after[2] - before[2]))" "$requests")" \
      "$(quotient "$((after[5] - before[5]))" "$((after[4] - before[4]))")")
    begin_anew
    two_nodes "$home" "$connections"
    pairs+=("$rate") gains+=("$(quotient "$rate" "${services[-1]}")")
    begin_anew
    two_nodes "$home" "$((connections / 2))"
    shared+=("$rate") shares+=("$(quotient "$rate" "${services[-1]}")")
    printf '%s %14s %7s %14s %7s\n' "$row" "${pairs[-1]}" "${gains[-1]}" "${shared[-1]}" "${shares[-1]}"
  done
  unset DAYPASS_DATABASE
  exec 9>&- # the cluster ends
  verdict 'share of the floor, PostgreSQL' "$(median "${ratios[@]}")" '>=' 0.4 ''
  verdict "two nodes with $connections connections each, as a share of one" "$(median "${gains[@]}")" '>=' 1 ''
  verdict "two nodes that share $connections connections, as a share of one" "$(median "${shares[@]}")" '>=' 1 ''
  keep postgres "{\"ratios\":$(list "${ratios[@]}"),\"two_nodes_per_s\":$(list "${pairs[@]}"),\"two_of_one\":$(list "${gains[@]}"),\"shared_out_per_s\":$(list "${shared[@]}"),\"shared_of_one\":$(list "${shares[@]}"),\"floor_per_s\":$(list "${floors[@]}"),\"service_per_s\":$(list "${services[@]}"),\"p99_ms\":$(list "${p99s[@]}"),\
\"wal_bytes\":$(list "${wal[@]}"),\"statements\":$(list "${said[@]}")}"
}

growth() {
  local sizes=(10000 "$sessions") size round json='' all=() share
  [[ -z ${GROWTH:-} ]] || sizes+=("$GROWTH")
  title "growth: ${sizes[*]} sessions, $rounds rounds of $seconds s"
  local -A rates=() p99s=()
  for size in "${sizes[@]}"; do prepared "$size"; done
  printf '%-7s %12s %12s %8s %8s\n' round sessions 'rate /s' p50 p99
  for ((round = 1; round <= rounds; round++)); do
    for size in "${sizes[@]}"; do
      run_service "$size"
      stop_child "$service"
      printf '%-7s %12s %12s %8s %8s\n' "$round" "$size" "$rate" "$p50" "$p99"
      rates[$size]+=" $rate" p99s[$size]+=" $p99"
    done
  done
  local base middle
  read -ra all <<<"${rates[10000]}"
  base=$(median "${all[@]}")
  for size in "${sizes[@]}"; do
    read -ra all <<<"${rates[$size]}"
    middle=$(median "${all[@]}")
    share=$(quotient "$middle" "$base")
    json+="${json:+,}{\"sessions\":$size,\"per_s\":$(list "${all[@]}"),\"median_per_s\":$middle,\"share_of_10k\":$share"
    read -ra all <<<"${p99s[$size]}"
    json+=",\"p99_ms\":$(list "${all[@]}")}"
    ((size == 10000)) || verdict "rate at $size sessions as a share of that at 10000" "$share" '>=' 0.8 ''
  done
  keep growth "[$json]"
}

memory_of() { sed -n "s/^$1:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$service/status"; }

memory() {
  title "memory: $sessions sessions, after $seconds s under load"
  run_service "$sessions"
  local high resident
  high=$(memory_of VmHWM) resident=$(memory_of VmRSS)
  stop_child "$service"
  say "highest $((high / 1024)) MiB, at the end $((resident / 1024)) MiB, at $rate refreshes/s"
  verdict 'highest resident memory' "$((high / 1024))" '<' 128 ' MiB'
  keep memory "{\"vm_hwm_kib\":$high,\"vm_rss_kib\":$resident,\"rate_per_s\":$rate}"
}

storm() {
  title "storm: $storm_connections connections sign in beside $connections that refresh, $seconds s"
  fresh "$sessions"
  local password login signing report=$bench/login.json
  password=$(head -c 18 /dev/urandom | base64)
  (cd "$run" && "$binary" user add storm --password-stdin --data "$run/data" <<<"$password") >/dev/null
  port=$(free_port)
  start_service "$binary" "$run/data" "$port" "$bench/service.log"
  (cd "$run" && DAYPASS_BENCH_PASSWORD=$password exec "$binary" bench login --target "http://127.0.0.1:$port" --username storm \
    --connections "$storm_connections" --duration "$((seconds + 2))s" --warm-up 1s --json) >"$report" 2>"$bench/login.log" &
  login=$!
  children+=("$login")
  sleep 1.5
  load service "http://127.0.0.1:$port/oauth2/token" "$run/tokens.txt" '&client_id=daypass'
  wait "$login" || { cat "$report" "$bench/login.log" >&2; die "signing in failed"; }
  stop_child "$service"
  signing=$(sed -n 's/^ *"rate_per_s": *\([0-9.]*\),*$/\1/p' "$report" | head -n 1)
  say "$rate refreshes/s, p50 $p50 ms, p99 $p99 ms, beside ${signing:-?} sign-ins/s"
  verdict 'refresh p99 in the storm' "$p99" '<' 20 ' ms'
  keep storm "{\"rate_per_s\":$rate,\"p50_ms\":$p50,\"p99_ms\":$p99,\"sign_ins_per_s\":${signing:-null}}"
}

start() {
  title "start: from exec to the first answer, $sessions sessions, $((rounds * 3)) starts"
  fresh "$sessions"
  local times=() begun took turn middle
  for ((turn = 0; turn < rounds * 3; turn++)); do
    port=$(free_port)
    begun=$(now_us)
    (cd "$run" && exec "$binary" serve --data "$run/data" --listen "127.0.0.1:$port") >>"$bench/service.log" 2>&1 &
    service=$!
    disown "$service"
    children+=("$service")
    until http_ok "$port" /healthz; do
      kill -0 "$service" 2>/dev/null || die "the service ended before it answered; its log is $bench/service.log"
      (($(now_us) - begun < 60000000)) || die "no answer within 60 s"
    done
    took=$(awk -v us="$(($(now_us) - begun))" 'BEGIN { printf "%.1f", us / 1000 }')
    times+=("$took")
    stop_child "$service"
  done
  middle=$(median "${times[@]}")
  say "median $middle ms of: ${times[*]}"
  verdict 'start to first answer' "$middle" '<' 150 ' ms'
  keep start "{\"median_ms\":$middle,\"ms\":$(list "${times[@]}")}"
}

# figure NAME FORMAT: the median of a figure in the report of `bench verify`.
figure() { sed -n "/^  \"$1\": {/,/}/s/^ *\"median\": *\([-0-9.e]*\),*$/\1/p" "$bench/verify.json" | awk -v format="$2" '{ printf format, $1 }'; }

verify() {
  title "verify: $algorithm, 1000 tokens, some of them bad, $((rounds * seconds)) s"
  "$binary" bench verify --algorithm "$algorithm" --duration "$((rounds * seconds))s" --json >"$bench/verify.json" ||
    { cat "$bench/verify.json" >&2; die "a token was judged wrongly: the figures are worth nothing"; }
  local seen together new bare difference
  seen=$(figure seen_ns %.0f) together=$(figure together_per_s %.0f)
  new=$(figure new_us %.2f) bare=$(figure bare_us %.2f) difference=$(figure new_minus_bare_us %.2f)
  say "seen before $seen ns, $together /s on all cores together; new $new µs, bare signature check $bare µs"
  verdict 'a token seen before' "$seen" '<' 300 ' ns'
  verdict 'a new token beyond the bare signature check' "$difference" '<' 3 ' µs'
  keep verify "$(<"$bench/verify.json")"
}

# --------------------------------------------------------------------------------------------------

part=${1:-all}
case $part in
  ratio | postgres | growth | memory | storm | start | verify) parts=("$part") ;;
  all) parts=(ratio postgres growth memory storm start verify) ;;
  *) die "unknown part $part; there are ratio, postgres, growth, memory, storm, start, verify, all" ;;
esac
[[ $part == verify ]] || command -v wrk >/dev/null || die "wrk is missing: scripts/setup.sh bench installs it"
mkdir -p "$bench"
[[ $part != all ]] || rm -f "$bench"/part-*.json
build_service
for part in "${parts[@]}"; do "$part"; done
rm -rf "$bench/run" "$bench/floor"
title "done"
say "$misses of the budgets missed; figures in target/bench/result.json"
[[ -z ${STRICT:-} || $misses == 0 ]]
