# What the scripts of this folder share; they source it. Needs bash and coreutils only.
# shellcheck shell=bash disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The service takes its settings from flags here, whatever the caller's environment says.
for variable in "${!DAYPASS_@}"; do unset "$variable"; done

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' dim=$'\e[2m' plain=$'\e[0m'
else
  bold='' green='' red='' dim='' plain=''
fi

say() { printf '%s\n' "$*"; }
note() { printf '%s%s%s\n' "$dim" "$*" "$plain"; }
title() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
die() {
  printf '%serror: %s%s\n' "$red" "$*" "$plain" >&2
  exit 1
}

# Microseconds since the epoch.
now_us() { printf '%s' "${EPOCHREALTIME//[!0-9]/}"; }

# A port on 127.0.0.1 on which nobody listens.
free_port() {
  local port _
  for _ in {1..100}; do
    port=$((20000 + RANDOM % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      printf '%s' "$port"
      return
    fi
  done
  die "no free port was found"
}

is_listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# http_get PORT PATH: status line, headers and body of the answer on stdout; fails if there is none.
http_get() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$2" "$1" >&3
    timeout 5 cat <&3
  ) 2>/dev/null
}

# http_ok PORT PATH: whether the answer is a 200.
http_ok() {
  (
    local status
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$2" "$1" >&3
    read -r -t 5 status <&3 && [[ $status == HTTP/1.1\ 200* ]]
  ) 2>/dev/null
}

# counter PORT NAME: the sum of a counter over its labels; fails if the service does not know it.
counter() {
  local metrics
  metrics=$(http_get "$1" /metrics) || return 1
  grep -q "^${2%_total}\|^# [A-Z]* ${2%_total}" <<<"$metrics" || return 1
  awk -v name="$2" '{ key = $1; sub(/[{].*/, "", key); if (key == name) sum += $NF } END { printf "%d", sum }' <<<"$metrics"
}

# Children that are stopped when the script ends, however it ends.
children=()

stop_child() { # stop_child PID [SIGNAL]: and waits for it
  local pid=$1 signal=${2:-TERM} _
  kill "-$signal" "$pid" 2>/dev/null || true
  for _ in {1..300}; do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  local rest=() child
  for child in "${children[@]}"; do [[ $child == "$pid" ]] || rest+=("$child"); done
  children=("${rest[@]}")
}

stop_children() {
  local child
  for child in "${children[@]}"; do kill -KILL "$child" 2>/dev/null || true; done
}
trap stop_children EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start_service BINARY DATA PORT LOG: sets `service` to its process id and waits until it is ready. It
# runs in the folder above its data, where no configuration file lies.
start_service() {
  local binary=$1 data=$2 port=$3 log=$4 deadline
  (cd "$(dirname "$data")" && exec "$binary" serve --data "$data" --listen "127.0.0.1:$port") >>"$log" 2>&1 &
  service=$!
  disown "$service" # or bash reports each kill
  children+=("$service")
  deadline=$((SECONDS + 60))
  until http_ok "$port" /readyz; do
    if ! kill -0 "$service" 2>/dev/null; then
      tail -n 20 "$log" >&2
      die "the service ended before it was ready"
    fi
    ((SECONDS < deadline)) || die "the service was not ready within 60 s; its log is $log"
    sleep 0.02
  done
}
