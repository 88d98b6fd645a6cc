#!/usr/bin/env bash
# What the guides promise, to a project that nobody has seen: five lines protect a route, ten keep a program signed in.
# Makes a new project from the first example of each guide (crates/daypass-verify/README.md and
# crates/daypass-client/README.md), builds it, and runs both programs with a service of their own.
#
#   scripts/fresh.sh [--binary PATH]
#
# The project and its lock file stay in target/fresh, so that the second run builds nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
source scripts/lib.sh

binary=target/debug/daypass
while (($#)); do
  case $1 in
    --binary) binary=${2:?} ;;
    *) die "unknown argument $1; there is --binary PATH" ;;
  esac
  shift 2
done

fresh=$root/target/fresh
project=$fresh/hello
verifying=crates/daypass-verify/README.md
calling=crates/daypass-client/README.md

# --- the project ----------------------------------------------------------------------------------

# example GUIDE: its first example, the lines that the guide hides included.
example() {
  awk '/^```rust/ { inside = 1; next } /^```/ && inside { exit } inside { sub(/^# ?/, ""); print }' "$1"
}

# lines FROM TO: as many lines of the text on stdin, both ends included, without empty ones.
lines() { awk -v from="$1" -v to="$2" 'index($0, from) { inside = 1 } inside && NF; inside && index($0, to) { exit }'; }

# promise GUIDE NUMBER FROM TO: shows the lines of an example that the guide is about, if they are as many as promised.
promise() {
  local shown count
  shown=$(example "$1" | lines "$3" "$4")
  count=$(grep -c . <<<"$shown" || true)
  ((count == $2)) || die "$1 begins with $count lines from \"$3\" to \"$4\", and $2 are promised"
  note "$shown"
}

# placed ROUTE: the program on stdin with the example's names replaced by what the environment says.
placed() {
  sed -e 's|"https://id\.example\([^"]*\)"|\&format!("{}\1", setting("ISSUER"))|g' \
    -e 's|"https://api\.example"|\&setting("'"$1"'")|g' \
    -e 's|"https://api\.example/[^"]*"|\&format!("{}/", setting("'"$1"'"))|g'
  printf '\nfn setting(name: &str) -> String {\n    std::env::var(name).unwrap()\n}\n'
}

# The API is the guide's, and what any axum program has to serve it. Its audience is the issuer, as it is for tokens
# of a service that was told nothing else.
write_api() {
  example "$verifying" | placed ISSUER
  cat <<'RUST'

#[tokio::main]
async fn main() {
    let listener = tokio::net::TcpListener::bind(setting("LISTEN")).await.unwrap();
    axum::serve(listener, app().unwrap()).await.unwrap();
}
RUST
}

# The program is the guide's, and says at its end what it was answered.
write_program() { example "$calling" | sed 's|^Ok(())$|println!("{orders}");\n&|' | placed API; }

write_manifest() {
  cat <<'TOML'
[package]
name = "hello"
version = "0.1.0"
edition = "2024"

[workspace]

[dependencies]
daypass-client = { path = "../../../crates/daypass-client" }
daypass-verify = { path = "../../../crates/daypass-verify", features = ["axum"] }
TOML
  # With the features and profiles that the workspace has, nothing is built twice.
  sed -n '/^\[workspace\.dependencies\]/,/^\[/p' Cargo.toml | grep -E '^(axum|reqwest|tokio) = '
  awk '/^\[/ { inside = /^\[profile\.dev/ } inside' Cargo.toml
}

# keep FILE: writes what comes on stdin, unless it is there already: cargo goes by the time of the last change.
keep() {
  local text
  text=$(cat)
  [[ -f $1 && $(<"$1") == "$text" ]] || printf '%s\n' "$text" >"$1"
}

make_project() {
  if [[ ! -d $project ]]; then
    # Elsewhere, or cargo would make it a member of the workspace around it.
    local elsewhere
    elsewhere=$(mktemp -d)
    (cd "$elsewhere" && cargo new --quiet --vcs none hello)
    rm "$elsewhere/hello/src/main.rs"
    mkdir -p "$fresh" "$elsewhere/hello/src/bin"
    mv "$elsewhere/hello" "$project"
    rmdir "$elsewhere"
  fi
  write_manifest | keep "$project/Cargo.toml"
  write_api | keep "$project/src/bin/fresh-api.rs"
  write_program | keep "$project/src/bin/fresh-program.rs"
  # The same versions as here: cargo takes what it needs from the copy.
  if ! cmp -s Cargo.lock "$fresh/copied.lock"; then
    cp Cargo.lock "$project/Cargo.lock"
    cp Cargo.lock "$fresh/copied.lock"
  fi
}

build() { (cd "$project" && CARGO_TARGET_DIR=$root/target cargo build --quiet --offline); }

# --- what it does ---------------------------------------------------------------------------------

# send PORT PATH TEXT [HEADER]: posts JSON, or gets if TEXT is empty; status line, headers and body on stdout.
send() {
  local method=GET
  [[ -z $3 ]] || method=POST
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf '%s %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n' "$method" "$2" "$1" >&3
    [[ -z ${4:-} ]] || printf '%s\r\n' "$4" >&3
    printf 'Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' "${#3}" "$3" >&3
    timeout 30 cat <&3
  ) 2>/dev/null
}

status() { sed -n '1s|^HTTP/1\.1 \([0-9]*\).*|\1|p'; }

member() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; } # of JSON on stdin: a text without quotes in it

start_api() {
  local deadline=$((SECONDS + 30))
  api_port=$(free_port)
  ISSUER=$issuer LISTEN=127.0.0.1:$api_port target/debug/fresh-api >"$run/api.log" 2>&1 &
  api=$!
  disown "$api"
  children+=("$api")
  until is_listening "$api_port"; do
    kill -0 "$api" 2>/dev/null || { cat "$run/api.log" >&2; die "the API ended"; }
    ((SECONDS < deadline)) || die "the API was not ready within 30 s"
    sleep 0.05
  done
}

expect_status() { # expect_status NUMBER WHAT ANSWER
  local got
  got=$(status <<<"$3")
  [[ $got == "$1" ]] || die "$2 is answered with ${got:-nothing}, not with $1; the logs are in $run"
  say "$2: $got"
}

check_api() {
  local pair token
  expect_status 401 "a call without token" "$(send "$api_port" / '')"
  expect_status 401 "a call with a bad token" "$(send "$api_port" / '' 'Authorization: Bearer nonsense')"
  pair=$(send "$port" /v1/login "{\"username\":\"ada\",\"password\":\"$password\"}")
  token=$(member access_token <<<"$pair")
  [[ -n $token ]] || die "nobody was signed in: $(status <<<"$pair")"
  expect_status 200 "a call with a good token" "$(send "$api_port" / '' "Authorization: Bearer $token")"
}

# call: runs the program in the folder where it keeps its session.
call() {
  local answer
  answer=$(cd "$run" && ISSUER=$issuer API=http://127.0.0.1:$api_port "$root/target/debug/fresh-program") ||
    die "the program failed"
  [[ $answer == "Hello, usr_"* ]] || die "the program was answered: $answer"
  say "the program $1: $answer"
}

sign_ins() { counter "$port" daypass_sign_in_total; }

check_program() {
  local before
  before=$(sign_ins)
  call "signs in and calls"
  (($(sign_ins) == before + 1)) || die "the program did not sign in, or more than once"
  call "is still signed in"
  (($(sign_ins) == before + 1)) || die "the program signed in again"
}

# --------------------------------------------------------------------------------------------------

[[ -x $binary ]] || cargo build --locked -p daypass
[[ -x $binary ]] || die "there is no $binary"
binary=$(realpath "$binary")

promise "$verifying" 5 'Verifier::builder()' '.build()?'
promise "$calling" 10 'Session::builder(' 'let orders ='
make_project
build

run=$(mktemp -d "$fresh/run.XXXXXX")
# Whom the client's guide signs in.
password=$(example "$calling" | sed -n 's/.*Credentials::password("ada", "\([^"]*\)").*/\1/p')
[[ -n $password ]] || die "$calling signs nobody in"
(cd "$run" && "$binary" user add ada --password-stdin --data "$run/data" <<<"$password" >/dev/null)
port=$(free_port)
issuer=http://127.0.0.1:$port
start_service "$binary" "$run/data" "$port" "$run/service.log"
start_api
check_api
check_program
stop_child "$api"
stop_child "$service"
rm -rf "$run"
