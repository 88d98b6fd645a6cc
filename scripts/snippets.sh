#!/usr/bin/env bash
# Runs the verifiers of docs/verify against a running service and against an issuer of bad tokens, and holds the verdict
# on each token against the one it has to get.
#
#   scripts/snippets.sh [--binary PATH]
#
# What they need is installed below target/snippets, once. A language that is not on this machine, or too old, is named
# and passed over; but for Python, which mints the tokens and has to be there.
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

docs=$root/docs/verify
built=$root/target/snippets
python=$built/python/bin/python
languages=()
missing=()
export PYTHONDONTWRITEBYTECODE=1 # docs stays as it is

has() { command -v "$1" >/dev/null 2>&1; }

# --- installing -----------------------------------------------------------------------------------

# once NAME FILE... -- COMMAND...: runs the command unless it succeeded with the same files before.
once() {
  local name=$1 files=() stamp
  shift
  while [[ $1 != -- ]]; do files+=("$1"); shift; done
  shift
  stamp=$(sha256sum "${files[@]}" | sha256sum)
  [[ -f $built/$name.stamp && $(<"$built/$name.stamp") == "$stamp" ]] && return
  say "building for $name"
  rm -f "$built/$name.stamp"
  if ! "$@" >"$built/$name.log" 2>&1; then
    tail -n 20 "$built/$name.log" >&2
    die "the snippet for $name could not be built"
  fi
  printf '%s' "$stamp" >"$built/$name.stamp"
}

# usable LANGUAGE WANTED PROGRAM...: whether its programs are there, and the first in the version wanted or a
# newer one; if not, that is noted.
usable() {
  local language=$1 wanted=$2 program version
  shift 2
  for program in "$@"; do
    if ! has "$program"; then
      missing+=("$program is not on this machine: the snippet for $language was not run")
      return 1
    fi
  done
  version=$(version_of "$1") || true
  if [[ -z $version ]]; then
    missing+=("$1 does not run on this machine: the snippet for $language was not run")
    return 1
  fi
  if [[ $(printf '%s\n' "$wanted" "$version" | sort -V | head -n 1) != "$wanted" ]]; then
    missing+=("$1 is $version on this machine, older than $wanted: the snippet for $language was not run")
    return 1
  fi
  languages+=("$language")
}

version_of() {
  case $1 in
    go) GOTOOLCHAIN=local go env GOVERSION | sed 's/^go//' ;;
    javac) javac -version 2>&1 | sed 's/^javac //' ;;
    *) "$1" --version 2>&1 | sed 's/^[^0-9]*//' ;;
  esac
}

install_python() {
  rm -rf "$built/python"
  python3 -m venv "$built/python"
  "$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$docs/python/requirements.txt"
}

install_javascript() {
  rm -rf "$built/javascript"
  mkdir -p "$built/javascript"
  cp "$docs"/javascript/* "$built/javascript"
  (cd "$built/javascript" && npm ci --no-audit --no-fund)
}

install_go() { (cd "$docs/go" && export GOTOOLCHAIN=local && go vet ./... && go build -mod=readonly -o "$built/go/" ./...); }

install_java() {
  rm -rf "$built/java"
  (cd "$docs/java" && mvn --batch-mode --quiet "-Dout=$built/java" compiler:compile dependency:copy-dependencies)
}

install_all() {
  usable javascript 20 node npm && once javascript "$docs"/javascript/* -- install_javascript
  usable go 1.25 go && once go "$docs"/go/*.* "$docs"/go/vectors/* -- install_go
  usable java 17 javac java mvn && once java "$docs"/java/* -- install_java
  return 0
}

# --- a service and its tokens ---------------------------------------------------------------------

member() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; } # of JSON on stdin: a text without quotes in it

add_client() { # add_client ID ARGUMENT...: keeps its secret
  local id=$1
  shift
  secrets[$id]=$("$binary" client add "$id" --data "$work/data" --json "$@" | member client_secret)
  [[ -n ${secrets[$id]} ]] || die "the client $id was not registered"
}

program_token() { # program_token ID SCOPE
  curl --silent --show-error --fail --max-time 30 "$issuer/oauth2/token" -u "$1:${secrets[$1]}" \
    -d grant_type=client_credentials -d "scope=$2" | member access_token
}

sign_in() {
  curl --silent --show-error --fail --max-time 30 "$issuer/v1/login" -H 'Content-Type: application/json' \
    --data-binary @- <<<"{\"username\":\"ada\",\"password\":\"$password\"}"
}

prepare_service() {
  password=$(head -c 18 /dev/urandom | base64 | tr '+/' '-_')
  (
    cd "$work" # where no configuration file lies
    "$binary" user add ada --password-stdin --scope read --data "$work/data" <<<"$password" >/dev/null
  )
  add_client reports --scope read
  add_client elsewhere --scope read --audience "$elsewhere"
  add_client brief --scope read --access 1
  add_client follower --scope daypass:feed
  port=$(free_port)
  issuer=http://127.0.0.1:$port
  start_service "$binary" "$work/data" "$port" "$work/service.log"
}

collect_tokens() {
  local pair
  pair=$(sign_in)
  cat >"$work/service.json" <<JSON
{
  "issuer": "$issuer",
  "audience": "$elsewhere",
  "person": "$(member access_token <<<"$pair")",
  "refresh": "$(member refresh_token <<<"$pair")",
  "program": "$(program_token reports read)",
  "other_audience": "$(program_token elsewhere read)",
  "expired": "$(program_token brief read)",
  "jwks": $(curl --silent --show-error --fail --max-time 30 "$issuer/.well-known/jwks.json")
}
JSON
  brief_since=$SECONDS
}

# The service's own token expires by itself: a life of 1 s and a leeway of 5 s after it was given out.
await_expiry() { while ((SECONDS <= brief_since + 7)); do sleep 0.2; done; }

# --- judging --------------------------------------------------------------------------------------

serve_keys() {
  local keys_port deadline=$((SECONDS + 30))
  keys_port=$(free_port)
  keys=http://127.0.0.1:$keys_port
  "$python" "$docs/testing/vectors.py" mint --service "$work/service.json" --keys "$keys" --out "$work/vectors.json"
  "$python" "$docs/testing/key_server.py" "$keys_port" "$work/keys.json" >"$work/keys.log" 2>&1 &
  key_server=$!
  disown "$key_server"
  children+=("$key_server")
  until is_listening "$keys_port"; do
    kill -0 "$key_server" 2>/dev/null || { cat "$work/keys.log" >&2; die "the key server ended"; }
    ((SECONDS < deadline)) || die "the key server was not ready within 30 s"
    sleep 0.05
  done
}

judge() { # judge LANGUAGE: prints the verdicts
  case $1 in
    python) "$python" "$docs/python/run_vectors.py" "$work/vectors.json" ;;
    javascript) node "$built/javascript/run_vectors.mjs" "$work/vectors.json" ;;
    go) "$built/go/vectors" "$work/vectors.json" ;;
    java) java -cp "$built/java/classes:$built/java/lib/*" RunVectors "$work/vectors.json" ;;
  esac
}

judge_all() {
  local language pids=() i failed=0
  for language in "${languages[@]}"; do
    judge "$language" >"$work/$language.tsv" 2>"$work/$language.log" &
    pids+=($!)
    children+=($!)
  done
  for i in "${!languages[@]}"; do
    language=${languages[i]}
    if ! wait "${pids[i]}"; then
      tail -n 5 "$work/$language.log" >&2
      say "${red}$language: its run ended early${plain}"
      failed=1
    fi
    "$python" "$docs/testing/vectors.py" check --vectors "$work/vectors.json" --verdicts "$work/$language.tsv" \
      --language "$language" || failed=1
  done
  children=("$service" "$key_server") # the others have ended
  return "$failed"
}

# The list of ended sessions, as docs/verifying.md says to follow it.
follow_endings() {
  PYTHONPATH=$docs/python ISSUER=$issuer CLIENT_SECRET=${secrets[follower]} \
    USER_PASSWORD=$password "$python" "$docs/testing/follow_endings.py" "$binary" "$work/data"
}

# --------------------------------------------------------------------------------------------------

usable python 3.11 python3 || die "${missing[0]}, and Python mints the tokens for all of them"
has curl || die "curl is missing"
[[ -x $binary ]] || cargo build --locked -p daypass
[[ -x $binary ]] || die "there is no $binary"
binary=$(realpath "$binary")
mkdir -p "$built"
work=$(mktemp -d "$built/run.XXXXXX")
declare -A secrets=()
elsewhere=https://elsewhere.example

once python "$docs/python/requirements.txt" -- install_python
prepare_service
collect_tokens
install_all
await_expiry
serve_keys
verdict=0
judge_all || verdict=1
follow_endings || verdict=1
for line in "${missing[@]}"; do say "$line"; done
if ((verdict)); then die "a snippet is wrong; what it was given and what it said is in $work"; fi
stop_child "$key_server"
stop_child "$service"
rm -rf "$work"
